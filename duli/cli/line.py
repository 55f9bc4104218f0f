"""Commands about the files of this line: `check`, `gates`, `show` and `report`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base import files, rooms
from duli.base.errors import DataError, ParamsError
from duli.base.tasks import Score
from duli.cli import lines

if TYPE_CHECKING:
    from duli.gates.gates import Result

GRAPH = Path("dvc.yaml")
GATES = Path("reports/gates.json")
REPORT = Path("reports/report.html")
# as the stage `report` judges
JUDGED = ("validation", "train", "evaluation", "quantization", "benchmark", "business")
REPORTS = ("train", "evaluation", "quantization", "benchmark", "business", "gates")


def check() -> None:
    """Checks every section of params.yaml at once and lists all mistakes with their fix."""
    from duli.base.params import Params
    from stages import sections

    sections.check(Path("params.yaml"))
    graph = lines.root() / GRAPH
    if GRAPH.is_file() and GRAPH.read_bytes() != graph.read_bytes():
        raise ParamsError(
            f"{GRAPH} is not that of {graph.parent} any more: `make graphs` there copies it to"
            " every line"
        )
    count = len(sections.types(Params("params.yaml")))
    print(f"params.yaml: all {count} sections are valid")
    print("what it leaves out has a default, and wants a +: dvc exp run -S +train.compile=true")


def gates(*, measures: bool) -> None:
    """Judges the current release by the gates of params.yaml: each with its number and its bounds;
    exits with 1 on hold.
    """
    from duli.base.params import Params
    from duli.gates.gates import Gates, judge, results, verdict
    from duli.gates.gates import measures as numbers
    from duli.tracking.logged import recorded

    if measures:
        print("\n".join(_catalogue()))
        return
    required = Params("params.yaml").section("gates", Gates).require
    paths = {name: f"reports/{name}.json" for name in JUDGED} | {"manifest": "dist/manifest.json"}
    # From the reports: what reports/gates.json says may be of other gates, or written by hand.
    reports = {name: files.read_json(path) for name, path in paths.items()}
    for stage, path in recorded.edited(recorded.stages(Path()), Path(), [*paths.values()]):
        raise DataError(f"{path} is not as the stage '{stage}' made it; {files.healing(path)}")
    found = judge(required, numbers(reports))
    width = max(len(result.name) for result in found)
    for result in found:
        print(
            f"{'passed' if result.passed else 'HELD':<6}  {result.name:<{width}}  {result.reason}"
            f" ({_bounds(result)})"
        )
    judgement = verdict(found)
    print(
        f"\nverdict: {judgement} ({sum(result.passed for result in found)} of {len(found)} gates"
        " passed)"
    )
    kept = results(files.read_json(GATES))
    if {_gate(result) for result in kept} != {_gate(result) for result in found}:
        print(
            "params.yaml has other gates than these were; `dvc repro` judges by them",
            file=sys.stderr,
        )
    elif kept != found:
        print(f"{GATES} says otherwise; {files.healing(GATES)}", file=sys.stderr)
    if kept != found or judgement != "release":
        sys.exit(1)


def _gate(result: "Result") -> tuple[Any, ...]:
    return result.name, result.measure, result.on, result.min, result.max


def _catalogue() -> tuple[str, ...]:
    from duli.base.params import Params
    from stages.sections import catalogue

    return catalogue(Params("params.yaml")).names


def _bounds(result: "Result") -> str:
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("at least", result.min), ("at most", result.max))
        if bound is not None
    ]
    return " and ".join(bounds) + (", all of the 95 % interval" if result.on == "interval" else "")


def show() -> None:
    """Shows the release that the files of this line make up: verdict, headline numbers, where
    everything is.
    """
    from duli.base.params import Params

    manifest = files.read_json("dist/manifest.json")
    reports = {name: files.read_json(f"reports/{name}.json") for name in REPORTS}
    run = files.read_json("reports/release_run.json")
    score: Score = rooms.task(Params("params.yaml").values["task"], "task").SCORE
    rows = _numbers(reports, score)
    wheel = manifest["wheel"]
    rows += [
        ("report", str(REPORT)),
        (
            "wheel",
            (
                f"dist/{wheel['file']} ({wheel['bytes'] / 1000:.0f}"
                f" kB{'' if manifest['signed'] else ', unsigned'})"
            ),
        ),
        (
            "MLflow",
            (
                f"{run['registered_model']} version {run['version']}, run {run['run_id'][:8]} of"
                f" experiment {run['experiment']}"
            ),
        ),
    ]
    width = max(len(name) for name, _ in rows)
    print(f"\n{manifest['name']} {manifest['version']}")
    for name, text in rows:
        print(f"  {name:<{width}}  {text}")
    line = f" LINE={Path.cwd().name}" if lines.further() else ""
    print(
        f"\nnext: make ui{line}      compare releases in MLflow\n"
        f"      make report{line}  open the market and business report\n"
        "      dvc exp run -S train.epochs=8"
    )


def report() -> None:
    """Opens the market and business report in the browser, or prints its path."""
    files.read_json("reports/business.json")  # says what to do where no report was made
    print(REPORT.resolve())
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        import webbrowser

        webbrowser.open(REPORT.resolve().as_uri())


def _numbers(reports: dict[str, Any], score: Score) -> list[tuple[str, str]]:
    """The headline of the release as a person reads it."""
    gates = reports["gates"]
    held = (
        f": {'; '.join(gates['reasons'])}"
        if gates["reasons"]
        else f" ({gates['gates']} gates passed)"
    )
    rows = [("verdict", gates["verdict"] + held)]
    variant = reports["benchmark"]["shipped"]
    speed = reports["benchmark"]["variants"][variant]
    latency = (
        f"{speed['latency_ms']['value'] * 1000:.0f} us at batch 1, p99"
        f" {speed['latency_ms']['p99'] * 1000:.0f} us, one thread"
    )
    throughput = (
        f"{speed['throughput']['value']:,.0f} a second at batch {speed['throughput']['batch']}, one"
        " thread"
    )
    measured = reports["evaluation"][score.key]
    value, low, high = (score.text(measured[end]) for end in ("value", "low", "high"))
    size = f"{reports['quantization']['variants'][variant]['bytes'] / 1000:.1f} kB"
    network = f"{reports['train']['parameters']:,} parameters"
    business = reports["business"]
    cost = business["unit_cost_usd_per_million"]
    unit_cost = f"{cost['value']:,.0f} USD a million ({cost['low']:,.0f} to {cost['high']:,.0f})"
    margin = (
        f"gross margin {business['gross_margin']['value']:.0%} at"
        f" {business['price_usd_per_thousand']:.2f} USD a thousand"
    )
    return [
        *rows,
        (score.title, f"{value} ({low} to {high}, n = {measured['n']:,}, {variant})"),
        ("size", f"{size}, made of a network of {network}"),
        ("latency", latency),
        ("throughput", throughput),
        ("unit cost", f"{unit_cost}, {margin}"),
    ]


GATES_OPTIONS: dict[str, dict[str, Any]] = {
    "--measures": {
        "action": "store_true",
        "help": "list what a gate can name instead; * stands for a name that the data give",
    },
}
