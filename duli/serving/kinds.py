"""The kinds of data that a model may take: what people call them, and the one of this release,
which knows the rest.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .bodies import Asked


class Words(NamedTuple):
    """What the command says of a kind; `thing` is an example of it."""

    thing: str
    things: str
    predicts: str
    files: str
    data: str


WORDS = {
    "image": Words(
        "image",
        "images",
        "say what the images of files show",
        "pictures (PNG, JPEG, WebP, GIF, BMP, TIFF; of any size, turned as their EXIF says and"
        " fitted to the model's), .npy or IDX, each also as .gz; a folder of them; - for standard"
        " input",
        "a folder with a subfolder a class, IMAGES LABELS (IDX), or an .npz",
    ),
    "text": Words(
        "text",
        "texts",
        "say which class the texts of files belong to",
        '.jsonl with a "text" in each line, .csv with a column text, any other file with a text a'
        " line, each in UTF-8 and also as .gz; a folder of them; - for standard input, a text a"
        " line",
        "a .csv with the columns text and label, or a .jsonl with both in each line",
    ),
    "table": Words(
        "row",
        "rows",
        "say which class the rows of files belong to",
        ".csv whose first line names the columns, or .npy, each also as .gz; a folder of them; -"
        " for standard input",
        "a .csv with the features and a column label",
    ),
}


class Tensor(NamedTuple):
    """The input of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: list[int]
    advice: str  # for whoever sends another datatype


class Described(NamedTuple):
    """What OpenAPI says of a kind: JSON schemas, and where they are taken."""

    summary: str
    schemas: dict[str, Any]
    asked: dict[str, Any]  # key of a request to /predict -> what stands under it
    media: dict[str, Any]  # Content-Type of /predict besides JSON -> its schema
    invoked: dict[str, Any]  # key of a request to /invocations -> what stands under it
    # shape and data of one and of two examples; more go likewise
    tensors: list[tuple[list[int], dict[str, Any]]]


class Labelled(NamedTuple):
    """n examples, as `Kind.checked` takes them, and the index of the class of each."""

    inputs: Any
    labels: "NDArray[np.int64]"  # [n]
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
    """What the predictor, the command and the server ask of a kind of data.

    Inputs are an array [n, ...] or a list of n strings. Whatever reads them raises `InputError`.
    """

    words: Words
    feed: str  # the input of the ONNX file
    tensor: Tensor
    numbers: str  # what may stand in JSON where no NaN may
    media: frozenset[bytes]  # what /predict takes besides JSON
    page: tuple[str, str]  # the part of the page that asks, and its script

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
    def labelled(self, sources: list[str], classes: list[str]) -> Labelled: ...

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


def of(release: Mapping[str, Any], contents: Mapping[str, bytes]) -> Kind:
    """The kind of a release; `contents` are the files of its package, which has the module of its
    own kind alone.
    """
    if release["kind"] == "text":
        from . import kind_text

        return kind_text.Kind(release, contents)
    if release["kind"] == "table":
        from . import kind_table

        return kind_table.Kind(release, contents)
    from . import kind_image

    return kind_image.Kind(release, contents)
