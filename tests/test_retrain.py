"""The whole story of retraining with real git, DVC and MLflow: who triggers what, what is proposed,
merged, promoted and rolled back.

Told in two parts that begin with the same first champion, so that two cores tell them at once.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from sqlite3 import connect
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.cli import main
from duli.datasets import mnist
from harness.clone import LEARNS, Clone, copied, make_clone
from tests.shared import once
from tests.test_workflows import BRANCH, Notes, triggers
from tests.tracking.conftest import migrated  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.story]

NOTHING, HELD, PROPOSED = 0, 1, 3
ME = ("-c", "user.name=people", "-c", "user.email=people@localhost")


LONG_AGO = "2026-01-01T00:00:00Z"


class World:
    """The people's clone, the bot's, the bare git remote between them, a DVC remote, and an MLflow
    store that both use.

    In `folder`, a copy of what `build` made.
    """

    def __init__(self, folder: Path, mnist_folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch, self.mnist = folder, patch, mnist_folder
        self.database, self.origin = folder / "mlruns/mlflow.db", folder / "origin.git"
        for name in [name for name in os.environ if name.startswith(("DVC_", "GIT_"))]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{self.database}")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        # or each of dozens of processes compiles the same code
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        self.people = Clone(folder / "people", MLFLOW_TRACKING_URI=f"sqlite:///{self.database}")
        self.bot = Clone(folder / "bot", MLFLOW_TRACKING_URI=f"sqlite:///{self.database}")

    def build(self, database: Path) -> None:
        """A line whose first release was promoted and pushed long ago."""
        self.database.parent.mkdir()
        copyfile(database, self.database)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.origin], check=True)
        self.people.folder.mkdir()
        make_clone(self.people.folder, self.mnist)
        for section, knobs in LEARNS.items():
            for key, value in knobs.items():
                self.people.set(section, key, value)
        self.people.run("dvc", "remote", "add", "-q", "-d", "store", "../store")
        self.people.run("git", "branch", "-M", "main")
        self.people.run("dvc", "repro", "-q")
        assert self.duli(self.people, "promote") == 0
        self.people.run("dvc", "push", "-q")
        self.people.environment["GIT_COMMITTER_DATE"] = LONG_AGO
        self.enter()
        self.push("The first champion", triggered=False)

    def enter(self) -> "World":
        """Lets both clones work in this folder."""
        self.people.run("git", "remote", "remove", "origin", check=False)
        self.people.run("git", "remote", "add", "origin", str(self.origin))
        if self.tip("main"):
            subprocess.run(["git", "clone", "-q", self.origin, self.bot.folder], check=True)
        return self

    def duli(self, where: Clone, *arguments: str) -> int:
        """A command in this process, which has imported everything already; gives its exit code."""
        self.patch.chdir(where.folder)
        self.patch.setattr(sys, "argv", ["duli", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0)

    def window(self, name: str, first: int, count: int, **changes: Any) -> None:
        """Puts real digits of MNIST that the line does not have into data/incoming, as people do;
        `changes` replace columns.
        """
        batch = next(iter(mnist.examples(self.mnist, 8192))).slice(first, count)
        columns = {
            "content": batch["content"].cast(pa.binary()),
            "label": batch["label"],
            **changes,
        }
        path = self.people.folder / f"data/incoming/{name}.parquet"
        pq.write_table(
            pa.table({key: value for key, value in columns.items() if value is not None}), path
        )
        self.people.run("dvc", "add", "-q", f"data/incoming/{name}.parquet")
        self.people.run("dvc", "push", "-q", f"data/incoming/{name}.parquet")

    def labels(self, first: int, count: int) -> Any:
        return next(iter(mnist.examples(self.mnist, 8192))).slice(first, count)["label"].to_numpy()

    def contents(self, first: int, count: int) -> list[bytes]:
        contents: list[bytes] = (
            next(iter(mnist.examples(self.mnist, 8192))).slice(first, count)["content"].to_pylist()
        )
        return contents

    def push(self, message: str, *, triggered: bool) -> None:
        """The people's work on main; `triggered` is whether the workflow has to run for it."""
        before = self.tip("main")
        self.people.run("git", "add", "-A")
        self.people.run("git", *ME, "commit", "-qm", message)
        self.people.run("git", "push", "-q", "origin", "main")
        if before:
            assert triggers("retrain.yml", "main", self.changed(before, "main")) is triggered

    def merge(self) -> list[str]:
        """People merge the proposal; gives the files that the push to main brings."""
        before = self.tip("main")
        self.people.run("git", "pull", "-q", "--no-rebase", "origin", "main", BRANCH)
        self.people.run("git", "push", "-q", "origin", "main")
        self.people.run("dvc", "pull", "-q", "--allow-missing")
        return self.changed(before, "main")

    def checkout(self) -> None:
        """The bot's clone becomes main, with the data that it still has."""
        self.bot.run("git", "fetch", "-q")
        self.bot.run("git", "reset", "-q", "--hard", "origin/main")
        self.bot.run("git", "clean", "-fdq", "data")
        if (self.bot.folder / "models").exists():
            self.bot.run("dvc", "checkout", "-q", "--force", "--allow-missing")

    def job(self) -> int:
        """What retrain.yml does, on a machine that has the data of its last job still; gives the
        exit code of `duli retrain`.
        """
        self.checkout()
        code = self.duli(self.bot, "retrain")
        before, main_before = self.tip(BRANCH), self.tip("main")
        assert self.duli(self.bot, "propose") == 0
        assert self.tip("main") == main_before
        assert self.branches() <= {"main", BRANCH}
        if (after := self.tip(BRANCH)) != before:
            assert not triggers("retrain.yml", BRANCH, self.changed(main_before, BRANCH))
            assert self.origin_git("rev-parse", f"{after}^") == main_before
        return code

    def proposed(self) -> tuple[str, set[str]]:
        """Title and files of what lies on the bot's branch."""
        return self.origin_git("log", "-1", "--format=%s", BRANCH), set(
            self.changed("main", BRANCH)
        )

    def decision(self) -> dict[str, Any]:
        decided: dict[str, Any] = self.bot.json("reports/retrain/decision.json")
        return {**decided, **{row["trigger"]: row for row in decided["rows"]}}

    def aliases(self) -> dict[str, int]:
        with closing(connect(self.database)) as database:
            rows = database.execute("select alias, version from registered_model_aliases")
            return {alias: int(version) for alias, version in rows if alias != "challenger"}

    def logged(self) -> tuple[dict[str, str], str]:
        """What MLflow holds of the last decision: tags of the release's run, and the table."""
        query = (
            "select key, value, artifact_uri from tags join runs using (run_uuid) where key like"
            " 'duli.retrain%' order by start_time"
        )
        with closing(connect(self.database)) as database:
            rows = list(database.execute(query))
        folder = Path(rows[-1][2].removeprefix("file://"))
        return {key: value for key, value, uri in rows if uri == rows[-1][2]}, (
            folder / "retraining/decision.md"
        ).read_text()

    def tip(self, branch: str) -> str:
        return self.origin_git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def branches(self) -> set[str]:
        return set(
            self.origin_git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
        )

    def changed(self, before: str, after: str) -> list[str]:
        return self.origin_git("diff", "--name-only", before, after).split()

    def origin_git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", self.origin, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()


