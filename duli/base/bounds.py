"""Bounds for the values of a column of the prepared examples."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """A range from `low` to `high`, inclusive unless `strict`; None is no bound. Equal ends ask for
    that value alone.
    """

    low: float | None
    high: float | None
    strict: bool = False
