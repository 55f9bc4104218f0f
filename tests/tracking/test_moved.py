"""A checkout that is moved, copied or called something strange: its store goes with it, and nothing
is written elsewhere.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from duli.base.errors import ParamsError
from duli.base.files import sha256
from duli.tracking import releases
from duli.tracking.client import sqlite
from duli.tracking.client import store as stores
from duli.tracking.client.store import Store
from duli.tracking.logged import release
from duli.tracking.logged.release import Logged
from stages import track
from tests.tracking import line

NAMES = [
    "ws_feature%2Flogin",
    "a%41",
    "q?x",
    "h#y",
    'it\'s "q"',
    " sp ace ",
    "中文",
    "a;b&c=d+e",
    "[x]{y}",
    "100%",
    "back\\slash",
    "new\nline",
]


def _store(root: Path) -> Store:
    from mlflow.tracking._tracking_service import utils

    # MLflow remembers the place of a run for as long as a process lives
    utils._artifact_repos_cache.clear()
    return stores.locate({"DVC_ROOT": str(root)}, Path())


def _release(root: Path, cost: float = 12.5) -> Logged:
    line.build(root, cost=cost)
    return release.log(_store(root), track.gather(root, {}))


def _whole(root: Path, logged: Logged, scratch: Path) -> None:
    """The evidence and the model of a release come from the store at `root`, and all places in it
    lie there.
    """
    store = _store(root)
    [entry] = [
        entry for entry in releases.listing(store, "digits") if entry.run_id == logged.run_id
    ]
    scratch.mkdir(parents=True)
    releases.evidence(store, entry, ["dist", "reports/gates.json"], scratch)
    assert releases.model_sha256(store, entry) == sha256(root / "models/variants/int8.onnx")
    assert entry.model_version == logged.version
    for place in _places(root):
        assert place.startswith(f"{store.artifact_root}/"), place


def _places(root: Path) -> list[str]:
    database = sqlite3.connect(root / "mlruns/mlflow.db")
    try:
        return [
            place
            for table, column in sqlite.PLACES
            for (place,) in database.execute(f"SELECT {column} FROM {table}")
        ]
    finally:
        database.close()


@pytest.mark.parametrize("name", ["ws_feature%2Flogin", "a%41 ?x#y 'q' \"q\" 中文;&+\\:@"])
def test_the_database_lies_in_its_folder_whatever_that_is_called(
    tmp_path: Path, migrated: Path, name: str
) -> None:
    root = tmp_path / "repositories" / name
    (root / "mlruns").mkdir(parents=True)
    shutil.copyfile(migrated, root / "mlruns/mlflow.db")
    logged = _release(root)
    assert (logged.created, logged.version) == (True, 1)
    _whole(root, logged, tmp_path / "scratch")
    assert [path.name for path in root.parent.iterdir()] == [name]
    assert {path.name for path in (root / "mlruns").iterdir()} == {
        ".lock",
        "artifacts",
        "mlflow.db",
    }


def test_mlflows_own_clients_open_the_address(tmp_path: Path, migrated: Path) -> None:
    from sqlalchemy import make_url

    for name in NAMES:
        path = tmp_path / name / "mlflow.db"
        assert make_url(sqlite.address(path)).database == str(path)
        assert sqlite.file(sqlite.address(path)) == path


def test_a_name_that_no_url_can_say_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="not UTF-8; rename"):
        _store(tmp_path / "caf\udce9")


def test_a_moved_checkout_keeps_its_releases_and_leaves_the_old_place_alone(
    tmp_path: Path, fresh: Callable[[Path], Store]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fresh(old)
    first = _release(old)
    old.rename(new)
    # what was written there after the move, by a version before this one
    decoy = old / "mlruns/artifacts/digits"
    decoy.mkdir(parents=True)
    (decoy / "decoy").write_text("untouched")
    _whole(new, first, tmp_path / "1")
    second = _release(new, cost=13.0)
    assert second.created
    _whole(new, second, tmp_path / "2")
    assert [path.name for path in old.rglob("*") if path.is_file()] == ["decoy"]
    new.rename(tmp_path / "third")
    _whole(tmp_path / "third", second, tmp_path / "3")


def test_a_copy_and_its_original_go_on_apart(
    tmp_path: Path, fresh: Callable[[Path], Store]
) -> None:
    original, copy = tmp_path / "a%41", tmp_path / "copy"
    fresh(original)
    first = _release(original)
    subprocess.run(["cp", "-a", original, copy], check=True)
    second = _release(copy, cost=13.0)
    _whole(copy, second, tmp_path / "1")
    _whole(original, first, tmp_path / "2")
    assert not list(original.rglob(f"*{second.run_id}*"))


def test_places_that_are_not_this_stores_stay(
    tmp_path: Path, fresh: Callable[[Path], Store]
) -> None:
    other = tmp_path / "other/mlruns/artifacts/theirs"
    other.mkdir(parents=True)
    foreign = {
        "bucket": "s3://bucket/mlruns/artifacts/x",
        "disk": str(tmp_path / "disk/x"),
        "theirs": str(other),
    }
    store = fresh(tmp_path / "old")
    for name, place in foreign.items():
        store.client().create_experiment(name, artifact_location=place)
    (tmp_path / "old").rename(tmp_path / "new")
    client = _store(tmp_path / "new").client()
    assert {
        name: client.get_experiment_by_name(name).artifact_location for name in foreign
    } == foreign


def test_evidence_that_was_written_to_an_old_place_is_written_again(
    tmp_path: Path, fresh: Callable[[Path], Store]
) -> None:
    """As a version before this one left it: the run in the database of the new place, its files in
    the old one.
    """
    fresh(tmp_path / "old")
    logged = _release(tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "new", ignore=shutil.ignore_patterns("artifacts"))
    again = _release(tmp_path / "new")
    assert (again.run_id, again.version, again.created) == (logged.run_id, logged.version, False)
    _whole(tmp_path / "new", again, tmp_path / "1")
