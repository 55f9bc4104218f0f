"""Columns of numbers in a file of own data."""

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.intake.found import Read, shown
from duli.intake.sheet import Sheet, first_odd_cells
from duli.intake.source import Source
from duli.serving import columns as cells

TAKES = "a .csv, .tsv or .parquet file with columns of numbers"
USES = ("label", "sensitive")  # of what the owner says
MOST_FEATURES = 10_000
PLAIN = (0.0, 1.0)  # offset and scale of a column that float32 holds as it is
WIDE = 100  # binary exponent from which on the range of float32 may not do


def takes(source: Source) -> bool:
    """Whether the source is a file of columns, none of which is plainly the text of each row."""
    return source.sheet is not None and source.sheet.text is None


def read(source: Source) -> Read:
    """The numbers row by row, as float32; NaN is a value that is missing."""
    sheet = source.sheet
    assert sheet is not None
    names = sheet.measured
    _check(names, sheet)
    rows: NDArray[np.float32] = np.empty((sheet.table.num_rows, len(names)), "<f4")
    centred: dict[str, tuple[float, float]] = {}
    empty, rounded, telling = [], [], []
    for index, name in enumerate(names):
        values = sheet.numbers(name)
        place, lost, different = _place_of(values)
        more = sheet.finer.get(name, different) - different
        lost, different = lost + more, different + more
        if place != PLAIN:
            centred[name] = place
        rows[:, index] = cells.centred(values[:, None], np.array([place]))[:, 0]
        empty += [name] if np.isnan(values).all() else []
        rounded += [f"{name} ({different - lost:,} of {different:,})"] if lost else []
        if suspicion := sheet.labels.given_away(name, values):
            telling.append(suspicion)
    if empty:
        raise DataError(
            f"{sheet.path} has no number at all in {shown(empty, 5)}; take the columns out"
        )
    own = {"label": sheet.label, "features": names, **({"centred": centred} if centred else {})}
    contents = [row.tobytes() for row in rows]
    notes = _notes(sheet, rows, rounded, telling)
    return Read(
        sheet.ids,
        [""] * len(contents),
        sheet.labels,
        contents,
        own,
        [*notes, *sheet.notes],
        frozenset(names),
    )


def _check(names: list[str], sheet: Sheet) -> None:
    """Raises `DataError` if these columns cannot be learned from."""
    if not names:
        reasons = [first_odd_cells(sheet.odd)] if sheet.odd else []
        reasons += (
            [f"{shown(sheet.left, 5)} only number the rows, or are the index"] if sheet.left else []
        )
        raise DataError(
            f"{sheet.path} has no column of numbers besides '{sheet.label}', and none that is"
            f" plainly the text{''.join(f'; {reason}' for reason in reasons)}; --text takes one of"
            f" {sheet.choices()}"
        )
    if len(names) > MOST_FEATURES:
        raise DataError(
            f"{sheet.path} has {len(names):,} columns of numbers, more than {MOST_FEATURES:,};"
            " choose among them first"
        )
    if any(not name.strip() for name in names):
        raise DataError(f"{sheet.path} has a column without a name; name it in the first line")


def _notes(
    sheet: Sheet, rows: NDArray[np.float32], rounded: list[str], telling: list[str]
) -> list[str]:
    """Remarks about the numbers."""
    names = sheet.measured
    strange = int((np.isinf(rows).any(axis=1) | np.isnan(rows).all(axis=1)).sum())
    missing = int(np.isnan(rows).sum())
    taken = {name: cell for name, cell in sheet.odd.items() if name in names}
    notes = [f"{len(names):,} columns of numbers are learned from: {shown(names, 8)}"]
    notes += (
        [f"cells that are no numbers count as missing: {first_odd_cells(taken)}"] if taken else []
    )
    notes += (
        [f"{missing:,} numbers are missing; the mean of their column stands for them"]
        if missing
        else []
    )
    notes += (
        [
            f"{strange:,} rows are without numbers, or with infinite ones; the line puts them into"
            " quarantine"
        ]
        if strange
        else []
    )
    notes += (
        [
            "float32, which models compute in, tells fewer values apart than there are in"
            f" {shown(rounded, 5)}"
        ]
        if rounded
        else []
    )
    notes += [f"{one}: is it known before the label?" for one in telling[:5]]
    notes += [f"{len(telling) - 5:,} more columns do so alone"] if telling[5:] else []
    return notes


def _place_of(values: NDArray[np.float64]) -> tuple[tuple[float, float], int, int]:
    """Offset and scale of a column in float32, how many of its different values that rounds onto
    others, and how many there are.

    0 and 1, unless float32 tells more values apart around one of their own: times in milliseconds,
    very large and very small numbers.
    """
    known = np.unique(values[np.isfinite(values)])
    if not len(known):
        return PLAIN, 0, 0

    def lost(place: tuple[float, float]) -> int:
        kept = cells.centred(known[:, None], np.array([place]))[:, 0]
        return len(known) - len(np.unique(kept[np.isfinite(kept)]))

    # as close as that lie some of so many values, whatever they are
    by_chance = len(known) ** 2 / 2**22
    if (plainly := lost(PLAIN)) <= by_chance:
        return PLAIN, 0, len(known)
    offset = float(known[len(known) // 2])
    with np.errstate(over="ignore"):
        exponent = int(np.frexp(np.abs(known - offset).max())[1])
    around = (offset, 1.0 if abs(exponent) < WIDE else float(np.ldexp(1.0, min(exponent, 1023))))
    place, left = min((PLAIN, plainly), (around, lost(around)), key=lambda one: one[1])
    return place, left if left > by_chance else 0, len(known)
