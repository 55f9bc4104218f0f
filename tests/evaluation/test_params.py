"""What the `evaluate` section refuses of robustness."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from duli.base.errors import ParamsError
from duli.base.params import Params
from duli.tasks.classification.judging.params import Evaluate
from tests.closure import ROOT


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "epsilons",
            [8, 8],
            r"evaluate\.robustness\.pgd\.epsilons = .* has to rise, each number once",
        ),
        ("epsilons", [16, 8], "has to rise"),
        ("epsilons", [], r"robustness\.pgd\.epsilons"),
        ("epsilons", [0.1], r"robustness\.pgd\.epsilons\.0"),
        ("epsilons", [256], r"robustness\.pgd\.epsilons\.0"),
        ("steps", 0, r"robustness\.pgd\.steps"),
        ("examples", 0, r"robustness\.pgd\.examples"),
    ],
)
def test_an_attack_that_cannot_be_is_refused(
    tmp_path: Path, key: str, value: Any, said: str
) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["evaluate"]["robustness"]["pgd"][key] = value
    yaml.dump(params, tmp_path / "params.yaml")
    with pytest.raises(ParamsError, match=said):
        Params(tmp_path / "params.yaml").section("evaluate", Evaluate)
