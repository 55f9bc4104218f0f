"""The `data` section: which dataset, and where to look for it first."""

import importlib.util
from typing import Annotated, Literal, Self

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


class Pictures(Section):
    """What the images have in common, and the release makes others have.

    As in `Rules` of duli/serving/pictures.py.
    """

    ground: Literal["dark", "light"] | None = None
    depth: Annotated[int, Field(ge=8, le=16)] = 16


class Own(Section):
    """Data of one's own, as `duli new` found them; the digest pins them as those of public data
    sets are pinned in their files.
    """

    title: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    kind: Literal["image", "text", "table"]
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=32_767)]
    shape: tuple[int, int, int] | None  # channels, height, width of images
    features: tuple[str, ...] | None  # names of a table's columns
    # what else is known of each example, for slices
    columns: dict[ColumnName, Literal["number", "text"]]
    sensitive: tuple[str, ...]  # of these columns: about people
    label: str | None = None  # what the column of labels is called in the file that `duli new` read
    text: str | None = None  # and that of the texts
    # Features that float32 does not hold as they are -> offset and scale: the examples hold (value
    # - offset) / scale.
    centred: dict[str, tuple[float, float]] = Field(default_factory=dict)
    pictures: Pictures | None = None  # of images
    bytes: Annotated[int, Field(ge=1)]  # of examples.parquet
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of it

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if (self.shape is None) == (self.kind == "image"):
            raise ValueError("shape is for images: give it to them, and null to others")
        if (self.features is None) == (self.kind == "table"):
            raise ValueError("features are for tables: name them there, and write null for others")
        if unknown := [name for name in self.centred if name not in (self.features or ())]:
            raise ValueError(f"centred names {', '.join(unknown)}, which is none of features")
        if any(scale == 0 for _, scale in self.centred.values()):
            raise ValueError("centred has a scale of 0, by which nothing can be divided; write 1")
        if unknown := [name for name in self.sensitive if name not in self.columns]:
            raise ValueError(f"sensitive names {', '.join(unknown)}, which is none of columns")
        return self


class Data(Section):
    """Which dataset the release line starts from."""

    dataset: DatasetName
    # a folder that holds the files already; None: ask the public sources
    local: Annotated[str, Field(min_length=1)] | None = None
    own: Own | None = None  # of data of one's own
