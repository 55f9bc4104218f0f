"""Measures `duli retrain`: seconds where there is nothing to do, and whether a run that is killed
ends as one that is not.

    make bench-retrain            all of it, about 20 minutes on two idle cores; writes
    benchmarks/results/retrain.json python -m benchmarks.retrain noop    one part: noop, kills

Everything runs on the small line of the tests, in a temporary folder, with git, DVC and MLflow of
its own.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from benchmarks.record import Results, result, run_parts
from duli.datasets import mnist
from harness.clone import LEARNS, ROOT, Clone, make_clone

TURNS = 7
KILLS = 50
KILLS_A_RUN = 10  # at most, or a run with bad luck would never end
# of the seconds that a retraining takes, from its start or the last kill on; what was made before
# is not made again
LATEST = 0.4
# Stages whose outputs are the same bytes in every run; what `benchmark` measures, and all that
# quotes it, is not.
EXACT = ("fetch", "prepare", "validate", "train", "quantize")
VOLATILE = "reports/resources/"  # seconds and memory, which differ between any two runs
RETRAIN = (sys.executable, "-c", "from duli.cli.main import main; main()", "retrain")
PROPOSED = 3


def main() -> None:
    run_parts("retrain", {"noop": noop, "kills": kills}, str(__doc__), "dvc", "mlflow")


def noop() -> Results:
    """`dvc status dvc.yaml` and `duli retrain` in turns, in a line whose release is the champion.

    Without the file DVC looks at the further lines too, which takes longer.
    """
    with tempfile.TemporaryDirectory(prefix="duli-retrain-") as name:
        line = _line(Path(name))
        status, retrain = [], []
        for _ in range(TURNS):
            status.append(_seconds(line, ("dvc", "status", "--json", "dvc.yaml"), 0))
            retrain.append(_seconds(line, RETRAIN, 0))
    over = [one - other for one, other in zip(retrain, status, strict=True)]
    return [
        result("noop_s", over, "s", over="dvc status of this line alone, in the same turn"),
        result("noop_whole_s", retrain, "s"),
        result("dvc_status_s", status, "s"),
    ]


def kills() -> Results:
    """SIGKILLs at random moments of retrainings on new data; every one is then let to its end, and
    has to end as the one never killed.
    """
    chance = random.Random(0)  # noqa: S311 -- moments to kill at
    with tempfile.TemporaryDirectory(prefix="duli-retrain-") as name:
        folder = Path(name)
        line = _line(folder / "line")
        _new_data(line)
        base = folder / "base"
        shutil.copytree(line.folder, base, symlinks=True)
        seconds = _seconds(line, RETRAIN, PROPOSED)
        wanted = _state(line)
        done = runs = equal = 0
        different = []
        while done < KILLS:
            # At the same place, for MLflow's database knows its artifacts by absolute paths.
            shutil.rmtree(line.folder)
            shutil.copytree(base, line.folder, symlinks=True)
            for _ in range(min(KILLS_A_RUN, KILLS - done)):
                if not _killed(line, chance.uniform(0.2, LATEST * seconds)):
                    break
                done += 1
            else:
                _seconds(line, RETRAIN, PROPOSED)
            runs += 1
            found = _state(line)
            equal += found == wanted
            for key in [key for key in wanted if found[key] != wanted[key]]:
                different.append(key)
                print(f"{key}: {found[key]}\ninstead of {wanted[key]}", flush=True)
            print(
                f"{done} kills, {equal} of {runs} runs ended as the one that was not killed",
                flush=True,
            )
    notes = {
        "runs": runs,
        "runs_equal": equal,
        "different": sorted(set(different)),
        "unkilled_s": round(seconds, 1),
    }
    return [result("retrain_kills", [float(done)], "kills", **notes)]


def _line(folder: Path) -> Clone:
    """The small line of the tests, built, promoted and committed."""
    folder.mkdir(parents=True, exist_ok=True)
    line = make_clone(folder, ROOT / "data/raw")
    for section, knobs in LEARNS.items():
        for key, value in knobs.items():
            line.set(section, key, value)
    line.run("dvc", "repro", "-q")
    line.duli("promote")
    line.run("git", "add", "-A")
    line.run(
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@localhost",
        "commit",
        "-qm",
        "The first champion",
    )
    return line


def _new_data(line: Clone) -> None:
    """Two windows: digits that the line does not have, and labels that no class has."""
    batch = next(iter(mnist.examples(ROOT / "data/raw", 8192)))
    for name, first, labels in (
        ("helps", 1000, None),
        ("poison", 4000, pa.array([77] * 300, pa.int16())),
    ):
        rows = batch.slice(first, 2500 if labels is None else 300)
        columns = {"content": rows["content"].cast(pa.binary()), "label": labels or rows["label"]}
        pq.write_table(pa.table(columns), line.folder / f"data/incoming/{name}.parquet")


def _seconds(line: Clone, command: tuple[str, ...], code: int) -> float:
    start = time.monotonic()
    done = line.run(*command, check=False)
    seconds = time.monotonic() - start
    assert done.returncode == code, (
        f"{command}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    )
    return seconds


def _killed(line: Clone, after: float) -> bool:
    """Starts a retraining and kills it after so many seconds; False where it was done before."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = line.folder.parent / "said.txt"
    with (
        said.open("w") as file,
        subprocess.Popen(RETRAIN, cwd=line.folder, env=env, stdout=file, stderr=file) as process,
    ):
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
    assert process.returncode in (
        PROPOSED,
        -signal.SIGKILL,
    ), f"exit code {process.returncode}: {said.read_text()[-2000:]}"
    return process.returncode == -signal.SIGKILL


def _state(line: Clone) -> dict[str, Any]:
    """What a retraining leaves: locked results, decision, data, and the registry."""
    stages = YAML(typ="safe", pure=True).load((line.folder / "dvc.lock").read_text())["stages"]
    decision = line.json("reports/retrain/decision.json")
    with closing(connect(line.folder / "mlruns/mlflow.db")) as database:
        runs = list(
            database.execute(
                "select status, count(*) from runs join experiments using (experiment_id) where"
                " experiments.name = 'digits' group by status"
            )
        )
        versions = list(database.execute("select version from model_versions order by version"))
        aliases = list(
            database.execute("select alias, version from registered_model_aliases order by alias")
        )
    data = [
        path.relative_to(line.folder).as_posix()
        for path in (line.folder / "data").glob("*/*")
        if path.suffix != ".tmp"
    ]
    return {
        "stages": sorted(stages),
        "locked": {
            name: {
                **stages[name],
                "outs": [out for out in stages[name]["outs"] if VOLATILE not in out["path"]],
            }
            for name in EXACT
        },
        "stale": json.loads(line.run("dvc", "status", "--json", "dvc.yaml").stdout),
        "decision": {key: decision[key] for key in ("outcome", "reason", "compared", "rows")},
        "model": decision["record"]["model_sha256"],
        "data": sorted(data),
        "runs": runs,
        "versions": versions,
        "aliases": aliases,
        "champion": line.json("champion.json"),
    }


if __name__ == "__main__":
    main()
