"""Draws the charts of the drift page, as SVG for a page that may be light or dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from duli.reporting.shared import wording
from duli.reporting.shared.vega import ACCENT, INK, LABELS, SOFT, STEP, TINT, WIDTH, labels, svg

HEIGHT = 110  # px of a histogram
LETTER = 8  # px, at most, of a class's name
Window = tuple[str, Mapping[str, Any]]  # its name, and what moved in it


def feature(name: str, windows: Sequence[Window]) -> str:
    """Histograms of one feature: the reference as an area, windows (oldest first) as lines, the
    newest the strongest.

    What lies outside the bars stands in one more at each end.
    """
    ends = windows[-1][1]["ends"]
    width = (ends[-1] - ends[0]) / (len(ends) - 1)
    at = [ends[0] - width / 2 + width * bar for bar in range(len(ends) + 1)]
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"domain": [ends[0] - width, ends[-1] + width], "nice": False, "zero": False},
        "title": name.replace("_", " "),
        "axis": {"tickCount": 4, "format": ".4~g", "grid": False},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "title": "share",
        "axis": {"format": "~%", "tickCount": 3},
    }

    def values(shares: Sequence[float]) -> dict[str, Any]:
        return {
            "values": [
                {"at": place, "share": share} for place, share in zip(at, shares, strict=True)
            ]
        }

    layers: list[dict[str, Any]] = [
        {
            "data": values(windows[-1][1]["reference"]),
            "mark": {"type": "area", "interpolate": "step", "opacity": 1, "line": False},
            "encoding": {"x": x, "y": y, "color": {"value": TINT}},
        }
    ]
    for index, (_, moved) in enumerate(windows):
        newest = index == len(windows) - 1
        layers.append(
            {
                "data": values(moved["window"]),
                "mark": {
                    "type": "line",
                    "interpolate": "step",
                    "strokeWidth": 2 if newest else 1,
                    "strokeDash": [1, 0] if newest else [3, 2],
                },
                "encoding": {"x": x, "y": y, "color": {"value": ACCENT if newest else SOFT}},
            }
        )
    furthest = max(
        abs(one - other)
        for one, other in zip(windows[-1][1]["reference"], windows[-1][1]["window"], strict=True)
    )
    told = (
        f"{name.replace('_', ' ')}: histograms of the reference and of {len(windows)} windows; bars"
        " of the newest differ by up to"
    )
    return svg(
        {"description": f"{told} {wording.percent(furthest)}", "height": HEIGHT, "layer": layers},
        f"feature-{name}",
    )


def classes(name: str, names: Sequence[str], windows: Sequence[Window]) -> str:
    """Shares of the classes: bars for the reference, points for the windows, that of the newest
    filled.
    """
    y = labels(list(names), min(LABELS, LETTER * max(map(len, names)) + 14))
    x = {
        "field": "share",
        "type": "quantitative",
        "title": f"share of the {name}s",
        "axis": {"format": "~%", "tickCount": 4},
    }

    def values(shares: Sequence[float]) -> dict[str, Any]:
        texts = [wording.percent(share) for share in shares]
        return {
            "values": [
                {"label": one, "share": share, "text": text}
                for one, share, text in zip(names, shares, texts, strict=True)
            ]
        }

    newest = windows[-1][1]
    layers: list[dict[str, Any]] = [
        {
            "data": values(newest["reference"]),
            "mark": {"type": "bar", "height": {"band": 0.6}},
            "encoding": {"y": y, "x": x, "color": {"value": TINT}},
        }
    ]
    for _, moved in windows[:-1]:
        layers.append(
            {
                "data": values(moved["window"]),
                "mark": {"type": "point", "size": 30, "strokeWidth": 1},
                "encoding": {"y": y, "x": x, "color": {"value": SOFT}},
            }
        )
    layers += [
        {
            "data": values(newest["window"]),
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 55},
            "encoding": {"y": y, "x": x, "color": {"value": ACCENT}},
        },
        {
            "data": values(newest["window"]),
            "mark": {"type": "text", "align": "left", "dx": 10},
            "encoding": {
                "y": y,
                "x": {"value": WIDTH},
                "text": {"field": "text"},
                "color": {"value": INK},
            },
        },
    ]
    told = "; ".join(
        f"{one} {wording.percent(new)} after {wording.percent(old)}"
        for one, new, old in zip(names, newest["window"], newest["reference"], strict=True)
    )
    return svg(
        {
            "description": f"Shares of the {name}s: {told}",
            "height": {"step": STEP * 0.8},
            "layer": layers,
        },
        f"classes-{name}",
    )
