"""Market size: published sizes with recomputed growth, and a bottom-up count of accounts by
segment.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from duli.base.errors import DataError
from duli.economics.market import Row

BILLION = 1e9
MONTHS_PER_YEAR = 12
# a publisher's stated yearly growth that is this far from its own numbers contradicts them
CONTRADICTION = 0.01
FIGURES = {  # of a segment, `<segment>.<figure>`: unit
    "accounts": "accounts",
    "volume": "predictions per month",
    "reach": "share",
    "win": "share",
}


def growth(first: float, last: float, years: float) -> float:
    """Compound growth a year: (last / first)^(1 / years) - 1."""
    return float((last / first) ** (1 / years) - 1)


def publishers(rows: Sequence[Row], topic: str) -> list[dict[str, Any]]:
    """Market sizes by publisher: sizes of two years, stated growth, and growth recomputed from
    these sizes.

    `rows` are `<topic>.<year>.by_<publisher>` (USD billion) and `<topic>.growth.by_<publisher>`
    (share per year, where stated). Raises `DataError` if a publisher names growth and no sizes.
    """
    said: dict[str, dict[str, Row]] = {}
    for row in rows:
        if found := re.fullmatch(rf"{re.escape(topic)}\.([0-9]{{4}}|growth)\.by_(\w+)", row.id):
            said.setdefault(found[2], {})[found[1]] = row
    return [_publisher(name, figures) for name, figures in said.items()]


def _publisher(name: str, figures: Mapping[str, Row]) -> dict[str, Any]:
    years = sorted(int(year) for year in figures if year != "growth")
    if not years:
        row = figures["growth"]
        raise DataError(
            f"{row.place}: '{row.id}' states growth of a market whose size no row of {name} gives;"
            " add one, or remove it"
        )
    first, last = figures[str(years[0])], figures[str(years[-1])]
    stated = figures["growth"].value if "growth" in figures else None
    recomputed = growth(first.value, last.value, years[-1] - years[0]) if len(years) > 1 else None
    return {
        "publisher": name,
        "first_year": years[0],
        "first_usd": first.value * BILLION,
        "last_year": years[-1],
        "last_usd": last.value * BILLION,
        "growth_stated": stated,
        "growth_recomputed": recomputed,
        "contradicts_itself": (
            stated is not None
            and recomputed is not None
            and abs(stated - recomputed) > CONTRADICTION
        ),
        "source": first.source_title,
        "url": first.source_url,
        "confidence": first.confidence,
    }


def accounts(figures: Mapping[str, Any], segments: Sequence[str]) -> tuple[Any, Any]:
    """Accounts that can be won (bottom-up SOM) over all segments, and the predictions such an
    account asks for in a month.

    `figures` by `<segment>.<figure>`; each may be one number or one a draw.
    """
    of = {
        name: figures[f"{name}.accounts"] * figures[f"{name}.reach"] * figures[f"{name}.win"]
        for name in segments
    }
    total = sum(of.values())
    volume = sum(of[name] * figures[f"{name}.volume"] for name in segments)
    return total, np.divide(
        volume, total, out=np.zeros(np.shape(total)), where=np.asarray(total) > 0
    )


def sizes(
    figures: Mapping[str, float], segments: Sequence[str], price: float
) -> list[dict[str, Any]]:
    """Accounts by segment, and their yearly spending at `price` (USD per million): all of it (SAM)
    and the part that is won (SOM).
    """
    rows = []
    for name in segments:
        count, volume, reach, win = (float(figures[f"{name}.{figure}"]) for figure in FIGURES)
        yearly = count * volume * MONTHS_PER_YEAR * price / 1e6
        rows.append(
            {
                "segment": name,
                "accounts": count,
                "volume_per_month": volume,
                "reach": reach,
                "win": win,
                "som_accounts": count * reach * win,
                "sam_usd_per_year": yearly,
                "som_usd_per_year": yearly * reach * win,
            }
        )
    return rows
