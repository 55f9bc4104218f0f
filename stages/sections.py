"""All sections of params.yaml by name, so that they and the gates can be checked at once before the
first stage runs.
"""

from pathlib import Path

from duli.base import rooms
from duli.base.errors import ParamsError
from duli.base.params import Params, Section
from duli.benchmark.params import Benchmark
from duli.compression.params import Quantize
from duli.datasets.shared.params import Data, Own
from duli.economics.params import Report
from duli.gates.gates import Gates, unknown
from duli.models.shared.params import ModelChoice
from duli.packaging.params import Release
from duli.preparation.cleaning.params import Prepare
from duli.retraining.params import Retrain
from duli.tasks.classification.judging.params import Evaluate
from duli.tracking.params import Promotion
from duli.training.params import Training
from duli.validation.params import Validate
from stages.measures import catalogue

SECTIONS: dict[str, type[Section]] = {
    "data": Data,
    "prepare": Prepare,
    "validate": Validate,
    "model": ModelChoice,
    "train": Training,
    "evaluate": Evaluate,
    "quantize": Quantize,
    "benchmark": Benchmark,
    "release": Release,
    "report": Report,
    "gates": Gates,
    "promotion": Promotion,
    "retrain": Retrain,
}


def check(path: Path) -> None:
    """Validates every section of a params.yaml, and that each gate names a measure there will be.

    Raises `ParamsError` that lists all mistakes.
    """
    params = Params(path)
    params.check(SECTIONS, {"kind": rooms.names("kinds"), "task": rooms.names("tasks")})
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
    """Checks what params say of the data's kind and of the task's targets."""
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
    """Checks what a recipe says of the line's kind and task."""
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
