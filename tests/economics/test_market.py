"""Market facts are read strictly: whatever is wrong is named with file, row, column and fix, and
nothing gets through.
"""

import csv
import io
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import market
from tests.closure import ROOT

GOOD = {
    "id": "service.some_reader",
    "value": "1.5",
    "low": "1",
    "high": "2",
    "unit": "per 1000",
    "currency": "USD",
    "kind": "cited",
    "dist": "triangular",
    "source_title": "Some page, of the vendor",
    "source_url": "https://example.org/prices",
    "as_of": "2026-05-01",
    "retrieved": "2026-11-01",
    "confidence": "A-",
    "note": "",
    "note_zh": "",
}
HEADER = ",".join(market.COLUMNS)


def row(**changes: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow((GOOD | changes).values())
    return text.getvalue()


def read(*lines: str, name: str = "services.csv") -> market.Market:
    return market.read({name: "\n".join((HEADER, *lines, "")).encode()})


def test_a_good_row_is_read_as_it_stands() -> None:
    found = read(row()).row("service.some_reader", "per 1000")
    assert (found.value, found.low, found.high, found.currency) == (1.5, 1.0, 2.0, "USD")
    assert (found.as_of, found.retrieved) == (date(2026, 5, 1), date(2026, 11, 1))
    assert found.place == "services.csv, line 2"


@pytest.mark.parametrize(
    ("changes", "column", "fix"),
    [
        ({"source_url": ""}, "source_url", "set kind to 'assumed'"),
        ({"source_title": ""}, "source_title", "set kind to 'assumed'"),
        ({"retrieved": ""}, "retrieved", "set kind to 'assumed'"),
        ({"kind": "measured", "source_url": ""}, "source_url", "set kind to 'assumed'"),
        ({"kind": "assumed"}, "note", "say why this value"),
        ({"kind": "assumed", "note": "a guess", "as_of": ""}, "as_of", "since when"),
        ({"source_url": "javascript:alert(1)"}, "source_url", "https://"),
        ({"source_url": "https://a b"}, "source_url", "https://"),
        ({"low": "1.6"}, "low", "low <= value <= high"),
        ({"high": "1.4"}, "high", "low <= value <= high"),
        ({"low": "-1"}, "low", "positive"),
        ({"value": "-3", "low": "-3", "high": "-3", "dist": "point"}, "low", "positive"),
        ({"unit": "vCPU", "currency": "", "low": "0"}, "low", "positive"),
        ({"dist": "point"}, "dist", "low = value = high"),
        ({"low": "1.5", "high": "1.5"}, "dist", "low = value = high"),
        ({"dist": "lognormal", "low": "0"}, "low", "positive"),
        ({"high": "1e16"}, "high", "convert its unit"),
        ({"low": "1e-300"}, "low", "convert its unit"),
        (
            {
                "unit": "yyyymmdd",
                "currency": "",
                **dict.fromkeys(("value", "low", "high"), "20261399"),
                "dist": "point",
            },
            "value",
            "20261123",
        ),
        (
            {
                "unit": "yyyymmdd",
                "currency": "",
                **dict.fromkeys(("value", "low", "high"), "1.5"),
                "dist": "point",
            },
            "value",
            "20261123",
        ),
        ({"dist": "beta"}, "high", "from 0 to 1"),
        ({"unit": "share", "currency": ""}, "high", "from 0 to 1"),
        (
            {"unit": "yes or no", "currency": "", "value": "0.5", "low": "0", "high": "1"},
            "value",
            "1 for yes",
        ),
        ({"dist": "lognormal", "unit": "share per year", "currency": ""}, "dist", "use triangular"),
        ({"dist": "normal"}, "dist", "use one of"),
        ({"unit": "per thousand"}, "unit", "use one of"),
        ({"currency": ""}, "currency", "use one of"),
        ({"currency": "EUR"}, "currency", "use one of"),
        ({"unit": "vCPU"}, "currency", "leave it empty"),
        ({"kind": "Cited"}, "kind", "use one of"),
        ({"confidence": "high"}, "confidence", "use one of"),
        ({"value": ""}, "value", "1234.5"),
        ({"value": "nan"}, "value", "1234.5"),
        ({"value": "inf"}, "value", "1234.5"),
        ({"value": "1e999"}, "value", "1234.5"),
        ({"value": "1,500"}, "value", "without separators"),
        ({"value": "1_500"}, "value", "without separators"),
        ({"value": "$1.5"}, "value", "currency"),
        ({"value": "50%"}, "value", "percent"),
        ({"value": "١"}, "value", "1234.5"),
        ({"value": "0x1"}, "value", "1234.5"),
        ({"value": " 1.5"}, "value", "remove them"),
        ({"note": "zero\u200bwidth"}, "note", "remove them"),
        ({"note": "null\x00byte"}, "note", "remove them"),
        ({"id": "Service One"}, "id", "lower-case"),
        ({"id": ""}, "id", "lower-case"),
        ({"as_of": "01/05/2026"}, "as_of", "2026-11-23"),
        ({"as_of": "2026-02-30"}, "as_of", "2026-11-23"),
        ({"as_of": "20260501"}, "as_of", "2026-11-23"),
        ({"as_of": "2026-11-02"}, "as_of", "correct one of the days"),
    ],
)
def test_a_wrong_field_is_named_with_its_place_and_fix(
    changes: dict[str, str], column: str, fix: str
) -> None:
    with pytest.raises(DataError) as error:
        read(row(), row(**{"id": "service.other"} | changes))
    assert f"services.csv, line 3, column {column}:" in str(error.value)
    assert fix in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (f"{HEADER}\n".encode(), "has no rows"),
        (b"\xef\xbb\xbf" + f"{HEADER}\n{row()}\n".encode(), "byte order mark"),
        (f"{HEADER}\n{row()}\n".encode("utf-16"), "byte order mark"),
        (f"{HEADER}\n{row()}\n".encode() + b"caf\xe9", "line 3 is not UTF-8"),
        (
            f"{HEADER.replace(',note,', ',remark,')}\n{row()}\n".encode(),
            "columns missing: note; unknown: 'remark'",
        ),
        (f"{HEADER},extra\n{row()},1\n".encode(), "unknown columns: 'extra'"),
        (f"{HEADER.removesuffix(',note_zh')}\n{row()}\n".encode(), "columns missing: note_zh"),
        (f"{HEADER.replace('low,high', 'high,low')}\n{row()}\n".encode(), "another order"),
        (f"{HEADER}\n{row()},\n".encode(), "line 2 has 16 fields instead of 15"),
        (
            f"{HEADER}\n{row(value='1500').replace('1500', '1,500')}\n".encode(),
            "line 2 has 16 fields",
        ),
        (f"{HEADER}\n{row()}\n\n{row(id='service.b')}\n".encode(), "line 3 is empty"),
        (
            f"{HEADER}\n{row()}\n".replace("of the vendor", 'of the "vendor').encode(),
            "line 2 is no CSV",
        ),
        (f'{HEADER}\n"{row()}\n'.encode(), "line 2 is no CSV"),
        (HEADER.replace(",", ";").encode(), "columns missing"),
        (b"x" * 1_000_001, "larger than"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=r"services\.csv") as error:
        market.read({"services.csv": content})
    assert said in str(error.value)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(DataError) as error:
        read(row(value="x"), row(id="service.b", unit="y"), row(id="service.c", kind="z"))
    assert [line.split(",")[1] for line in str(error.value).splitlines()] == [
        " line 2",
        " line 3",
        " line 4",
    ]


def test_an_id_stands_once_over_all_files() -> None:
    content = f"{HEADER}\n{row()}\n".encode()
    with pytest.raises(
        DataError,
        match=(r"b\.csv.*2.*'service\.some_reader'.*a\.csv.*2"),
    ):
        market.read({"a.csv": content, "b.csv": content})


def test_no_files_are_an_error() -> None:
    with pytest.raises(DataError, match=r"\*\.csv.*report\.market"):
        market.read({})


def test_a_missing_id_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(
        DataError,
        match=r"'service.some_raeder'.*1000.*'service.some_reader'",
    ):
        read(row()).row("service.some_raeder", "per 1000")


def test_a_row_in_another_unit_is_an_error() -> None:
    with pytest.raises(
        DataError,
        match=r"line 2, column unit: .* is in 'per 1000', needed is 'per hour'; convert it",
    ):
        read(row()).row("service.some_reader", "per hour")
    with pytest.raises(DataError, match="convert it"):
        read(row(), row(id="service.b", unit="per hour")).under("service", "per 1000")


def test_under_takes_whole_words_only() -> None:
    found = read(row(), row(id="service"), row(id="services.b")).under("service", "per 1000")
    assert [entry.id for entry in found] == ["service.some_reader"]


def test_windows_line_ends_are_fine() -> None:
    assert (
        market.read({"a.csv": f"{HEADER}\r\n{row()}\r\n".encode()}).rows["service.some_reader"].note
        == ""
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 1), []),
        (date(2026, 11, 10), []),
        (date(2026, 11, 11), ["stale"]),
        (date(2028, 1, 1), ["stale"]),
    ],
)
def test_rows_grow_stale_at_the_day_given_and_not_by_the_clock(
    day: date, expected: list[str]
) -> None:
    found = read(row(as_of="2026-05-14", low="1.4", high="1.6")).rows["service.some_reader"]
    assert market.flags(found, day, 180) == expected


