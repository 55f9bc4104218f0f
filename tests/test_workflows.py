"""What CI would do: which pushes start a workflow, what it may do, and the one pull request, with a
`gh` that only takes notes.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.closure import ROOT

BRANCH = "duli/retrain"
# Keeps what it is asked, answers `gh pr list` from a file, and takes a text's bytes from where it
# says they are, as `gh` does.
GH = """#!/usr/bin/env python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
asked = sys.argv[1:]
body = pathlib.Path(asked[asked.index("--body-file") + 1]).read_text() if "--body-file" in asked else None
with (folder / "asked.jsonl").open("a") as file:
    print(json.dumps([asked, body]), file=file)
if asked[:2] == ["pr", "list"]:
    print((folder / "open").read_text() if (folder / "open").exists() else "", end="")
if asked[:2] == ["pr", "create"]:
    (folder / "open").write_text("7\\n")
"""


class Notes:
    """A folder for the PATH with a `gh` that notes what it is asked; the first `pr create` opens
    number 7.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "gh").write_text(GH)
        (folder / "gh").chmod(0o755)

    def asked(self) -> list[tuple[list[str], str | None]]:
        """All calls since the last time: arguments, and the text that was given."""
        path = self.folder / "asked.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [(asked, body) for asked, body in map(json.loads, lines)]


@cache
def _pushes(workflow: str) -> Any:
    return YAML(typ="safe").load(ROOT / ".github/workflows" / workflow)["on"]["push"]


def triggers(workflow: str, branch: str, changed: Iterable[str]) -> bool:
    """Whether a push of these files to this branch starts the workflow, by its own `on.push`."""
    push = _pushes(workflow)
    folders = tuple(path.removesuffix("**") for path in push["paths"] if path.endswith("/**"))
    return branch in push["branches"] and any(
        path in push["paths"] or path.startswith(folders) for path in changed
    )


def test_the_workflows_push_to_no_branch_that_starts_them() -> None:
    """What a merged proposal brings by itself starts no retraining, and what the graph depends on
    does.
    """
    assert not triggers(
        "retrain.yml", "main", ["dvc.lock", "champion.json", "data/accepted/a.parquet.dvc"]
    )
    made = (
        "data/raw",
        "data/prepared",
        "data/accepted",
        "models",
        "reports",
        "dist",
        "champion.json",
    )
    for stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values():
        for dep in stage.get("deps", []):
            path = dep.replace("${root}/", "").replace(
                "${report.market}", "data/market/compute.csv"
            )
            assert path.startswith(made) or triggers("retrain.yml", "main", [path]), path
    assert not triggers("retrain.yml", BRANCH, ["params.yaml"])


def test_gitlab_retrains_for_the_same_files_and_calls_the_same_targets() -> None:
    gitlab = YAML(typ="safe").load(ROOT / ".gitlab-ci.yml")
    changes = [path for rule in gitlab["retrain"]["rules"] for path in rule.get("changes", [])]
    assert [path.replace("/**/*", "/**") for path in changes] == _pushes("retrain.yml")["paths"]
    assert [path for rule in gitlab["promote"]["rules"] for path in rule["changes"]] == _pushes(
        "promote.yml"
    )["paths"]
    assert [line for line in gitlab["retrain"]["script"] if line.startswith("make")] == [
        "make retrain",
        "make propose",
    ]
    assert gitlab["promote"]["script"] == ["make promote"]


@pytest.mark.parametrize(
    "workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem
)
def test_workflows_take_no_more_rights_than_they_name_and_only_pinned_actions(
    workflow: Path,
) -> None:
    content = YAML(typ="safe").load(workflow)
    assert content["permissions"] == {}
    assert content["concurrency"]["group"]
    for job in content["jobs"].values():
        assert job["permissions"].keys() <= {"contents", "pull-requests"}
        for step in job["steps"]:
            name, _, commit = step.get("uses", "").partition("@")
            assert not name or (len(commit) == 40 and set(commit) <= set("0123456789abcdef"))
            assert step.get("run", "make ").startswith("make ")


