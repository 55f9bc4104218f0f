"""Anybody's own data: what params say of them, and the file that is read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from duli.base.errors import DataError, ParamsError
from duli.datasets import own
from duli.datasets.shared.dataset import dataset
from stages import sections
from tests.closure import ROOT

FACTS: dict[str, Any] = {
    "title": "Mine",
    "licence": "CC0-1.0",
    "kind": "table",
    "classes": ["no", "yes"],
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
    held = own.schema(FACTS["columns"], pa.int16())
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
    assert dataset("own", {**FACTS, "kind": "image", "shape": [1, 2, 3]}).SHAPE == (1, 2, 3)
    assert made.sources(None) == ()


def test_without_data_the_line_says_how_to_get_some() -> None:
    with pytest.raises(ParamsError, match=r"data\.own.*null.*`duli new"):
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
        match="`duli new`",
    ):
        next(dataset("own", {**FACTS, "columns": {}, "sensitive": []}).examples(tmp_path, 3))
    (tmp_path / own.FILE).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="`duli new`"):
        next(dataset("own", FACTS).examples(tmp_path, 3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": [1, 2, 3]}, "unknown key 'data.own.shape'"),
        ({"features": None}, "data.own.features = None"),
        ({"centred": {"height": [0.0, 1.0]}}, "centred names height, which is none of features"),
        ({"centred": {"width": [0.0, 0.0]}}, "centred has a scale of 0"),
        ({"sensitive": ["sex"]}, "sensitive names sex, which is none of columns"),
        ({"columns": {"Age": "number"}, "sensitive": []}, "should match pattern"),
        ({"classes": ["one"]}, "at least 2"),
        ({"sha256": "x"}, "should match pattern"),
        ({"kind": "image"}, "data.own.kind = 'image'; write kind: image"),
    ],
)
def test_params_that_contradict_themselves_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    params["kind"] = "table"
    params["train"].pop("augmentation")

    def write(facts: dict[str, Any]) -> Path:
        params["data"] = {"dataset": "own", "own": facts}
        with (tmp_path / "params.yaml").open("w") as file:
            YAML(typ="safe").dump(params, file)
        return tmp_path / "params.yaml"

    sections.check(write(FACTS))
    with pytest.raises(ParamsError, match=said):
        sections.check(write({**FACTS, **change}))
