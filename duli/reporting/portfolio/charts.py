"""Charts of the release lines side by side: the value of each plan, and how certain it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from duli.reporting.business.speech import Speech
from duli.reporting.shared.vega import ACCENT, COST, INK, TINT, labels, svg

# px: with names and numbers beside it no wider than what a phone can show in readable letters
PLOT = 220
ROOM = 24  # px at the right, for what of the numbers Vega does not count
Row = Mapping[str, Any]


def worth(lines: Sequence[Row], speech: Speech) -> str:
    """The net present value of each line: P10 to P90 (bar), middle of the draws (dot), mean (tick);
    the dashed line is zero.
    """
    order = [f"{line['name']} {line['version']}" for line in lines]
    rows = [
        {
            "label": label,
            **{end: speech.large(line["npv_usd"][end]) for end in ("p10", "p50", "p90", "mean")},
            "text": speech.write(line["npv_usd"]["p50"], "big"),
            "colour": ACCENT if line["npv_usd"]["p50"] > 0 else COST,
        }
        for label, line in zip(order, lines, strict=True)
    ]
    x: dict[str, Any] = {
        "type": "quantitative",
        "title": f"{speech.plain('chart.npv')}{speech.plain('chart.large')}",
    }
    x |= {"axis": {"tickCount": 5, "format": ",~f"}}
    return svg(
        {
            "description": (
                f"{speech.plain('chart.worth')}: "
                + "; ".join(f"{row['label']} {row['text']}" for row in rows)
            ),
            "width": PLOT,
            "padding": {"left": 5, "top": 5, "bottom": 5, "right": ROOM},
            "data": {"values": rows},
            "encoding": {"y": labels(order)},
            "layer": [
                {
                    "data": {"values": [{"zero": 0}]},
                    "mark": {"type": "rule", "strokeDash": [4, 3]},
                    "encoding": {
                        "x": {**x, "field": "zero"},
                        "y": {"value": 0},
                        "y2": {"value": "height"},
                        "color": {"value": INK},
                    },
                },
                {
                    "mark": {"type": "bar", "height": 12, "cornerRadius": 6},
                    "encoding": {
                        "x": {**x, "field": "p10"},
                        "x2": {"field": "p90"},
                        "color": {"value": TINT},
                    },
                },
                {
                    "mark": {"type": "tick", "size": 18, "thickness": 2},
                    "encoding": {"x": {**x, "field": "mean"}, "color": {"value": INK}},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
                    "encoding": {
                        "x": {**x, "field": "p50"},
                        "color": {"field": "colour", "type": "nominal", "scale": None},
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 10},
                    "encoding": {
                        "x": {"value": PLOT},
                        "text": {"field": "text"},
                        "color": {"value": INK},
                    },
                },
            ],
        },
        "worth",
    )
