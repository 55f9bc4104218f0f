"""What the tests of charts share: reading an SVG, and figures to draw."""

import re
from typing import Any
from xml.etree import ElementTree


def labels(svg: str, role: str) -> list[str]:
    """Texts of the marks ('role-mark') or of the axes ('role-axis-label'), as a browser reads
    them.
    """
    return [
        "".join(text.itertext())
        for group in ElementTree.fromstring(svg).iter()
        if f"mark-text {role}" in group.get("class", "") + " "
        for text in group
    ]


def colours(svg: str) -> set[str]:
    """Colours that are none of the page's."""
    found = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg))
    return {
        colour
        for colour in found
        if colour not in ("none", "transparent") and not colour.startswith("var(--")
    }


def facts() -> dict[str, Any]:
    """As much of business.json as the charts read."""
    months = range(25)
    lines = [
        {
            "of": of,
            "customers": step * 30.0,
            "revenue_usd": step * 30 * 400.0,
            "cost_usd": 6000 + step * 30 * 200.0,
        }
        for of in ("subscribers", "licences_per_month", "clients")
        for step in (0, 0.5, 1, 1.5, 2)
    ]
    bars = [{"low": -1e6 + 1e5 * k, "high": -9e5 + 1e5 * k, "draws": 9 * k} for k in range(12)]
    npv = {"value": -525e3, "p10": -1.13e6, "p50": -593e3, "p90": -95.7e3}
    named = (
        "team",
        "error",
        "segment.form_capture.win",
        "cac",
        "upkeep",
        "churn",
        "innovation",
        "imitation",
        "review",
    )
    return {
        "cost_usd_per_million": {
            "compute": 0.02,
            "idle": 13.0,
            "review": 450.0,
            "errors": 158.0,
            "support": 50.0,
        },
        "unit_cost_usd_per_million": {"value": 671.02},
        "price_usd_per_million": 1200.0,
        "services": [
            {
                "id": "service.dear",
                "usd_per_million": 4000.0,
                "usd_per_million_low": 2000.0,
                "usd_per_million_high": 4000.0,
            },
            {
                "id": "service.cheap",
                "usd_per_million": 676.0,
                "usd_per_million_low": 657.0,
                "usd_per_million_high": 706.0,
            },
        ],
        "break_even": {
            "subscribers": 30.0,
            "licences_per_month": None,
            "clients": 30.0,
            "lines": lines,
        },
        "investment": {"npv_usd": npv, "npv_distribution": bars},
        "tornado": [
            {"input": name, "at_low": -7e5 + 1e4 * k, "at_high": -4e5}
            for k, name in enumerate(named)
        ],
        "sobol": [
            {"input": name, "first": 0.3 - 0.03 * k, "total": 0.35 - 0.03 * k}
            for k, name in enumerate(named)
        ],
        "cashflow": [
            {
                "month": month,
                "subscribers": month * 1.0,
                "owners": month * 0.4,
                "clients": month * 0.2,
                "cumulative": -2e4 * month,
                "cumulative_p10": -4e4 * month,
                "cumulative_p50": -3e4 * month,
                "cumulative_p90": 1e3 * month,
            }
            for month in months
        ],
        "publishers": [
            {"publisher": "imarc", "first_usd": 14e9, "last_usd": 46e9, "growth_recomputed": 0.142},
            {
                "publisher": "somebody",
                "first_usd": 12e9,
                "last_usd": 12e9,
                "growth_recomputed": None,
            },
        ],
        "competitors": {
            "listed": [
                {
                    "name": "tesseract",
                    "usd_per_million": None,
                    "on_premise": 1.0,
                    "open_weights": 1.0,
                },
                {
                    "name": "mistral_ocr",
                    "usd_per_million": 4000.0,
                    "on_premise": 1.0,
                    "open_weights": 0.0,
                },
                {
                    "name": "amazon_rekognition",
                    "usd_per_million": 1000.0,
                    "on_premise": 0.0,
                    "open_weights": None,
                },
            ]
        },
    }
