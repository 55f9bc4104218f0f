"""The chart of all lines: one row each, in their order, with its range, in either language and in
the page's colours alone.
"""

import pytest

from duli.reporting.business.speech import Speech
from duli.reporting.portfolio.charts import worth
from tests.reporting.charts import colours, labels

LINES = [
    {
        "name": "digits",
        "version": "0.1.0",
        "npv_usd": {"p10": -1.13e6, "p50": -593e3, "p90": -95.7e3, "mean": -6e5},
    },
    {
        "name": "reviews",
        "version": "1.0.0rc1",
        "npv_usd": {"p10": -2e5, "p50": 57e3, "p90": 3e5, "mean": 6e4},
    },
]


def test_each_line_has_a_row_and_the_middle_of_its_draws() -> None:
    drawn = worth(LINES, Speech("en"))
    assert labels(drawn, "role-mark") == ["−593,000", "57,000"]
    assert [text for text in labels(drawn, "role-axis-label") if text[0].isalpha()] == [
        "digits 0.1.0",
        "reviews 1.0.0rc1",
    ]
    assert "Net present value by line: digits 0.1.0 −593,000; reviews 1.0.0rc1 57,000" in drawn
    assert colours(drawn) == set()


def test_a_line_that_gains_is_in_colour_and_one_that_loses_grey() -> None:
    both, loser = worth(LINES, Speech("en")), worth(LINES[:1], Speech("en"))
    assert ("var(--accent)" in both, "var(--accent)" in loser) == (True, False)


@pytest.mark.parametrize(
    ("speech", "text"), [(Speech("zh"), "−59.3 万"), (Speech("en", "CNY", 7.0), "−4.15 million")]
)
def test_it_speaks_the_language_and_currency_of_the_page(speech: Speech, text: str) -> None:
    assert labels(worth(LINES, speech), "role-mark")[0] == text
