"""All sections of params.yaml by name, to check them and the gates before the first stage runs; and
the catalogue of all measures that a gate may name.
"""

from itertools import product
from pathlib import Path

from duli.base import rooms
from duli.base.errors import ParamsError
from duli.base.params import Params, Section
from duli.benchmark import measures as of_benchmark
from duli.benchmark.params import Benchmark
from duli.compression.params import Quantize
from duli.datasets.shared.params import Data, Own
from duli.economics import measures as of_report
from duli.economics.params import Report
from duli.gates.gates import Catalogue, Gates, unknown
from duli.models.shared.params import ModelChoice
from duli.packaging.params import Release
from duli.preparation.cleaning.params import Prepare
from duli.retraining.params import Retrain
from duli.tracking.params import Promotion
from duli.training.params import Training
from duli.validation.params import Validate

SECTIONS: dict[str, type[Section]] = {
    "data": Data,
    "prepare": Prepare,
    "validate": Validate,
    "model": ModelChoice,
    "train": Training,
    "quantize": Quantize,
    "benchmark": Benchmark,
    "release": Release,
    "report": Report,
    "gates": Gates,
    "promotion": Promotion,
    "retrain": Retrain,
}


def types(params: Params) -> dict[str, type[Section]]:
    """The types of all sections; the task adds its own."""
    task = params.values.get("task")
    if task not in rooms.names("tasks"):
        return SECTIONS
    evaluate: type[Section] = rooms.task(task, "measures").SETTINGS
    return {**SECTIONS, "evaluate": evaluate}


def catalogue(params: Params) -> Catalogue:
    """Names of all measures that a gate may use, so that a misspelt gate is found before training.
    tests/test_line.py compares them with the reports of a real line.
    """
    quantize = params.section("quantize", Quantize)
    task = rooms.task(params.values["task"], "measures")
    quality = rooms.task(params.values["task"], "pricing.quality")
    ways = rooms.kind(params.values["kind"], "ways").NAMES
    variants = ("fp32", *quantize.variants)
    rows = [
        (("validation",), ("success", "expectations", "failed")),
        (("train",), ("parameters", "epochs", "steps", "train_loss", "validation_loss")),
        (
            ("quantization",),
            ("variants",),
            variants,
            ("bytes", "within_bounds", "saturating_pairs"),
        ),
        *task.rows(params.section("evaluate", task.SETTINGS), quantize, ways),
        *of_benchmark.rows(variants),
        (("manifest",), ("signed",)),
        (("manifest",), ("wheel",), ("bytes",)),
        *of_report.rows(quality.MEASURES, quality.NUMBERS),
    ]
    return Catalogue(".".join(parts) for row in rows for parts in product(*row))


def check(path: Path) -> None:
    """Validates every section of a params.yaml, and that each gate names an existing measure.

    Raises `ParamsError` that lists all mistakes.
    """
    params = Params(path)
    params.check(types(params), {"kind": rooms.names("kinds"), "task": rooms.names("tasks")})
    _data(path, params, params.section("data", Data), params.section("prepare", Prepare))
    params.section("quantize.distilled.model", ModelChoice)
    name = params.section("model", ModelChoice).name
    if name not in params.values["model"]:
        raise ParamsError(
            f"{path}: key 'model.{name}' is missing, and DVC has to find it; add `{name}: {{}}`, or"
            " its settings"
        )
    _recipe(path, params, params.section("train", Training))
    gates = params.section("gates", Gates).require
    lacking = unknown(gates, catalogue(params))
    if lacking:
        mistakes = [
            f"{path}: gates.require.{name}.measure: {why}; `duli gates --measures` lists all"
            for name, why in lacking.items()
        ]
        raise ParamsError("\n".join(mistakes))


def _data(path: Path, params: Params, data: Data, prepare: Prepare) -> None:
    """Checks the params about the data's kind and the task's targets."""
    kind, task = params.values["kind"], params.values["task"]
    of_kind = rooms.kind(kind, "reading.params")
    if data.own is not None:
        if data.own.get("kind", kind) != kind:
            raise ParamsError(
                f"{path}: kind = '{kind}', but data.own.kind = '{data.own['kind']}'; write kind:"
                f" {data.own['kind']}"
            )
        of_task = rooms.task(task, "targets.params")
        params.section("data.own", type("Own", (Own, of_kind.Own, of_task.Own), {}))
    if prepare.tokens is not None:
        if of_kind.Tokens is None:
            raise ParamsError(f"{path}: prepare.tokens: the kind '{kind}' has none; write null")
        params.section("prepare.tokens", of_kind.Tokens)


def _recipe(path: Path, params: Params, recipe: Training) -> None:
    """Checks a recipe against the line's kind and task."""
    kind, task = params.values["kind"], params.values["task"]
    of_kind = rooms.kind(kind, "learning.params")
    if recipe.augmentation:
        params.section("train.augmentation", of_kind.Augmentation)
    if recipe.pretraining is not None:
        if of_kind.Pretraining is None:
            raise ParamsError(f"{path}: train.pretraining: the kind '{kind}' has none; write null")
        params.section("train.pretraining", of_kind.Pretraining)
    losses = rooms.task(task, "task").LOSSES
    if recipe.loss not in losses:
        raise ParamsError(
            f"{path}: train.loss = '{recipe.loss}'; the task '{task}' has {', '.join(losses)}"
        )