def test_undated_and_wide_rows_are_flagged() -> None:
    found = read(row(as_of="", low="1.5", high="1.9")).rows["service.some_reader"]
    assert market.flags(found, date(2026, 11, 1), 180) == ["undated", "wide"]


@pytest.mark.parametrize(
    "changes", [{"as_of": "2062-05-01", "retrieved": "2062-05-02"}, {"retrieved": "2027-01-01"}]
)
def test_a_row_from_the_future_is_an_error(changes: dict[str, str]) -> None:
    found = read(row(**changes)).rows["service.some_reader"]
    with pytest.raises(DataError, match=r"services.csv, line 2: .* after report.as_of 2026-11-23"):
        market.flags(found, date(2026, 11, 23), 180)


@given(
    amounts=st.lists(st.floats(0.01, 1e6), min_size=3, max_size=3).map(sorted),
    rates=st.lists(st.floats(0.01, 1e3), min_size=3, max_size=3).map(sorted),
)
def test_converting_keeps_the_order_of_the_ends(amounts: list[float], rates: list[float]) -> None:
    def made(low: float, value: float, high: float, currency: str) -> market.Row:
        return market.Row(
            "a",
            value,
            low,
            high,
            "per 1000",
            currency,
            "cited",
            "triangular",
            "",
            "",
            None,
            None,
            "A",
            "",
            "",
            "",
        )

    value, low, high = market.to_usd(made(*amounts, "CNY"), made(*rates, ""))
    assert low <= value * (1 + 1e-12)
    assert value <= high * (1 + 1e-12)
    assert market.to_usd(made(*amounts, "USD"), None) == (amounts[1], amounts[0], amounts[2])


