"""Which class a label names, and what a cell says."""

import math
import threading

import pytest

from duli.serving.columns import number, records
from duli.serving.errors import InputError
from duli.serving.tasks.classification.labels import indices, label


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["true"], ["False", "True"], [1]),
        (["FALSE", "False"], ["false", "true"], [0, 0]),
        (["7", "007", "7.0", "+7", "7e0"], ["007", "08"], [0] * 5),
        (["0012", "12", "7"], ["0012", "12", "7"], [0, 1, 2]),
        (["1", "1.0", "2"], ["1.0", "2.0"], [0, 0, 1]),
        (["1", "2.0"], ["1", "2"], [0, 1]),
        (["3.10", "3.1"], ["3.1", "3.10"], [1, 0]),
        ([" spam", "spam\t", "SPAM"], ["ham", "spam"], [1, 1, 1]),
        (["cafe\u0301", "caf\u00e9"], ["up", "caf\u00e9"], [1, 1]),
        (["caf\u00e9"], ["up", "cafe\u0301"], [1]),
        (["0", "1"], ["cat", "dog"], [0, 1]),
        (["a\nb"], ["a\\nb", "c"], [0]),
        (["1_000", "1000"], ["1_000", "1000"], [0, 1]),
        (["nan", "NA"], ["NA", "nan"], [1, 0]),
        (["Straße", "STRASSE"], ["straße", "weg"], [0, 0]),
    ],
)
def test_a_label_names_the_class_it_is_written_as_or_the_only_one_it_can_mean(
    labels: list[str], classes: list[str], expected: list[int]
) -> None:
    assert indices(labels, classes).tolist() == expected


@pytest.mark.parametrize(
    ("wrong", "classes", "message"),
    [
        ("12.0", ["0012", "12"], "0012 or 12"),
        ("TRUE", ["True", "true"], "True or true"),
        ("2", ["1.0", "3.0"], "is no class"),
        ("0", ["1", "2"], "is no class"),
        ("2", ["cat", "dog"], "is no class"),
        ("9007199254740992", ["9007199254740993", "5"], "is no class"),
        ("1_0", ["10", "20"], "is no class"),
        ("\u0661", ["1", "2"], "is no class"),
        ("", ["a", "b"], "is no class"),
        ("9" * 10**6, ["a", "b"], "is no class"),
        ("1e999999999", ["1", "2"], "is no class"),
    ],
)
def test_a_label_that_could_be_two_classes_or_none_is_refused(
    wrong: str, classes: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        indices([wrong], classes)


def test_every_class_names_itself() -> None:
    classes = [
        "0012",
        "12",
        "12.0",
        "1.2e1",
        "True",
        "true",
        "NA",
        "na",
        "caf\u00e9",
        "a b",
        "-",
        "1",
    ]
    assert indices(classes, classes).tolist() == [*range(len(classes))]
    assert [label(name) for name in classes] == classes


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1.0),
        (" -2e0 ", -2.0),
        ("5.", 5.0),
        ("true", 1.0),
        ("FALSE", 0.0),
        ("1e400", math.inf),
        ("1_0", None),
        ("0x10", None),
        ("\u0663", None),
        ("", math.nan),
    ],
)
def test_what_a_cell_says(cell: str, value: float | None) -> None:
    said = number(cell)
    assert said == value or (
        said is not None and value is not None and math.isnan(said) and math.isnan(value)
    )


def test_a_comma_is_the_decimal_point_only_where_it_parts_no_columns() -> None:
    assert number("3,5", comma=True) == 3.5
    assert number("3,5") is None
    assert number("1.234,5", comma=True) is None
    assert number("1,234,5", comma=True) is None


def test_fields_are_read_whole_while_others_read_too() -> None:
    import csv

    before = csv.field_size_limit()
    content = b"text,label\n" + b"x" * 300_000 + b",pos\n"
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(len(records(content, lambda header: [0])[0][1][0]))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [300_000] * 8
    assert csv.field_size_limit() == before
