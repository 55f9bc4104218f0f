"""The interfaces of a kind and a task for packaging: the module `releasing.release` of
their rooms.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from duli.serving.kind import Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Usage(NamedTuple):
    """The command of a kind in the words of the card."""

    one: str  # what follows `predict`
    why: str
    several: str  # a file of many
    inside: str  # what of a folder is read
    labelled: str  # what follows `evaluate`
    sent: str  # what curl sends to the server


class Kind(Protocol):
    """A kind of data, made of data/prepared/stats.json."""

    words: Words
    modality: str  # as Hugging Face and CycloneDX call it
    usage: Usage
    runtime: tuple[str, ...]  # libraries the wheel needs
    columns: tuple[str, ...]  # keys of `data.own` that name columns of the file it came in
    suffix: str  # of a file of examples
    rows: int  # in such a file
    before: str  # where what stands before the network is
    tensor: str  # what the ONNX file takes
    python: str  # what the predictor takes
    reading: str  # what is done to files before the model sees them
    centres: str | None  # what is done to numbers before the ONNX file, which float32 cannot hold
    facts: dict[str, Any]  # of release.json

    def __init__(self, stats: Mapping[str, Any]) -> None: ...

    # files of the wheel, made of the rules of data/prepared/preprocessing.json
    def carried(self, rules: Mapping[str, Any]) -> dict[str, bytes]: ...

    # a file of examples, of their contents
    def written(self, contents: Sequence[bytes]) -> bytes: ...


class Metric(NamedTuple):
    """A number of the bill of materials."""

    name: str
    measure: Mapping[str, Any]  # value, low and high
    part: str  # of the data


class Answered(NamedTuple):
    """The answers of a wheel to n examples."""

    answers: "NDArray[Any]"  # [n], each as the target of an example is
    outputs: "NDArray[np.float32]"  # [n, width of an answer]
    names: list[str]  # of what it may answer


class Task(Protocol):
    """A task, made of the contents of the run's files: raw, stats, model, evaluation and more."""

    template: Path  # fills the blocks of the card
    filters: dict[str, Any]  # that this template needs
    score: str  # what is measured, in words
    json: str  # what `predict --json` prints
    option: str | None  # what the card says of one of `predict`
    labels: list[str]  # names of the output's numbers
    answer: dict[str, Any]  # how the output of the ONNX file becomes an answer
    output: str  # of the ONNX file
    facts: dict[str, Any]  # of release.json
    properties: dict[str, Any]  # of the bill of materials
    measures: dict[str, tuple[str, str]]  # key in evaluation.json -> Hugging Face's name, and ours

    def __init__(self, evidence: Mapping[str, Mapping[str, Any]]) -> None: ...
    def hub(self, modality: str) -> str: ...  # the task as Hugging Face and CycloneDX call it
    def moved(self, thing: str) -> str: ...  # what rounding by the batch does to answers

    # what has to be the same in two files: what it is called, here, there
    def agreements(self) -> list[tuple[str, Any, Any]]: ...
    def metrics(self) -> Iterator[Metric]: ...
    def changed(self, things: str) -> str: ...  # what export and quantization did to answers
    def groups(self) -> dict[str, str]: ...  # that it serves worst -> how

    # Raises `GateError` unless the answers of the command, in JSON, are what the card says.
    def reproduced(self, answers: Sequence[Any], targets: Sequence[Any], things: str) -> str: ...
