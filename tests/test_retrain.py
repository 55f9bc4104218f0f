"""The whole story of retraining with real git, DVC and MLflow: who triggers what, what is proposed, merged, promoted and rolled back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from sqlite3 import connect
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from duli.cli import main, retrain
from duli.datasets import mnist
from tests.closure import ROOT
from tests.test_line import Clone, make_clone
from tests.tracking.conftest import migrated  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.story]

BRANCH = "duli/retrain"
NOTHING, HELD, PROPOSED = 0, 1, 3
# Windows of the story are too small to be judged: tests/cli/test_incoming.py judges large ones, and one scene takes a verdict as given.
DRIFT = {"windows": 3, "needed": 2, "false_alarms": 0.1, "min_examples": 5000, "reference": 100, "resamples": 100, "seed": 0}
# As small as a line can be that still learns something from more examples.
KNOBS: dict[str, dict[str, Any]] = {
    "train": {"epochs": 4, "batch": 32, "hardest": 1.0},
    "quantize": {"variants": ["fp16"], "calibration_rows": 32},
    "evaluate": {"robustness": {"seed": 0, "corruptions": {"examples": 20}, "pgd": {"epsilons": [8], "steps": 1, "examples": 10}}},
    "benchmark": {"seconds": 0.2, "batches": [1, 8]},
    "report": {"draws": 100},
    "gates": {
        "require": {
            "data_valid": {"measure": "validation.success", "min": 1},
            "accuracy": {"measure": "business.accuracy", "min": 0.6},
        }
    },
    "promotion": {"not_worse_by": 0.02},
    "retrain": {"max_age_days": 30, "drift": DRIFT, "min_accuracy": 0.5, "min_examples": 100},
}
ME = ("-c", "user.name=people", "-c", "user.email=people@localhost")


class World:
    """The people's clone, the bot's, the bare git remote between them, a DVC remote, and an MLflow store that both use."""

    def __init__(self, folder: Path, mnist_folder: Path, database: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch, self.mnist = patch, mnist_folder
        self.database = folder / "mlflow.db"
        copyfile(database, self.database)
        for name in [name for name in os.environ if name.startswith(("DVC_", "GIT_"))]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{self.database}")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        self.origin = folder / "origin.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.origin], check=True)
        (folder / "people").mkdir()
        self.people = make_clone(folder / "people", mnist_folder)
        self.people.environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.database}"}
        for section, knobs in KNOBS.items():
            for key, value in knobs.items():
                self.people.set(section, key, value)
        self.people.run("dvc", "remote", "add", "-q", "-d", "store", str(folder / "store"))
        self.people.run("git", "remote", "add", "origin", str(self.origin))
        self.people.run("git", "branch", "-M", "main")
        self.people.run("dvc", "repro", "-q")
        assert self.duli(self.people, "promote") == 0
        self.people.run("dvc", "push", "-q")
        self.push("The first champion", triggered=False)
        subprocess.run(["git", "clone", "-q", self.origin, folder / "bot"], check=True)
        self.bot = Clone(folder / "bot")

    def duli(self, where: Clone, *arguments: str) -> int:
        """A command in this process, which has imported everything already; gives its exit code."""
        self.patch.chdir(where.folder)
        self.patch.setattr(sys, "argv", ["duli", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0)

    def window(self, name: str, first: int, count: int, **changes: Any) -> None:
        """Puts real digits of MNIST that the line does not have into data/incoming, as people do; `changes` replace columns."""
        batch = next(iter(mnist.examples(self.mnist, 8192))).slice(first, count)
        columns = {"content": batch["content"].cast(pa.binary()), "label": batch["label"], **changes}
        path = self.people.folder / f"data/incoming/{name}.parquet"
        pq.write_table(pa.table({key: value for key, value in columns.items() if value is not None}), path)
        self.people.run("dvc", "add", "-q", f"data/incoming/{name}.parquet")
        self.people.run("dvc", "push", "-q", f"data/incoming/{name}.parquet")

    def labels(self, first: int, count: int) -> Any:
        return next(iter(mnist.examples(self.mnist, 8192))).slice(first, count)["label"].to_numpy()

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
        """What retrain.yml does, on a machine that has the data of its last job still; gives the exit code of `duli retrain`."""
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
        return self.origin_git("log", "-1", "--format=%s", BRANCH), set(self.changed("main", BRANCH))

    def decision(self) -> dict[str, Any]:
        decided: dict[str, Any] = self.bot.json("reports/retrain/decision.json")
        return {**decided, **{row["trigger"]: row for row in decided["rows"]}}

    def aliases(self) -> dict[str, int]:
        with closing(connect(self.database)) as database:
            rows = database.execute("select alias, version from registered_model_aliases")
            return {alias: int(version) for alias, version in rows if alias != "challenger"}

    def tip(self, branch: str) -> str:
        return self.origin_git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def branches(self) -> set[str]:
        return set(self.origin_git("for-each-ref", "--format=%(refname:short)", "refs/heads").split())

    def changed(self, before: str, after: str) -> list[str]:
        return self.origin_git("diff", "--name-only", before, after).split()

    def origin_git(self, *arguments: str) -> str:
        return subprocess.run(["git", "-C", self.origin, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def triggers(workflow: str, branch: str, changed: Iterable[str]) -> bool:
    """Whether a push of these files to this branch starts the workflow, by its own `on.push`."""
    push = YAML(typ="safe").load(ROOT / ".github/workflows" / workflow)["on"]["push"]
    folders = tuple(path.removesuffix("**") for path in push["paths"] if path.endswith("/**"))
    return branch in push["branches"] and any(path in push["paths"] or path.startswith(folders) for path in changed)


def test_the_whole_story(
    tmp_path: Path,
    mnist_folder: Path,
    migrated: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World(tmp_path, mnist_folder, migrated, monkeypatch)
    first = world.people.json("champion.json")["champion"]

    # A clean main, on a machine that has nothing: the data come from the remote, and there is nothing to do.
    assert world.job() == NOTHING
    assert [row["fired"] for row in world.decision()["rows"]] == [False, False, None, None, False]
    assert world.branches() == {"main"}

    # A change of params: one proposal, the same one however often, and none once it is merged.
    world.people.set("report", "price_per_1000", 1.0)
    world.push("Cheaper", triggered=True)
    assert world.job() == PROPOSED
    assert "report is stale: champion.json modified, params.yaml: report" in world.decision()["change"]["evidence"]
    assert world.proposed() == ("Retraining proposed: the same model (change)", {"dvc.lock"})
    tip = world.tip(BRANCH)
    assert world.job() == PROPOSED
    assert world.tip(BRANCH) == tip
    text = (world.bot.folder / "reports/retrain/proposal.md").read_text()
    assert "| change | fired | report is stale" in text
    assert "| Path " in text  # the metrics beside those of main
    assert "Merging this brings `dvc.lock` up to date" in text
    assert not triggers("retrain.yml", "main", world.merge())
    assert world.job() == NOTHING
    assert (world.tip(BRANCH), world.proposed()[1]) == (tip, set())

    # Poison: labels that no class has, and contents that are no image. Nothing of it is trained on.
    world.window("poison", 1000, 300, label=pa.array([77] * 300, pa.int16()))
    world.window("noise", 1300, 50, content=pa.array([b"no image"] * 50))
    world.push("What came in on Monday", triggered=True)
    assert world.job() == NOTHING
    assert "poison.parquet goes to quarantine: nothing in it can be used (300 unknown label)" in world.decision()["change"]["evidence"]
    assert "50 unreadable" in world.bot.json("data/quarantined/noise.json")["reason"]
    assert not list((world.bot.folder / "data/accepted").glob("*.parquet"))
    world.people.run("git", "rm", "-q", "data/incoming/poison.parquet.dvc", "data/incoming/noise.parquet.dvc")

    # Data that hurt: each digit called by the name of the next. Trained on, found out, shown to people, and not released.
    world.window("hurts", 1000, 2000, label=pa.array((world.labels(1000, 2000) + 1) % 10, pa.int16()))
    world.push("What came in on Tuesday", triggered=True)
    assert world.job() == HELD
    decided = world.decision()
    assert decided["quality"]["fired"]  # the champion does not answer like that at all
    assert decided["record"] is None
    assert "business.accuracy.value = 0." in decided["reason"]
    title, files = world.proposed()
    assert title == "Held, not for release: retraining (change, quality)"
    assert files == {"dvc.lock", "data/accepted/hurts.parquet.dvc", "data/incoming/hurts.parquet.dvc"}
    world.people.run("git", "rm", "-q", "data/incoming/hurts.parquet.dvc")

    # Data that help, and two triggers at once: one waits for the other, and both come to the same.
    world.window("helps", 1000, 2500)
    world.push("What came in on Wednesday", triggered=True)
    world.checkout()
    command = [sys.executable, "-c", "from duli.cli.main import main; main()", "retrain"]
    both = [subprocess.Popen(command, cwd=world.bot.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [PROPOSED, PROPOSED], said
    assert sum("another `duli retrain` works here; waiting for it" in one for one in said) == 1
    assert world.duli(world.bot, "propose") == 0
    title, files = world.proposed()
    assert title.startswith("Retraining proposed: a new champion (")
    assert files == {"dvc.lock", "champion.json", "data/accepted/helps.parquet.dvc", "data/incoming/helps.parquet.dvc"}
    assert "points (" in world.decision()["compared"]
    assert world.aliases() == {"champion": 1}  # nothing is promoted before people merge

    # The merge promotes, and starts no further round.
    changed = world.merge()
    assert triggers("promote.yml", "main", changed)
    world.checkout()
    assert world.duli(world.bot, "promote", "--merged") == 0
    second = world.people.json("champion.json")
    assert second["previous"] == first
    assert world.aliases() == {"champion": second["champion"]["model_version"], "previous": first["model_version"]}
    assert world.job() == NOTHING
    assert world.duli(world.bot, "promote", "--merged") == 0
    capsys.readouterr()

    # The world drifts, and nobody knows the labels: said, and there is nothing to learn from.
    for name in ("friday", "saturday"):
        world.window(name, 5000 if name == "friday" else 5500, 400, label=None)
    world.push("What came in later", triggered=True)
    row = {"test": "ks", "feature": "mean", "statistic": 0.3, "threshold": 0.1, "p_value": 0.001, "fired": True}
    verdict = SimpleNamespace(fired=True, examples=400, evidence=[row])
    with monkeypatch.context() as drifting:
        drifting.setattr(retrain, "_verdicts", lambda windows, settings: ({window.path.name: verdict for window in windows}, ""))
        assert world.job() == NOTHING
    assert world.decision()["drift"]["fired"]
    assert "ks of mean" in world.decision()["drift"]["evidence"]
    assert "there is nothing new to learn from" in capsys.readouterr().out

    # A rollback comes by git as well; it is not proposed away again.
    assert world.duli(world.people, "rollback") == 0
    world.push("Back to the first", triggered=False)
    world.checkout()
    assert world.duli(world.bot, "promote", "--merged") == 0
    assert world.aliases() == {"champion": first["model_version"], "previous": second["champion"]["model_version"]}
    assert world.job() == NOTHING
    assert json.loads((world.bot.folder / "champion.json").read_text())["champion"] == first
    assert world.bot.run("git", "status", "--porcelain", "--", "champion.json").stdout == ""


def test_the_workflows_push_to_no_branch_that_starts_them() -> None:
    """What a merged proposal brings by itself starts no retraining, and what the graph depends on does."""
    assert not triggers("retrain.yml", "main", ["dvc.lock", "champion.json", "data/accepted/a.parquet.dvc"])
    made = ("data/raw", "data/prepared", "data/accepted", "models", "reports", "dist", "champion.json")
    for stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values():
        for dep in stage.get("deps", []):
            path = dep.replace("${root}/", "").replace("${report.market}", "data/market/compute.csv")
            assert path.startswith(made) or triggers("retrain.yml", "main", [path]), path
    assert not triggers("retrain.yml", BRANCH, ["params.yaml"])


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflows_take_no_more_rights_than_they_name_and_only_pinned_actions(workflow: Path) -> None:
    content = YAML(typ="safe").load(workflow)
    assert content["permissions"] == {}
    assert content["concurrency"]["group"]
    for job in content["jobs"].values():
        assert job["permissions"].keys() <= {"contents", "pull-requests"}
        for step in job["steps"]:
            name, _, commit = step.get("uses", "").partition("@")
            assert not name or (len(commit) == 40 and set(commit) <= set("0123456789abcdef"))
            assert step.get("run", "make ").startswith("make ")


def test_numpy_is_not_needed_to_decide() -> None:
    """`duli retrain` with nothing to do imports nothing heavy; see benchmarks/retrain.py for the seconds."""
    modules = "duli.cli.retrain, duli.cli.proposal, duli.retraining.decision"
    code = f"import sys, {modules}; print(*{{'numpy', 'pyarrow', 'mlflow', 'dvc'}} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
