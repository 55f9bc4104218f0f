"""The whole line by real `dvc repro`, on a small real subset of MNIST, in a clone of this
repository.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from duli.base.params import Params
from duli.cli.lines import LINKS
from duli.gates import gates
from duli.tracking.client.store import Store
from harness.clone import Clone, make_clone
from stages.__main__ import STAGES
from stages.sections import catalogue
from tests.closure import ROOT, path, reachable
from tests.shared import once
from tests.tracking.conftest import fresh, migrated  # noqa: F401

pytestmark = pytest.mark.slow

# stages.sections stops a stage whose params are wrong, and changes nothing else: no dep, but it has
# to be importable, and it looks for the architectures and data sets that params name.
CHECKS_PARAMS = sorted(
    {
        str(path(name).relative_to(ROOT))
        for name in reachable(
            "stages.sections",
            named={
                "duli.datasets": "mnist",
                "duli.models": "fastconv",
                "duli.kinds": "image",
                "duli.tasks": "classification",
            },
        )
    }
    | {
        str(one.relative_to(ROOT))
        for folder in ("models", "datasets", "models/shared")
        for one in (ROOT / "duli" / folder).glob("*.py")
    }
)
PLOTS = (
    "Confusion_on_the_test_split",
    "Reliability_on_the_test_split",
    "Risk_and_coverage",
    "Accuracy_by_slice_of_the_test_split",
    "Accuracy_on_spoilt_and_attacked_images",
    "Accuracy_and_cost_of_the_variants",
)
DULI = (sys.executable, "-c", "from duli.cli.main import main; main()")
ME = ("-c", "user.name=t", "-c", "user.email=t@localhost")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, mnist_folder: Path) -> Clone:
    """A clone whose line has run once, which tests may read; those that change something work on
    copies of it.
    """

    def build(folder: Path) -> None:
        assert make_clone(folder, mnist_folder).repro() == list(STAGES)

    # The one of all workers is only copied: nothing in it changes while another worker copies it.
    return Clone(once(tmp_path_factory, "line", build)).copy(
        tmp_path_factory.mktemp("built") / "line"
    )


@pytest.fixture
def clone(built: Clone, tmp_path: Path) -> Clone:
    return built.copy(tmp_path / "clone")


def test_the_first_run_makes_a_release_whose_gate_holds_it(built: Clone) -> None:
    """A few hundred digits do not make 99 %: the line runs to its end, and the verdict is hold."""
    table = built.duli("show")
    assert re.search(
        r"verdict +hold: accuracy: business.accuracy.low = 0\.\d+ is below 0\.99", table
    )
    assert re.search(r"wheel +dist/digits-0\.1\.0-py3-none-any\.whl \(\d+ kB, unsigned\)", table)
    assert (built.folder / "reports/report.html").stat().st_size > 10_000
    [(run, status)] = built.runs("digits")
    assert (status, run) == ("FINISHED", built.json("reports/release_run.json")["run_id"])
    assert {status for _, status in built.runs("mnist-training")} == {"FINISHED"}
    assert not re.search(
        r"\.tmp$", "\n".join(str(path) for path in built.folder.rglob(".*")), re.MULTILINE
    )


def test_dvc_shows_metrics_and_plots(clone: Clone) -> None:
    lines = json.loads(clone.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    metrics = {path: one for path, one in lines.items() if "data" in one}
    # more than a dozen numbers and `dvc exp show` has no room for any
    assert metrics.keys() == {"reports/headline.json"}
    accuracy = clone.json("reports/business.json")["accuracy"]["value"]
    # rounded to be read
    assert metrics["reports/headline.json"]["data"]["accuracy"] == pytest.approx(accuracy, rel=1e-4)
    assert len(metrics["reports/headline.json"]["data"]) <= 12
    clone.run("dvc", "plots", "show", "-o", "plots")
    page = (clone.folder / "plots/index.html").read_text()
    assert "validation_accuracy" in page
    for plot in PLOTS:
        assert f"#{plot}" in page
    assert "motion blur" in page
    assert "thickness: " in page


def test_dvc_plots_compare_two_releases_and_files_of_two_runs_are_not_logged(clone: Clone) -> None:
    clone.run("git", "add", "-A")
    clone.run("git", *ME, "commit", "-qm", "first")
    clone.set("evaluate", "slices", {"min_examples": 100, "quantiles": 2})
    clone.run("dvc", "repro", "evaluate")
    # Numbers that the later stages have not seen.
    refused = clone.run(*DULI, "track", check=False)
    assert refused.returncode == 2
    assert "reports/evaluation.json" in refused.stderr
    assert "'package'" in refused.stderr
    clone.run("git", "add", "-A")
    clone.run("git", *ME, "commit", "-qm", "second")
    clone.run("dvc", "plots", "diff", "HEAD~1", "HEAD", "-o", "plots")
    page = (clone.folder / "plots/index.html").read_text()
    for plot in PLOTS:
        assert f"#{plot}" in page
    slices = re.findall(r'\{[^{}]*"slice": "brightness: [^{}]*\}', page)
    assert [json.loads(row)["rev"] for row in slices] == ["HEAD~1"] * 4 + ["HEAD"] * 2


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_on_its_deps_alone(
    built: Clone,
    tmp_path: Path,
    stage: str,
    fresh: Callable[[Path], Store],  # noqa: F811
) -> None:
    """In a folder with nothing but what dvc.yaml lists for it; what only checks params is there as
    well, and an empty MLflow store.
    """
    alone = Clone(tmp_path)
    with Repo(str(built.folder)) as repo:
        (listed,) = (one for one in repo.stage.collect("dvc.yaml") if one.name == stage)
        names = {dep.def_path for dep in listed.deps}
    for name in (*names, "params.yaml", *CHECKS_PARAMS):
        source, target = built.folder / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (
            shutil.copytree(
                source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
            if source.is_dir()
            else shutil.copy(source, target)
        )
    # Empty files that no dependency list names; without them Python would take the package of the
    # installed copy instead.
    (tmp_path / "stages/__init__.py").touch()
    for folder in (tmp_path / "duli", *(tmp_path / "duli").rglob("*")):
        if folder.is_dir():
            (folder / "__init__.py").touch()
    (tmp_path / ".dvc").mkdir()
    fresh(tmp_path)
    alone.run(sys.executable, "-m", "stages", stage)


def test_a_further_line_is_a_folder_with_the_same_graph(clone: Clone) -> None:
    line = clone.folder / "pipelines/mine"
    line.mkdir(parents=True)
    shutil.copy(clone.folder / "dvc.yaml", line)
    (line / "data/accepted").mkdir(parents=True)
    shutil.copy(clone.folder / "champion.json", line)
    for link in LINKS:
        (line / link).symlink_to(Path("../..") / link)
    params = (clone.folder / "params.yaml").read_text()
    (line / "params.yaml").write_text(params.replace("market: data", "market: ../../data"))
    mine = Clone(line)
    mine.run("dvc", "repro", "train")
    for name in ("reports/validation.json", "models/model.json", "reports/train.json"):
        assert mine.json(name) == clone.json(name)
    assert "didn't change" in clone.run("dvc", "repro", "train").stdout


def test_a_change_of_price_reruns_the_report_alone(clone: Clone) -> None:
    """A change of the model reruns its stages in `make test-story`."""
    first = clone.json("reports/release_run.json")
    assert clone.repro() == []

    prices = clone.folder / "data/market/compute.csv"
    original = prices.read_text()
    prices.write_text(original.replace("0.08925,0.08925,", "0.08800,0.08800,"))
    assert prices.read_text() != original
    assert clone.repro() == ["report", "track"]
    repriced = clone.json("reports/release_run.json")
    assert repriced["run_id"] != first["run_id"]
    assert repriced["version"] == first["version"]  # the model is the same
    assert {run for run, _ in clone.runs("digits")} == {first["run_id"], repriced["run_id"]}

    # Back to where it began: from the run cache, without running anything, to the same release run.
    prices.write_text(original)
    assert clone.repro() == []
    assert clone.json("reports/release_run.json") == first
    assert len(clone.runs("digits")) == 2


def test_a_table_that_somebody_changed_is_not_logged(clone: Clone) -> None:
    table = clone.folder / "reports/evaluation/per_class.csv"
    original = table.read_bytes()
    table.chmod(0o644)
    table.write_bytes(original + b" ")
    refused = clone.run(*DULI, "track", check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "reports/evaluation" in refused.stderr
    assert "'evaluate'" in refused.stderr
    table.write_bytes(original)
    assert "was there" in clone.duli("track")


def test_every_number_of_the_reports_can_be_gated_and_none_is_promised_in_vain(
    built: Clone,
) -> None:
    reports = {
        name: built.json(f"reports/{name}.json")
        for name in ("validation", "train", "quantization", "evaluation", "benchmark", "business")
    }
    reports["manifest"] = built.json("dist/manifest.json")
    numbers = gates.measures(reports)
    known = catalogue(Params(built.folder / "params.yaml"))
    # The verdict's own counts come after it.
    assert [name for name in numbers if name not in known] == [
        "business.gates",
        "business.gates_refused",
    ]
    promised = [
        name
        for name in known.names
        if not any(number in gates.Catalogue([name]) for number in numbers)
    ]
    # What has no number says why, and there is no champion yet.
    reasons = {f"business.{entry['key']}" for entry in reports["business"]["reasons"]}
    assert {
        name for name in promised if not name.startswith("business.variants.champion.")
    } <= reasons


def test_comments_do_not_retrain(clone: Clone) -> None:
    code = clone.folder / "duli/preparation/cleaning/clean.py"
    code.write_text(code.read_text() + "# a remark\n")
    assert clone.repro() == ["prepare", "track"]  # track notes which stages ran
    assert len(clone.runs("digits")) == 1


def test_a_lost_tracking_store_is_rebuilt_from_the_files_once(clone: Clone) -> None:
    shutil.rmtree(clone.folder / "mlruns")
    assert "logged now" in clone.duli("track")
    assert "was there" in clone.duli("track")
    assert len(clone.runs("digits")) == 1
    assert clone.versions() == [1]
    assert clone.repro() == []


# What experiments change, and what of it runs: a price is decided without a training.
EXPERIMENTS = [
    (
        ["--temp", "train"],
        "train.learning_rate=0.004",
        ["train"],
        {"mnist-training": 1, "digits": 0},
    ),
    (
        ["--queue"],
        "report.price_per_1000=24",
        ["report", "track"],
        {"mnist-training": 0, "digits": 1},
    ),
]


@pytest.mark.parametrize(("way", "change", "stages", "logged"), EXPERIMENTS, ids=["temp", "queue"])
def test_experiments_log_to_the_repository(
    clone: Clone, way: list[str], change: str, stages: list[str], logged: dict[str, int]
) -> None:
    """Their working directory is a copy elsewhere; trainings and releases stand in the repository's
    store all the same.
    """
    before = {experiment: clone.runs(experiment) for experiment in logged}
    clone.run("git", "add", "-A")
    clone.run("git", *ME, "commit", "-qm", "built", "--allow-empty")
    done = clone.run("dvc", "exp", "run", *way, "-S", change, "-n", "other").stdout
    if "--queue" in way:
        clone.run("dvc", "queue", "start", "-j", "1")
        done = clone.run("dvc", "queue", "logs", "other", "-f", check=False).stdout
        _until(lambda: "Success" in clone.run("dvc", "queue", "status").stdout, done)
        done = clone.run("dvc", "queue", "logs", "other").stdout
    assert re.findall(r"Running stage '(\w+)'", done) == stages
    after = {experiment: clone.runs(experiment) for experiment in logged}
    assert {
        experiment: len(after[experiment]) - len(before[experiment]) for experiment in logged
    } == logged
    if "price" in change:
        _ranked_by_margin(clone, before["digits"], after["digits"])


def _ranked_by_margin(
    clone: Clone, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    """A dearer answer earns more: DVC shows both margins, and MLflow sorts the releases by them."""
    diff = json.loads(clone.run("dvc", "exp", "diff", "HEAD", "other", "--json").stdout)["metrics"][
        "reports/headline.json"
    ]
    assert (
        diff["gross_margin"]["old"]
        == clone.json("reports/headline.json")["gross_margin"]
        < diff["gross_margin"]["new"]
    )
    query = "order_by=['metrics.gross_margin DESC']).run_id.to_list()"
    search = f"import mlflow; print(*mlflow.search_runs(experiment_names=['digits'], {query})"
    ranked = clone.run(
        "env", "MLFLOW_TRACKING_URI=sqlite:///mlruns/mlflow.db", sys.executable, "-c", search
    ).stdout.split()
    ((own, _),) = before
    ((other, _),) = set(after) - set(before)
    assert ranked == [other, own]


def test_killed_dvc_leaves_no_writer_and_the_next_run_ends_as_if_nothing_had_happened(
    clone: Clone,
) -> None:
    clone.forget("train")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    dvc = subprocess.Popen(
        ["dvc", "repro"],
        cwd=clone.folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with dvc:
        assert dvc.stdout is not None
        for shown in dvc.stdout:
            if "parameters" in shown:  # train has begun
                break
        os.kill(dvc.pid, signal.SIGKILL)
        dvc.wait()
        _until(lambda: not _writers(clone.folder), "a stage outlived DVC")
    # to the same bytes, or more would follow; these two note how long it took
    assert clone.repro() == ["train", "report", "track"]


def _writers(folder: Path) -> list[str]:
    """Processes of stages that work in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder and b"stages" in (
                process / "cmdline"
            ).read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def _until(condition: Any, said: str) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, said
        time.sleep(0.2)
