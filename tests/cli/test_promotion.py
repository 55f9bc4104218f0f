"""Promotion by its own commands: what is refused and why, what moves, and that a crash or a race
leaves no half of it.
"""

import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.base import machine
from duli.base.errors import DataError, DuliError, GateError
from duli.cli import promotion, releases
from duli.cli.keys import keygen
from duli.evaluation.predict import softmax
from harness.tracking_server import served
from stages import track
from tests.cli.released import PROMOTION, Line, N
from tests.closure import ROOT
from tests.packaging import tiny

pytestmark = pytest.mark.slow  # each release is packed and logged for real: a second


def promote(
    version: int | None = None, expect: int | None = None, *, rejudge: bool = False
) -> None:
    promotion.promote(version, expect, rejudge=rejudge, merged=False)


def untouched(line: Line, before: tuple[Any, ...]) -> None:
    """Nothing of the decision has changed."""
    assert state(line) == before


def state(line: Line) -> tuple[Any, ...]:
    return line.champion(), line.aliases(), line.log()


def test_the_first_release_that_passes_becomes_champion_then_a_challenger_then_the_first_again(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    first = line.release(bias=7)
    promote()
    assert line.aliases() == {"challenger": 1, "champion": 1}
    assert "none yet, so nothing to compare with" in capsys.readouterr().out

    second = line.release(bias=6)
    promote()
    shown = capsys.readouterr().out
    assert "+3.667 points" in shown
    assert "won 11, lost 0 of 300" in shown
    assert line.aliases() == {"challenger": 2, "champion": second, "previous": first}
    champion = line.champion()
    assert (champion["champion"]["model_version"], champion["previous"]["model_version"]) == (
        second,
        first,
    )
    assert champion["champion"]["measures"]["business.accuracy.value"] == pytest.approx(
        0.98666, abs=1e-4
    )

    promotion.rollback()
    assert line.aliases() == {"challenger": 2, "champion": first, "previous": second}
    assert line.champion() == {"champion": champion["previous"], "previous": champion["champion"]}
    promotion.rollback()
    assert line.champion() == champion
    assert [(entry["action"], entry["to"]["model_version"]) for entry in line.log()] == [
        ("promote", 1), ("promote", 2), ("rollback", 1), ("rollback", 2),
    ]  # fmt: skip
    assert line.log()[1]["compared"]["won"] == 11


def test_a_champion_is_not_promoted_twice(
    released: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    promote()
    before = state(released)
    promote()
    assert "is the champion already" in capsys.readouterr().out
    untouched(released, before)


def test_a_version_is_named_by_its_number(line: Line) -> None:
    line.release(bias=6)
    line.release(bias=7)
    promote(1)
    assert line.champion()["champion"]["model_version"] == 1
    with pytest.raises(DataError, match=r"7.*bright-row.*`duli releases`"):
        promote(7)


def test_of_two_releases_of_one_model_the_newest_is_meant(line: Line) -> None:
    line.release(price=1.0)
    line.release(price=2.0)
    promote(1)
    assert (
        line.champion()["champion"]["measures"]["business.unit_cost_usd_per_million.value"] == 2.0
    )


def test_a_release_on_hold_is_not_promoted(line: Line) -> None:
    line.release(bias=8, verdict_min=0.9)
    before = state(line)
    with pytest.raises(GateError, match=r"business.accuracy.value = 0.88.*0.9"):
        promote()
    untouched(line, before)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "may be worse by"),
        ({"not_worse_by": 0.2, "better_by": 0.0}, "McNemar's test sees no difference"),
        ({"not_worse_by": 0.2, "require_signature": True}, "not signed"),
    ],
)
def test_a_challenger_has_to_show_what_params_ask_for(
    line: Line, settings: dict[str, Any], said: str
) -> None:
    line.release(bias=5)
    promote()
    line.release(bias=7 if not settings else 5.5)
    line.params({**PROMOTION, **settings})
    before = state(line)
    with pytest.raises(GateError, match=said):
        promote()
    untouched(line, before)


def test_the_packed_model_has_to_answer_as_it_was_judged(line: Line) -> None:
    """Predictions of another model, logged as if they were its own."""
    line.release(bias=6)
    other = Path("reports/predictions.parquet").read_bytes()
    line.release(bias=7)
    Path("reports/predictions.parquet").write_bytes(other)
    track.record(Path(), line.environment)
    with pytest.raises(GateError, match=r"11.*300.*reports/predictions.parquet"):
        promote()


