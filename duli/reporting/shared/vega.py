"""The common parts of all charts: Vega-Lite lays out, the page's CSS colours, and the SVG stands
inside an HTML page.

Colours are the custom properties of templates/style.css, so the same SVG serves a light page and a
dark one. The bytes depend on the arguments alone.
"""

import html
import re
from typing import Any

import vl_convert

INK, SOFT, LINE, ACCENT, COST, TINT, BAD = (
    f"var(--{name})" for name in ("ink", "soft", "line", "accent", "cost", "band", "bad")
)
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Liberation Sans, sans-serif"
CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT,
        "titleColor": SOFT,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelPadding": 6,
        "labelSeparation": 8,
        "titlePadding": 9,
    },
    "text": {"fontSize": 12, "color": INK},
}
WIDTH = 260  # of the plot itself, in px: small, so that the letters stay readable on a phone
LABELS = 126  # px for the names at the left; longer ones are cut off with an ellipsis
STEP = 30  # px a row


def labels(order: list[str], width: int = LABELS) -> dict[str, Any]:
    """The encoding of the field `label` as names at the left, `width` px, in this order from the
    top.
    """
    axis = {
        "title": None,
        "ticks": False,
        "domain": False,
        "labelColor": INK,
        "minExtent": width,
        "labelLimit": width - 6,
    }
    return {"field": "label", "type": "nominal", "sort": order, "axis": axis}


def svg(chart: dict[str, Any], name: str) -> str:
    """The chart as SVG, its `description` read out by screen readers; `name` is no other chart's of
    the page, for ids are made of it.
    """
    spec = {"width": WIDTH, "height": {"step": STEP}, "config": CONFIG, **chart}
    drawn = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    # Made for the inside of an HTML page: no namespaces, the size from the page, ids that neither
    # count on nor collide.
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn)
    drawn = re.sub(r'^<svg([^>]*) width="[^"]*" height="[^"]*"', r"<svg\1", drawn)
    if "description" in chart:
        drawn = drawn.replace(
            "<svg", f'<svg role="img" aria-label="{html.escape(chart["description"])}"', 1
        )
    return re.sub(r'(id="|url\(#)(clip|gradient_?)(\d+)', rf"\1{name}-\2", drawn)
