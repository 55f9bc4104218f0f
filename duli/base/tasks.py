"""The tasks: what is learned, scored and sold, as far as every stage has to know it."""

from typing import Literal, NamedTuple


class Unit(NamedTuple):
    """What is sold, counted and priced."""

    one: str  # such as answer or token
    many: str
    per: int  # how many of them a price is quoted for, such as 1,000,000


class Score(NamedTuple):
    """The one number that a release is judged by."""

    key: str  # in the reports, such as accuracy or bits_per_byte
    better: Literal["higher", "lower"]
    form: Literal["share", "number"]  # a share is shown in percent
