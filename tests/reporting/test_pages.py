"""Pages are strict about what they are given, escape it, and need nothing but themselves."""

import re
from typing import Any

import pytest
from jinja2 import UndefinedError

from duli.base.tasks import Counts
from duli.reporting.shared.pages import lookup, render

HOLDS = {
    "name": "expect_rows",
    "table": "examples",
    "column": "label",
    "success": True,
    "observed": "70,000",
    "expected": "60,000 or more",
}
FAILS = HOLDS | {"name": "expect_leak", "success": False, "observed": "<script>alert(1)</script>"}
SPLITS = {"train": {"examples": 55_000}, "test": {"examples": 10_000}}
COUNTS = Counts(
    "Examples of each class", "Class", [("even", [30_000, 6_000]), ("<odd>", [25_000, 4_000])]
)


def validation(**changes: Any) -> str:
    values = {
        "dataset": "Digits",
        "success": True,
        "expectations": [HOLDS],
        "splits": SPLITS,
        "quarantined": {"duplicate": 7, "unreadable": 0},
        "counts": COUNTS,
    }
    return render("reporting/validation/validation.html.j2", **(values | changes))


def test_the_validation_page_says_what_held() -> None:
    page = validation()
    assert "Passed." in page
    assert "All 1 expectations hold" in page
    assert "examples.label" in page
    assert "70,000" in page
    assert "7 duplicate" in page
    assert "unreadable" not in page
    assert "25,000" in page
    assert '<th scope="row">even</th>' in page
    assert '<th scope="row">&lt;odd&gt;</th>' in page


def test_the_validation_page_puts_first_what_failed_and_escapes_it() -> None:
    page = validation(success=False, expectations=[HOLDS, FAILS])
    assert "1 of 2 expectations does not hold" in page
    assert page.index("expect leak") < page.index("expect rows")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_validation_page_counts_near_duplicates_and_names_classes_without_an_example() -> None:
    page = validation(near_duplicates={"train": 1234}, absent={"validation": ["<odd>"]})
    assert "1,234 in train" in page
    assert "No example in validation: <code>&lt;odd&gt;</code>" in page
    assert "Near duplicates" not in validation()


def test_it_takes_outcomes_with_a_severity_and_without_table_or_counts() -> None:
    plain = {key: value for key, value in HOLDS.items() if key != "table"} | {
        "severity": "critical",
        "column": "",
    }
    page = validation(expectations=[plain], splits={"train": {"examples": 1}}, counts=None)
    assert "critical" in page
    assert "Examples of each class" not in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="dataset"):
        render(
            "reporting/validation/validation.html.j2",
            success=True,
            expectations=[],
            splits={},
            quarantined={},
        )


def test_a_page_is_light_and_dark_fits_a_phone_and_a_sheet_and_needs_only_itself() -> None:
    page = validation()
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert "size: A4" in page
    assert not re.search(r"https?:|//\w|@import|<link|<script|<img|<iframe|src=|href=|url\(", page)


def test_every_colour_of_the_light_page_has_its_dark_and_its_printed_one() -> None:
    style = validation().split("<style>")[1].split("</style>")[0]
    light, dark, printed = (
        set(re.findall(r"--[a-z-]+(?=:)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    )
    assert light == dark == printed
    assert set(re.findall(r"var\((--[a-z-]+)\)", style)) <= light


def test_lookup_goes_through_mappings_and_lists() -> None:
    assert lookup({"a": [{"b": 1}, {"b": 2}]}, "a.1.b") == 2
