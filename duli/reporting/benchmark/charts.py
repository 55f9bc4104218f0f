"""Draws the charts of the benchmark page, as SVG for a page that may be light or dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from duli.reporting.shared import wording
from duli.reporting.shared.vega import ACCENT, BAD, COST, INK, LINE, SOFT, svg

WIDTH, HEIGHT = 330, 260  # px of the plots themselves
LETTERS = 7  # px a letter of a label takes, about
ROW = 14  # px between two labels

State = Literal["shipped", "allowed", "refused"]


@dataclass(frozen=True)
class Variant:
    """The cost and the score of a variant, both against fp32."""

    label: str
    cost: float  # of a prediction; 1 is that of fp32
    value: float  # accuracy over that of fp32, percentage points; below zero where it lost answers
    low: float  # the ends of its interval
    high: float
    state: State
    front: bool  # no other that is allowed is both cheaper and better


def pareto(variants: Sequence[Variant], bound: float) -> str:
    """Accuracy against cost, each relative to fp32; below the dashed line at -`bound` points no
    interval of what ships may reach.
    """
    costs = [variant.cost for variant in variants]
    left, right = min(costs) / 1.15, max(costs) * 1.15
    bottom = min(-bound, *(variant.low for variant in variants)) * 1.15
    top = max(bound / 2, *(variant.high for variant in variants)) * 1.15
    spots = [
        (
            WIDTH * math.log(variant.cost / left) / math.log(right / left),
            HEIGHT * (top - variant.value) / (top - bottom),
        )
        for variant in variants
    ]
    texts = [variant.label for variant in variants]
    rows = [
        {**vars(variant), **_LOOKS[variant.state], "dx": dx, "dy": dy, "align": align}
        for variant, (dx, dy, align) in zip(variants, _beside(spots, texts), strict=True)
    ]
    x = {
        "field": "cost",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [left, right], "nice": False},
        "title": "cost of a prediction, fp32 is 1",
        "axis": {"values": _ratios(left, right), "format": "~g"},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [bottom, top], "nice": False, "zero": False},
        "title": "accuracy over fp32, points",
        "axis": {"tickCount": 5, "titlePadding": 14},
    }
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["cost"])
    told = "; ".join(
        f"{one.label} costs {one.cost:.2f} and is {one.value:+.2f} points from fp32, {one.state}"
        for one in variants
    )
    return svg(
        {
            "description": f"Accuracy against cost: {told}",
            "width": WIDTH,
            "height": HEIGHT,
            "data": {"values": rows},
            "layer": [
                {
                    "data": {"values": [{"at": -bound}]},
                    "mark": {"type": "rule", "strokeDash": [4, 4], "strokeWidth": 1.5},
                    "encoding": {"y": {**y, "field": "at"}, "color": {"value": BAD}},
                },
                {
                    "data": {"values": front},
                    "mark": {"type": "line", "strokeWidth": 1.5},
                    "encoding": {"x": x, "y": {**y, "field": "value"}, "color": {"value": COST}},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "low"},
                        "y2": {"field": "high"},
                        "color": {"value": COST},
                    },
                },
                {
                    "mark": {"type": "point", "opacity": 1, "strokeWidth": 2},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "value"},
                        "stroke": {"field": "colour", "type": "nominal", "scale": None},
                        "fill": {"field": "fill", "type": "nominal", "scale": None},
                        "shape": {"field": "shape", "type": "nominal", "scale": None},
                        "size": {"field": "size", "type": "quantitative", "scale": None},
                    },
                },
                # A mark has one offset, so each label is a layer of its own.
                *(
                    {
                        "data": {"values": [row]},
                        "mark": {
                            "type": "text",
                            "align": row["align"],
                            "dx": row["dx"],
                            "dy": row["dy"],
                        },
                        "encoding": {
                            "x": x,
                            "y": {**y, "field": "value"},
                            "text": {"field": "label"},
                            "color": {"value": row["colour"]},
                        },
                    }
                    for row in rows
                ),
            ],
        },
        "pareto",
    )


def throughput(curves: Mapping[str, Sequence[Mapping[str, float]]], shipped: str) -> str:
    """Examples a second by the size of the batch (rows with `batch` and `per_second`), a line for
    each contestant.
    """
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "batch": row["batch"],
            "rate": row["per_second"],
            "colour": ACCENT if name == shipped else INK,
        }
        for name, curve in curves.items()
        for row in curve
    ]
    batches = sorted({row["batch"] for row in rows})
    rates = [row["rate"] for row in rows]
    bottom, top = min(rates) / 1.3, max(rates) * 1.3
    x = {
        "field": "batch",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [batches[0] / 1.1, batches[-1] * 1.1], "nice": False},
        "title": "examples a call",
        "axis": {"values": batches, "format": "d"},
    }
    y = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [bottom, top], "nice": False},
        "title": "examples a second, one thread",
        "axis": {"values": _powers(bottom, top), "format": "~s", "titlePadding": 10},
    }
    last = [[row for row in rows if row["name"] == name][-1] for name in curves]
    heights = [HEIGHT * math.log(top / row["rate"]) / math.log(top / bottom) for row in last]
    layers = [
        {
            "data": {"values": [row for row in rows if row["name"] == name]},
            "mark": {
                "type": "line",
                "strokeWidth": 2.5 if name == shipped else 1.5,
                "strokeDash": dash,
                "point": {"filled": True, "size": 36, "color": ACCENT if name == shipped else INK},
            },
            "encoding": {"x": x, "y": y, "color": {"value": ACCENT if name == shipped else INK}},
        }
        for name, dash in zip(curves, ([1, 0], [6, 4], [2, 3], [8, 3, 2, 3]), strict=False)
    ]
    layers += [
        {
            "data": {"values": [row]},
            "mark": {"type": "text", "align": "left", "dx": 10, "dy": dy},
            "encoding": {
                "x": x,
                "y": y,
                "text": {"field": "name"},
                "color": {"value": row["colour"]},
            },
        }
        for row, dy in zip(last, _apart(heights), strict=True)
    ]
    told = "; ".join(
        f"{row['name']} {wording.count(row['rate'])} at {row['batch']:g}" for row in last
    )
    return svg(
        {
            "description": f"Examples a second by batch: {told}",
            "width": WIDTH - 70,
            "height": HEIGHT,
            "layer": layers,
        },
        "throughput",
    )


_LOOKS: dict[State, dict[str, Any]] = {
    "shipped": {"colour": ACCENT, "fill": ACCENT, "shape": "diamond", "size": 150},
    "allowed": {"colour": INK, "fill": INK, "shape": "circle", "size": 55},
    "refused": {"colour": SOFT, "fill": LINE, "shape": "circle", "size": 55},
}


def _beside(
    spots: Sequence[tuple[float, float]], texts: Sequence[str]
) -> list[tuple[float, float, str]]:
    """The places of the labels: offsets and alignment, so that no label lies on another label or on
    a spot.
    """
    taken = [(at - 8, at + 8, height) for at, height in spots]  # left, right, height
    placed: list[tuple[float, float, str]] = []
    for (at, height), text in zip(spots, texts, strict=True):
        wide = LETTERS * len(text) + 10
        rightwards = at + wide <= WIDTH
        left = at + 10 if rightwards else at - wide
        steps = sorted(range(-12, 13), key=lambda step: (abs(step), step))
        dy = next(
            step * ROW
            for step in steps
            if all(
                left + wide < other_left
                or other_right < left
                or abs(height + step * ROW - other) >= ROW
                for other_left, other_right, other in taken
            )
        )
        taken.append((left, left + wide, height + dy))
        placed.append((10 if rightwards else -10, dy, "left" if rightwards else "right"))
    return placed


def _apart(heights: Sequence[float]) -> list[float]:
    """Offsets that keep labels at these heights (px from the top) a row apart, in their order."""
    offsets = [0.0] * len(heights)
    lowest = -math.inf
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        lowest = max(heights[index], lowest + ROW)
        offsets[index] = lowest - heights[index]
    return offsets


def _ratios(low: float, high: float) -> list[float]:
    """Round ratios between two ends."""
    return [
        value
        for value in (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50)
        if low <= value <= high
    ]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two ends."""
    return [
        step * 10.0**power
        for power in range(10)
        for step in (1, 2, 5)
        if low <= step * 10.0**power <= high
    ]
