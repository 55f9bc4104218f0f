"""Charts of a plan's value: the distribution of its NPV, what moves it, the sources of its
uncertainty, and its cash by month.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from duli.reporting.business.speech import Speech
from duli.reporting.shared.vega import ACCENT, COST, INK, SOFT, TINT, WIDTH, labels, svg

MOST = 8  # inputs that a chart names; the register names all
LONG = 178  # px for the names of inputs
PLOT, HEIGHT = 320, 170  # px
Row = Mapping[str, Any]


def distribution(npv: Mapping[str, float], bars: Sequence[Row], speech: Speech) -> str:
    """A histogram of the NPV over the draws: losses grey, gains in colour; three lines at the
    percentiles of `npv`.
    """
    values = [
        {
            "low": speech.large(bar["low"]),
            "high": speech.large(bar["high"]),
            "draws": bar["draws"],
            "colour": _side(bar, ACCENT, COST),
        }
        for bar in bars
    ]
    x: dict[str, Any] = {
        "field": "low",
        "type": "quantitative",
        "title": f"{speech.plain('chart.npv')}{speech.plain('chart.large')}",
    }
    x |= {"axis": {"tickCount": 5, "format": ",~f"}, "scale": {"zero": False, "nice": False}}
    marks = [
        {"low": speech.large(npv[f"p{share}"]), "text": f"P{share}", "row": row}
        for row, share in enumerate((10, 50, 90))
    ]
    row = {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [2, 0], "range": [-6, -36]},
        "axis": None,
    }
    told = "; ".join(
        f"{mark['text']} {speech.write(npv[str(mark['text']).lower()], 'big')}" for mark in marks
    )
    return svg(
        {
            "description": f"{speech.plain('chart.distribution')}: {told}",
            "width": PLOT,
            "height": HEIGHT,
            "layer": [
                {
                    "data": {"values": values},
                    "mark": {"type": "bar", "stroke": None},
                    "encoding": {
                        "x": x,
                        "x2": {"field": "high"},
                        "y": {
                            "field": "draws",
                            "type": "quantitative",
                            "title": speech.plain("chart.draws"),
                            "axis": {"tickCount": 4, "titlePadding": 10},
                        },
                        "y2": {"datum": 0},
                        "color": {"field": "colour", "type": "nominal", "scale": None},
                    },
                },
                {
                    "data": {"values": marks},
                    "mark": {"type": "rule", "strokeDash": [4, 3]},
                    "encoding": {
                        "x": x,
                        "y": row,
                        "y2": {"value": HEIGHT},
                        "color": {"value": INK},
                    },
                },
                # One row a percentile, above the plot: however close they lie, their names do not
                # meet.
                {
                    "data": {"values": marks},
                    "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11},
                    "encoding": {
                        "x": x,
                        "y": row,
                        "text": {"field": "text"},
                    },
                },
            ],
            "resolve": {"scale": {"y": "independent"}},
        },
        "distribution",
    )


def tornado(bars: Sequence[Row], npv: float, speech: Speech) -> str:
    """The NPV with each input at its low end (grey) and at its high end (in colour), all others as
    planned; the strongest first.
    """
    rows = [
        {
            "label": speech.name(bar["input"]), "base": speech.large(npv),
            "to": speech.large(bar[f"at_{end}"]), "colour": ACCENT if end == "high" else COST,
        }
        for bar in bars[:MOST]
        for end in ("low", "high")
    ]  # fmt: skip
    x: dict[str, Any] = {
        "field": "base",
        "type": "quantitative",
        "title": f"{speech.plain('chart.npv')}{speech.plain('chart.large')}",
    }
    x |= {"axis": {"tickCount": 4, "format": ",~f"}, "scale": {"zero": False}}
    order = [speech.name(bar["input"]) for bar in bars[:MOST]]
    return svg(
        {
            "description": f"{speech.plain('chart.tornado')}: {'; '.join(order)}",
            "width": WIDTH,
            "height": {"step": 24},
            "data": {"values": rows},
            "encoding": {"y": labels(order, LONG)},
            "layer": [
                {
                    "mark": {"type": "bar", "height": 13, "cornerRadius": 2},
                    "encoding": {
                        "x": x,
                        "x2": {"field": "to"},
                        "color": {"field": "colour", "type": "nominal", "scale": None},
                    },
                },
                {
                    "mark": {"type": "tick", "size": 24, "thickness": 1},
                    "encoding": {"x": x, "color": {"value": INK}},
                },
            ],
        },
        "tornado",
    )


def shares(rows: Sequence[Row], speech: Speech) -> str:
    """Each input's share of the NPV's variance: alone (in colour), and with interactions (grey)."""
    values = [
        {
            **row,
            "label": speech.name(row["input"]),
            "text": speech.write(max(row["total"], 0.0), "share"),
        }
        for row in rows[:MOST]
    ]
    axis = {"format": "~%", "tickCount": 4}
    x = {
        "field": "total",
        "type": "quantitative",
        "title": speech.plain("chart.variance"),
        "axis": axis,
        "scale": {"domainMin": 0},
    }
    return svg(
        {
            "description": (
                f"{speech.plain('chart.variance')}: "
                + "; ".join(f"{row['label']} {row['text']}" for row in values)
            ),
            "height": {"step": 24},
            "data": {"values": values},
            "encoding": {"y": labels([row["label"] for row in values], LONG)},
            "layer": [
                {
                    "mark": {"type": "bar", "height": 13, "cornerRadius": 2},
                    "encoding": {"x": x, "color": {"value": COST}},
                },
                {
                    "mark": {"type": "bar", "height": 7, "cornerRadius": 2, "clip": True},
                    "encoding": {"x": {**x, "field": "first"}, "color": {"value": ACCENT}},
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 7},
                    "encoding": {"x": x, "text": {"field": "text"}, "color": {"value": INK}},
                },
            ],
        },
        "shares",
    )


def cash(rows: Sequence[Row], speech: Speech) -> str:
    """Cumulative cash by month: as planned (line), median of the draws (dashed), P10 to
    P90 (band).
    """
    values = [
        {"month": row["month"]}
        | {
            key: speech.large(row[f"cumulative{end}"])
            for key, end in (("plan", ""), ("low", "_p10"), ("middle", "_p50"), ("high", "_p90"))
        }
        for row in rows
    ]
    x: dict[str, Any] = {
        "field": "month",
        "type": "quantitative",
        "title": speech.plain("chart.month"),
        "axis": {"tickCount": 6, "format": "d"},
    }
    x |= {"scale": {"nice": False}}
    y = {
        "type": "quantitative",
        "title": f"{speech.plain('chart.cumulative')}{speech.plain('chart.large')}",
        "axis": {"format": ",~f", "titlePadding": 12},
    }
    last = rows[-1]
    return svg(
        {
            "description": (
                f"{speech.plain('chart.cash')}: {speech.write(last['cumulative'], 'big')}"
                f" {speech.unit}"
            ),
            "width": PLOT,
            "height": 210,
            "data": {"values": values},
            "layer": [
                {
                    "mark": {"type": "area", "opacity": 1},
                    "encoding": {
                        "x": x,
                        "y": {**y, "field": "low"},
                        "y2": {"field": "high"},
                        "color": {"value": TINT},
                    },
                },
                {
                    "data": {"values": [{"zero": 0}]},
                    "mark": {"type": "rule"},
                    "encoding": {"y": {**y, "field": "zero"}, "color": {"value": SOFT}},
                },
                {
                    "mark": {"type": "line", "strokeWidth": 1.5, "strokeDash": [5, 3]},
                    "encoding": {"x": x, "y": {**y, "field": "middle"}, "color": {"value": INK}},
                },
                {
                    "mark": {"type": "line", "strokeWidth": 2.5},
                    "encoding": {"x": x, "y": {**y, "field": "plan"}, "color": {"value": ACCENT}},
                },
            ],
        },
        "cash",
    )


def _side(bar: Row, gain: str, loss: str) -> str:
    """The colour of a bar by the side of zero its middle lies on."""
    return gain if bar["low"] + bar["high"] > 0 else loss
