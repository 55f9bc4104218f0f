"""All sections of params.yaml by name, so that they can be checked at once before the first stage runs."""

from pathlib import Path

from duli.benchmark.params import Benchmark
from duli.compression.params import Quantize
from duli.datasets._params import Data
from duli.economics.params import Report
from duli.evaluation.params import Evaluate
from duli.gates import Gates
from duli.models._params import ModelChoice
from duli.packaging.params import Release
from duli.params import Params, Section
from duli.preparation.params import Prepare
from duli.training.params import Training
from duli.validation.params import Validate

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
}


def check(path: Path) -> None:
    """Validates every section of a params.yaml; raises `ParamsError` that lists all mistakes."""
    Params(path).check(SECTIONS)
