"""Finds the part of a kind (`duli/kinds/NAME/`) or a task (`duli/tasks/NAME/`) that a stage needs.

Nothing below them imports the rooms of kinds and tasks. Whoever needs one names it here, by the
name that params.yaml or a file of the line says. tests/closure.py follows these two calls.
"""

import importlib
import pkgutil
from types import ModuleType

from duli.base.errors import DataError


def kind(name: str, part: str) -> ModuleType:
    """The module `duli.kinds.NAME.PART`; raises `DataError` if there is no such kind."""
    return _module("kinds", name, part)


def task(name: str, part: str) -> ModuleType:
    """The module `duli.tasks.NAME.PART`; raises `DataError` if there is no such task."""
    return _module("tasks", name, part)


def names(rooms: str) -> list[str]:
    """The names of all rooms in `kinds` or `tasks`."""
    package = importlib.import_module(f"duli.{rooms}")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def _module(rooms: str, name: str, part: str) -> ModuleType:
    if name not in names(rooms):
        known = ", ".join(names(rooms))
        raise DataError(f"there is no duli/{rooms}/{name}/; there are: {known}")
    return importlib.import_module(".".join(("duli", rooms, name, part)))
