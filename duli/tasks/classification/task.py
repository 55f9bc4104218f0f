"""Classification: an example gets one of a number of named classes."""

from duli.base.tasks import Score, Unit

UNIT = Unit("answer", "answers", 1_000_000)
SCORE = Score("accuracy", "higher", "share")
