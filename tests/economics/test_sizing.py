"""Published market sizes and accounts counted from below."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import sizing
from tests.economics.facts import shipped

FACTS = shipped()


@pytest.mark.parametrize(
    ("first", "last", "years", "expected"),
    [
        (13.45, 48.6, 4, 0.379),
        (22.85, 77.69, 7, 0.191),
        (16.26, 60.04, 8, 0.177),
        (12.21, 50.61, 10, 0.153),
        (13.95, 46.09, 9, 0.142),
    ],
)
def test_golden_growth(first: float, last: float, years: float, expected: float) -> None:
    assert sizing.growth(first, last, years) == pytest.approx(expected, abs=5e-4)


@given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.integers(1, 30))
def test_growth_leads_from_the_first_to_the_last(first: float, last: float, years: int) -> None:
    assert first * (1 + sizing.growth(first, last, years)) ** years == pytest.approx(last, rel=1e-9)


def test_a_publisher_whose_growth_is_not_that_of_its_numbers_is_flagged() -> None:
    """30 % stated, 37.9 % by its own sizes."""
    found = {
        row["publisher"]: row
        for row in sizing.publishers(FACTS.group("size.vision"), "size.vision")
    }
    assert found["software_oasis"]["contradicts_itself"] is True
    assert found["software_oasis"]["growth_recomputed"] == pytest.approx(0.379, abs=5e-4)
    assert found["globaldata"]["growth_recomputed"] is None  # one year alone grows nowhere
    assert not any(
        row["contradicts_itself"] for row in sizing.publishers(FACTS.group("size.ocr"), "size.ocr")
    )


def test_publishers_disagree_and_are_all_shown() -> None:
    sizes = {
        row["publisher"]: row["first_usd"]
        for row in sizing.publishers(FACTS.group("size.ocr"), "size.ocr")
    }
    assert sizes == pytest.approx({"allied": 12.2116e9, "imarc": 13.95e9, "360iresearch": 16.26e9})


def test_growth_of_nothing_is_refused() -> None:
    rows = [row for row in FACTS.group("size.ocr") if row.id.startswith("size.ocr.growth")]
    with pytest.raises(DataError, match=r"size\.csv, line \d+: .*growth.*\ballied\b"):
        sizing.publishers(rows, "size.ocr")


segment = st.fixed_dictionaries(
    {
        "accounts": st.floats(0, 1e6),
        "volume": st.floats(0, 1e8),
        "reach": st.floats(0, 1),
        "win": st.floats(0, 1),
    }
)


@given(st.lists(segment, min_size=1, max_size=4), st.floats(0, 1e5))
def test_what_can_be_won_is_never_more_than_what_there_is(
    segments: list[dict[str, float]], price: float
) -> None:
    figures = {
        f"s{place}.{name}": value
        for place, one in enumerate(segments)
        for name, value in one.items()
    }
    names = [f"s{place}" for place in range(len(segments))]
    rows = sizing.sizes(figures, names, price)
    for row in rows:
        assert row["som_usd_per_year"] <= row["sam_usd_per_year"] * (1 + 1e-12)
    total, volume = sizing.accounts(figures, names)
    assert float(total) == pytest.approx(sum(row["som_accounts"] for row in rows))
    # Accounts times their mean volume are what the segments ask for, so both ways to count agree.
    assert float(total * volume) * 12 * price / 1e6 == pytest.approx(
        sum(row["som_usd_per_year"] for row in rows), rel=1e-9, abs=1e-6
    )
