"""A data set by its name: what its file in this folder says, or what params say of data of one's
own.
"""

import importlib
from collections.abc import Mapping
from typing import Any


def dataset(name: str, own: Mapping[str, Any] | None) -> Any:
    """The module `duli.datasets.NAME`; for one that holds anybody's data what `own` says of these
    (the section `data.own`).

    Either has TITLE, LICENCE, CLASSES, FILES, `sources(local)` and `examples(folder, rows)`; KIND
    (image where it is missing) and with it SHAPE or FEATURES; COLUMNS and SENSITIVE where there are
    any. Raises `ParamsError` where `own` is needed and not there.
    """
    module = importlib.import_module(f"duli.datasets.{name}")
    return module.of(own) if hasattr(module, "of") else module
