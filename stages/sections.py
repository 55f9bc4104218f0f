"""All sections of params.yaml by name, so that they and the gates can be checked at once before the
first stage runs.
"""

from pathlib import Path

from duli.benchmark.params import Benchmark
from duli.compression.params import Quantize
from duli.datasets._params import Data
from duli.economics.params import Report
from duli.errors import ParamsError
from duli.evaluation.params import Evaluate
from duli.gates import Gates, unknown
from duli.models._params import ModelChoice
from duli.packaging.params import Release
from duli.params import Params, Section
from duli.preparation.params import Prepare
from duli.retraining.params import Retrain
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
    params.check(SECTIONS)
    params.section("quantize.distilled.model", ModelChoice)
    name = params.section("model", ModelChoice).name
    if name not in params.values["model"]:
        raise ParamsError(
            f"{path}: key 'model.{name}' is missing, and DVC has to find it; add `{name}: {{}}`, or"
            " its settings"
        )
    gates = params.section("gates", Gates).require
    lacking = unknown(gates, catalogue(params))
    if lacking:
        mistakes = [
            f"{path}: gates.require.{name}.measure: {why}; `duli gates --measures` lists all"
            for name, why in lacking.items()
        ]
        raise ParamsError("\n".join(mistakes))
