"""The tasks of a model. A package contains the room of its own task, `tasks/NAME/`, which defines
its answers.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import argparse

    import numpy as np
    from numpy.typing import NDArray

    from .kind import Labelled, Words

Answers: TypeAlias = "NDArray[np.float32]"  # [n, width]
Wish: TypeAlias = Any  # how answers are wished for; what it is, the task knows


class Output(NamedTuple):
    """An output of the Open Inference Protocol; its first axis is that of the examples."""

    name: str
    datatype: str  # FP32, or BYTES for texts
    shape: tuple[int, ...]


class Described(NamedTuple):
    """The OpenAPI description of a task."""

    summary: str  # {things} are those of the kind
    prediction: dict[str, Any]  # the schema of one answer
    wishes: dict[str, Any]  # keys that may stand beside what is asked -> their schemas
    query: list[dict[str, Any]]  # the same in the address


class Task(Protocol):
    """The interface of a task for the predictor, the command and the server. Methods that read what
    a client sent raise `InputError`.
    """

    width: int  # numbers that an answer has
    names: list[str]  # of what may be answered; none where answers are numbers
    about: dict[str, Any]  # what /about says of it, its headline among it
    tensors: tuple[Output, ...]

    def __init__(self, release: Mapping[str, Any]) -> None: ...
    def __hash__(self) -> int: ...

    # from the output of the ONNX file, [n, ...]
    def answers(self, outputs: "NDArray[np.float32]") -> Answers: ...
    def chosen(self, answers: Answers) -> "NDArray[np.int64]": ...  # index of the name of each

    # Python
    def prediction(self, answers: Answers) -> Any: ...

    # what is wished for: in the address, in JSON, by the options of the command
    def wish(self, query: bytes) -> Wish: ...
    def wished(self, values: Mapping[str, Any], usual: Wish) -> Wish: ...
    def opted(self, options: "argparse.Namespace") -> Wish: ...

    # answers as the command, MLflow and the server give them
    def heading(self) -> str: ...
    def lines(self, answers: Answers, wish: Wish) -> Iterator[str]: ...
    def objects(self, answers: Answers, wish: Wish) -> Iterator[dict[str, Any]]: ...
    def json(self, answers: Answers, wish: Wish) -> bytes: ...
    def tensor(self, name: str, answers: Answers, wish: Wish) -> "NDArray[Any] | list[str]": ...
    def described(self) -> Described: ...

    # labelled examples
    def targets(self, labels: Sequence[str]) -> "NDArray[Any]": ...
    def numbered(self, labels: "NDArray[np.int64]") -> "NDArray[Any]": ...

    # prints how right the answers are; `own`: the examples are those of the card. `cause` is asked
    # why not, and given what counts the differences to other answers
    def judge(
        self,
        answers: Answers,
        data: "Labelled",
        words: "Words",
        *,
        own: bool,
        cause: Callable[[Callable[[Answers], int]], str],
    ) -> None: ...


class Command(Protocol):
    """The words of the command for a task: the module `command` of its room, which
    loads no numpy.
    """

    PREDICTS: str  # what `predict` does; {things} are those of the kind
    EVALUATES: str  # what `evaluate` does
    JSON: str  # what `predict --json` prints
    KEYS: tuple[str, ...]  # of `Task.objects`, that it prints

    def options(self, parser: "argparse.ArgumentParser") -> None: ...  # of `predict`


def command(release: Mapping[str, Any]) -> Any:
    """The `Command` of a release; nothing else is loaded."""
    return _room(release, "command")


def of(release: Mapping[str, Any]) -> Task:
    """The task of a release."""
    made: Task = _room(release, "task").Task(release)
    return made


def page(release: Mapping[str, Any], contents: Mapping[str, bytes], file: str) -> bytes:
    """A file of the part of the page that shows answers."""
    return contents[f"tasks/{release['task']}/page.{file}"]


def _room(release: Mapping[str, Any], module: str) -> ModuleType:
    return importlib.import_module(f".tasks.{release['task']}.{module}", __package__)
