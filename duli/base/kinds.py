"""Kinds of data: the form of an example, and the interface that the stages use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from duli.base import rooms

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from duli.base.bounds import Bounds


class Kind(Protocol):
    """The interface of a kind of data for the stages (`duli/kinds/NAME/reading/examples.py`)."""

    name: str
    statistics: "pa.Schema"  # of each example, kept beside its content
    compared: tuple[str, ...]  # of these and the bytes, whose means have to be alike in all splits

    @property
    def input(self) -> dict[str, int]: ...  # what a network is built for
    @property
    def named(self) -> dict[str, Any]: ...  # what stats.json says of it besides
    @property
    def normalisation(self) -> dict[str, Any]: ...  # of arrays, before a network sees them
    @property
    def rules(self) -> dict[str, Any]: ...  # what else turns contents into arrays
    def readable(self, contents: "list[bytes | None]") -> "NDArray[np.bool_]": ...
    def describe(self, contents: list[bytes]) -> dict[str, Any]: ...
    def seen(self, contents: list[bytes]) -> list[bytes]: ...  # equal if a model sees no difference
    def outlines(self, contents: list[bytes]) -> "NDArray[np.uint8]": ...  # alike if contents are
    def add(self, contents: list[bytes]) -> None: ...
    def learn(self) -> None: ...
    def expected(self) -> "dict[str, Bounds]": ...
    def arrays(self, contents: "pa.ChunkedArray") -> "NDArray[Any]": ...


def kind(name: str, declared: Mapping[str, Any]) -> Kind:
    """The kind `name` for examples of the size `declared`."""
    made: Kind = rooms.kind(name, "reading.examples").Kind(**declared)
    return made


def of(dataset: Any, tokens: Any) -> Kind:
    """The kind of a dataset (a file of duli/datasets/).

    Raises `ParamsError` if `prepare.tokens` is null and the kind needs it.
    """
    made: Kind = rooms.kind(dataset.KIND, "reading.examples").Kind.of(dataset, tokens)
    return made


def prepared(facts: Mapping[str, Any]) -> Kind:
    """The kind of prepared data, from what `described` returned."""
    return kind(facts["kind"], {**facts["input"], **facts["rules"]})


def described(made: Kind) -> dict[str, Any]:
    """Every rule that turns the content of an example into the network's input."""
    return {
        "kind": made.name,
        "input": made.input,
        "normalisation": made.normalisation,
        "rules": made.rules,
    }
