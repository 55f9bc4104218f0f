"""Loudness: an example gets one number, the root of the mean square of its samples."""

from duli.base.tasks import Measure, Score, Unit

UNIT = Unit("reading", "readings", 1_000_000)
SCORE = Score("mean_absolute_error", "lower", "number", "distance from the loudness")
HEADLINE = {"worst_error": Measure("evaluation", "worst_error", "largest distance")}
TOLERANCE = 0.05  # what a customer takes for right
LOSSES = ("squared_error",)
