"""Anybody's own data: what params say of them, and the file that is read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.base.errors import DataError, ParamsError
from duli.datasets import own
from duli.datasets.shared.dataset import dataset
from duli.datasets.shared.params import Own

FACTS: dict[str, Any] = {
    "title": "Mine",
    "licence": "CC0-1.0",
    "kind": "table",
    "classes": ["no", "yes"],
    "shape": None,
    "features": ["width"],
    "columns": {"age": "number", "city": "text"},
    "sensitive": ["age"],
    "bytes": 10,
    "sha256": "0" * 64,
}


def write(folder: Path, splits: list[str]) -> None:
    n = len(splits)
    columns = [
        [f"r-{row}" for row in range(n)],
        splits,
        [row % 2 for row in range(n)],
        [b"1234"] * n,
        [float(row) for row in range(n)],
        ["x"] * n,
    ]
    held = own.schema(FACTS["columns"])
    pq.write_table(
        pa.table(
            [pa.array(one, field.type) for one, field in zip(columns, held, strict=True)],
            schema=held,
        ),
        folder / own.FILE,
    )


def test_what_params_say_is_what_other_data_sets_say_of_themselves() -> None:
    made = dataset("own", FACTS)
    assert (made.TITLE, made.LICENCE, made.KIND, made.CLASSES) == (
        "Mine",
        "CC0-1.0",
        "table",
        ("no", "yes"),
    )
    assert made.FILES == {"examples.parquet": (10, "0" * 64)}
    assert (made.FEATURES, made.SENSITIVE) == (("width",), ("age",))
    assert made.COLUMNS.equals(pa.schema({"age": pa.float32(), "city": pa.string()}))
    assert not hasattr(made, "SHAPE")
    assert dataset(
        "own", {**FACTS, "kind": "image", "shape": [1, 2, 3], "features": None}
    ).SHAPE == (1, 2, 3)
    assert made.sources(None) == ()


def test_without_data_the_line_says_how_to_get_some() -> None:
    with pytest.raises(ParamsError, match=r"data.own is null; `duli new NAME --from YOUR_DATA`"):
        dataset("own", None)


def test_a_batch_is_of_one_published_split_and_no_row_is_lost(tmp_path: Path) -> None:
    splits = ["train", "test", "train", "test", "test", "train", "train"]
    write(tmp_path, splits)
    batches = [*dataset("own", FACTS).examples(tmp_path, 3)]
    assert all(
        len(set(batch["split"].to_pylist())) == 1 and batch.num_rows <= 3 for batch in batches
    )
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert sorted((row["id"], row["split"], row["age"]) for row in rows) == [
        (f"r-{row}", split, row) for row, split in enumerate(splits)
    ]


def test_a_file_of_other_columns_or_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    write(tmp_path, ["", ""])
    with pytest.raises(
        DataError,
        match=r"has other columns than id, split, label, content; make it again with `duli new`",
    ):
        next(dataset("own", {**FACTS, "columns": {}, "sensitive": []}).examples(tmp_path, 3))
    (tmp_path / own.FILE).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"cannot be read .*; make it again with `duli new`"):
        next(dataset("own", FACTS).examples(tmp_path, 3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": (1, 2, 3)}, "shape is for images"),
        ({"features": None}, "features are for tables"),
        ({"sensitive": ("sex",)}, "sensitive names sex, which is none of columns"),
        ({"columns": {"Age": "number"}, "sensitive": ()}, "should match pattern"),
        ({"classes": ("one",)}, "at least 2"),
        ({"sha256": "x"}, "should match pattern"),
    ],
)
def test_params_that_contradict_themselves_are_refused(change: dict[str, Any], said: str) -> None:
    facts = {**FACTS, "classes": ("no", "yes"), "features": ("width",), "sensitive": ("age",)}
    assert Own(**facts).columns == FACTS["columns"]
    with pytest.raises(ValueError, match=said):
        Own(**{**facts, **change})
