"""Draws the charts of the business report, as SVG for a page that may be light or dark."""

from dataclasses import dataclass
from typing import Any

from duli.reporting import wording
from duli.reporting._vega import ACCENT, COST, INK, TINT, WIDTH, labels, svg


@dataclass(frozen=True)
class Dot:
    """A price with its range."""

    label: str
    value: float
    low: float
    high: float


def waterfall(parts: dict[str, float], total: str, price: float, unit: str) -> str:
    """Parts of a cost as steps from zero to their sum (called `total`), and the price below; `unit` names the axis."""
    rows: list[dict[str, Any]] = []
    reached = 0.0
    for label, amount in parts.items():
        rows.append({"label": label, "from": reached, "to": reached + amount, "text": wording.money(amount), "colour": COST})
        reached += amount
    rows.append({"label": total, "from": 0.0, "to": reached, "text": wording.money(reached), "colour": INK})
    rows.append({"label": "Price", "from": 0.0, "to": price, "text": wording.money(price), "colour": ACCENT})
    x = {"field": "from", "type": "quantitative", "title": unit, "axis": {"tickCount": 3, "format": ",~f"}}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    return svg(
        {
            "data": {"values": rows},
            "encoding": {"y": labels([row["label"] for row in rows])},
            "layer": [
                {"mark": {"type": "bar", "height": 16, "cornerRadius": 2}, "encoding": {"x": x, "x2": {"field": "to"}, "color": colour}},
                # A thin line where the bar ends: a part too small to see still has its place.
                {
                    "mark": {"type": "tick", "thickness": 2, "size": 16},
                    "encoding": {"x": {"field": "to", "type": "quantitative"}, "color": colour},
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 7},
                    "encoding": {"x": {"field": "to", "type": "quantitative"}, "text": {"field": "text"}, "color": {"value": INK}},
                },
            ],
        },
        "waterfall",
    )


def positions(services: list[Dot], ours: Dot, unit: str) -> str:
    """Prices of services with their ranges beside ours, cheapest first, on a logarithmic axis named `unit`."""
    dots = sorted([*services, ours], key=lambda dot: (dot.value, dot.label))
    rows = [
        {
            "label": dot.label,
            "value": dot.value,
            "low": dot.low,
            "high": dot.high,
            "text": wording.money(dot.value),
            "colour": ACCENT if dot is ours else INK,
            "shape": "diamond" if dot is ours else "circle",
            "size": 150 if dot is ours else 80,
        }
        for dot in dots
    ]
    scale = {"type": "log", "nice": False, "padding": 12}
    axis = {"format": ",~f", "values": _ticks(min(dot.low for dot in dots), max(dot.high for dot in dots))}
    return svg(
        {
            "data": {"values": rows},
            "encoding": {"y": labels([dot.label for dot in dots])},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 8, "strokeCap": "round"},
                    "encoding": {
                        "x": {"field": "low", "type": "quantitative", "scale": scale, "title": unit, "axis": axis},
                        "x2": {"field": "high"},
                        "color": {"value": TINT},
                    },
                },
                {
                    "mark": {"type": "point", "filled": True, "opacity": 1},
                    "encoding": {
                        "x": {"field": "value", "type": "quantitative"},
                        **{name: {"field": field, "type": kind, "scale": None} for name, field, kind in _LOOKS},
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 10},
                    "encoding": {"x": {"value": WIDTH}, "text": {"field": "text"}, "color": {"value": INK}},
                },
            ],
        },
        "positions",
    )


_LOOKS = (("color", "colour", "nominal"), ("shape", "shape", "nominal"), ("size", "size", "quantitative"))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten, or powers alone over more than two decades) from below `low` to `high`."""
    wide = high / low > 100
    steps = [step * 10.0**power for power in range(-6, 13) for step in ((1,) if wide else (1, 2, 5))]
    return [step for step in steps if low * 0.99 <= step <= high * 1.01]
