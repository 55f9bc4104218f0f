"""Charts of the market: published sizes, adoption, and the release among its competitors."""

from collections.abc import Mapping, Sequence
from typing import Any

from duli.reporting.business.charts_cost import LOOKS, ticks
from duli.reporting.business.speech import Speech
from duli.reporting.shared.vega import ACCENT, COST, INK, SOFT, TINT, WIDTH, labels, svg

PLOT = 320  # px
CUSTOMERS = {"subscribers": ACCENT, "owners": COST, "clients": TINT}
Row = Mapping[str, Any]


def sizes(publishers: Sequence[Row], speech: Speech) -> str:
    """A market by publisher, from its first year (dot) to its last (ring), and its recomputed
    growth a year at the right.
    """
    order = [speech.name(one["publisher"]) for one in publishers]
    rows = [
        {
            "label": label,
            "first": speech.huge(one["first_usd"]),
            "last": speech.huge(one["last_usd"]),
            "text": ""
            if one["growth_recomputed"] is None
            else speech.write(one["growth_recomputed"], "percent"),
        }
        for label, one in zip(order, publishers, strict=True)
    ]
    x = {
        "field": "first",
        "type": "quantitative",
        "title": speech.plain("chart.huge_a_year"),
        "axis": {"tickCount": 4, "format": ",~f"},
    }
    point = {"type": "point", "size": 90, "opacity": 1}
    return svg(
        {
            "description": (
                f"{speech.plain('chart.sizes')}: "
                + "; ".join(f"{row['label']} {row['text']}" for row in rows)
            ),
            "data": {"values": rows},
            "encoding": {"y": labels(order)},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 8, "strokeCap": "round"},
                    "encoding": {"x": x, "x2": {"field": "last"}, "color": {"value": TINT}},
                },
                {
                    "mark": {**point, "filled": True},
                    "encoding": {"x": x, "color": {"value": ACCENT}},
                },
                {
                    "mark": {**point, "filled": False, "strokeWidth": 2},
                    "encoding": {"x": {**x, "field": "last"}, "color": {"value": ACCENT}},
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 12},
                    "encoding": {
                        "x": {"value": WIDTH},
                        "text": {"field": "text"},
                        "color": {"value": INK},
                    },
                },
            ],
        },
        "sizes",
    )


def adoption(rows: Sequence[Row], speech: Speech) -> str:
    """Customers by month and way of buying, one upon the other."""
    values = [
        {"month": row["month"], "customers": row[kind], "colour": colour, "order": order}
        for row in rows
        for order, (kind, colour) in enumerate(CUSTOMERS.items())
    ]
    last = rows[-1]
    told = "; ".join(
        f"{speech.plain(f'chart.{kind}')} {speech.write(last[kind], 'quantity')}"
        for kind in CUSTOMERS
    )
    return svg(
        {
            "description": f"{speech.plain('chart.adoption')}: {told}",
            "width": PLOT,
            "height": 190,
            "data": {"values": values},
            "mark": {"type": "area", "opacity": 1},
            "encoding": {
                "x": {
                    "field": "month",
                    "type": "quantitative",
                    "title": speech.plain("chart.month"),
                    "scale": {"nice": False},
                    "axis": {"tickCount": 6, "format": "d"},
                },
                "y": {
                    "field": "customers",
                    "type": "quantitative",
                    "title": speech.plain("chart.customers"),
                    "stack": "zero",
                    "axis": {"titlePadding": 10},
                },
                "color": {"field": "colour", "type": "nominal", "scale": None},
                "order": {"field": "order", "type": "quantitative"},
            },
        },
        "adoption",
    )


def positioning(competitors: Sequence[Row], price: float, speech: Speech) -> str:
    """Price, on a logarithmic axis, against how freely one may run it: three bands, and every name
    on a line of its own.

    This release is a wheel that the customer runs, weights and all. Who has no list price stands at
    the left, without a dot.
    """
    ours = {"name": None, "usd_per_million": price, "on_premise": 1.0, "open_weights": 1.0}
    prices = [
        speech.amount(row["usd_per_million"])
        for row in (*competitors, ours)
        if row["usd_per_million"] is not None
    ]
    middle = (min(prices) * max(prices)) ** 0.5
    values: list[dict[str, Any]] = []
    for band in ("weights", "own_machines", "cloud"):
        members = [row for row in (ours, *competitors) if _band(row) == band]
        values.append({"row": len(values), "head": speech.plain(f"chart.{band}")})
        for row in members:
            us = row is ours
            name = speech.plain("chart.ours") if us else speech.name(row["name"])
            if row["usd_per_million"] is None:
                values.append(
                    {"row": len(values), "unpriced": f"{name} {speech.plain('chart.no_price')}"}
                )
                continue
            value = speech.amount(row["usd_per_million"])
            looks = {
                "colour": ACCENT if us else INK,
                "shape": "diamond" if us else "circle",
                "size": 150 if us else 80,
            }
            values.append(
                {
                    "row": len(values),
                    "value": value,
                    ("left" if value > middle else "right"): name,
                    **looks,
                }
            )
    scale = {"type": "log", "nice": False, "padding": 14}
    x: dict[str, Any] = {"field": "value", "type": "quantitative", "scale": scale}
    x |= {"title": f"{speech.plain('chart.per_million')}{speech.plain('chart.logarithmic')}"}
    x |= {"axis": {"format": ",~f", "grid": False, "values": ticks(min(prices), max(prices))}}
    start = {"x": {"value": 0}}
    texts: list[tuple[str, str, int, Any, str]] = [
        ("left", "right", -11, {"x": x}, INK),
        ("right", "left", 11, {"x": x}, INK),
        ("unpriced", "left", 10, start, INK),
        ("head", "left", 0, start, SOFT),
    ]
    return svg(
        {
            "description": (
                f"{speech.plain('chart.positioning')}: {speech.plain('chart.ours')}"
                f" {speech.write(price, 'money')}"
            ),
            "width": PLOT + 40,
            "height": {"step": 22},
            "data": {"values": values},
            "encoding": {"y": {"field": "row", "type": "ordinal", "axis": None}},
            "layer": [
                {
                    "transform": [{"filter": "isValid(datum.value)"}],
                    "mark": {"type": "point", "filled": True, "opacity": 1},
                    "encoding": {
                        "x": x,
                        **{
                            name: {"field": field, "type": kind, "scale": None}
                            for name, field, kind in LOOKS
                        },
                    },
                },
                *(
                    {
                        "transform": [{"filter": f"isValid(datum.{field})"}],
                        "mark": {
                            "type": "text",
                            "align": align,
                            "dx": shift,
                            "fontWeight": "bold" if field == "head" else "normal",
                        },
                        "encoding": {**place, "text": {"field": field}, "color": {"value": colour}},
                    }
                    for field, align, shift, place, colour in texts
                ),
            ],
        },
        "positioning",
    )


def _band(row: Row) -> str:
    return "weights" if row["open_weights"] else "own_machines" if row["on_premise"] else "cloud"
