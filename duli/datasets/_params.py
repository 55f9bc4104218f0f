"""The `data` section: which dataset, and where to look for it first."""

import importlib.util
from typing import Annotated

from pydantic import AfterValidator, Field

from duli.params import Section


def _exists(name: str) -> str:
    if importlib.util.find_spec(f"duli.datasets.{name}") is None:
        raise ValueError(f"is no dataset: there is no duli/datasets/{name}.py")
    return name


# A name that becomes `duli/datasets/NAME.py`; a leading underscore is for what the datasets share.
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_exists)]


class Data(Section):
    """Which dataset the release line starts from."""

    dataset: DatasetName
    local: Annotated[str, Field(min_length=1)] | None  # a folder that holds the files already; None: ask the public sources
