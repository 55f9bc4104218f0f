"""Own data at a path, opened once for all kinds that may read it."""

from functools import cached_property
from pathlib import Path

from duli.intake.files import ENDINGS
from duli.intake.found import Task, Wanted
from duli.intake.sheet import Sheet


class Source:
    """A file or folder, its owner's statements, and the task of its labels."""

    def __init__(self, place: Path, wanted: Wanted, task: Task) -> None:
        self.place, self.wanted, self.task = place, wanted, task

    @cached_property
    def sheet(self) -> Sheet | None:
        """The columns; None if the source is not a file of columns. Raises `DataError` for a
        damaged one.
        """
        if not self.place.is_file() or self.place.suffix.lower() not in ENDINGS:
            return None
        return Sheet(self.place, self.wanted, self.task)
