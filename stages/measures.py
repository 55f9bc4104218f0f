"""Every number that a gate may name, by the report that will hold it: a misspelt gate is found
before anything trains.
"""

from itertools import product

from duli.base.params import Params
from duli.compression.params import Quantize
from duli.gates.gates import Catalogue
from duli.tasks.classification.judging.params import Evaluate

SHARE = ("value", "low", "high", "n")  # with its 95 % interval
RANGE = ("value", "low", "high")
SPEED = ("value", "spread", "n", "batch", "threads")
LOADED = ("value", "spread", "n")
LATENCY = ("value", "p95", "p99", "spread", "n", "threads")
# As duli/kinds/image/judging/corruptions.py has them, which takes numpy to import.
CORRUPTIONS = (
    *(
        "shot_noise",
        "impulse_noise",
        "glass_blur",
        "motion_blur",
        "shear",
        "scale",
        "rotate",
        "brightness",
        "translate",
        "stripe",
    ),
    *("fog", "spatter", "dotted_line", "zigzag", "canny_edges"),
)
DRAWN = ("value", "p10", "p50", "p90")
MODELS = ("subscription", "one_time", "services")
WORTH = (
    "npv_usd",
    "irr_per_year",
    "payback_months",
    "revenue_usd",
    "funding_usd",
    "build_usd",
    "compute_usd",
)
CUSTOMER = (
    *("arpa_usd_per_month", "contribution_margin", "ltv_usd", "ltv_discounted_usd"),
    *("cac_usd", "ltv_to_cac", "cac_to_first_year_revenue", "cac_payback_months"),
)
VARIANT = (
    *("throughput_per_second", "coverage", "accuracy_of_accepted", "gross_margin"),
    *(f"{part}_usd_per_million" for part in ("unit_cost", "compute", "errors", "review")),
)


def catalogue(params: Params) -> Catalogue:
    """The names that the reports of a line with these params have; tests/test_line.py compares them
    with those of a real one.
    """
    rows = _rows(params.section("evaluate", Evaluate), params.section("quantize", Quantize))
    return Catalogue(".".join(parts) for row in rows for parts in product(*row))


