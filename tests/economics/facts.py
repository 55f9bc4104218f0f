"""The market facts and a plan, for tests of what is computed from them."""

import json
from typing import Any

import numpy as np

from duli.economics import market
from duli.economics.business import Run, Variant
from duli.economics.params import Report
from duli.economics.register import Sources
from tests.closure import ROOT

PLAN = {
    "market": "market",
    "as_of": "2026-11-24",
    "stale_days": 180,
    "currency": "USD",
    "price_per_1000": 1.2,
    "licence": 20_000,
    "day_rate": 1200,
    "mix": {"subscription": 0.6, "one_time": 0.2, "services": 0.2},
    "below_threshold": "review",
    "volume_per_month": 1e7,
    "compute": "compute.aws_c7i_large",
    "instances": 2,
    "utilisation": 0.3,
    "horizon_months": 36,
    "discount_rate": 0.15,
    "draws": 400,
    "seed": 0,
    "market_size": "size.ocr",
    "carbon": "carbon.usa",
    "electricity": "electricity.us_commercial",
}


def plan(**changes: Any) -> Report:
    return Report.model_validate_json(json.dumps({**PLAN, **changes}))


def shipped(**replaced: str) -> market.Market:
    """The facts that ship, with changes: the stem of a file to `old -> new`."""
    contents = {
        path.stem: path.read_text() for path in sorted((ROOT / "data/market").glob("*.csv"))
    }
    for stem, change in replaced.items():
        old, new = change.split(" -> ")
        assert old in contents[stem]
        contents[stem] = contents[stem].replace(old, new)
    return market.read({f"{stem}.csv": text.encode() for stem, text in contents.items()})


def run(**changes: Any) -> Run:
    """A run of 2,000 answers, of which 1,960 are sure enough and 5 of these wrong."""
    sure, correct = np.full(2000, 0.95), np.ones(2000)
    sure[1960:], correct[:5], correct[1960:1980] = 0.5, 0, 0
    share = {"value": 0.98, "low": 0.973, "high": 0.985, "n": 2000}
    measured = {
        "accuracy": {"value": 0.9875, "low": 0.982, "high": 0.991, "n": 2000},
        "coverage": share,
        "accuracy_of_accepted": {"value": 1955 / 1960, "low": 0.994, "high": 0.9989, "n": 1960},
        "confidence_threshold": 0.65,
        "latency_ms": {"value": 0.3, "p95": 0.4, "p99": 0.6, "n": 2000},
        "throughput_per_second": {
            "value": 14_000.0,
            "spread": 0.05,
            "n": 50,
            "batch": 64,
            "threads": 2,
        },
        "model_bytes": 131_000,
        "wheel_bytes": 151_000,
    }
    given = {
        "measured": measured,
        "variants": {
            "fp32": Variant(7000.0, sure, correct),
            "shipped": Variant(14_000.0, sure, correct),
        },
        "slo_ms": 10.0,
        "training_seconds": 40.0,
        "training_usd": 0.001,
        "cores": 2,
        "memory_gib": 16.0,
        "champion": {},
        "sources": Sources("speed", "answers", "training", "plan", "no price", "没有价格"),
    }
    return Run(**{**given, **changes})
