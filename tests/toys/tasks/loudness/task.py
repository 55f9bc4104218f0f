"""Loudness: an example gets one number, the root of the mean square of its samples."""

from duli.base.tasks import Score, Unit

UNIT = Unit("reading", "readings", 1_000_000)
SCORE = Score("mean_absolute_error", "lower", "number")
LOSSES = ("squared_error",)
