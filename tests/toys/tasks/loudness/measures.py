"""What a line of loudness measures, and the section `evaluate` of its params."""

from collections.abc import Sequence
from typing import Any

from duli.base.intervals import SHARE
from duli.base.params import Section


class Evaluate(Section):
    """Nothing to turn."""


SETTINGS = Evaluate


def rows(settings: Evaluate, quantize: Any, ways: Sequence[str]) -> list[Any]:
    """The names of the numbers of its reports."""
    return [(("evaluation",), ("mean_absolute_error",), SHARE)]