def told(by: str, value: str) -> str:
    return row(id=f"size.ocr.2024.{by}", value=value, low=value, high=value, dist="point")


@pytest.mark.parametrize(
    ("values", "apart"),
    [(("10", "12"), False), (("10", "12.1"), True), (("10",), False), (("10", "11", "13"), True)],
)
def test_sources_that_lie_more_than_a_fifth_apart_are_in_conflict(
    values: tuple[str, ...], apart: bool
) -> None:
    lines = [told(f"by_{place}", value) for place, value in enumerate(values)]
    found = read(*lines, row(id="size.ocr.2025", value="90", low="90", high="90", dist="point"))
    assert market.conflicting(found.rows.values()) == (
        [f"size.ocr.2024.by_{place}" for place in range(len(values))] if apart else []
    )


def test_a_group_is_whole_words_in_any_unit_and_never_empty() -> None:
    facts = read(
        row(id="segment.a.b"),
        row(id="segment.c", unit="share", currency="", value="1", low="1", high="1", dist="point"),
    )
    assert [found.id for found in facts.group("segment")] == ["segment.a.b", "segment.c"]
    with pytest.raises(DataError, match=r"'segments\.\*'"):
        facts.group("segments")


WELL = f"{HEADER}\n{row()}\n{row(id='service.b', note='x, y')}\n".encode()


@given(st.data())
def test_whatever_is_done_to_a_file_it_is_read_or_refused_with_file_and_place(
    data: st.DataObject,
) -> None:
    """Bytes replaced, inserted and cut anywhere: never another error than ours, and no row that
    breaks its own rules.
    """
    content = bytearray(WELL)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b";", b'"', b"\n", b"-", b"nan"])
        )
    rows, said = _outcome(bytes(content))
    assert all("a.csv" in line for line in said)
    assert bool(said) is not bool(rows)
    for one in rows:
        assert 0 <= one.low <= one.value <= one.high < float("inf")
        assert one.source_url or one.kind == "assumed"


def _outcome(content: bytes) -> tuple[list[market.Row], list[str]]:
    try:
        return list(market.read({"a.csv": content}).rows.values()), []
    except DataError as error:
        return [], str(error).splitlines()


@pytest.mark.parametrize(
    "folder",
    [
        "data/market",
        *sorted(str(one.relative_to(ROOT)) for one in ROOT.glob("pipelines/*/data/market")),
    ],
)
def test_the_facts_that_ship_are_sound(folder: str) -> None:
    facts = market.read(
        {path.name: path.read_bytes() for path in sorted((ROOT / folder).glob("*.csv"))}
    )
    assert len(facts.under("service", "per 1000")) >= 2
    for found in facts.rows.values():
        assert found.source_url or found.kind == "assumed"
        assert found.low < found.high or found.unit == "vCPU" or found.note, (
            f"{found.id}: a point without a range needs its reason"
        )
        assert bool(found.note) == bool(re.search("[\u4e00-\u9fff]", found.note_zh)), (
            f"{found.id}: a note is for both readers"
        )
        assert found.confidence in ("C", "D") or found.kind != "assumed", (
            f"{found.id}: an assumption is no better than a guess"
        )
