"""The `data` section: which dataset, and where to look for it first."""

import importlib.util
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from duli.base.params import Section


def _exists(name: str) -> str:
    found = importlib.util.find_spec(f"duli.datasets.{name}")
    if found is None or found.submodule_search_locations is not None:
        raise ValueError(f"is no dataset: there is no duli/datasets/{name}.py")
    return name


# A name that becomes `duli/datasets/NAME.py`.
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_exists)]


# As duli/preparation/cleaning/clean.py asks for, which says what is taken already.
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Own(Section):
    """Own data as `duli new` found them; the digest pins them as modules pin public data sets.

    The kind and the task add what they know of them (`Own` of reading/params.py and
    targets/params.py).
    """

    title: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    kind: str
    # what else is known of each example, for slices
    columns: dict[ColumnName, Literal["number", "text"]]
    sensitive: tuple[str, ...]  # of these columns: about people
    label: str | None = None  # what the column of labels is called in the file that `duli new` read
    bytes: Annotated[int, Field(ge=1)]  # of examples.parquet
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of it

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := [name for name in self.sensitive if name not in self.columns]:
            raise ValueError(f"sensitive names {', '.join(unknown)}, which is none of columns")
        return self


class Data(Section):
    """The data set that the release line starts from."""

    dataset: DatasetName
    # a folder that already holds the files; None: use the public sources
    local: Annotated[str, Field(min_length=1)] | None = None
    own: dict[str, Any] | None = None  # data of one's own, as `Own`
