"""Classification: an example gets one of a number of named classes."""

from duli.base.tasks import Score, Unit

UNIT = Unit("answer", "answers", 1_000_000)
LOSSES = ("cross_entropy", "mean_squared_error")
SCORE = Score("accuracy", "higher", "share")
