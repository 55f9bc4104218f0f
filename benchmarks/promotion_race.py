"""Eight processes that promote at once, round after round: exactly one may win, and MLflow and
champion.json may never disagree.
"""

import multiprocessing
import sqlite3
import tempfile
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from duli.base import files
from duli.base.errors import GateError
from duli.tracking import promotion
from duli.tracking.champion import Champions, Record, parse
from duli.tracking.client import store
from duli.tracking.client.store import Store

NAME = "raced"
RACERS = 8
PATIENCE = 120  # seconds for a round


def race(rounds: int) -> dict[str, int]:
    """Runs the rounds on a store of their own; gives how many had one winner and seven that were
    told, and how many ended in agreement.

    In each round all racers decide against the same champion, each for a release of its own. The
    processes, each with an MLflow client of its own, stay for all rounds; a barrier starts them at
    once.
    """
    processes = multiprocessing.get_context("spawn")  # no racer inherits an open database
    with tempfile.TemporaryDirectory(prefix="duli-race-") as name:
        folder = Path(name)
        there = store.locate({"DVC_ROOT": name}, folder)
        _register(there)
        files.write_json(folder / "champion.json", {"champion": None})
        start = processes.Barrier(RACERS)
        pipes = [processes.Pipe() for _ in range(RACERS)]
        racers = [
            processes.Process(
                target=_racer, args=(there, folder, number, start, theirs), daemon=True
            )
            for number, (_, theirs) in enumerate(pipes, start=1)
        ]
        for racer in racers:
            racer.start()
        ours = [pipe for pipe, _ in pipes]
        one_winner = agreed = 0
        for number in range(rounds):
            for pipe in ours:
                pipe.send(number)
            results = [pipe.recv() if pipe.poll(PATIENCE) else "silent" for pipe in ours]
            one_winner += sorted(results) == ["told"] * (RACERS - 1) + ["won"]
            winners = [racer for racer, result in enumerate(results, start=1) if result == "won"]
            record = _read(folder).champion
            agreed += record is not None and [record.model_version] == winners == [_alias(there)]
        for pipe in ours:
            pipe.send(None)
        for racer in racers:
            racer.join(PATIENCE)
        logged = len((folder / "promotions.jsonl").read_text().splitlines())
    return {"rounds": rounds, "one_winner": one_winner, "agreed": agreed, "logged": logged}


def _racer(there: Store, folder: Path, number: int, start: Any, rounds: Connection) -> None:
    """Promotes once a round: sends "won", "told" (somebody was faster) or what went wrong."""
    there.client()
    while (turn := rounds.recv()) is not None:
        expected = _read(folder)
        start.wait(PATIENCE)
        try:
            _promote(there, folder, expected.champion, _record(turn, number))
            rounds.send("won")
        except GateError:
            rounds.send("told")
        except Exception as error:  # noqa: BLE001 -- whatever it is, the round has to be counted as failed
            rounds.send(repr(error))


def _promote(there: Store, folder: Path, expected: Record | None, record: Record) -> None:
    to = Champions(champion=record, previous=expected)
    versions = {one.release: one.model_version for one in (record, expected) if one}

    def write() -> None:
        files.write_json(folder / "champion.json", to.model_dump())
        files.append_json(folder / "promotions.jsonl", {"to": record.release})

    promotion.move(
        there,
        NAME,
        expected=expected,
        to=to,
        versions=versions,
        read=lambda: _read(folder),
        write=write,
    )


def _register(there: Store) -> None:
    client = there.client()
    client.create_registered_model(NAME)
    for _ in range(RACERS):
        client.create_model_version(NAME, source=f"{there.artifact_root}/model")


def _record(turn: int, number: int) -> Record:
    content = dict.fromkeys(("run_id", "test_digest", "model_sha256", "wheel_sha256"), "")
    return Record(
        name=NAME,
        version="1.0.0",
        model_version=number,
        release=f"{turn}/{number}",
        signer=None,
        measures={},
        **content,
    )


def _read(folder: Path) -> Champions:
    return parse(files.read_json(folder / "champion.json"))


def _alias(there: Store) -> int:
    assert there.database is not None
    with closing(sqlite3.connect(there.database)) as database:
        (version,) = database.execute(
            "select version from registered_model_aliases where alias = 'champion'"
        ).fetchone()
        return int(version)
