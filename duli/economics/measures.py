"""The numbers of reports/business.json that a gate may name."""

from duli.base.intervals import RANGE, SHARE

SPEED = ("value", "spread", "n", "batch", "threads")
DRAWN = ("value", "p10", "p50", "p90")
MODELS = ("subscription", "one_time", "services")
WORTH = (
    *("npv_usd", "irr_per_year", "payback_months", "revenue_usd"),
    *("funding_usd", "build_usd", "compute_usd"),
)
CUSTOMER = (
    *("arpa_usd_per_month", "contribution_margin", "ltv_usd", "ltv_discounted_usd"),
    *("cac_usd", "ltv_to_cac", "cac_to_first_year_revenue", "cac_payback_months"),
)
VARIANT = (
    *("throughput_per_second", "coverage", "accuracy_of_accepted", "gross_margin"),
    *(f"{part}_usd_per_million" for part in ("unit_cost", "compute", "errors", "review")),
)

THRESHOLD = (
    (("business",), ("threshold",), ("in_use", "cheapest", "coverage", "accuracy_of_accepted")),
    (
        ("business",),
        ("threshold",),
        tuple(f"{at}_usd_per_million" for at in ("in_use", "cheapest", "cheapest_cross_fitted")),
    ),
)


def rows(shares: tuple[str, ...], numbers: tuple[str, ...]) -> list[tuple[tuple[str, ...], ...]]:
    """Each row stands for all dotted names that take one of each of its parts.

    `shares` and `numbers` are what the task adds to the report (`pricing/quality.py`).
    """
    return [
        (("business",), shares, SHARE),
        (("business",), ("latency_ms",), ("value", "p95", "p99", "n")),
        (("business",), ("throughput_per_second",), SPEED),
        (
            ("business",),
            (*numbers, "model_bytes", "wheel_bytes", "training_seconds", "training_usd"),
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
        *(THRESHOLD if "confidence_threshold" in numbers else ()),
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
