"""The kinds of data that a model may take. A package contains the room of its own kind,
`kinds/NAME/`.
"""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .bodies import Asked
    from .task import Task


class Words(NamedTuple):
    """The words of the command for a kind; `thing` is one example."""

    thing: str
    things: str
    files: str
    data: str
    spoken: bool = False  # whether an example fits into a command line, as --THING
    counted: str | None = None  # what `serve --statistics` counts; None: nothing


class Tensor(NamedTuple):
    """The input of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: list[int]
    advice: str  # for whoever sends another datatype


class Described(NamedTuple):
    """The OpenAPI description of a kind: JSON schemas, and where they are accepted."""

    schemas: dict[str, Any]
    asked: dict[str, Any]  # key of a request to /predict -> what stands under it
    media: dict[str, Any]  # Content-Type of /predict besides JSON -> its schema
    invoked: dict[str, Any]  # key of a request to /invocations -> what stands under it
    # shape and data of one and of two examples; more go likewise
    tensors: list[tuple[list[int], dict[str, Any]]]


class Labelled(NamedTuple):
    """n examples, as `Kind.checked` takes them, and what a right answer to each is."""

    inputs: Any
    labels: "NDArray[Any]"  # [n], as `Task.targets` gives them
    skipped: tuple[str, ...] = ()  # "FILE: why" of those that could not be read
    left_out: int = 0  # files that are no examples, which training leaves out as well
    # what else was left out, as training does, or was read otherwise than it stands there
    notes: tuple[str, ...] = ()
    kept: Any = None  # the examples as training keeps them, where these are others than the inputs

    def digest(self) -> str:
        """SHA-256 over every example's own and its label, in order: what the card calls the digest
        of a split.
        """
        import hashlib

        whole = hashlib.sha256()
        kept = self.inputs if self.kept is None else self.kept
        for one, label in zip(kept, self.labels.tolist(), strict=True):
            content = one.encode() if isinstance(one, str) else one.tobytes()
            whole.update(f"{hashlib.sha256(content).hexdigest()} {label}\n".encode())
        return whole.hexdigest()


class Kind(Protocol):
    """The interface of a kind of data for the predictor, the command and the server.

    Inputs are an array [n, ...] or a list of n strings. Whatever reads them raises `InputError`.
    """

    words: Words
    feed: str  # the input of the ONNX file
    tensor: Tensor
    numbers: str  # what may stand in JSON where no NaN may
    media: frozenset[bytes]  # what /predict takes besides JSON
    about: dict[str, Any]  # what /about says of it

    def __init__(self, release: Mapping[str, Any], contents: Mapping[str, bytes]) -> None: ...
    def __hash__(self) -> int: ...

    # Python
    def checked(self, inputs: Any) -> Any: ...

    # rows, and what the ONNX file is given for them
    def parts(self, inputs: Any) -> "Iterator[tuple[Any, NDArray[Any]]]": ...
    def joined(self, several: list[Any]) -> Any: ...
    def work(self, inputs: Any) -> float: ...  # for the model; that of a common example is 1

    # Command
    def load(self, source: str) -> Any: ...
    def labelled(self, sources: list[str], task: "Task") -> Labelled: ...

    # Server
    def body(self, content: bytes, media: bytes) -> Any: ...
    def asked(self, body: bytes) -> "Asked": ...
    def invoked(self, body: bytes) -> "Asked": ...
    def fits(self, sizes: list[int]) -> None: ...

    # the tensor's data in JSON
    def listed(self, data: list[Any], sizes: list[int], *, truths: bool) -> Any: ...

    # bytes of the tensor; None: only its bytes say so
    def size(self, sizes: list[int]) -> int | None: ...

    # the tensor's bytes in `body` from `start` on
    def unpacked(self, body: bytes, start: int, sizes: tuple[int, ...]) -> Any: ...
    def described(self) -> Described: ...


def words(release: Mapping[str, Any]) -> Words:
    """The words for the kind of a release; nothing else is loaded."""
    found: Words = _room(release, "words").WORDS
    return found


def of(release: Mapping[str, Any], contents: Mapping[str, bytes]) -> Kind:
    """The kind of a release; `contents` are the files of its package."""
    made: Kind = _room(release, "kind").Kind(release, contents)
    return made


def counting(release: Mapping[str, Any]) -> Any:
    """The `Predictor` of a kind with `Words.counted`, which counts what it is asked."""
    return _room(release, "statistics").Counting


def page(release: Mapping[str, Any], contents: Mapping[str, bytes], file: str) -> bytes:
    """A file of the part of the page that asks."""
    return contents[f"kinds/{release['kind']}/page.{file}"]


def _room(release: Mapping[str, Any], module: str) -> ModuleType:
    return importlib.import_module(f".kinds.{release['kind']}.{module}", __package__)
