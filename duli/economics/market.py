"""Market facts: dated, sourced rows of CSV, read strictly. Whatever has no source has to say that
it is assumed.
"""

import csv
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from duli.base.errors import DataError

COLUMNS = (
    "id",
    "value",
    "low",
    "high",
    "unit",
    "currency",
    "kind",
    "dist",
    "source_title",
    "source_url",
    "as_of",
    "retrieved",
    "confidence",
    "note",
    "note_zh",
)
KINDS = ("measured", "cited", "assumed")
DISTRIBUTIONS = ("triangular", "lognormal", "beta", "point")
CURRENCIES = ("USD", "CNY")
CONFIDENCES = ("A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D")  # A best
# Prices need a currency, the other units have none.
PRICES = (
    "per hour",
    "per 1000",
    "per item",
    "per ticket",
    "per month",
    "per day",
    "per customer",
    "per million tokens",
    "per kWh",
    "billion",
)
SHARES = ("share", "yes or no")  # from 0 to 1; a yes is 1, a no is 0
QUANTITIES = (
    *SHARES,
    "share per year",
    "vCPU",
    "tickets per million",
    "CNY per USD",
    "ratio",
    "days",
    "months",
    "accounts",
    "predictions per month",
    "tokens",
    "ms",
    "W",
    "W per GiB",
    "g per kWh",
    "kWh",
    "g",
    "yyyymmdd",
)
DIVISORS = ("vCPU", "CNY per USD", "billion")  # zero would be nonsense, and is divided by
# beyond them a number is a typing error, and its square no number any more
LEAST, MOST = 1e-12, 1e15
WIDE = 0.2  # a cited range wider than this share of its value: the sources (or the tiers) disagree
# the same fact told by two sources that lie further apart than this share of the lower one
CONFLICT = 0.2

MAX_BYTES = 1_000_000
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
URL = re.compile(r"https?://[^\s<>\"']+")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Row:
    """A market fact with its range, its source and the place it was read from."""

    id: str
    value: float
    low: float
    high: float
    unit: str
    currency: str
    kind: Literal["measured", "cited", "assumed"]
    dist: Literal["triangular", "lognormal", "beta", "point"]
    source_title: str
    source_url: str
    as_of: date | None  # the day the fact held; None if the source shows no date
    retrieved: date | None  # the day somebody looked
    confidence: str
    note: str
    note_zh: str  # the same for Chinese readers; may be empty
    place: str  # "file, line n"


