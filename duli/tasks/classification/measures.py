"""The numbers of a classifier's reports that a gate may name."""

from collections.abc import Sequence

from duli.base.intervals import RANGE, SHARE
from duli.compression.params import Quantize
from duli.tasks.classification.judging.params import Evaluate

SETTINGS = Evaluate


def rows(
    evaluate: Evaluate, quantize: Quantize, ways: Sequence[str]
) -> list[tuple[tuple[str, ...], ...]]:
    """Each row stands for all dotted names that take one of each of its parts.

    `ways` are the names in which the line's kind spoils examples.
    """
    shares = (
        "accuracy",
        f"top_{evaluate.top_k}_accuracy",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "coverage",
        "accuracy_of_accepted",
    )
    attacks = tuple(f"{epsilon}_of_255" for epsilon in (0, *evaluate.robustness.pgd.epsilons))
    compressed = quantize.variants
    variants = ("fp32", *compressed)
    losses = ("log_loss", "brier", "calibration_error", "area_under_risk")
    return [
        (("train",), ("validation_accuracy",), SHARE),
        (("quantization",), ("max_drop_points", "max_class_drop_points")),
        (("quantization",), ("variants",), variants, ("validation_accuracy",), SHARE),
        (("quantization",), ("variants",), compressed, ("paired",), ("n", "lost", "won")),
        (
            ("quantization",),
            ("variants",),
            compressed,
            ("paired", "worst_class"),
            ("drop_points",),
            RANGE,
        ),
        (
            ("quantization",),
            ("calibrations",),
            quantize.calibration,
            ("n", "lost", "won", "logit_error"),
        ),
        (("quantization",), ("calibrations",), quantize.calibration, ("drop_points",), RANGE),
        (
            ("quantization", "evaluation"),
            ("export",),
            ("max_logit_difference", "max_probability_difference", "disagreements", "n"),
        ),
        (("evaluation",), ("n", "wrong", "confidence_threshold")),
        (("evaluation",), (*shares, *losses), SHARE),
        (("evaluation",), ("temperature",), ("value", "fitted")),
        (("evaluation",), ("temperature",), ("gain",), SHARE),
        (("evaluation",), ("variants",), ("torch", "fp32"), ("accuracy",), SHARE),
        (("evaluation",), ("paired",), ("n", "lost", "won")),
        (("evaluation",), ("paired",), ("drop_points",), RANGE),
        (("evaluation",), ("validation_gap",), RANGE),
        (("evaluation",), ("baseline",), ("majority", "linear"), ("accuracy",), SHARE),
        (("evaluation",), ("baseline",), ("majority", "linear"), ("gain_points",), RANGE),
        (("evaluation",), ("baseline",), ("majority", "linear"), ("n", "lost", "won")),
        (("evaluation",), ("baseline",), ("linear",), ("examples", "strength")),
        (("evaluation",), ("slices",), ("*",), ("worst",), SHARE),
        (("evaluation",), ("slices",), ("*",), ("difference", "ratio")),
        (("evaluation",), ("robustness",), ("clean", "mean", "worst"), SHARE),
        (("evaluation",), ("robustness",), ("corruptions",), tuple(ways), SHARE),
        (("evaluation",), ("robustness",), ("pgd",), attacks, ("trained", "shipped"), SHARE),
        (("evaluation",), ("robustness",), ("pgd_steps",)),
    ]
