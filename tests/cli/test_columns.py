"""What `duli new` takes a file of columns for: labels as written, no index, odd cells, numbers that
float32 does not hold.
"""

import csv
import io
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.cli.convert import converted
from duli.intake import files, sheet
from duli.intake.found import Found, Wanted
from duli.serving.columns import MISSING
from duli.serving.errors import InputError
from duli.serving.kind import Labelled
from duli.serving.kinds.table.kind import Kind
from duli.tasks.classification.intake import labels as intake
from tests.packaging import tiny, tinytext

ROWS = 300


def table(path: Path, columns: dict[str, Sequence[Any]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(
            [columns.keys(), *zip(*columns.values(), strict=True)]
        )
    return path


def noise(n: int = ROWS, seed: int = 0) -> list[str]:
    return [f"{value:.8f}" for value in np.random.default_rng(seed).normal(size=n)]


def found(path: Path, **wanted: Any) -> Found:
    return converted(path, Wanted(**wanted), "classification")


def numbers(one: Found) -> NDArray[np.float32]:
    contents = b"".join(one.examples["content"].to_pylist())
    return np.frombuffer(contents, "<f4").reshape(-1, len(one.own["features"]))


def per_class(one: Found) -> dict[str, int]:
    return intake.per_class(one.examples, one.own["classes"])


def wheel(one: Found, path: Path) -> Labelled:
    """What the release of that line reads in the same file."""
    release = {
        "features": one.own["features"],
        "centred": one.own.get("centred", {}),
        "columns": {"label": one.own["label"]},
    }
    return Kind(release, {}).labelled([str(path)], tiny.task(one.own["classes"]))


def agree(one: Found, path: Path) -> None:
    """The release reads every row that the line can use, with the same numbers and the same
    class.
    """
    rows, labels = numbers(one), np.array(one.examples["label"].to_pylist())
    usable = ~np.isinf(rows).any(axis=1) & ~np.isnan(rows).all(axis=1)
    read = wheel(one, path)
    kind = Kind({"features": one.own["features"], "centred": one.own.get("centred", {})}, {})
    [(_, taken)] = kind.parts(kind.checked(read.inputs))
    assert np.array_equal(taken, rows[usable], equal_nan=True)
    assert np.array_equal(read.kept, rows[usable], equal_nan=True)
    assert np.array_equal(read.labels, labels[usable])


def said(one: Found, *parts: str) -> bool:
    return any(all(part in note for part in parts) for note in one.notes)


# ----- labels


@pytest.mark.parametrize(
    "labels",
    [
        ("0012", "12", "7"),
        ("007", "07"),
        ("00", "0", "-0"),
        ("NA", "1", "2"),
        ("nan", "None", "null", "N/A"),
        ("01234", "98765"),
        ("1e5", "2e5", "100000"),
        ("0x10", "0x11"),
        ("true", "false"),
        ("TRUE", "true", "True"),
        ("12:30", "13:45"),
        ("2024-01-02", "2024-01-03"),
        ("1.0", "2.0", "1"),
        ("3.10", "3.11", "3.1"),
        ("+1", "1_000", "١"),
        ("9007199254740993", "9007199254740992"),
        ("a,b", 'a "b"', "a\nb"),
        ("1,5", "2,5"),
        ("inf", "-inf"),
        ("-", "?"),
    ],
)
def test_labels_are_the_text_in_the_file_and_the_wheel_takes_them_back(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    written = [labels[row % len(labels)] for row in range(ROWS)]
    path = table(tmp_path / "a.csv", {"x": noise(), "label": written})
    one = found(path)
    names = [label.replace("\n", "\\n") for label in labels]
    assert {
        name: written.count(label) for name, label in zip(names, labels, strict=True)
    } == per_class(one)
    agree(one, path)


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        ([7, 12, 100], pa.int8(), ["7", "12", "100"]),
        ([2**64 - 1, 2**64 - 2], pa.uint64(), [str(2**64 - 1), str(2**64 - 2)]),
        ([1.0, 2.0], pa.float64(), ["1.0", "2.0"]),
        ([3.5, 3.25], pa.float32(), ["3.5", "3.25"]),
        ([True, False], pa.bool_(), ["true", "false"]),
        ([Decimal("3.10"), Decimal("3.11")], pa.decimal128(5, 2), ["3.10", "3.11"]),
        ([date(2024, 1, 31), date(2024, 2, 1)], pa.date32(), ["2024-01-31", "2024-02-01"]),
        (
            [datetime(2024, 1, 31), datetime(2024, 2, 1)],
            pa.timestamp("ns"),
            ["2024-01-31", "2024-02-01"],
        ),
        (
            [datetime(2024, 1, 31), datetime(2024, 2, 1, 12)],
            pa.timestamp("us"),
            ["2024-01-31 00:00:00", "2024-02-01 12:00:00"],
        ),
        (["0012", "12"], pa.large_string(), ["0012", "12"]),
        (["NA", "nan"], pa.string(), ["NA", "nan"]),
        ([b"caf\xc3\xa9", b"up"], pa.binary(), ["café", "up"]),
    ],
)
@pytest.mark.parametrize("dictionary", [False, True])
def test_labels_of_parquet_have_one_text_that_a_csv_of_them_says_too(
    tmp_path: Path, values: list[Any], kind: pa.DataType, classes: list[str], dictionary: bool
) -> None:
    labels = pa.array([values[row % len(values)] for row in range(ROWS - 1)] + [None], kind)
    held = pa.table(
        {
            "x": [float(one) for one in noise()],
            "label": labels.dictionary_encode() if dictionary else labels,
        }
    )
    pq.write_table(held, tmp_path / "a.parquet")
    one = found(tmp_path / "a.parquet")
    assert set(one.own["classes"]) == set(classes)
    assert said(one, "1 rows without a label")
    if not pa.types.is_binary(kind):
        types = None if pa.types.is_timestamp(kind) else pd.ArrowDtype
        held.to_pandas(types_mapper=types).to_csv(tmp_path / "a.csv", index=False)
        again = wheel(one, tmp_path / "a.csv")
        assert again.labels.tolist() == one.examples["label"].to_pylist()


def test_bytes_that_arrow_holds_by_reference_are_labels(tmp_path: Path) -> None:
    labels = pa.array([b"a", b"b", None] * (ROWS // 3), pa.binary_view())
    pq.write_table(
        pa.table({"x": [float(one) for one in noise()], "label": labels}), tmp_path / "a.parquet"
    )
    assert per_class(found(tmp_path / "a.parquet")) == {"a": 100, "b": 100}


def test_the_wheel_says_what_to_do_with_a_parquet_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0], "label": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"Parquet.*CSV"):
        Kind({"features": ["x"]}, {}).labelled([str(tmp_path / "a.parquet")], tiny.task(["a", "b"]))


def test_labels_are_trimmed_and_composed_and_empty_ones_are_counted(tmp_path: Path) -> None:
    labels = [("cafe\u0301", "caf\u00e9 ", " up", "up", " ", "")[row % 6] for row in range(ROWS)]
    path = table(tmp_path / "a.csv", {"x": noise(), "label": labels})
    one = found(path)
    assert per_class(one) == {"caf\u00e9": 100, "up": 100}
    assert said(one, "100 rows without a label")
    assert said(one, "white space", "' up'")
    agree(one, path)
    assert wheel(one, path).notes == ("100 rows without a label were left out",)


@pytest.mark.parametrize(
    "labels",
    [[f"{row / 7:.3f}" for row in range(ROWS)], [f"{row % 60 / 10}" for row in range(6000)]],
)
def test_a_number_that_is_measured_is_no_class(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(DataError, match="numbers with fractions"):
        found(table(tmp_path / "a.csv", {"x": noise(len(labels)), "label": labels}))


# ----- columns that number the rows, or give the label away


def sorted_by_label(**columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    return {"x": noise(), **columns, "label": ["a"] * (ROWS // 2) + ["b"] * (ROWS // 2)}


@pytest.mark.parametrize("form", ["parquet", "csv", "named"])
def test_the_index_of_pandas_is_no_feature(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame(sorted_by_label()).astype({"x": float}).sample(frac=1, random_state=0)
    path = tmp_path / ("a.csv" if form == "csv" else "a.parquet")
    if form == "named":  # an index of another meaning, which is none of the data's columns either
        frame.index = pd.Index(np.random.default_rng(1).normal(size=ROWS), name="key")
    frame.to_csv(path) if form == "csv" else frame.to_parquet(path)
    one = found(path)
    assert one.own["features"] == ["x"]
    assert said(
        one, "left out", {"parquet": "__index_level_0__", "csv": "no name", "named": "key"}[form]
    )


@pytest.mark.parametrize("name", ["Unnamed: 0", "Unnamed: 0.1", "__index_level_1__"])
def test_what_pandas_calls_an_index_is_none_whatever_it_holds(tmp_path: Path, name: str) -> None:
    one = found(table(tmp_path / "a.csv", sorted_by_label(**{name: noise(seed=3)})))
    assert one.own["features"] == ["x"]
    assert said(one, name)


def test_the_index_of_joined_frames_which_begins_anew_is_no_feature(tmp_path: Path) -> None:
    frame = pd.DataFrame(sorted_by_label())
    pd.concat([frame, frame.assign(x=noise(seed=1))]).to_csv(tmp_path / "a.csv")
    one = found(tmp_path / "a.csv")
    assert one.own["features"] == ["x"]
    assert said(one, "pandas calls them the index", "(no name)")
    agree(one, tmp_path / "a.csv")


def test_where_nothing_is_left_to_learn_from_it_says_what_was_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", {"id": range(ROWS), "label": ["a", "b"] * (ROWS // 2)})
    with pytest.raises(DataError, match=r"no column of numbers .*\bid\b"):
        found(path)


SHUFFLED = random.Random(0)
NUMBERED = {
    "in order": [*range(ROWS)],
    "from 1, shuffled": SHUFFLED.sample(range(1, ROWS + 1), ROWS),
    "with gaps": sorted(SHUFFLED.sample(range(50_000, 50_000 + 5 * ROWS), ROWS)),
    "as floats": [float(row) for row in SHUFFLED.sample(range(ROWS), ROWS)],
    "every tenth": [10 * row for row in range(ROWS)],
    "hashes": [SHUFFLED.randrange(2**53, 2**63) for _ in range(ROWS)],
    "some missing": [*range(ROWS - 20), *[""] * 20],
    "two rows copied": [*SHUFFLED.sample(range(ROWS - 2), ROWS - 2), 7, 70],
}
MEASURED = {
    "age": [SHUFFLED.randrange(18, 90) for _ in range(ROWS)],
    "a measurement that never repeats": noise(seed=5),
    "counts that seldom repeat": [SHUFFLED.randrange(10_000) for _ in range(ROWS)],
    "both ends of float64": [f"{(-1) ** row * 1.7e308 * (1 - row / 1000)}" for row in range(ROWS)],
    "cents": [SHUFFLED.randrange(10**7) for _ in range(ROWS)],
    "seconds since 1970": [1_700_000_000 + row for row in range(ROWS)],
    "milliseconds since 1970": [1_700_000_000_000 + 250 * row for row in range(ROWS)],
    "powers": [float(2.0 ** (row - 150)) for row in range(ROWS)],
    "large floats": [f"{1e300 * (1 + row)}" for row in range(ROWS)],
}


@pytest.mark.parametrize(
    ("values", "numbers_rows"),
    [*((one, True) for one in NUMBERED.values()), *((one, False) for one in MEASURED.values())],
)
def test_what_numbers_the_rows_in_any_order_is_no_feature(
    tmp_path: Path, values: list[Any], numbers_rows: bool
) -> None:
    one = found(table(tmp_path / "a.csv", sorted_by_label(id=values)))
    assert (one.own["features"] == ["x"]) == numbers_rows
    assert said(one, "only number the rows", "id") == numbers_rows


def test_a_column_that_alone_separates_the_classes_is_named(tmp_path: Path) -> None:
    given = sorted_by_label(
        id=sorted(random.Random(1).sample(range(10**6), ROWS)),
        code=[0] * (ROWS // 2) + [1] * (ROWS // 2),
        weak=[
            f"{value:.3f}"
            for value in np.random.default_rng(2).normal(size=ROWS) + np.repeat([0, 1.5], ROWS // 2)
        ],
        gone=["" if row < ROWS // 2 else 1 for row in range(ROWS)],
    )
    one = found(table(tmp_path / "a.csv", given))
    assert one.own["features"] == ["x", "id", "code", "weak", "gone"]
    named = [note.split()[0] for note in one.notes if "alone tells the classes apart" in note]
    assert named == ["id", "code", "gone"]


def test_ten_classes_in_their_order_are_told_apart_and_noise_is_not() -> None:
    labels = np.repeat(np.arange(10), 50)
    assert intake.alone(np.arange(500.0) ** 2, labels) is not None
    assert intake.alone(np.random.default_rng(0).normal(size=500), labels) is None
    # always naming the other class is right in 99 of 100
    rare = (np.arange(2000) % 100 == 0).astype(int)
    assert intake.alone(np.random.default_rng(0).normal(size=2000), rare) is None


# ----- cells


@pytest.mark.parametrize(
    "cell",
    [*sorted(MISSING), "NaN", "NULL", "None", "<NA>", " #DIV/0! ", "\\N", "1.#IND", "-NaN", "N/A"],
)
def test_known_spellings_of_a_missing_value_are_missing_on_both_sides(
    tmp_path: Path, cell: str
) -> None:
    x = noise(200)
    x[77] = cell
    path = table(tmp_path / "a.csv", {"x": x, "z": noise(200, 1), "label": ["p", "q"] * 100})
    one = found(path)
    assert one.own["features"] == ["x", "z"]
    assert np.isnan(numbers(one)[:, 0]).nonzero()[0].tolist() == [77]
    assert not said(one, "no numbers")
    agree(one, path)


@pytest.mark.parametrize(
    "cell", ["abc", "1,5x", "0x10", "1_000", "١", "12:30", "5 kg", "--1", "9" * 401]
)
def test_one_odd_cell_counts_as_missing_and_is_named_with_its_line(
    tmp_path: Path, cell: str
) -> None:
    x = noise(1000)
    x[700] = cell
    path = table(tmp_path / "a.csv", {"x": x, "z": noise(1000, 1), "label": ["p", "q"] * 500})
    one = found(path)
    assert one.own["features"] == ["x", "z"]
    assert said(one, "count as missing", "x", cell[:20], "line 702")
    agree(one, path)
    assert "line 702: x is" in wheel(one, path).notes[0]


@pytest.mark.parametrize(
    ("cell", "sort"),
    [
        ("1,234", "thousands"),
        ("1'234.50", "thousands"),
        ("12 %", "per cent"),
        ("$5.20", "currency"),
        ("3.5 €", "currency"),
        ("3,5", "decimal"),
        ("abc", "abc"),
    ],
)
def test_a_column_of_another_notation_is_left_out_and_its_first_cell_named(
    tmp_path: Path, cell: str, sort: str
) -> None:
    given = {
        "x": [str(row) if row % 3 == 0 else cell for row in range(ROWS)],
        "z": noise(),
        "label": ["p", "q", "r"] * 100,
    }
    one = found(table(tmp_path / "a.csv", given))
    assert one.own["features"] == ["z"]
    assert said(one, "left out", "x", cell, "line 3", sort)


def test_the_line_of_a_cell_counts_line_breaks_in_cells(tmp_path: Path) -> None:
    given = {"note": ["two\nlines"] * ROWS, "x": noise(), "label": ["p", "q", "r"] * 100}
    given["x"][10] = "abc"
    assert said(found(table(tmp_path / "a.csv", given)), "'abc' in line 23")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_wheel_reads_a_file_whatever_parts_its_columns(tmp_path: Path, delimiter: str) -> None:
    x = [one.replace(".", ",") for one in noise()] if delimiter == ";" else noise()
    path = table(
        tmp_path / "a.csv", {"x": x, "name": ["n"] * ROWS, "outcome": ["p", "q"] * 150}, delimiter
    )
    one = found(path, label="outcome")
    assert (one.own["label"], one.own["features"]) == ("outcome", ["x"])
    agree(one, path)
    assert "1 columns are no features: 'name'" in wheel(one, path).notes[0]


CELL = st.one_of(
    st.floats(width=64).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        [
            *sorted(MISSING),
            "1e400",
            "-1e400",
            "inf",
            "Infinity",
            "+.5",
            "5.",
            ".5e-3",
            "1e-400",
            " 7 ",
            "true",
            "FALSE",
            "0x1",
            "1_0",
            "٣",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
@pytest.mark.slow
def test_the_wheel_reads_in_every_cell_what_duli_new_reads(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever stands in a few cells and labels: either both refuse the file, or both read the same
    rows and classes.
    """
    columns = {name: noise(ROWS, seed) for seed, name in enumerate("abc")}
    labels = [("p", "q")[row % 2] for row in range(ROWS)]
    for _ in range(data.draw(st.integers(1, 12))):
        columns[data.draw(st.sampled_from("abc"))][data.draw(st.integers(0, ROWS - 1))] = data.draw(
            CELL
        )
    for row in data.draw(st.lists(st.integers(0, ROWS - 1), max_size=3)):
        labels[row] = data.draw(st.sampled_from(["", " ", "p ", "\tq", "p"]))
    delimiter = data.draw(st.sampled_from(",;\t|"))
    path = table(tmp_path / "a.csv", {**columns, "label": labels}, delimiter)
    agree(found(path), path)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(TEXT, min_size=1, max_size=8), st.lists(TEXT, min_size=2, max_size=3, unique=True))
def test_the_wheel_reads_the_texts_and_labels_that_duli_new_reads(
    tmp_path: Path, texts: list[str], labels: list[str]
) -> None:
    from duli.serving.kinds.text import kind as kind_text

    n = 60 * len(labels)
    given = {
        "review": [f"{index} {texts[index % len(texts)]}" for index in range(n)],
        "outcome": [labels[i % len(labels)] for i in range(n)],
    }
    path = table(tmp_path / "a.csv", given)
    try:
        one = found(path, label="outcome", text="review")
    except DataError:  # labels that are alike once they are trimmed, or empty then
        return
    package = (
        tinytext.package(tmp_path / "bright_row")
        if not (tmp_path / "bright_row").exists()
        else tmp_path / "bright_row"
    )
    release = {
        **json.loads((package / "release.json").read_bytes()),
        "columns": {"label": one.own["label"], "text": one.own["text"]},
    }
    kind = kind_text.Kind(release, {"tokenizer.json": (package / "tokenizer.json").read_bytes()})
    read = kind.labelled([str(path)], tiny.task(one.own["classes"]))
    assert [normalize("NFC", text.strip()).encode() for text in read.inputs] == one.examples[
        "content"
    ].to_pylist()
    assert read.labels.tolist() == one.examples["label"].to_pylist()


def test_texts_that_are_numbers_are_texts_where_somebody_says_so(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        {"code": [f"{row}.50" for row in range(ROWS)], "label": ["p", "q"] * 150},
    )
    assert found(path).kind == "table"
    one = found(path, text="code")
    assert one.kind == "text"
    assert one.examples["content"][7].as_py() == b"7.50"


def test_long_texts_are_read_and_the_limit_of_csv_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    texts = [f"{row} " + "长" * (200_000 if row == 3 else 5) for row in range(120)]
    one = found(table(tmp_path / "a.csv", {"text": texts, "label": ["p", "q"] * 60}))
    assert len(one.examples["content"][3].as_py().decode()) == 200_002
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a,label\n\0,b\n", "NUL"), (b'a,label\n"1,b\n', "line 2"), (b'a,label\n"1"2,b\n', "line 2")],
)
def test_what_is_no_csv_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        found(tmp_path / "a.csv")


# ----- numbers that float32 does not hold


CENTRED = {
    "milliseconds": [1_700_000_000_000 + 250 * row for row in range(ROWS)],
    "a second apart": [1_700_000_000 + row for row in range(ROWS)],
    "nanoseconds": [1_700_000_000_000_000_000 + 1000 * row for row in range(ROWS)],
    "a metre far away": [f"{4.2e9 + row / 1000:.3f}" for row in range(ROWS)],
    "huge": [f"{1e300 * (1 + row / 7)}" for row in range(ROWS)],
    "denormal": [f"{1e-310 * (1 + row)}" for row in range(ROWS)],
}


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("values", CENTRED.values(), ids=CENTRED)
def test_values_that_differ_are_told_apart(tmp_path: Path, values: list[Any], alone: bool) -> None:
    order = random.Random(0).sample(range(ROWS), ROWS)
    given = {
        "t": [values[row] for row in order],
        "label": [("p", "q")[row % 2] for row in range(ROWS)],
    }
    path = table(tmp_path / "a.csv", given if alone else {"x": noise(), **given})
    one = found(path)
    rows = numbers(one)
    assert len(np.unique(rows[:, -1])) == ROWS
    assert np.isfinite(rows).all()
    assert set(one.own["centred"]) == {"t"}
    agree(one, path)


def test_ordinary_numbers_stay_as_they_are(tmp_path: Path) -> None:
    given = {
        "x": noise(),
        "far": [1e30] * (ROWS - 1) + [1],
        "out": ["1e300", *noise(seed=2)[1:]],
        "label": ["p", "q"] * 150,
    }
    one = found(table(tmp_path / "a.csv", given))
    assert "centred" not in one.own
    assert np.allclose(numbers(one)[:, 0], np.array(noise(), np.float32))
    assert np.isinf(numbers(one)[0, 2])


def test_a_column_that_float32_cannot_hold_whole_is_named(tmp_path: Path) -> None:
    values = (
        [0] * 2 + [10**15 + 3 * row for row in range(98)] + [10**9 + row / 8 for row in range(200)]
    )
    one = found(table(tmp_path / "a.csv", {"t": values, "x": noise(), "label": ["p", "q"] * 150}))
    assert said(one, "float32", "t (")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("alone", [True, False])
def test_numbers_that_float64_cannot_hold_whole_are_named(
    tmp_path: Path, form: str, alone: bool
) -> None:
    ticks = [1_700_000_000_000_000_000 + 7 * row for row in range(ROWS)]
    given = {
        "t": ticks,
        "label": ["p", "q"] * 150,
        **({} if alone else {"x": [float(one) for one in noise()]}),
    }
    if form == "csv":
        path = table(tmp_path / "a.csv", given)
    else:
        pq.write_table(pa.table(given), path := tmp_path / "a.parquet")
    if alone:
        with pytest.raises(DataError, match=r"different examples.*float32.* t \(9 of 300\)"):
            found(path)
    else:
        assert said(found(path), "float32", "t (9 of 300)")


def test_a_number_spelled_in_several_ways_is_one(tmp_path: Path) -> None:
    spelled = ["2.5", "2.500000000000000000000", "25e-1", " 2.5", "", "NaN"]
    given = {
        "x": noise(),
        "t": [spelled[row % 6] for row in range(ROWS)],
        "label": ["p", "q"] * 150,
    }
    assert not said(found(table(tmp_path / "a.csv", given)), "float32")


# ----- time


@pytest.mark.parametrize("cell", ["x", '""', "1", " ", "-", ",;"])
def test_reading_takes_time_in_proportion(tmp_path: Path, cell: str) -> None:
    from time import process_time

    from duli.serving.columns import number, records
    from duli.serving.errors import InputError
    from duli.serving.tasks.classification.labels import indices

    def seconds(n: int) -> float:
        long = cell * (n // len(cell))
        content = f'text,label\n"{long.replace(chr(34), chr(34) * 2)}",b\n'.encode()
        began = process_time()
        records(content, lambda header: [0, 1])
        for broken in (content[:-4], f'{long}\n"'.encode()):
            with suppress(InputError):
                records(broken, lambda header: [0])
        number(long)
        with suppress(InputError):
            indices([long], ["1", "2"])
        return process_time() - began

    seconds(1000)
    assert seconds(1_600_000) < 16 * (seconds(400_000) + 0.02)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_many_columns_take_time_in_proportion(tmp_path: Path, ending: str) -> None:
    from time import process_time

    def seconds(n: int) -> float:
        given = {f"f{index}": ["1.5", "2"] for index in range(n)}
        if ending == "csv":
            path = table(tmp_path / "a.csv", given)
        else:
            kept = {name: pa.array(cells).dictionary_encode() for name, cells in given.items()}
            pq.write_table(pa.table(kept), path := tmp_path / "a.parquet")
        began = process_time()
        sheet.as_numbers(files.read(path)[0], set(), comma=False)
        return process_time() - began

    seconds(100)
    assert seconds(8000) < 7 * (seconds(2000) + 0.05)


def test_a_table_of_pandas_comes_back(tmp_path: Path) -> None:
    """What `to_csv` writes for integers with gaps, truths and texts."""
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3] * 100, "Int64"),
            "b": [True, False] * 150,
            "x": np.arange(300) / 7,
            "label": ["p", "q", "r"] * 100,
        }
    )
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False)
    (tmp_path / "a.csv").write_text(buffer.getvalue())
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    one, other = found(tmp_path / "a.csv"), found(tmp_path / "a.parquet")
    assert one.own["features"] == other.own["features"] == ["n", "b", "x"]
    assert one.examples["content"].to_pylist() == other.examples["content"].to_pylist()
    agree(one, tmp_path / "a.csv")
