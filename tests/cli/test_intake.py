"""Windows of incoming data: what is refused row by row, what is refused as a whole, what is
accepted, and that a crash loses nothing.
"""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.cli import intake
from duli.cli.intake import Window
from duli.datasets import mnist
from harness.clone import make_line
from stages import fetch, prepare
from tests.shared import once


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prepared(here: Path, mnist_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line after `prepare`, which runs once for all tests."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            make_line(folder, mnist_folder)
            fetch.main()
            prepare.main()

    return shutil.copytree(once(tmp_path_factory, "prepared", make), here, dirs_exist_ok=True)


def put(line: Path, folder: Path, name: str, first: int, count: int, **changes: Any) -> None:
    """A window of MNIST's training digits from `first` on; the line has those up to 600. `changes`
    replace columns, None leaves one out.
    """
    batch = next(iter(mnist.examples(folder, 8192))).slice(first, count)
    columns = {"content": batch["content"].cast(pa.binary()), "label": batch["label"], **changes}
    (line / "data/incoming").mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({key: value for key, value in columns.items() if value is not None}),
        line / f"data/incoming/{name}.parquet",
    )


def looked() -> dict[str, Window]:
    return {window.path.stem: window for window in intake.look()}


@pytest.mark.slow
def test_a_window_may_lack_a_column_that_may_have_gaps(
    here: Path, mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = mnist.examples
    monkeypatch.setattr(mnist, "COLUMNS", pa.schema({"site": pa.string()}), raising=False)
    monkeypatch.setattr(
        mnist,
        "examples",
        lambda folder, rows: (
            batch.append_column("site", pa.array(["north"] * batch.num_rows))
            for batch in read(folder, rows)
        ),
    )
    make_line(here, mnist_folder)
    fetch.main()
    prepare.main()
    put(here, mnist_folder, "told", 1000, 400, site=pa.array(["south"] * 400))
    put(here, mnist_folder, "untold", 1400, 400)
    found = looked()
    assert {name: window.objection for name, window in found.items()} == {"told": "", "untold": ""}
    sites = {
        name: set(window.kept["site"].to_pylist())
        for name, window in found.items()
        if window.kept is not None
    }
    assert sites == {"told": {"south"}, "untold": {None}}


@pytest.mark.slow
def test_each_window_is_judged_by_itself(prepared: Path, mnist_folder: Path) -> None:
    put(prepared, mnist_folder, "good", 1000, 400)
    put(prepared, mnist_folder, "unlabelled", 1400, 400, label=None)
    put(prepared, mnist_folder, "again", 0, 100)
    put(
        prepared,
        mnist_folder,
        "contradicts",
        100,
        100,
        label=pa.array([(index % 10) for index in range(100)], pa.int16()),
    )
    put(prepared, mnist_folder, "unknown", 2000, 200, label=pa.array([10, -1] * 100, pa.int16()))
    put(prepared, mnist_folder, "wide", 2000, 200, label=pa.array([70_000] * 200, pa.int64()))
    put(prepared, mnist_folder, "short", 2000, 200, content=pa.array([b"short"] * 200))
    put(
        prepared,
        mnist_folder,
        "white",
        2000,
        100,
        content=pa.array([bytes([255 - index] * 784) for index in range(100)]),
    )
    put(prepared, mnist_folder, "nothing", 2000, 0)
    put(prepared, mnist_folder, "other", 2000, 10, content=None)
    (prepared / "data/incoming/damaged.parquet").write_bytes(b"PAR1 no table PAR1")
    found = looked()
    assert {name for name, window in found.items() if not window.objection} == {
        "good",
        "unlabelled",
    }
    assert (found["good"].examples, found["good"].labelled, found["unlabelled"].labelled) == (
        400,
        True,
        False,
    )
    for name, why in {
        "again": "in train already",
        "contradicts": "in train with another label",
        "unknown": "200 unknown label",
        "wide": "other types",
        "short": "200 unreadable",
        "white": "std",
        "nothing": "empty",
        "other": "no column 'content'",
        "damaged": "cannot be read",
    }.items():
        assert why in found[name].objection
        assert found[name].examples == 0


def test_nothing_of_the_test_split_is_ever_trained_on(prepared: Path, mnist_folder: Path) -> None:
    """Three of its images among four hundred others, with labels of their own: these rows go, the
    rest stays.
    """
    test = pq.read_table(prepared / "data/prepared/test.parquet").slice(0, 3)
    batch = next(iter(mnist.examples(mnist_folder, 8192))).slice(1000, 400)
    content = pa.concat_arrays([batch["content"].cast(pa.binary()), *test["content"].chunks])
    wrong = [(label + 1) % 10 for label in test["label"].to_pylist()]
    put(
        prepared,
        mnist_folder,
        "leak",
        0,
        0,
        content=content,
        label=pa.array([*batch["label"].to_pylist(), *wrong], pa.int16()),
    )
    window = looked()["leak"]
    assert (window.examples, window.objection) == (400, "")
    assert window.refused is not None
    assert window.refused["reason"].to_pylist() == ["in test with another label"] * 3

    before = files.read_json("data/prepared/stats.json")["splits"]
    tracked: list[str] = []
    intake.accept([window], lambda path: tracked.append(str(path)), Path.unlink)
    assert tracked == ["data/quarantined/leak.parquet", "data/accepted/leak.parquet"]
    prepare.main()
    stats = files.read_json("data/prepared/stats.json")
    accepted = prepared / "data/accepted/leak.parquet"
    assert stats["accepted"] == [
        {"file": "leak.parquet", "examples": 400, "sha256": files.sha256(accepted)}
    ]
    assert stats["splits"]["test"] == before["test"]
    grown = {
        split: stats["splits"][split]["examples"] - before[split]["examples"] for split in before
    }
    assert sum(grown.values()) == 400
    assert min(grown["train"], grown["validation"]) > 50


def test_a_window_of_a_name_that_there_was_takes_nothing_away(
    prepared: Path, mnist_folder: Path
) -> None:
    """As where somebody exports `week.parquet` every week."""
    for first in (1000, 1300, 1300):
        put(prepared, mnist_folder, "week", first, 300)
        put(prepared, mnist_folder, "bad", first, 300, label=pa.array([77] * 300, pa.int16()))
        intake.accept(intake.look(), lambda path: None, Path.unlink)
    assert [
        pq.read_metadata(path).num_rows for path in (prepared / "data/accepted").glob("*.parquet")
    ] == [300, 300]
    assert sorted(path.suffix for path in (prepared / "data/quarantined").iterdir()) == [
        ".json",
        ".json",
        ".parquet",
        ".parquet",
    ]
    prepare.main()
    assert [
        file["examples"] for file in files.read_json("data/prepared/stats.json")["accepted"]
    ] == [300, 300]
    ids = [
        row
        for split in intake.SPLITS
        for row in pq.read_table(prepared / f"data/prepared/{split}.parquet")["id"].to_pylist()
    ]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("step", range(4))
def test_a_crash_while_accepting_is_completed_by_the_next_call(
    prepared: Path, mnist_folder: Path, step: int
) -> None:
    put(prepared, mnist_folder, "a", 1000, 300)
    put(prepared, mnist_folder, "b", 1300, 300, label=pa.array([77] * 300, pa.int16()))
    done = 0

    def interrupted(path: Path) -> None:
        nonlocal done
        if done == step:
            raise KeyboardInterrupt
        done += 1
        if path.parent == intake.INCOMING:
            path.unlink()

    with pytest.raises(KeyboardInterrupt):
        intake.accept(intake.look(), interrupted, interrupted)
    intake.accept(intake.look(), lambda path: None, Path.unlink)
    assert sorted(str(path) for path in Path("data").glob("[aiq]*/*")) == [
        "data/accepted/a.parquet",
        "data/quarantined/b.json",
        "data/quarantined/b.parquet",
    ]
    assert pq.read_metadata("data/accepted/a.parquet").num_rows == 300


def test_an_accepted_window_that_is_not_here_is_not_passed_over(prepared: Path) -> None:
    (prepared / "data/accepted").mkdir()
    (prepared / "data/accepted/far.parquet.dvc").write_text("outs: []\n")
    with pytest.raises(DataError, match=r"data/accepted.*far\.parquet\.dvc"):
        prepare.main()


def test_before_anything_is_prepared_windows_wait(here: Path, mnist_folder: Path) -> None:
    put(here, mnist_folder, "early", 1000, 10)
    assert intake.look() == []
