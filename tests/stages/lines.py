"""A release line in a folder of its own, made from the default params with some knobs turned."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.closure import ROOT


def make_line(folder: Path, mnist: Path, **knobs: Any) -> Path:
    """Writes params.yaml into `folder`; `data__local=...` turns data.local. Bounds suit a subset of
    a few hundred digits.
    """
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["data"]["local"] = str(mnist)
    small = {
        "prepare__limit": 600,
        "prepare__validation_share": 0.3,
        "validate__min_examples": 1000,
        "validate__class_share": {"min": 0.04, "max": 0.2},
        "model__fastconv": {"stem": 8, "blocks": [[8], [8]]},
        "train__epochs": 1,
        "quantize__calibration_rows": 64,
        "quantize__variants": ["int8", "fp16"],
        "quantize__distilled": {"epochs": 1, "model": {"name": "mlp", "mlp": {"widths": [10]}}},
        "evaluate__robustness": {
            "seed": 0,
            "corruptions": {"examples": 100},
            "pgd": {"epsilons": [8, 40], "steps": 3, "examples": 60},
        },
        "benchmark__seconds": 0.5,
        "report__draws": 200,
    }
    for key, value in {**small, **knobs}.items():
        section, name = key.split("__", 1)
        *parents, last = name.split("__")
        place = params[section]
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    text = io.StringIO()
    yaml.dump(params, text)
    (folder / "params.yaml").write_text(text.getvalue())
    return folder
