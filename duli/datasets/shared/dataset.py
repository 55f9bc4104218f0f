"""Datasets by name: a module of this folder, or own data described in params."""

import importlib
from collections.abc import Mapping
from typing import Any


def dataset(name: str, own: Mapping[str, Any] | None) -> Any:
    """The module `duli.datasets.NAME`; for one that holds anybody's data what `own` says of these
    (the section `data.own`).

    Either has TITLE, LICENCE, FILES, `sources(local)` and `examples(folder, rows)`; KIND, and what
    its kind and task ask for (such as SHAPE, FEATURES, CLASSES); COLUMNS and SENSITIVE where there
    are any. Raises `ParamsError` if `own` is needed and not there.
    """
    module = importlib.import_module(f"duli.datasets.{name}")
    return module.of(own) if hasattr(module, "of") else module
