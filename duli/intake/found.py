"""What `duli new` asks about own data, and what a kind and a task find in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class Wanted(NamedTuple):
    """The owner's statements about the data; None or an empty value means: guess."""

    label: str | None = None  # column
    text: str | None = None  # column
    size: int | None = None  # pixels a side that images are brought to
    sensitive: tuple[str, ...] = ()  # columns

    @property
    def given(self) -> list[str]:
        """Names of the options that were given."""
        return [name for name, value in self._asdict().items() if value]


class Labels(Protocol):
    """The labels of n examples."""

    values: "NDArray[Any]"  # [n], of the column `label`
    own: Mapping[str, Any]  # the task's entries of data.own
    notes: list[str]

    # why a feature [n] is suspicious, or ""
    def given_away(self, name: str, values: "NDArray[np.float64]") -> str: ...


class Task(Protocol):
    """The interface of a task for reading labels (`duli/tasks/NAME/intake/labels.py`).

    Both raise `DataError` for labels that it cannot learn.
    """

    # a mask of the rows with a label, and their labels
    def of_column(
        self, column: "pa.ChunkedArray", name: str, path: Path
    ) -> tuple[list[bool], Labels]: ...

    # of examples that lie in folders of these names, which are below `folder`
    def of_folders(self, names: list[str], folder: Path) -> Labels: ...


class Read(NamedTuple):
    """The examples that a kind reads in own data."""

    ids: list[str]
    splits: list[str]  # that they were published in; empty for none
    labels: Labels
    contents: list[bytes]
    own: Mapping[str, Any]  # the kind's entries of data.own
    notes: list[str]  # changes to the examples that their owner may not expect
    columns: frozenset[str] = frozenset()  # columns of the file that the contents are made of


class Found(NamedTuple):
    """A description of own data."""

    kind: str
    own: Mapping[str, Any]  # the entries of data.own by kind and task
    columns: Mapping[str, str]  # what else is known of each example: name -> number or text
    sensitive: list[str]  # of these
    examples: "pa.Table"  # id, split, label, content, and the columns
    notes: list[str]


def shown(names: list[str], most: int) -> str:
    """The first of many names, for one line of output."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