@pytest.fixture
def world(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    mnist_folder: Path,
    migrated: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    def build(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            World(folder, mnist_folder, patch).build(migrated)

    return World(
        copied(once(tmp_path_factory, "story", build), tmp_path / "story"),
        mnist_folder,
        monkeypatch,
    ).enter()


def test_params_change_and_data_come_in_that_hurt(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    # A clean main, on a machine that has nothing: the data come from the remote. The champion is
    # old, and there is nothing to learn from.
    assert world.job() == NOTHING
    assert [row["fired"] for row in world.decision()["rows"]] == [False, True, None, None, False]
    assert "days old, retrain.max_age_days is 30" in world.decision()["schedule"]["evidence"]
    assert world.decision()["reason"].startswith(
        "schedule fired, but code, params and training data are as they were"
    )
    assert world.branches() == {"main"}
    # Up to an age that the champion has not, nothing fires.
    world.bot.set("retrain", "max_age_days", 100_000)
    capsys.readouterr()
    assert world.duli(world.bot, "retrain", "--explain", "--json") == 0
    assert [row["fired"] for row in json.loads(capsys.readouterr().out)] == [
        False,
        False,
        None,
        None,
        False,
    ]

    # A change of params, and two triggers at once: one waits for the other, and both come to the
    # same.
    world.people.set("report", "price_per_1000", 1.0)
    world.push("Cheaper", triggered=True)
    world.checkout()
    command = [sys.executable, "-c", "from duli.cli.main import main; main()", "retrain"]
    both = [
        subprocess.Popen(
            command,
            cwd=world.bot.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [PROPOSED, PROPOSED], said
    assert sum("another `duli retrain` works here; waiting for it" in one for one in said) == 1
    assert world.duli(world.bot, "propose") == 0
    tip = world.tip(BRANCH)
    assert world.proposed() == (
        "Retraining proposed: the same model (change, schedule)",
        {"dvc.lock"},
    )
    text = (world.bot.folder / "reports/retrain/proposal.md").read_text()
    assert "| change | fired | " in text
    assert "| Path " in text  # the metrics beside those of main
    assert "reports/retrain/plots/index.html" in text
    assert (world.bot.folder / "reports/retrain/plots/index.html").exists()
    assert (world.bot.folder / "reports/report.md").read_text() in text
    assert "Merging this brings `dvc.lock` up to date" in text
    # None once it is merged.
    assert not triggers("retrain.yml", "main", world.merge())
    assert world.job() == NOTHING
    assert (world.tip(BRANCH), world.proposed()[1]) == (tip, set())

    # Data that hurt: each digit called by the name of the next; and somebody starts the workflow
    # with a reason, so that every stage runs. Trained on, found out, shown to people, and not
    # released.
    world.window(
        "hurts", 1000, 2000, label=pa.array((world.labels(1000, 2000) + 1) % 10, pa.int16())
    )
    world.push("What came in on Tuesday", triggered=True)
    world.checkout()
    (world.bot.folder / ".venv").symlink_to(Path(sys.prefix))
    # exit code 0, for this is no failure
    shown = world.bot.run("env", "REASON=somebody wants to see it", "make", "retrain").stdout
    assert "Running stage 'fetch'" in shown
    decided = world.decision()
    assert decided["outcome"] == "held"
    assert decided["quality"]["fired"]  # the champion does not answer like that at all
    assert (decided["manual"]["evidence"], decided["manual"]["follows"]) == (
        "somebody wants to see it",
        "every stage runs again",
    )
    assert decided["record"] is None
    assert "business.accuracy.value = 0." in decided["reason"]
    assert world.duli(world.bot, "propose") == 0
    title, files = world.proposed()
    assert title == "Held, not for release: retraining (change, schedule, quality, manual)"
    assert files == {
        "dvc.lock",
        "data/accepted/hurts.parquet.dvc",
        "data/incoming/hurts.parquet.dvc",
    }
    assert world.aliases() == {"champion": 1}


def test_poison_is_kept_apart_and_data_that_help_are_merged_promoted_and_rolled_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first = world.people.json("champion.json")["champion"]
    notes = Notes(world.folder / "bin")

    # Poison: labels that no class has, and contents that are no image. Nothing of it is trained on.
    world.window("poison", 1000, 300, label=pa.array([77] * 300, pa.int16()))
    world.window("noise", 1300, 50, content=pa.array([b"no image"] * 50))
    world.push("What came in on Monday", triggered=True)
    assert world.job() == NOTHING
    assert (
        "poison.parquet goes to quarantine: nothing in it can be used (300 unknown label)"
        in world.decision()["change"]["evidence"]
    )
    assert "50 unreadable" in world.bot.json("data/quarantined/noise.json")["reason"]
    assert not list((world.bot.folder / "data/accepted").glob("*.parquet"))
    assert world.branches() == {"main"}
    world.people.run(
        "git", "rm", "-q", "data/incoming/poison.parquet.dvc", "data/incoming/noise.parquet.dvc"
    )

    # Data that help. The same result is the same proposal, however often.
    world.window("helps", 1000, 2500)
    world.push("What came in on Wednesday", triggered=True)
    world.checkout()
    assert world.duli(world.bot, "retrain") == PROPOSED
    (world.bot.folder / ".venv").symlink_to(Path(sys.prefix))
    world.bot.run(
        "env", f"PATH={notes.folder}:{os.environ['PATH']}", "GH_TOKEN=none", "make", "propose"
    )
    (helper, _), (_, _), (opened, text) = notes.asked()
    tip = world.tip(BRANCH)
    assert world.duli(world.bot, "propose") == 0
    assert world.tip(BRANCH) == tip
    title, files = world.proposed()
    assert title == "Retraining proposed: a new champion (change, schedule)"
    assert files == {
        "dvc.lock",
        "champion.json",
        "data/accepted/helps.parquet.dvc",
        "data/incoming/helps.parquet.dvc",
    }
    assert helper == ["auth", "setup-git"]
    assert opened[:2] == ["pr", "create"]
    assert title in opened
    assert text is not None
    assert "| change | fired | 2,500 new labelled examples in 1 window" in text
    assert "points (" in world.decision()["compared"]
    assert world.decision()["compared"] in text
    assert "| helps.parquet | 2,500 |" in (world.bot.folder / "dist/MODEL_CARD.md").read_text()
    assert world.aliases() == {"champion": 1}  # nothing is promoted before people merge
    tags, table = world.logged()
    assert tags == {"duli.retrain": "proposed", "duli.retrain_triggers": "change,schedule"}
    assert "| change | fired | 2,500 new labelled examples" in table

    # The merge promotes, and starts no further round.
    changed = world.merge()
    assert triggers("promote.yml", "main", changed)
    assert not triggers(
        "retrain.yml", "main", [path for path in changed if not path.startswith("data/incoming")]
    )
    world.checkout()
    assert world.duli(world.bot, "promote", "--merged") == 0
    second = world.people.json("champion.json")
    assert second["previous"] == first
    assert world.aliases() == {
        "champion": second["champion"]["model_version"],
        "previous": first["model_version"],
    }
    assert world.job() == NOTHING

    # The world drifts, and nobody knows the labels: said, and there is nothing to learn from.
    for name, start in (("friday", 5000), ("saturday", 5500)):
        pixels = np.stack(
            [np.frombuffer(one, np.uint8).reshape(28, 28) for one in world.contents(start, 400)]
        )
        world.window(
            name,
            start,
            400,
            label=None,
            content=pa.array(
                [image.tobytes() for image in np.roll(pixels, 2, axis=2)], pa.binary()
            ),
        )
    world.push("What came in later", triggered=True)
    capsys.readouterr()
    assert world.job() == NOTHING
    drift = world.decision()["drift"]
    assert drift["fired"]
    assert drift["evidence"].startswith(
        "2 of the last 2 windows drifted; it takes 2 of 3; friday.parquet (400 examples): "
    )
    assert "of centre_x" in drift["evidence"]
    assert "2 of the last 2 windows fired" in (world.bot.folder / "reports/drift.html").read_text()
    assert "there is nothing new to learn from" in capsys.readouterr().out

    # A rollback comes by git as well; it is not proposed away again. Drift is judged against what
    # is in use now, which does not lie here.
    assert world.duli(world.people, "rollback") == 0
    world.push("Back to the first", triggered=False)
    world.checkout()
    assert world.duli(world.bot, "promote", "--merged") == 0
    assert world.aliases() == {
        "champion": first["model_version"],
        "previous": second["champion"]["model_version"],
    }
    assert world.job() == NOTHING
    assert world.decision()["drift"]["fired"]
    assert (
        world.bot.folder
        / ".dvc/tmp/duli-champion"
        / first["release"]
        / "data/prepared/validation.parquet"
    ).exists()
    assert json.loads((world.bot.folder / "champion.json").read_text())["champion"] == first
    assert world.bot.run("git", "status", "--porcelain", "--", "champion.json").stdout == ""
    assert world.tip(BRANCH) == tip
