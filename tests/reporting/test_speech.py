"""Numbers, names and texts as readers of each language expect them."""

import pytest
from markupsafe import Markup

from duli.reporting.business.speech import Speech

ENGLISH, CHINESE = Speech("en"), Speech("zh")


def test_names_of_files_that_have_no_entry_are_written_as_they_are() -> None:
    assert ENGLISH.name("segment.new_kind.win") == "New Kind: win rate"
    assert CHINESE.name("segment.new_kind.win") == "New Kind：赢单率"
    assert CHINESE.units("parsecs") == "parsecs"


@pytest.mark.parametrize(
    ("value", "style", "english", "chinese"),
    [
        (-593_379.6, "big", "−593,000", "−59.3 万"),
        (-1_128_092.0, "big", "−1.13 million", "−113 万"),
        (12.2116e9, "big", "12.2 billion", "122 亿"),
        (40_910_122.0, "about", "40,900,000", "4,090 万"),
        (476.53, "money", "477", "477"),
        (0.004, "share", "under 1 %", "低于 1%"),
        (0.6, "share", "60 %", "60%"),
        (0.9957, "percent", "99.57 %", "99.57%"),
        (0.0, "big", "0.00", "0.00"),
    ],
)
def test_numbers_are_written_as_each_language_does(
    value: float, style: str, english: str, chinese: str
) -> None:
    assert ENGLISH.write(value, style) == english
    assert CHINESE.write(value, style) == chinese


def test_amounts_are_converted_and_nothing_else() -> None:
    yuan = Speech("zh", "CNY", 7.0)
    assert yuan.write(100.0, "money") == "700"
    assert yuan.write(100.0, "price") == "100"
    assert yuan.write(0.5, "percent") == "50.00%"
    assert yuan.say("per_million") == "元／百万次"


def test_ten_thousands_stand_close_to_what_they_count() -> None:
    assert "17.7 万次起" in CHINESE.say(
        "break_even_volume", serving=CHINESE.write(176_924, "about")
    )
    assert "17.7 万</data>次起" in CHINESE.say(
        "break_even_volume", serving=Markup("<data>17.7 万</data>")
    )


def test_what_fills_a_phrase_is_escaped() -> None:
    assert "<b>" not in ENGLISH.say("because", what="<b>", reason="x")
