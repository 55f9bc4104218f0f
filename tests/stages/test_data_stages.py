"""fetch, prepare and validate on real MNIST bytes, and on bytes that somebody changed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from duli.base import files
from duli.base.errors import DataError, GateError, ParamsError
from duli.datasets import mnist
from duli.datasets.shared.sources import Folder
from duli.kinds.table.reading import examples as table
from duli.preparation.cleaning import clean, summary
from duli.tasks.classification.targets.targets import Targets
from harness.clone import make_line
from stages import fetch, prepare, validate

pytestmark = pytest.mark.slow

LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture
def own(tmp_path: Path, mnist_folder: Path) -> Path:
    """A copy of the MNIST files that a test may damage."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in mnist.FILES:
        shutil.copy(mnist_folder / name, folder / name)
    return folder


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No source but the local folder."""
    monkeypatch.setattr(mnist, "PUBLIC_SOURCES", ())


def raw(line: Path) -> list[str]:
    return (
        sorted(path.name for path in (line / "data/raw").iterdir())
        if (line / "data/raw").exists()
        else []
    )


def test_fetch_verifies_and_asks_nobody_again(
    line: Path, own: Path, alone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    make_line(line, own)
    fetch.main()
    assert raw(line) == sorted([*mnist.FILES, "dataset.json"])
    described = files.read_json(line / "data/raw/dataset.json")
    assert (described["licence"], described["terms"]["spdx"], described["sources"]) == (
        mnist.LICENCE,
        "CC-BY-SA-3.0",
        [],
    )
    shutil.rmtree(own)
    fetch.main()
    assert "already there" in capsys.readouterr().out


def test_fetch_deletes_nothing_that_it_did_not_make(line: Path, own: Path, alone: None) -> None:
    make_line(line, own)
    (line / "data/raw").mkdir(parents=True)
    (line / "data/raw/NOTES.txt").write_text("the user's own")
    with pytest.raises(DataError, match=r"data/raw/NOTES\.txt"):
        fetch.main()
    assert (line / "data/raw/NOTES.txt").exists()
    make_line(line, line / "data/raw")
    with pytest.raises(ParamsError, match="keep your copy elsewhere"):
        fetch.main()
    assert raw(line) == ["NOTES.txt"]


def test_fetch_removes_what_another_data_set_left(line: Path, own: Path, alone: None) -> None:
    make_line(line, own)
    files.write_json(line / "data/raw/dataset.json", {"files": {"old.bin": {}}})
    (line / "data/raw/old.bin").write_bytes(b"old")
    fetch.main()
    assert raw(line) == sorted([*mnist.FILES, "dataset.json"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "truncated: 10,001 of 10,008"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "longer than the pinned 10,008"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x00"),
            "has other bytes than pinned",
        ),
        (lambda path: path.write_bytes(b""), "truncated: 0 of"),
        (lambda path: path.unlink(), f"neither {LABELS} nor {LABELS}.gz"),
    ],
)
def test_fetch_refuses_other_bytes_and_leaves_none(
    line: Path, own: Path, alone: None, damage: object, said: str
) -> None:
    damage(own / LABELS)  # type: ignore[operator]
    make_line(line, own)
    with pytest.raises(DataError, match=said) as caught:
        fetch.main()
    assert LABELS in str(caught.value)
    assert "data.local" in str(caught.value)
    assert LABELS not in raw(line)
    assert not [name for name in raw(line) if name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no such folder"),
        (lambda own: (own / LABELS).unlink(), f"neither {LABELS}"),
        (lambda own: (own / LABELS).write_bytes(b"other"), "truncated"),
    ],
)
def test_a_local_folder_that_is_refused_is_told_although_another_source_has_the_bytes(
    line: Path,
    own: Path,
    mnist_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    said: str,
) -> None:
    monkeypatch.setattr(mnist, "PUBLIC_SOURCES", (Folder(mnist_folder),))
    make_line(line, own)
    damage(own)
    fetch.main()
    assert raw(line) == sorted([*mnist.FILES, "dataset.json"])
    told = capsys.readouterr().err
    assert f"data.local = '{own}' is refused" in told
    assert said in told


def test_fetch_replaces_a_damaged_file_of_its_own(line: Path, own: Path, alone: None) -> None:
    make_line(line, own)
    fetch.main()
    target = line / "data/raw" / LABELS
    target.write_bytes(target.read_bytes()[:-1])
    fetch.main()
    assert target.read_bytes() == (own / LABELS).read_bytes()


def test_fetch_goes_on_to_the_next_source(
    line: Path, own: Path, mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / LABELS).unlink()
    monkeypatch.setattr(
        mnist, "PUBLIC_SOURCES", (mnist.Folder(line / "nowhere"), mnist.Folder(mnist_folder))
    )
    make_line(line, own)
    fetch.main()
    assert LABELS in raw(line)


def prepared(line: Path) -> dict[str, object]:
    fetch.main()
    prepare.main()
    return dict(json.loads((line / "data/prepared/stats.json").read_text()))


def test_prepare_keeps_every_example_somewhere(line: Path, mnist_folder: Path) -> None:
    stats = prepared(make_line(line, mnist_folder))
    tables = {path.stem: pq.read_table(path) for path in (line / "data/prepared").glob("*.parquet")}
    assert sum(table.num_rows for table in tables.values()) == 1200
    assert tables["test"].num_rows == stats["splits"]["test"]["examples"] == 600  # type: ignore[index]
    assert set(tables["train"]["split"].to_pylist()) == {"train"}
    seen = [
        sha
        for name in ("train", "validation", "test")
        for sha in tables[name]["sha256"].to_pylist()
    ]
    assert len(seen) == len(set(seen))
    described = json.loads((line / "data/prepared/preprocessing.json").read_text())
    assert abs(described["normalisation"]["mean"] - 0.13) < 0.01
    assert (described["kind"], described["input"]) == (
        "image",
        {"channels": 1, "height": 28, "width": 28},
    )


def test_prepare_gives_the_same_bytes_however_it_is_batched(line: Path, mnist_folder: Path) -> None:
    first = prepared(make_line(line, mnist_folder))
    before = {path.name: path.read_bytes() for path in (line / "data/prepared").iterdir()}
    assert prepared(line) == first
    assert {path.name: path.read_bytes() for path in (line / "data/prepared").iterdir()} == before
    assert prepared(make_line(line, mnist_folder, prepare__batch_rows=256)) == first


def test_prepare_stops_where_nothing_is_left(line: Path, mnist_folder: Path) -> None:
    make_line(line, mnist_folder, prepare__limit=10, prepare__validation_share=1e-6)
    fetch.main()
    with pytest.raises(DataError, match="nothing left in validation"):
        prepare.main()
    assert not list((line / "data/prepared").iterdir())


def test_validate_writes_a_page_that_opens_offline(line: Path, mnist_folder: Path) -> None:
    prepared(make_line(line, mnist_folder))
    validate.main()
    facts = json.loads((line / "reports/validation.json").read_text())
    assert facts["success"] is True
    page = (line / "reports/validation.html").read_text()
    assert "MNIST" in page
    assert not [word for word in ("http://", "https://", "<script src", "@import") if word in page]
    first = (line / "reports/validation.json").read_bytes(), page
    validate.main()
    assert (
        (line / "reports/validation.json").read_bytes(),
        (line / "reports/validation.html").read_text(),
    ) == first


def test_validate_stops_the_line_and_says_why(line: Path, mnist_folder: Path) -> None:
    prepared(make_line(line, mnist_folder, validate__statistics={"mean": {"min": 100, "max": 120}}))
    with pytest.raises(GateError, match=r"splits\.mean"):
        validate.main()
    assert json.loads((line / "reports/validation.json").read_text())["success"] is False


def test_validate_sees_a_leak_that_prepare_let_through(line: Path, mnist_folder: Path) -> None:
    prepared(make_line(line, mnist_folder))
    train, test = (
        pq.read_table(line / f"data/prepared/{name}.parquet") for name in ("train", "test")
    )
    digests = [test["sha256"][0].as_py(), *train["sha256"].to_pylist()[1:]]
    column = train.schema.get_field_index("sha256")
    leaked = train.set_column(column, train.schema.field(column), [digests])
    pq.write_table(leaked, line / "data/prepared/train.parquet")
    with pytest.raises(GateError, match=r"examples\.sha256"):
        validate.main()


SHIFTS = {
    "inverted": (lambda pixels: 255 - pixels, "mean"),
    "pale": (lambda pixels: pixels // 3, "std"),
}


@pytest.mark.parametrize(("change", "statistic"), SHIFTS.values(), ids=SHIFTS)
def test_validate_stops_a_test_split_that_is_not_like_train(
    line: Path,
    mnist_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    statistic: str,
) -> None:
    """With no bounds of its own, as `duli new` leaves them: train is what the others have to be
    like.
    """
    real = mnist.examples

    def examples(folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
        for batch in real(folder, rows):
            if batch["split"][0].as_py() == "test":
                contents = [
                    change(np.frombuffer(one, np.uint8)).tobytes()
                    for one in batch["content"].to_pylist()
                ]
                batch = batch.set_column(
                    batch.schema.get_field_index("content"), "content", pa.array(contents)
                )
            yield batch

    monkeypatch.setattr(mnist, "examples", examples)
    prepared(make_line(line, mnist_folder, validate__statistics={}))
    with pytest.raises(
        GateError,
        match=rf"test\.{statistic} mean to be like that of train: \S+; expected \S+ to \S+ \(train",
    ) as raised:
        validate.main()
    assert "validation." not in str(raised.value).replace("reports/validation.html", "")
    assert "shift: {ignore: [" in str(raised.value)
    make_line(
        line, mnist_folder, validate__statistics={}, validate__shift={"ignore": ["mean", "std"]}
    )
    validate.main()


def test_validate_names_classes_without_an_example(
    line: Path, mnist_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_line(line, mnist_folder, validate__class_share={"min": 0, "max": 0.2})
    prepared(line)
    stats = files.read_json(line / "data/prepared/stats.json")
    rows = pq.read_table(line / "data/prepared/validation.parquet")
    files.write_json(
        line / "data/prepared/stats.json",
        {**stats, "splits": _without(stats["splits"], "validation", 7)},
    )
    pq.write_table(
        rows.filter(pc.not_equal(rows["label"], 7)), line / "data/prepared/validation.parquet"
    )
    validate.main()
    assert files.read_json(line / "reports/validation.json")["absent"] == {"validation": ["7"]}
    assert "no example in validation of 7" in capsys.readouterr().out


def _without(splits: dict[str, Any], split: str, label: int) -> dict[str, Any]:
    counts = [
        0 if index == label else count for index, count in enumerate(splits[split]["per_class"])
    ]
    return {**splits, split: {**splits[split], "per_class": counts}}


def test_validate_stops_a_feature_that_is_in_other_units_in_one_split(
    line: Path, mnist_folder: Path
) -> None:
    bounds = {
        "validate__statistics": {},
        "validate__min_examples": 100,
        "validate__class_share": {"min": 0.3, "max": 0.7},
    }
    make_line(line, mnist_folder, **bounds)
    rows = np.random.default_rng(0).normal(20, 5, (600, 3)).astype("<f4")
    rows[400:, 1] *= 2.54
    _prepared_table(
        line, rows, ["in" if index < 400 else "out" for index in range(600)], test=range(400, 600)
    )
    with pytest.raises(
        GateError,
        match=r"test\.features means to be like those of train: width \S+, not \S+ to \S+ \(train",
    ) as raised:
        validate.main()
    assert "height" not in str(raised.value)
    make_line(line, mnist_folder, **bounds, validate__shift={"ignore": ["width"]})
    validate.main()


def _prepared_table(line: Path, rows: NDArray[np.float32], ids: list[str], test: range) -> None:
    """What `prepare` makes of rows of two classes and three features."""
    kind = table.Kind(3)
    rules = clean.Rules(Targets(["a", "b"]), kind, validation_share=0.2)
    read = pa.RecordBatch.from_pydict(
        {
            "id": [f"{name}-{index}" for index, name in enumerate(ids)],
            "split": ["test" if index in test else "train" for index in range(len(rows))],
            "label": pa.array([index % 2 for index in range(len(rows))], pa.int16()),
            "content": [row.tobytes() for row in rows],
        }
    )
    splits = {}
    for split, part in clean.sort_out([read], clean.judge([read], rules), rules):
        (line / "data/prepared").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_batches([part]), line / f"data/prepared/{split}.parquet")
        splits[split] = summary.SplitSummary(Targets(["a", "b"]))
        splits[split].add(part)
    stats = {
        "title": "Boxes",
        "classes": ["a", "b"],
        "kind": "table",
        "input": kind.input,
        "columns": [],
        "quarantined": {},
    }
    names = ["height", "width", "depth"]
    facts = {split: splits[split].facts() for split in ("train", "validation", "test")}
    files.write_json(
        line / "data/prepared/stats.json", {**stats, "features": names, "splits": facts}
    )
