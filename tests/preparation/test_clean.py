"""What happens to duplicates, contradictions and what cannot be read; and that splits never
move.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.kinds.image.reading import examples as image
from duli.preparation.cleaning import clean, summary
from duli.tasks.classification.targets.targets import Targets

RULES = clean.Rules(
    targets=Targets(["a", "b", "c"]), kind=image.Kind(1, 2, 2), validation_share=0.3
)

Row = tuple[str, str, int | None, bytes | None]


def batches(rows: list[Row], size: int = 2) -> list[pa.RecordBatch]:
    schema = pa.schema(
        {"id": pa.string(), "split": pa.string(), "label": pa.int16(), "content": pa.binary()}
    )
    table = pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
    )
    return table.to_batches(max_chunksize=size)


def sorted_out(rows: list[Row], size: int = 2) -> dict[str, str]:
    """Where each id went: a split, or the reason for quarantine."""
    read = batches(rows, size)
    places = {}
    for target, part in clean.sort_out(read, clean.judge(read, RULES), RULES):
        for row in part.to_pylist():
            assert row["id"] not in places
            places[row["id"]] = row.get("reason") or row["split"]
            assert target == ("quarantine" if "reason" in row else row["split"])
    return places


def test_train_gives_way_to_test() -> None:
    assert sorted_out(
        [("a", "train", 1, b"same"), ("b", "train", 1, b"othr"), ("c", "test", 1, b"same")]
    ) == {
        "a": "duplicate",
        "b": "train",
        "c": "test",
    }


def test_one_of_equal_train_examples_stays() -> None:
    assert (
        Counter(sorted_out([(str(i), "train", 1, b"same") for i in range(5)]).values())["duplicate"]
        == 4
    )


def test_contradicting_labels_go_on_all_sides() -> None:
    assert set(sorted_out([("a", "train", 1, b"same"), ("b", "test", 2, b"same")]).values()) == {
        "conflicting labels"
    }


def test_what_cannot_be_read_takes_no_part() -> None:
    unreadable: list[Row] = [("a", "test", 1, None), ("b", "train", 1, b"longer")]
    unknown: list[Row] = [
        ("c", "train", 3, b"same"),
        ("d", "train", None, b"same"),
        ("e", "train", -1, b"same"),
    ]
    places = sorted_out([*unreadable, *unknown, ("f", "test", 2, b"same")])
    assert places == dict.fromkeys("ab", "unreadable") | dict.fromkeys("cde", "unknown label") | {
        "f": "test"
    }


def test_nothing_at_all() -> None:
    assert len(clean.judge([], RULES)) == 0
    assert list(clean.sort_out([], clean.judge([], RULES), RULES)) == []


contents = (
    st.sampled_from([bytes([a, b, 7, 9]) for a in range(6) for b in range(4)])
    | st.none()
    | st.binary(max_size=6)
)
rows_of = st.lists(
    st.tuples(st.sampled_from(["train", "test"]), st.integers(-1, 3), contents), max_size=60
).map(lambda triples: [(str(index), *triple) for index, triple in enumerate(triples)])


@given(rows_of, st.integers(1, 7))
def test_no_row_is_lost_and_no_content_is_twice(rows: list[Row], size: int) -> None:
    if not rows:
        return
    places = sorted_out(rows, size)
    assert places.keys() == {row[0] for row in rows}
    kept = [row for row in rows if places[row[0]] in ("train", "validation", "test")]
    assert max(Counter(row[3] for row in kept).values(), default=0) <= 1
    labels = {
        row[3]: {other[2] for other in rows if other[3] == row[3] and 0 <= (other[2] or 0) < 3}
        for row in kept
    }
    assert all(len(found) == 1 for found in labels.values())
    assert sorted_out(rows, 50) == places  # batching changes nothing


@given(rows_of, rows_of)
def test_adding_data_never_moves_an_example_between_train_and_validation(
    rows: list[Row], more: list[Row]
) -> None:
    if not rows:
        return
    before = sorted_out(rows)
    after = sorted_out([*rows, *(("new" + row[0], *row[1:]) for row in more)])
    for name, place in before.items():
        if place in ("train", "validation"):
            assert after[name] in (place, "duplicate", "conflicting labels")


def test_the_validation_share_is_kept() -> None:
    rows: list[Row] = [(str(i), "train", 1, i.to_bytes(4)) for i in range(4000)]
    share = Counter(sorted_out(rows, 500).values())["validation"] / 4000
    assert abs(share - 0.3) < 0.03


def test_statistics_of_rows_and_of_splits() -> None:
    content = bytes([0, 255, 10, 20])
    read = batches([("a", "train", 2, content), ("b", "train", 0, bytes([1, 2, 3, 4]))])
    parts = [part for _, part in clean.sort_out(read, clean.judge(read, RULES), RULES)]
    row = pa.Table.from_batches(parts).to_pylist()[0]
    assert np.isclose(
        [row["mean"], row["std"]], [np.mean(list(content)), np.std(list(content))]
    ).all()
    assert (row["min"], row["max"], row["height"], row["width"]) == (0, 255, 2, 2)
    gathered = summary.SplitSummary(Targets(["a", "b", "c"]))
    for part in parts:
        gathered.add(part)
    assert gathered.facts()["per_class"] == [1, 0, 1]


def test_the_digest_of_a_split_follows_content_and_label() -> None:
    def digest(rows: list[Row]) -> str:
        read, gathered = batches(rows), summary.SplitSummary(Targets(["a", "b", "c"]))
        for _, part in clean.sort_out(read, clean.judge(read, RULES), RULES):
            gathered.add(part)
        return str(gathered.facts()["digest"])

    first: list[Row] = [
        ("a", "test", 1, b"aaaa"),
        ("b", "test", 1, b"bbbb"),
        ("c", "test", 1, b"cccc"),
    ]
    assert digest(first) == digest(first)
    assert (
        len(
            {
                digest(first),
                digest([("a", "test", 2, b"aaaa"), *first[1:]]),
                digest([("a", "test", 1, b"aaaz"), *first[1:]]),
            }
        )
        == 3
    )


AGE, SEX = pa.field("age", pa.int16()), pa.field("sex", pa.string(), nullable=False)
PEOPLE = clean.Rules(
    targets=Targets(["a", "b", "c"]),
    kind=image.Kind(1, 2, 2),
    validation_share=0.3,
    columns=pa.schema([AGE, SEX]),
)


def people(ages: list[object], sexes: list[object]) -> list[pa.RecordBatch]:
    """Test examples with what the data set says of them; the last one has an unknown label."""
    n = len(ages)
    columns = {
        "id": [str(i) for i in range(n)],
        "split": ["test"] * n,
        "label": [1] * (n - 1) + [7],
    }
    content = pa.array([bytes([i]) * 4 for i in range(n)])
    return [
        pa.RecordBatch.from_pydict({**columns, "content": content, "age": ages, "sex": sexes}).cast(
            _of(ages)
        )
    ]


def _of(ages: list[object]) -> pa.Schema:
    age = pa.string() if any(isinstance(one, str) for one in ages) else pa.int64()
    return pa.schema(
        {
            "id": pa.string(),
            "split": pa.string(),
            "label": pa.int16(),
            "content": pa.binary(),
            "age": age,
            "sex": pa.string(),
        }
    )


def parts(read: list[pa.RecordBatch], rules: clean.Rules = PEOPLE) -> dict[str, pa.RecordBatch]:
    return dict(clean.sort_out(read, clean.judge(read, rules), rules))


def test_declared_columns_go_along_with_their_types_also_into_quarantine() -> None:
    found = parts(people([40, None, 61], ["f", "m", None]))
    assert (
        found["test"].schema
        == pa.schema([*clean.EXAMPLE, *image.STATISTICS, AGE, SEX])
        == PEOPLE.example
    )
    assert found["test"].select(["age", "sex"]).to_pydict() == {
        "age": [40, None],
        "sex": ["f", "m"],
    }
    assert found["quarantine"].schema == PEOPLE.quarantined
    assert found["quarantine"].select(["id", "age", "sex"]).to_pylist() == [
        {"id": "2", "age": 61, "sex": None}
    ]


def test_a_window_may_lack_what_may_have_gaps_and_nothing_else() -> None:
    assert {name: gaps.to_pylist() for name, gaps in PEOPLE.gaps(["content"], 2).items()} == {
        "age": [None, None]
    }
    assert PEOPLE.gaps(["age"], 2) == {}


def test_what_is_not_declared_stays_behind() -> None:
    assert (
        parts(people([40, 50], ["f", "m"]), RULES)["test"].schema
        == pa.schema([*clean.EXAMPLE, *image.STATISTICS])
        == RULES.example
    )


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (people([40, 50], [None, "m"]), "'sex' has gaps; fill them"),
        (people(["old", "young"], ["f", "m"]), r"'age' is no int16 \(.*\); mend it"),
        (
            [people([40, 50], ["f", "m"])[0].drop_columns(["age"])],
            "declares the column 'age' and its examples have none",
        ),
    ],
)
def test_columns_that_are_not_as_declared_stop_the_line(
    read: list[pa.RecordBatch], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        parts(read)


@pytest.mark.parametrize(
    ("columns", "sensitive", "said"),
    [
        (["Age"], (), "take lower-case letters"),
        (["a.b"], (), "take lower-case letters"),
        (["sha256"], (), "there is already"),
        (["reason"], (), "there is already"),
        (["width"], (), "there is already"),
        (["age", "age"], (), "there is already"),
        (["age"], ("sex",), r"names of COLUMNS \(age\)"),
        (["age"], ("age", "age"), "each once"),
        ([], ("age",), "there are none"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(
    columns: list[str], sensitive: tuple[str, ...], said: str
) -> None:
    schema = pa.schema([pa.field(name, pa.string()) for name in columns])
    with pytest.raises(DataError, match=said):
        clean.check_columns(schema, sensitive, RULES.kind)


def test_a_right_declaration_passes() -> None:
    clean.check_columns(PEOPLE.columns, ("sex", "age"), PEOPLE.kind)
    clean.check_columns(clean.NOTHING, (), RULES.kind)