@pytest.mark.skipif(
    not machine.adds_in_16_bits(machine.cpu()["flags"]), reason="this CPU adds products in 32 bits"
)
def test_a_file_whose_sums_overflow_here_is_told(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged with sums of 32 bits, as on a CPU with VNNI."""
    monkeypatch.setattr(tiny, "model", lambda **_: tiny.overflowing())
    line.release()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(tiny.overflowing(), options, ["CPUExecutionProvider"])
    exact = softmax(session.run(None, {"images": tiny.images(N)})[0] / 0.5).astype(np.float32)
    table = pq.read_table("reports/predictions.parquet")
    columns = {
        "id": table["id"],
        "label": table["label"],
        "int8": pa.FixedSizeListArray.from_arrays(pa.array(exact.ravel()), 3),
    }
    pq.write_table(pa.table(columns), "reports/predictions.parquet")
    evaluation = json.loads(Path("reports/evaluation.json").read_text())
    evaluation["judged_on"]["flags"] = ["avx512_vnni"]
    Path("reports/evaluation.json").write_text(json.dumps(evaluation))
    track.record(Path(), line.environment)
    with pytest.raises(
        GateError,
        match=r"6.*avx512_vnni.*`dvc repro`",
    ):
        promote()


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two private keys, each with its public key beside it; the first is the one to sign with and
    to trust.
    """
    places = [tmp_path_factory.mktemp("keys") for _ in range(2)]
    for place in places:
        keygen(place)
    monkeypatch.setenv("DULI_SIGNING_KEY", str(places[0] / "signing.key"))
    return [place / "signing.key" for place in places]


def test_a_signed_release_is_promoted_where_its_key_is_trusted_and_its_signature_verifies(
    line: Line,
    keys: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line.release(bias=7, sign=True)
    line.params({**PROMOTION, "require_signature": True})
    promote()
    shown = capsys.readouterr().out
    fingerprint = line.champion()["champion"]["signer"]
    assert len(fingerprint) == 64
    assert f"verifies with the key {fingerprint}" in shown
    first = line.log()[0]["to"]
    assert first["signer"] == fingerprint

    line.release(bias=6, sign=True)
    before = state(line)
    monkeypatch.setenv("DULI_PUBLIC_KEY", str(keys[1].with_suffix(".pub")))
    with pytest.raises(GateError, match="trusted"):
        promote()
    monkeypatch.delenv("DULI_PUBLIC_KEY")
    signature = _artifacts(line) / "dist/model.sig"
    signed = signature.read_bytes()
    signature.write_bytes(signed[:-20])
    with pytest.raises(GateError, match=r"is damaged, or no signature"):
        promote()
    signature.unlink()
    with pytest.raises(GateError, match=r"model\.sig"):
        promote()
    signature.write_bytes(signed)
    (_artifacts(line) / "dist/added").write_text("x")
    with pytest.raises(GateError, match="added"):
        promote()
    untouched(line, before)


def test_two_signatures_over_one_result_are_one_release(line: Line, keys: list[Path]) -> None:
    assert line.release(sign=True) == line.release(sign=True)
    assert (
        len(
            line.store.client().search_runs(
                [line.store.experiment(line.store.client(), "bright-row")]
            )
        )
        == 1
    )
    promote()  # by the signature that was logged first


def _artifacts(line: Line) -> Path:
    run = json.loads(Path("reports/release_run.json").read_text())["run_id"]
    return Path(line.folder, "mlruns/artifacts/bright-row", run, "artifacts")


@pytest.mark.parametrize(
    "name",
    [
        "dist/bright_row-1.2.0rc1-py3-none-any.whl",
        "dist/manifest.json",
        "reports/predictions.parquet",
        "reports/gates.json",
        "files.json",
    ],
)
@pytest.mark.parametrize("way", ["flipped", "lost", "of another kind"])
def test_evidence_that_is_not_as_it_was_logged_is_refused(
    released: Line, name: str, way: str
) -> None:
    path = _artifacts(released) / name
    content = bytearray(path.read_bytes())
    if way == "lost":
        path.unlink()
    elif way == "of another kind":
        path.write_text("[1]")
    else:
        # a digit stays a digit: no JSON breaks
        place = content.index(b"1") if name.endswith(".json") else len(content) // 2
        content[place] ^= 1
        path.write_bytes(content)
    with pytest.raises(
        DuliError,
        match=(
            r"not the file that was released|is not the one it was logged with|does not hold the"
            r" evidence"
        ),
    ):
        promote()
    assert released.champion() == {"champion": None}


def test_another_test_split_is_refused_unless_the_champion_is_asked_anew(
    promoted: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted.release(bias=6, shift=1)
    before = state(promoted)
    with pytest.raises(GateError, match="`duli promote --rejudge`"):
        promote()
    untouched(promoted, before)
    capsys.readouterr()
    promote(rejudge=True)
    assert "lost 0 of 300" in capsys.readouterr().out
    with pytest.raises(
        DataError, match=r"is not the test split that release .* brings that split back"
    ):
        promotion.rollback()  # the test split of the first release does not lie here any more


def test_the_same_wheel_in_another_report_is_the_champion_already_and_what_was_before_stays(
    succeeded: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a promotion the report compares with another champion: the next `dvc repro` makes
    another release of the same wheel.
    """
    before = state(succeeded)
    succeeded.release(bias=6, price=3.0)
    promote()
    assert "is the champion already: release" in capsys.readouterr().out
    untouched(succeeded, before)


def test_the_registered_model_has_to_be_the_packed_one(released: Line) -> None:
    (path,) = Path("mlruns/artifacts/bright-row").glob("models/*/artifacts/model.onnx")
    path.write_bytes(b"other bytes")
    with pytest.raises(
        GateError, match=r"the registered version 1 is not the model of this release"
    ):
        promote()
    path.unlink()
    with pytest.raises(DataError, match=r"MLflow.*1.*`duli track`"):
        promote()


def test_without_a_version_the_release_of_the_files_here_is_meant_not_the_one_that_was_logged_last(
    released: Line,
) -> None:
    Path("reports/report.md").write_text("made anew, and not logged")
    with pytest.raises(
        DataError,
        match=r"MLflow.*`duli track`",
    ):
        promote()


def test_a_run_that_was_logged_anew_stands_for_the_release_that_lies_here(released: Line) -> None:
    released.store.client().delete_run(
        json.loads(Path("reports/release_run.json").read_text())["run_id"]
    )
    track.record(Path(), released.environment)
    promote()
    assert released.aliases() == {"challenger": 1, "champion": 1}


def test_gates_that_params_have_now_hold_too(line: Line) -> None:
    line.release(bias=8)
    line.gate = {"measure": "business.accuracy", "min": 0.9}
    line.params(PROMOTION)
    with pytest.raises(GateError, match=r"business.accuracy.value = 0.88.*0.9"):
        promote()


def test_probabilities_that_were_not_the_packed_models_are_refused(line: Line) -> None:
    """The same answers at another temperature: coverage and cost would be another's."""
    line.release(bias=6)
    table = pq.read_table("reports/predictions.parquet")
    flat = np.sqrt(table["int8"].combine_chunks().flatten().to_numpy())
    columns = {
        "id": table["id"],
        "label": table["label"],
        "int8": pa.FixedSizeListArray.from_arrays(pa.array(flat), 3),
    }
    pq.write_table(pa.table(columns), "reports/predictions.parquet")
    track.record(Path(), line.environment)
    with pytest.raises(GateError, match=r"\b0\b.*\b300\b.*0\.\d"):
        promote()


def test_a_champion_that_does_not_answer_any_more_does_not_stop_its_rollback(
    succeeded: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise GateError("the released wheel does not answer")

    monkeypatch.setattr(promotion, "_compared", broken)
    promotion.rollback()
    assert "not compared: the released wheel does not answer" in capsys.readouterr().out
    assert succeeded.champion()["champion"]["model_version"] == 1


def test_the_store_of_another_repository_is_not_put_right(
    promoted: Line, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / ".dvc").mkdir()
    (elsewhere / "champion.json").write_text('{"champion": null}')
    shutil.copy("params.yaml", elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{promoted.folder}/mlruns/mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(elsewhere))
    monkeypatch.chdir(elsewhere)
    releases.releases()
    assert promoted.aliases() == {"challenger": 1, "champion": 1}


def test_a_log_that_cannot_be_written_to_stops_a_promotion_before_anything_moves(
    released: Line,
) -> None:
    Path("promotions.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        promote()
    assert (released.aliases(), released.champion()) == ({"challenger": 1}, {"champion": None})


def test_a_decision_that_is_not_in_the_log_is_written_down_by_the_next(promoted: Line) -> None:
    Path("promotions.jsonl").unlink()
    promoted.release(bias=6)
    promote()
    assert [(entry["action"], entry["to"]["model_version"]) for entry in promoted.log()] == [
        ("found", 1),
        ("promote", 2),
    ]


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "foo://x", "sqlite:///mlruns", "sqlite:///params.yaml"]
)
def test_a_store_that_does_not_answer_is_one_clear_error(
    released: Line, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for command in (promote, promotion.rollback, releases.releases):
        with pytest.raises(DuliError, match=r"does not answer|is a folder"):
            command()


def test_an_expected_champion_that_is_none_any_more_stops_a_promotion(line: Line) -> None:
    line.release(bias=7)
    with pytest.raises(GateError, match=r"none.*\b1\b"):
        promote(expect=1)
    promote()
    line.release(bias=6)
    promote(expect=1)
    line.release(bias=6.5)
    before = state(line)
    with pytest.raises(GateError, match=r"\b2\b.*\b1\b"):
        promote(expect=1)
    untouched(line, before)


def test_who_was_overtaken_while_comparing_is_told_and_changes_nothing(
    promoted: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted.release(bias=6.5)
    promoted.release(bias=6)
    real = promotion._compared

    def overtaken(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(promotion, "_compared", real)
        promote(2)
        return real(*arguments, **named)

    monkeypatch.setattr(promotion, "_compared", overtaken)
    with pytest.raises(
        GateError,
        match=r"2.*bright-row.*1",
    ):
        promote(3)
    assert promoted.aliases() == {"challenger": 3, "champion": 2, "previous": 1}
    assert promoted.champion()["champion"]["model_version"] == 2


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize(
    "place",
    ["set_registered_model_alias 1", "set_registered_model_alias 2", "write_json", "append_json"],
)
def test_an_error_in_the_middle_is_undone_or_made_whole_by_the_next_call(
    challenged: Line, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where the last step, the log, is what failed, the promotion is done: champion.json says so
    and MLflow follows.
    """
    _break(monkeypatch, place)
    with pytest.raises(Killed):
        promote()
    monkeypatch.undo()
    monkeypatch.chdir(challenged.folder)
    monkeypatch.setenv("DVC_ROOT", str(challenged.folder))
    done = place == "append_json"
    expected = (
        {"challenger": 2, "champion": 2, "previous": 1}
        if done
        else {"challenger": 2, "champion": 1}
    )
    assert challenged.aliases() == expected
    releases.releases()
    assert challenged.champion()["champion"]["model_version"] == (2 if done else 1)
    assert challenged.aliases() == expected
    promote()
    assert challenged.aliases() == {"challenger": 2, "champion": 2, "previous": 1}


def _break(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Makes the n-th call of one of the writes the last thing that happens."""
    from mlflow import MlflowClient

    from duli.base import files

    name, _, number = place.partition(" ")
    owner: Any = MlflowClient if number else files
    real: Callable[..., Any] = getattr(owner, name)
    left = [int(number or 1)]

    def broken(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, broken)


@pytest.mark.parametrize("moment", ["aliases", "champion.json"])
def test_killed_for_real_between_mlflow_and_git_the_next_call_agrees_with_git(
    challenged: Line, moment: str
) -> None:
    pid = os.fork()
    if not pid:
        if moment == "aliases":
            promotion.files.write_json = lambda *_: os.kill(os.getpid(), 9)  # type: ignore[attr-defined]
        promotion.files.append_json = lambda *_: os.kill(os.getpid(), 9)  # type: ignore[attr-defined]
        promote()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 9
    assert challenged.aliases()["champion"] == 2
    releases.releases()
    agreed = 1 if moment == "aliases" else 2
    assert (
        challenged.champion()["champion"]["model_version"]
        == challenged.aliases()["champion"]
        == agreed
    )


def test_a_promotion_that_came_by_git_moves_the_aliases_of_the_own_store(succeeded: Line) -> None:
    pulled = succeeded.champion()
    promotion.rollback()
    Path("champion.json").write_text(json.dumps(pulled))
    releases.releases()
    assert succeeded.aliases() == {"challenger": 2, "champion": 2, "previous": 1}


def test_a_champion_that_this_store_does_not_hold_is_named_with_the_fix(
    promoted: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = promoted.champion()
    elsewhere["champion"]["release"] = "f" * 64
    Path("champion.json").write_text(json.dumps(elsewhere))
    promoted.release(bias=6)
    with pytest.raises(DataError, match=r"MLFLOW_TRACKING_URI.*`duli track`"):
        promote()
    assert promoted.aliases() == {"challenger": 2}
    releases.releases()
    assert (
        "champion.json names version 1 (1.2.0rc1), which this MLflow does not hold"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"champion": []}',
        '{"champion": {"name": "x"}}',
        '{"champion": null, "previos": null}',
        '{"champion": 1e999}',
        b"\xff",
    ],
)
def test_a_damaged_champion_json_is_one_clear_error(released: Line, content: str | bytes) -> None:
    Path("champion.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in (promote, promotion.rollback, releases.releases):
        with pytest.raises(DataError, match=r"champion.json"):
            command()
    Path("champion.json").unlink()
    with pytest.raises(DataError, match=r"champion.json"):
        promote()


def test_releases_are_listed_with_their_places(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    line.params(PROMOTION)
    releases.releases()
    assert (
        "has no release of bright-row; `duli track` logs what lies here" in capsys.readouterr().out
    )
    line.release(bias=7)
    promote()
    line.release(bias=7, price=2.0)
    line.release(bias=6)
    promote()
    capsys.readouterr()
    releases.releases()
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["version", "release", "run", "logged"]
    assert [(row.split()[0], row.split("release", 1)[1].strip()) for row in rows] == [
        ("2", "champion, challenger"), ("1", ""), ("1", "previous"),
    ]  # fmt: skip
    assert "98.67%" in rows[0]


def test_each_line_of_the_product_range_is_listed_and_promoted_by_itself(
    released: Line, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    further = copy.copy(released)
    further.folder = released.folder / "pipelines/calm"
    further.folder.mkdir(parents=True)
    (further.folder / "champion.json").write_text('{"champion": null}')
    monkeypatch.setitem(tiny.RELEASE, "name", "calm-row")
    monkeypatch.chdir(further.folder)
    further.release(bias=6)
    promote()
    assert further.champion()["champion"]["name"] == "calm-row"
    assert (released.champion(), released.aliases()) == ({"champion": None}, {"challenger": 1})
    capsys.readouterr()
    releases.releases()  # in the folder of a line that one alone, without its name
    alone = capsys.readouterr().out.splitlines()
    monkeypatch.chdir(released.folder)
    releases.releases()
    shown = capsys.readouterr().out.splitlines()
    assert [shown[0], shown[3:5]] == ["bright-row (.)", ["", "calm-row (pipelines/calm)"]]
    assert shown[5:] == alone
    assert [row.split("release", 1)[1].strip() for row in (shown[2], shown[6])] == [
        "challenger",
        "champion, challenger",
    ]
    client = released.store.client()
    assert {client.get_experiment_by_name(name).name for name in ("bright-row", "calm-row")} == {
        "bright-row",
        "calm-row",
    }
    assert {model.name for model in client.search_registered_models()} == {"bright-row", "calm-row"}


def test_a_log_line_that_a_crash_cut_short_stays_apart(released: Line) -> None:
    Path("promotions.jsonl").write_text('{"at": "2026-01-01", "act')
    promote()
    torn, whole = Path("promotions.jsonl").read_text().splitlines()
    assert torn == '{"at": "2026-01-01", "act'
    assert json.loads(whole)["action"] == "promote"


def test_a_store_that_lost_its_registry_is_told(released: Line) -> None:
    assert released.store.database is not None
    with closing(sqlite3.connect(released.store.database)) as database:
        database.execute("delete from model_version_tags where key = 'duli.model_id'")
        database.commit()
    with pytest.raises(DataError, match="`duli track`"):
        promote()


def test_on_a_server_that_others_use_git_that_is_behind_moves_nothing(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bias in (7, 6.5, 6):
        line.release(bias=bias)
    with served(line.store) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        promote(1)
        # a colleague, whose champion.json is not here yet
        line.store.client().set_registered_model_alias("bright-row", "champion", "2")
        releases.releases()
        assert line.aliases()["champion"] == 2
        with pytest.raises(
            DuliError,
            match=(r"MLflow.*2.*bright-row.*champion.json.*1.*`git pull`"),
        ):
            promote(3)
        assert (line.aliases()["champion"], line.champion()["champion"]["model_version"]) == (2, 1)
        promote(2)  # was it a crash and nobody else, the same promotion again ends it
        assert line.aliases() == {"challenger": 3, "champion": 2, "previous": 1}
        assert line.champion()["champion"]["model_version"] == 2


def test_of_promoters_that_race_exactly_one_wins_and_the_others_are_told(
    promoted: Line,
) -> None:
    for bias in (6.0, 6.4):
        promoted.release(bias=bias)
    code = "from duli.cli.main import main; main()"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, "promote", str(version), "--expect", "1"],
            cwd=promoted.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for version in (2, 3)
    ]
    ended = [(racer.communicate(timeout=300), racer.returncode) for racer in racers]
    assert sorted(code for _, code in ended) == [0, 1]
    winner = next(version for version, (_, code) in enumerate(ended, start=2) if code == 0)
    assert (
        promoted.champion()["champion"]["model_version"] == promoted.aliases()["champion"] == winner
    )
    assert len(promoted.log()) == 2
    told = [error for (_, error), code in ended if code]
    assert all(f"version {winner} " in error for error in told), told
    assert not [error for error in told if "Traceback" in error]
