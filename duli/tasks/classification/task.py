"""Classification: an example gets one of a number of named classes."""

from duli.base.tasks import Measure, Score, Unit

UNIT = Unit("answer", "answers", 1_000_000)
LOSSES = ("cross_entropy", "mean_squared_error")
SCORE = Score("accuracy", "higher", "share", "share of right answers")
HEADLINE = {
    "coverage": Measure("evaluation", "coverage", "share of answers that are sure enough"),
    "macro_f1": Measure("evaluation", "macro_f1", "mean over the classes, 0 to 1"),
    "log_loss": Measure("evaluation", "log_loss", "nats an example"),
}
