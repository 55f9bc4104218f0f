"""What the values of a column of the prepared examples have to lie between."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """From `low` to `high`, both allowed unless `strict`; None is no bound. Equal ones ask for that
    value alone.
    """

    low: float | None
    high: float | None
    strict: bool = False
