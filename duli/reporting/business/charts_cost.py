"""Charts of cost and price: the parts of the unit cost, the price among others, and the monthly
break-even.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from duli.reporting.business.speech import Speech
from duli.reporting.shared.vega import ACCENT, COST, INK, TINT, WIDTH, labels, svg

Row = Mapping[str, Any]


def waterfall(parts: Mapping[str, float], total: float, price: float, speech: Speech) -> str:
    """Parts of a cost (by name of business.json) as steps from zero to their `total`, and the price
    below; USD per million.
    """
    rows: list[dict[str, Any]] = []
    reached = 0.0
    for part, amount in parts.items():
        rows.append(
            _bar(speech.name(f"part.{part}"), reached, reached + amount, amount, COST, speech)
        )
        reached += amount
    rows.append(_bar(speech.plain("chart.unit_cost"), 0.0, total, total, INK, speech))
    rows.append(_bar(speech.plain("chart.price"), 0.0, price, price, ACCENT, speech))
    x = {
        "field": "from",
        "type": "quantitative",
        "title": speech.plain("chart.per_million"),
        "axis": {"tickCount": 3, "format": ",~f"},
    }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    end = {"x": {"field": "to", "type": "quantitative"}}
    return svg(
        {
            "description": _told(
                speech.plain("chart.waterfall"), ((row["label"], row["text"]) for row in rows)
            ),
            "data": {"values": rows},
            "encoding": {"y": labels([row["label"] for row in rows])},
            "layer": [
                {
                    "mark": {"type": "bar", "height": 16, "cornerRadius": 2},
                    "encoding": {"x": x, "x2": {"field": "to"}, "color": colour},
                },
                # A thin line where the bar ends: a part too small to see still has its place.
                {
                    "mark": {"type": "tick", "thickness": 2, "size": 16},
                    "encoding": {**end, "color": colour},
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 7},
                    "encoding": {**end, "text": {"field": "text"}, "color": {"value": INK}},
                },
            ],
        },
        "waterfall",
    )


def positions(services: Sequence[Row], price: float, speech: Speech) -> str:
    """List prices of public services with their ranges beside ours, cheapest first, on a
    logarithmic axis; USD per million.
    """
    keys = ("usd_per_million", "usd_per_million_low", "usd_per_million_high")
    dots = [
        (speech.name(service["id"]), [service[key] for key in keys], False) for service in services
    ]
    dots = sorted(
        [*dots, (speech.plain("chart.ours"), [price] * 3, True)],
        key=lambda dot: (dot[1][0], dot[0]),
    )
    rows: list[dict[str, Any]] = [
        {
            "label": label,
            "text": speech.write(usd[0], "money"),
            **dict(zip(("value", "low", "high"), map(speech.amount, usd), strict=True)),
            "colour": ACCENT if ours else INK,
            "shape": "diamond" if ours else "circle",
            "size": 150 if ours else 80,
        }
        for label, usd, ours in dots
    ]
    scale = {"type": "log", "nice": False, "padding": 12}
    axis = {
        "format": ",~f",
        "values": ticks(min(row["low"] for row in rows), max(row["high"] for row in rows)),
    }
    return svg(
        {
            "description": _told(
                speech.plain("chart.positions"), ((row["label"], row["text"]) for row in rows)
            ),
            "data": {"values": rows},
            "encoding": {"y": labels([row["label"] for row in rows])},
            "layer": [
                {
                    "mark": {"type": "rule", "strokeWidth": 8, "strokeCap": "round"},
                    "encoding": {
                        "x": {
                            "field": "low",
                            "type": "quantitative",
                            "scale": scale,
                            "axis": axis,
                            "title": speech.plain("chart.per_million")
                            + speech.plain("chart.logarithmic"),
                        },
                        "x2": {"field": "high"},
                        "color": {"value": TINT},
                    },
                },
                {
                    "mark": {"type": "point", "filled": True, "opacity": 1},
                    "encoding": {
                        "x": {"field": "value", "type": "quantitative"},
                        **{
                            name: {"field": field, "type": kind, "scale": None}
                            for name, field, kind in LOOKS
                        },
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dx": 10},
                    "encoding": {
                        "x": {"value": WIDTH},
                        "text": {"field": "text"},
                        "color": {"value": INK},
                    },
                },
            ],
        },
        "positions",
    )


def break_even(lines: Sequence[Row], needed: float | None, of: str, speech: Speech) -> str:
    """Revenue and cost of a month against the number of customers `of` one way to buy; a diamond
    where they meet, if they do.
    """
    values = [
        {
            "customers": row["customers"],
            "amount": speech.large(row[key]),
            "dash": dash,
            "colour": colour,
        }
        for key, colour, dash in (("cost_usd", COST, [5, 3]), ("revenue_usd", ACCENT, [1, 0]))
        for row in lines
    ]
    x = {
        "field": "customers",
        "type": "quantitative",
        "title": speech.name(of),
        "axis": {"tickCount": 4, "format": ",~f", "labelFlush": False},
    }
    y = {
        "field": "amount",
        "type": "quantitative",
        "title": speech.plain("chart.large_a_month"),
        "axis": {"tickCount": 4, "format": ",~f", "titlePadding": 10},
    }
    meeting = [
        {"customers": row["customers"], "amount": speech.large(row["revenue_usd"])}
        for row in lines
        if needed is not None and row["customers"] == needed
    ]
    told = speech.write(needed, "quantity") if needed is not None else speech.plain("none")
    return svg(
        {
            "description": _told(speech.plain("chart.break_even"), [(speech.name(of), told)]),
            "width": 210,
            "height": 150,
            "layer": [
                {
                    "data": {"values": values},
                    "mark": {"type": "line", "strokeWidth": 2.5},
                    "encoding": {
                        "x": x,
                        "y": y,
                        "color": {"field": "colour", "type": "nominal", "scale": None},
                        "strokeDash": {"field": "dash", "type": "nominal", "scale": None},
                    },
                },
                {
                    "data": {"values": meeting},
                    "mark": {
                        "type": "point",
                        "shape": "diamond",
                        "filled": True,
                        "opacity": 1,
                        "size": 120,
                    },
                    "encoding": {"x": x, "y": y, "color": {"value": INK}},
                },
            ],
        },
        f"even-{of.replace('_', '-')}",
    )


LOOKS = (
    ("color", "colour", "nominal"),
    ("shape", "shape", "nominal"),
    ("size", "size", "quantitative"),
)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten, or powers alone over more than two decades) from
    below `low` to `high`.
    """
    wide = high / low > 100
    steps = [
        step * 10.0**power for power in range(-6, 13) for step in ((1,) if wide else (1, 2, 5))
    ]
    return [step for step in steps if low * 0.99 <= step <= high * 1.01]


def _bar(
    label: str, start: float, end: float, amount: float, colour: str, speech: Speech
) -> dict[str, Any]:
    ends = {"from": speech.amount(start), "to": speech.amount(end)}
    return {"label": label, **ends, "text": speech.write(amount, "money"), "colour": colour}


def _told(what: str, pairs: Any) -> str:
    """The description for screen readers."""
    return f"{what}: " + "; ".join(f"{label} {text}" for label, text in pairs)