class Market:
    """The rows of all market files, by id."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self.rows = rows

    def row(self, name: str, unit: str) -> Row:
        """The row `name`; raises `DataError` if it is missing or in another unit."""
        if name not in self.rows:
            close = difflib.get_close_matches(name, self.rows, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise DataError(
                f"the market facts have no row '{name}' ({unit}); add it to a file of the market"
                f" folder{hint}"
            )
        row = self.rows[name]
        if row.unit != unit:
            raise DataError(
                f"{row.place}, column unit: '{name}' is in '{row.unit}', needed is '{unit}';"
                " convert it"
            )
        return row

    def group(self, prefix: str) -> list[Row]:
        """The rows whose id starts with `prefix` and a dot, in whatever unit; raises `DataError`
        if there are none.
        """
        found = [row for name, row in self.rows.items() if name.startswith(f"{prefix}.")]
        if not found:
            raise DataError(
                f"the market facts have no row '{prefix}.*'; add one to a file of the market folder"
            )
        return found

    def under(self, prefix: str, unit: str) -> list[Row]:
        """The rows whose id starts with `prefix` and a dot, in order of the files; all of them have
        to be in `unit`.
        """
        return [self.row(name, unit) for name in self.rows if name.startswith(f"{prefix}.")]


def read(files: Mapping[str, bytes]) -> Market:
    """Parses CSV files (name to content) as one market; raises `DataError` that lists every mistake
    in them.
    """
    rows: dict[str, Row] = {}
    mistakes: list[str] = []
    for name, content in files.items():
        found, wrong = _parse(name, content)
        mistakes += wrong
        for row in found:
            if row.id in rows:
                mistakes.append(
                    f"{row.place}, column id: '{row.id}' is already in {rows[row.id].place};"
                    " keep one"
                )
            rows.setdefault(row.id, row)
    if not files:
        mistakes.append(
            "there are no market facts (*.csv); add them or correct `report.market` in params.yaml"
        )
    if mistakes:
        raise DataError("\n".join(mistakes))
    return Market(rows)


def flags(row: Row, as_of: date, stale_days: int) -> list[str]:
    """The weaknesses of the row at the day `as_of`: 'undated', 'stale', 'wide'.

    Raises `DataError` for a row from after that day: a typing error in a year would never grow
    stale.
    """
    latest = max((day for day in (row.as_of, row.retrieved) if day), default=as_of)
    if latest > as_of:
        raise DataError(
            f"{row.place}: '{row.id}' is of {latest}, after report.as_of {as_of}; correct the day,"
            " or move report.as_of"
        )
    found = []
    if row.as_of is None:
        found.append("undated")
    elif (as_of - row.as_of).days > stale_days:
        found.append("stale")
    if row.kind == "cited" and row.high - row.low > WIDE * row.value:
        found.append("wide")
    return found


def conflicting(rows: Iterable[Row]) -> list[str]:
    """The ids of rows that tell one fact and lie more than a fifth apart; `<fact>.by_<source>`
    names who tells it.
    """
    told: dict[str, list[Row]] = {}
    for row in rows:
        fact, by, _ = row.id.partition(".by_")
        if by:
            told.setdefault(fact, []).append(row)
    apart = (same for same in told.values() if _apart([row.value for row in same]))
    return [row.id for same in apart for row in same]


def _apart(values: list[float]) -> bool:
    return max(values) - min(values) > CONFLICT * min(values)


def to_usd(row: Row, fx: Row | None) -> tuple[float, float, float]:
    """Value, low and high of a price in USD; `fx` (CNY per USD) is needed for prices in CNY
    alone.
    """
    if row.currency == "USD":
        return row.value, row.low, row.high
    assert row.currency == "CNY", f"{row.id} is no price that converts"
    assert fx is not None, "a price in CNY needs an exchange rate"
    return row.value / fx.value, row.low / fx.high, row.high / fx.low


def _parse(name: str, content: bytes) -> tuple[list[Row], list[str]]:
    if len(content) > MAX_BYTES:
        return [], [
            f"{name} is larger than {MAX_BYTES:,} bytes; market facts are a few hundred rows, is"
            " this the right file?"
        ]
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return [], [
            f"{name}, line 1 starts with a byte order mark; save it as plain UTF-8 (not 'UTF-8 with"
            " BOM' or 'Unicode')"
        ]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].count(b"\n")
        return [], [f"{name}, line {before + 1} is not UTF-8; save the file as UTF-8"]
    # Parsed line by line: an unclosed quote then costs one line, not the rest of the file.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not text.strip():
        return [], [f"{name} is empty; its first line has to be {','.join(COLUMNS)}"]
    header = _fields(lines[0])
    if header != list(COLUMNS):
        return [], [
            f"{name}, line 1: {_header_mistake(header)}; the columns have to be {','.join(COLUMNS)}"
        ]
    if len(lines) == 1:
        return [], [f"{name} has no rows under its header; add them or delete the file"]
    rows: list[Row] = []
    mistakes: list[str] = []
    for number, line in enumerate(lines[1:], start=2):
        place = f"{name}, line {number}"
        fields = _fields(line)
        if fields is None:
            mistakes.append(
                f"{place} is no CSV (a quote is not closed, or stands in mid-field); quote the"
                " whole field on one line"
            )
        elif not line.strip():
            mistakes.append(f"{place} is empty; delete it")
        elif len(fields) != len(COLUMNS):
            mistakes.append(
                f"{place} has {len(fields)} fields instead of {len(COLUMNS)}; quote fields that"
                " hold a comma"
            )
        else:
            found = _Reader(place, dict(zip(COLUMNS, fields, strict=True)))
            row = found.row()
            mistakes += found.mistakes
            if not found.mistakes:
                rows.append(row)
    return rows, mistakes


def _fields(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _header_mistake(header: list[str] | None) -> str:
    if header is None:
        return "the header is no CSV"
    missing = [name for name in COLUMNS if name not in header]
    extra = [repr(name) for name in header if name not in COLUMNS]
    if missing and extra:
        return f"columns missing: {', '.join(missing)}; unknown: {', '.join(extra)}"
    if missing:
        return f"columns missing: {', '.join(missing)}"
    return f"unknown columns: {', '.join(extra)}" if extra else "columns in another order or twice"


def _is_day(number: float) -> bool:
    try:
        return date.fromisoformat(f"{number:.0f}") is not None and number.is_integer()
    except ValueError:
        return False


class _Reader:
    """Reads the fields of one line, and notes every mistake with its column and fix."""

    def __init__(self, place: str, fields: dict[str, str]) -> None:
        self.place = place
        self.fields = fields
        self.mistakes: list[str] = []
        for column, field in fields.items():
            if field != field.strip() or not field.isprintable():
                self.wrong(column, "has spaces around it or invisible characters", "remove them")

    def wrong(self, column: str, what: str, fix: str) -> None:
        self.mistakes.append(
            f"{self.place}, column {column}: {self.fields[column]!r} {what}; {fix}"
        )

    def row(self) -> Row:
        fields = self.fields
        self._matches(
            "id",
            ID,
            "is no id",
            "use lower-case words joined by dots, such as service.google_cloud_vision",
        )
        value, low, high = (self._number(column) for column in ("value", "low", "high"))
        unit = self._one_of("unit", PRICES + QUANTITIES)
        if unit in PRICES:
            self._one_of("currency", CURRENCIES)
        elif unit in QUANTITIES and fields["currency"]:
            self.wrong("currency", f"stands at a '{unit}', which is no price", "leave it empty")
        kind = self._one_of("kind", KINDS)
        dist = self._one_of("dist", DISTRIBUTIONS)
        if all(map(math.isfinite, (value, low, high))):
            self._range(value, low, high, unit, dist)
        self._source(kind)
        as_of, retrieved = self._day("as_of"), self._day("retrieved")
        if as_of and retrieved and as_of > retrieved:
            self.wrong("as_of", f"is after retrieved ({retrieved})", "correct one of the days")
        self._one_of("confidence", CONFIDENCES)
        return Row(
            fields["id"],
            value,
            low,
            high,
            unit,
            fields["currency"],
            kind,  # type: ignore[arg-type]
            dist,  # type: ignore[arg-type]
            fields["source_title"],
            fields["source_url"],
            as_of,
            retrieved,
            fields["confidence"],
            fields["note"],
            fields["note_zh"],
            self.place,
        )

    def _range(self, value: float, low: float, high: float, unit: str, dist: str) -> None:
        if not low <= value:
            self.wrong("low", f"is above the value {value:g}", "give low <= value <= high")
        if not value <= high:
            self.wrong("high", f"is below the value {value:g}", "give low <= value <= high")
        if low < 0 or (unit in DIVISORS and low == 0):
            self.wrong("low", f"is too small for '{unit}'", "give a positive number")
        if (dist == "point") != (low == value == high):
            self.wrong(
                "dist",
                f"does not fit the range {low:g} to {high:g}",
                "'point' is for low = value = high, and only for that",
            )
        if dist == "lognormal" and low == 0:
            self.wrong(
                "low",
                "is 0, which a lognormal never reaches",
                "give a positive number, or another dist",
            )
        if high > 1 and (dist == "beta" or unit in SHARES):
            self.wrong(
                "high",
                f"is above 1, which a {'beta' if dist == 'beta' else 'share'} never reaches",
                "give a share from 0 to 1",
            )
        if dist == "lognormal" and unit in (*SHARES, "share per year"):
            self.wrong(
                "dist", "has no upper end, and a share has one", "use triangular, beta or point"
            )
        if unit == "yyyymmdd" and not all(map(_is_day, (value, low, high))):
            self.wrong("value", "is no day", "write it like 20261123")
        if unit == "yes or no" and value not in (0, 1):
            self.wrong("value", "is neither yes nor no", "write 1 for yes, 0 for no")

    def _source(self, kind: str) -> None:
        if kind == "assumed":
            for column in ("note", "as_of"):
                if not self.fields[column]:
                    self.wrong(
                        column,
                        "leaves an assumption without its reason and day",
                        "say why this value, and since when it is assumed",
                    )
        else:
            for column in ("source_title", "source_url", "retrieved"):
                if not self.fields[column]:
                    self.wrong(
                        column,
                        f"leaves a {kind or 'sourced'} row without its source",
                        "give source and day, or set kind to 'assumed'",
                    )
        if self.fields["source_url"]:
            self._matches(
                "source_url", URL, "is no web address", "give one that starts with https://"
            )

    def _matches(self, column: str, pattern: re.Pattern[str], what: str, fix: str) -> None:
        if not pattern.fullmatch(self.fields[column]):
            self.wrong(column, what, fix)

    def _number(self, column: str) -> float:
        text = self.fields[column]
        number = float(text) if NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(number):
            self.wrong(
                column,
                "is no finite number",
                "write it like 1234.5, without separators, currency or percent signs",
            )
        elif number and not LEAST <= abs(number) <= MOST:
            self.wrong(
                column,
                f"is beyond all that is meant ({LEAST:g} to {MOST:g})",
                "correct it, or convert its unit",
            )
        return number

    def _one_of(self, column: str, known: tuple[str, ...]) -> str:
        if self.fields[column] not in known:
            self.wrong(column, "is unknown", f"use one of {', '.join(known)}")
        return self.fields[column]

    def _day(self, column: str) -> date | None:
        text = self.fields[column]
        if not text:
            return None
        try:
            if DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.wrong(
            column,
            "is no day",
            "write it like 2026-11-23, or leave it empty if the source shows none",
        )
        return None