def test_one_pull_request_is_opened_and_then_updated(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "bin")
    shutil.copy(ROOT / "Makefile", tmp_path)
    folder = tmp_path / "reports/retrain"
    folder.mkdir(parents=True)
    environment = {**os.environ, "PATH": f"{notes.folder}:{os.environ['PATH']}"}
    for title, body in (
        ('A first "title" of $HOME', "the first\ntext\n"),
        ("A second", "the second"),
    ):
        (folder / "title.txt").write_text(f"{title}\n")
        (folder / "proposal.md").write_text(body)
        subprocess.run(
            ["make", "pull-request"], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    (listed, _), (opened, first), (again, _), (updated, second) = notes.asked()
    assert (
        listed
        == again
        == [
            "pr",
            "list",
            "--head",
            BRANCH,
            "--state",
            "open",
            "--json",
            "number",
            "--jq",
            ".[].number",
        ]
    )
    assert opened == [
        "pr",
        "create",
        "--head",
        BRANCH,
        "--title",
        'A first "title" of $HOME',
        "--body-file",
        "proposal.md",
    ]
    assert updated == ["pr", "edit", "7", "--title", "A second", "--body-file", "proposal.md"]
    assert (first, second) == ("the first\ntext\n", "the second")


def test_a_further_line_has_a_branch_and_a_pull_request_of_its_own(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "bin")
    shutil.copy(ROOT / "Makefile", tmp_path)
    folder = tmp_path / "pipelines/fashion/reports/retrain"
    folder.mkdir(parents=True)
    (folder / "title.txt").write_text("Its own\n")
    (folder / "proposal.md").write_text("text")
    environment = {**os.environ, "PATH": f"{notes.folder}:{os.environ['PATH']}"}
    subprocess.run(
        ["make", "pull-request", "LINE=fashion"],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    )
    assert [asked[:4] for asked, _ in notes.asked()] == [
        ["pr", "list", "--head", f"{BRANCH}-fashion"],
        ["pr", "create", "--head", f"{BRANCH}-fashion"],
    ]


def checks(folder: Path) -> dict[str, str]:
    """The very commands of `make lint` that look at workflow files, by the tool and what they look
    at; ruff and mypy take too long here.
    """
    said = subprocess.run(
        ["make", "-n", "lint"], cwd=folder, capture_output=True, text=True, check=False
    ).stdout
    found = [line for line in said.splitlines() if line.startswith(("check-jsonschema", "zizmor"))]
    return dict(zip(("github", "forms", "gitlab", "zizmor"), found, strict=True))


def passes(command: str, folder: Path) -> bool:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return (
        subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True
        ).returncode
        == 0
    )


@pytest.fixture
def linted(tmp_path: Path) -> Path:
    """A folder with the files that describe what CI does."""
    for name in ("Makefile", ".gitlab-ci.yml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    return tmp_path


def test_the_workflows_pass(linted: Path) -> None:
    assert all(passes(command, linted) for command in checks(linted).values())


@pytest.mark.parametrize(
    ("by", "file", "right", "wrong"),
    [
        ("github", ".github/workflows/retrain.yml", "runs-on:", "runs_on:"),
        ("forms", ".github/ISSUE_TEMPLATE/bug.yml", "body:", "bodies:"),
        ("gitlab", ".gitlab-ci.yml", "resource_group: retrain", "resource_groups: retrain"),
        # A token that training could read, an action that may change, a text of others that becomes
        # a command:
        (
            "zizmor",
            ".github/workflows/retrain.yml",
            "persist-credentials: false # training sees no token",
            "clean: true",
        ),
        (
            "zizmor",
            ".github/workflows/promote.yml",
            "actions/checkout@",
            "actions/checkout@v7 # was ",
        ),
        (
            "zizmor",
            ".github/workflows/retrain.yml",
            "run: make retrain",
            "run: make retrain ${{ github.head_ref }}",
        ),
    ],
)
def test_lint_fails_on_a_workflow_that_is_wrong(
    linted: Path, by: str, file: str, right: str, wrong: str
) -> None:
    before = (linted / file).read_text()
    (linted / file).write_text(before.replace(right, wrong))
    assert (linted / file).read_text() != before
    assert not passes(checks(linted)[by], linted)


def test_ci_calls_what_people_call() -> None:
    """`.ci/run` and ci.yml run the same targets, and those of the workflows are in the Makefile."""
    made = set((ROOT / ".ci/run").read_text().split("\nmake ")[1].split("\n")[0].split())
    steps = YAML(typ="safe").load(ROOT / ".github/workflows/ci.yml")["jobs"]["check"]["steps"]
    assert (
        {step["run"].removeprefix("make ") for step in steps if "run" in step}
        == made
        == {"browser", "lint", "test", "test-story"}
    )
    makefile = (ROOT / "Makefile").read_text()
    for target in (*made, "retrain", "propose", "promote"):
        assert f"\n{target}: " in makefile


def test_numpy_is_not_needed_to_decide() -> None:
    """`duli retrain` with nothing to do imports nothing heavy; see benchmarks/retrain.py for the
    seconds.
    """
    modules = "duli.cli.retrain, duli.cli.proposal, duli.retraining.decision"
    code = (
        f"import sys, {modules}; print(*{{'numpy', 'pyarrow', 'mlflow', 'dvc'}} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == []
