"""What people and accidents do to a store: `track` puts it right in one go, whatever came
before.
"""

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from duli.base.files import sha256
from duli.tracking import releases
from duli.tracking.client.store import Store
from duli.tracking.logged import registry, release
from duli.tracking.logged.release import Release
from stages import track
from tests.tracking import line


@pytest.fixture
def made(tmp_path: Path) -> Release:
    line.build(tmp_path / "line")
    return track.gather(tmp_path / "line", {})


def _experiment(store: Store) -> str:
    return str(store.client().get_experiment_by_name("digits").experiment_id)


def _run(store: Store) -> str:
    return releases.listing(store, "digits")[0].run_id


def _version(store: Store) -> Any:
    return store.client().get_model_version_by_alias("digits", "challenger")


def _unused(taken: set[str]) -> str:
    return next(name for name in (f"other-{n}" for n in range(1000)) if name not in taken)


def _rename_experiment(store: Store) -> None:
    taken = {experiment.name for experiment in store.client().search_experiments()}
    store.client().rename_experiment(_experiment(store), _unused(taken))


def _rename_model(store: Store) -> None:
    taken = {model.name for model in store.client().search_registered_models()}
    store.client().rename_registered_model("digits", _unused(taken))


def _clear_model(store: Store) -> None:
    shutil.rmtree(unquote(_version(store).source))


def _damage_a_file(store: Store) -> None:
    assert store.database is not None
    [path] = store.database.parent.glob(f"artifacts/*/{_run(store)}/artifacts/reports/gates.json")
    path.write_text("damaged")


def _lose(*names: str) -> Callable[[Store], None]:
    def lose(store: Store) -> None:
        assert store.database is not None
        for name in names:
            [path] = store.database.parent.glob(f"artifacts/*/{_run(store)}/artifacts/{name}")
            path.unlink()

    return lose


def _clear_artifacts(store: Store) -> None:
    assert store.database is not None
    shutil.rmtree(store.database.parent / "artifacts")


# What changes who belongs to whom: the one may hide what the other needs.
LINKS: list[Callable[[Store], Any]] = [
    _rename_experiment,
    lambda store: store.client().delete_experiment(_experiment(store)),
    lambda store: store.client().delete_run(_run(store)),
    lambda store: store.client().delete_model_version("digits", _version(store).version),
    lambda store: store.client().delete_logged_model(_version(store).tags[registry.MODEL]),
    lambda store: store.client().delete_model_version_tag(
        "digits", _version(store).version, registry.SHA256
    ),
]
REST: list[Callable[[Store], Any]] = [
    lambda store: store.client().delete_registered_model("digits"),
    _rename_model,
    lambda store: store.client().delete_registered_model_alias("digits", "challenger"),
    _damage_a_file,
    _lose("reports/gates.json"),
    _lose("files.json", "dist/MODEL_CARD.md"),
    _clear_model,
    _clear_artifacts,
]


def pairs(n: int) -> Iterator[int]:
    """Numbers below n in which every ordered pair stands side by side: a walk over each edge of the
    complete graph once.
    """
    for low in range(n):
        yield low
        for high in range(low + 1, n):
            yield from (low, high)
    yield 0


def test_every_pair_is_in_the_walk() -> None:
    walk = list(pairs(len(LINKS)))
    assert len(set(pairwise(walk))) == len(LINKS) ** 2


def test_one_track_heals_what_was_done_to_the_store_after_any_other_damage(
    store: Store, made: Release, tmp_path: Path
) -> None:
    release.log(store, made)
    damages = [*(LINKS[number] for number in pairs(len(LINKS))), *REST]
    for step, damage in enumerate(damages):
        damage(store)
        logged = release.log(store, made)
        entry = next(
            entry for entry in releases.listing(store, "digits") if entry.release == made.digest
        )
        assert (entry.run_id, entry.model_version) == (logged.run_id, logged.version), step
        assert entry.aliases == ("challenger",), step
        assert releases.model_sha256(store, entry) == sha256(made.model), step
        (tmp_path / str(step)).mkdir()
        releases.evidence(store, entry, ["dist", "reports/gates.json"], tmp_path / str(step))
