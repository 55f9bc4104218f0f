"""Draws the charts of the evaluation page, as SVG for a page that may be light or dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from duli.reporting.shared import wording
from duli.reporting.shared.vega import (
    ACCENT,
    BAD,
    COST,
    INK,
    LABELS,
    LINE,
    SOFT,
    STEP,
    TINT,
    WIDTH,
    labels,
    svg,
)

SQUARE = 300  # px a side of a plot whose two axes mean the same
# px of a cell of many classes; of few, as many as fill this, or the page would blow up their
# letters with the chart:
CELL = (34, 26)
FILLED = (260, 130)
LETTER = 7  # px of width, about; a Chinese one is nearly twice as wide
# coverage from which on the risk's interval decides how high the plot is: of a handful of answers
# nothing is known
ENOUGH = 0.1
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """A share with its interval."""

    label: str
    value: float
    low: float
    high: float


def scores(
    rows: Sequence[Score],
    unit: str,
    name: str,
    *,
    start: float,
    reference: float | None = None,
    ranked: bool = False,
) -> str:
    """Shares with their intervals, one a line, on an axis from `start` to 1; `ranked`: the smallest
    first.

    A dashed line marks the share `reference`.
    """
    ordered = sorted(rows, key=lambda row: row.value) if ranked else rows
    values = [{**vars(row), "text": wording.percent(row.value)} for row in ordered]
    scale = {"domain": [start, 1], "nice": False, "zero": False}
    axis = {"format": _share_format(start), "tickCount": 4}
    line = {
        "data": {"values": [{"at": reference}]},
        "mark": {"type": "rule", "strokeDash": [3, 3]},
        "encoding": {"x": {"field": "at", "type": "quantitative"}, "color": {"value": SOFT}},
    }
    y = labels([row.label for row in ordered])
    return svg(
        {
            "description": (
                f"{unit}: "
                + "; ".join(f"{row.label} {wording.percent(row.value)}" for row in ordered)
            ),
            "height": {"step": STEP * 0.8},
            "data": {"values": values},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 7, "strokeCap": "round", "clip": True},
                    "encoding": {
                        "y": y,
                        "x": {
                            "field": "low",
                            "type": "quantitative",
                            "scale": scale,
                            "title": unit,
                            "axis": axis,
                        },
                        "x2": {"field": "high"},
                        "color": {"value": TINT},
                    },
                },
                *([line] if reference is not None else []),
                {
                    "mark": {"type": "point", "filled": True, "opacity": 1, "size": 60},
                    "encoding": {
                        "y": y,
                        "x": {"field": "value", "type": "quantitative"},
                        "color": {"value": ACCENT},
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 10},
                    "encoding": {
                        "y": y,
                        "x": {"value": WIDTH},
                        "text": {"field": "text"},
                        "color": {"value": INK},
                    },
                },
            ],
        },
        name,
    )


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """The confusion matrix by label (row) and prediction (column).

    Mistakes are red, the redder the larger their share of the row.
    """
    shares = [[number / max(1, sum(row)) for number in row] for row in counts]
    worst = max(
        (
            share
            for one, row in enumerate(shares)
            for other, share in enumerate(row)
            if one != other
        ),
        default=0.0,
    )
    cells: list[dict[str, Any]] = []
    for label, row, part in zip(classes, counts, shares, strict=True):
        for prediction, number, share in zip(classes, row, part, strict=True):
            cells.append(
                {
                    "label": label,
                    "prediction": prediction,
                    "text": wording.count(number) if number else "",
                    "colour": TINT if label == prediction else BAD,
                    "opacity": (
                        0.55
                        if label == prediction
                        else (0.1 + 0.6 * share / worst if number else 0)
                    ),
                }
            )
    axis = {
        "labelColor": INK,
        "ticks": False,
        "domain": False,
        "labelLimit": LABELS,
        "labelAngle": 0,
    }
    longest = max((_length(cell["text"]) for cell in cells), default=0)
    width, height = (
        max(CELL[0], longest, FILLED[0] // len(classes)),
        max(CELL[1], FILLED[1] // len(classes)),
    )
    turned = any(_length(name) > width for name in classes)
    x = {"field": "prediction", "type": "nominal", "sort": list(classes), "title": "prediction"}
    wrong = sum(map(sum, counts)) - sum(row[index] for index, row in enumerate(counts))
    return svg(
        {
            "description": (
                f"Labels against predictions of {len(classes)} classes; {wrong:,} answers are off"
                " the diagonal"
            ),
            "width": {"step": width},
            "height": {"step": height},
            "data": {"values": cells},
            "encoding": {
                "x": {**x, "axis": {**axis, "orient": "top", "labelAngle": -60 if turned else 0}},
                "y": {
                    "field": "label",
                    "type": "nominal",
                    "sort": list(classes),
                    "title": "label",
                    "axis": axis,
                },
            },
            "layer": [
                {
                    "mark": {"type": "rect", "cornerRadius": 2, "stroke": LINE, "strokeWidth": 0.5},
                    "encoding": {
                        "color": {"field": "colour", "type": "nominal", "scale": None},
                        "fillOpacity": {"field": "opacity", "type": "quantitative", "scale": None},
                    },
                },
                {
                    "mark": {"type": "text", "fontSize": 11},
                    "encoding": {"text": {"field": "text"}, "color": {"value": INK}},
                },
            ],
        },
        "confusion",
    )


def reliability(rows: Sequence[Row]) -> str:
    """Accuracy against confidence, a point a bin with its interval; on the dashed line a model is
    right as often as it says.
    """
    lowest = _below(min((min(row["confidence"], row["accuracy_low"]) for row in rows), default=0.0))
    scale = {"domain": [lowest, 1], "nice": False, "zero": False}
    axis = {"format": _share_format(lowest), "tickCount": 5}
    x = {
        "field": "confidence",
        "type": "quantitative",
        "scale": scale,
        "axis": axis,
        "title": "confidence, mean of a bin",
    }
    y = {"type": "quantitative", "scale": scale, "axis": axis, "title": "share of right answers"}
    return svg(
        {
            "description": (
                f"Share of right answers against confidence in {len(rows)} bins; equal where the"
                " model is as right as it says"
            ),
            "width": SQUARE,
            "height": SQUARE,
            "data": {"values": list(rows)},
            "layer": [
                {
                    "data": {"values": [{"at": lowest}, {"at": 1}]},
                    "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1.5},
                    "encoding": {
                        "x": {**x, "field": "at"},
                        "y": {**y, "field": "at"},
                        "color": {"value": SOFT},
                    },
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 2},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "accuracy_low"},
                        "y2": {"field": "accuracy_high"},
                        "color": {"value": COST},
                    },
                },
                {
                    "mark": {"type": "point", "filled": True, "opacity": 1, "size": 55},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "accuracy"},
                        "color": {"value": ACCENT},
                    },
                },
            ],
        },
        "reliability",
    )


def risk_coverage(rows: Sequence[Row], operating: tuple[float, float] | None) -> str:
    """Share of wrong answers against the share that is answered, with its interval; a diamond marks
    the `operating` coverage and risk.
    """
    values = [
        {
            "coverage": row["coverage"],
            "risk": 1 - row["accuracy"],
            "low": 1 - row["accuracy_high"],
            "high": 1 - row["accuracy_low"],
        }
        for row in rows
    ]
    highest = max((row["high"] for row in values if row["coverage"] >= ENOUGH), default=1.0)
    x = {
        "field": "coverage",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "title": "share that is answered",
    }
    scale = {"domain": [0, max(highest, operating[1] if operating else 0) * 1.05], "nice": False}
    y = {
        "type": "quantitative",
        "scale": scale,
        "title": "share of wrong answers among them",
        "axis": {"format": "~%", "tickCount": 5},
    }
    x["axis"] = {"format": "~%", "tickCount": 5}
    point = {
        "data": {"values": [dict(zip(("coverage", "risk"), operating or (), strict=False))]},
        "mark": {"type": "point", "shape": "diamond", "filled": True, "opacity": 1, "size": 150},
        "encoding": {"x": x, "y": {**y, "field": "risk"}, "color": {"value": INK}},
    }
    told = (
        f"; {wording.percent(operating[1])} wrong at {wording.percent(operating[0])} answered"
        if operating
        else ""
    )
    return svg(
        {
            "description": f"Share of wrong answers against the share that is answered{told}",
            "width": SQUARE,
            "height": SQUARE,
            "data": {"values": values},
            "layer": [
                {
                    "mark": {"type": "area", "clip": True, "opacity": 1},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "low"},
                        "y2": {"field": "high"},
                        "color": {"value": TINT},
                    },
                },
                {
                    "mark": {"type": "line", "strokeWidth": 2, "clip": True},
                    "encoding": {"x": x, "y": {**y, "field": "risk"}, "color": {"value": ACCENT}},
                },
                *([point] if operating else []),
            ],
        },
        "risk",
    )


def attack(sizes: Sequence[int], curves: Mapping[str, Sequence[Row]]) -> str:
    """Accuracy of each variant, with its interval, against the size of the attack in grey levels of
    255.
    """
    looks = {
        name: (colour, dash)
        for name, colour, dash in zip(curves, (ACCENT, INK), ([1, 0], [5, 4]), strict=True)
    }
    x = {
        "field": "size",
        "type": "quantitative",
        "title": "largest change of a pixel, grey levels of 255",
        "axis": {"values": list(sizes)},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "title": "share of right answers",
        "axis": {"format": "~%", "tickCount": 5},
    }
    layers: list[dict[str, Any]] = []
    for name, (colour, dash) in looks.items():
        values = [{"size": size, **row} for size, row in zip(sizes, curves[name], strict=True)]
        data = {"values": values}
        layers += [
            {
                "data": data,
                "mark": {"type": "rule", "strokeWidth": 6, "strokeCap": "round"},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": {"value": TINT},
                },
            },
            {
                "data": data,
                "mark": {"type": "line", "strokeWidth": 2, "strokeDash": dash},
                "encoding": {"x": x, "y": {**y, "field": "value"}, "color": {"value": colour}},
            },
            {
                "data": data,
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 45},
                "encoding": {"x": x, "y": {**y, "field": "value"}, "color": {"value": colour}},
            },
        ]
    told = "; ".join(
        f"{name} "
        + ", ".join(
            f"{wording.percent(row['value'])} at {size}"
            for size, row in zip(sizes, rows, strict=True)
        )
        for name, rows in curves.items()
    )
    return svg(
        {
            "description": f"Share of right answers by size of the attack: {told}",
            "width": SQUARE,
            "height": 220,
            "layer": layers,
        },
        "attack",
    )


def _length(name: str) -> int:
    """About so many px wide."""
    return sum(LETTER if character.isascii() else 2 * LETTER for character in name)


def start(rows: Sequence[Score]) -> float:
    """The start of an axis that fits all these intervals."""
    return _below(min((row.low for row in rows), default=0.0))


def _below(share: float) -> float:
    """A round share below this one: to a tenth of the way to 1, so that a plot of shares near 1 is
    not all empty.
    """
    room = 1 - share
    if room < 1e-6:  # the digits below would round to 1
        return 0.99
    step = 10.0 ** math.floor(math.log10(room)) / 2
    return max(0.0, round(1 - math.ceil(room / step - 1e-9) * step, 9))


def _share_format(start: float) -> str:
    """d3's format of the ticks: a digit after the point where whole percents would repeat."""
    return ".1~%" if start >= 0.95 else ".0%"