def _rows(evaluate: Evaluate, quantize: Quantize) -> list[tuple[tuple[str, ...], ...]]:
    """Each row stands for all names that take one of each of its parts."""
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
        (("validation",), ("success", "expectations", "failed")),
        (("train",), ("parameters", "epochs", "steps", "train_loss", "validation_loss")),
        (("train",), ("validation_accuracy",), SHARE),
        (("quantization",), ("max_drop_points", "max_class_drop_points")),
        (
            ("quantization",),
            ("variants",),
            variants,
            ("bytes", "within_bounds", "saturating_pairs"),
        ),
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
        (("evaluation",), ("robustness",), ("corruptions",), CORRUPTIONS, SHARE),
        (("evaluation",), ("robustness",), ("pgd",), attacks, ("trained", "shipped"), SHARE),
        (("evaluation",), ("robustness",), ("pgd_steps",)),
        (
            ("benchmark",),
            ("speedup", "speedup_over_fp32", "size_ratio", "slo_ms", "noisy", "load_average"),
        ),
        (("benchmark",), ("hardware",), ("cores", "memory_gib")),
        (("benchmark",), ("variants",), variants, ("bytes", "cost_ratio")),
        (("benchmark",), ("variants",), variants, ("load_ms", "cpu_us"), LOADED),
        (("benchmark",), ("variants",), variants, ("peak_mb",), (*LOADED, "model_mb", "batch")),
        (("benchmark",), ("variants",), variants, ("latency_ms",), LATENCY),
        (
            ("benchmark",),
            ("variants",),
            variants,
            ("throughput",),
            (*SPEED, "p99_ms", "within_slo"),
        ),
        (("benchmark",), ("variants",), variants, ("machine_throughput",), (*SPEED, "cpu_share")),
        (("manifest",), ("signed",)),
        (("manifest",), ("wheel",), ("bytes",)),
        (("business",), ("accuracy", "coverage", "accuracy_of_accepted"), SHARE),
        (("business",), ("latency_ms",), ("value", "p95", "p99", "n")),
        (("business",), ("throughput_per_second",), SPEED),
        (
            ("business",),
            (
                "model_bytes",
                "wheel_bytes",
                "confidence_threshold",
                "training_seconds",
                "training_usd",
            ),
        ),
        (
            ("business",),
            (
                "unit_cost_usd_per_million",
                "gross_margin",
                "break_even_price_with_team_usd_per_million",
            ),
            RANGE,
        ),
        (
            ("business",),
            ("break_even_answers_per_month", "break_even_with_team_answers_per_month"),
            RANGE,
        ),
        (
            ("business",),
            ("cost_usd_per_million",),
            ("compute", "idle", "review", "errors", "support"),
        ),
        (("business",), ("assumed_share_of_cost", "idle_share_of_cost", "worst_slice_ratio")),
        (
            ("business",),
            ("price_usd_per_million", "price_usd_per_thousand", "slo_ms", "stale_days"),
        ),
        (
            ("business",),
            ("plan",),
            (
                "draws",
                "horizon_months",
                "discount_rate",
                "licence_usd",
                "day_rate_usd",
                "volume_per_month",
            ),
        ),
        (
            ("business",),
            ("plan",),
            ("instances", "utilisation", "mix_subscription", "mix_one_time", "mix_services"),
        ),
        (("business",), ("service_usd_per_million",), ("low", "median", "high")),
        (
            ("business",),
            ("market_facts",),
            ("rows", "assumed", "stale", "undated", "wide", "conflicting"),
        ),
        (("business",), ("currency_per_usd",), RANGE),
        (("business",), ("variants",), ("fp32", "shipped", "champion"), VARIANT),
        (("business",), ("modes",), ("review", "abstain"), ("unit_cost_usd_per_million",)),
        (("business",), ("threshold",), ("in_use", "cheapest", "coverage", "accuracy_of_accepted")),
        (
            ("business",),
            ("threshold",),
            tuple(
                f"{one}_usd_per_million" for one in ("in_use", "cheapest", "cheapest_cross_fitted")
            ),
        ),
        (
            ("business",),
            ("market",),
            ("som_accounts", "som_usd_per_year", "sam_usd_per_year", "largest_segment_share"),
        ),
        (("business",), ("market",), ("contradicting_publishers",)),
        (("business",), ("market",), ("tam_usd_per_year",), ("low", "high")),
        (("business",), ("competitors",), ("n", "on_premise_share", "open_weights_share")),
        (
            ("business",),
            ("energy",),
            ("training_kwh", "training_co2_g", "kwh_per_million", "co2_g_per_million"),
            RANGE,
        ),
        (("business",), ("energy",), ("electricity_usd_per_million",)),
        (("business",), ("investment",), WORTH, DRAWN),
        (("business",), ("investment",), ("npv_usd",), ("mean",)),
        (
            ("business",),
            ("investment",),
            ("npv_positive_probability", "npv_variance_from_assumed", "required_revenue_usd"),
        ),
        (("business",), ("models",), MODELS, WORTH, DRAWN),
        (("business",), ("models",), MODELS, ("npv_usd",), ("mean",)),
        (("business",), ("models",), MODELS, ("npv_positive_probability",)),
        (("business",), ("models",), ("best_npv_usd",)),
        (("business",), ("subscription",), CUSTOMER, DRAWN),
        (("business",), ("break_even",), ("subscribers", "licences_per_month", "clients")),
        (
            ("business",),
            ("required",),
            (
                "price_usd_per_million",
                "accuracy_of_accepted",
                "som_accounts",
                "cac_usd",
                "error_usd",
                "review_usd",
            ),
        ),
    ]
