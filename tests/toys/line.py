"""A copy of the repository with the toys in their places, and a line of them: waves, of which the
loudness is learned.
"""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from duli.base import files
from duli.datasets import own
from harness.clone import Clone, commit, copy_repository
from tests.closure import ROOT

TOYS = Path(__file__).parent
PLACES = ("kinds", "tasks", "serving")  # of tests/toys and of duli
WAVES = 800
SAMPLES = 16


def make_toys(folder: Path) -> Clone:
    """A clone in `folder` whose default line is the toys', under git and DVC."""
    copy_repository(folder)
    for place in PLACES:
        if (TOYS / place).is_dir():
            shutil.copytree(TOYS / place, folder / "duli" / place, dirs_exist_ok=True)
    write_params(folder, write_waves(folder / "own"))
    return commit(Clone(folder))


def write_waves(folder: Path) -> Path:
    """The file of data.own: sines of any amplitude, frequency and phase; the last of four repeats
    the one before, with another loudness in the last row of all.
    """
    generator = np.random.default_rng(0)
    amplitude, frequency, phase = generator.uniform(0.1, 1, (3, WAVES, 1))
    waves = amplitude * np.sin(2 * np.pi * (3 * frequency * np.arange(SAMPLES) / SAMPLES + phase))
    waves = waves.astype("<f4")
    waves[3::4] = waves[2::4]
    loudness = np.sqrt((waves.astype(np.float64) ** 2).mean(axis=1)).astype(np.float32)
    loudness[-1] += 1
    columns = (
        [f"wave-{index}" for index in range(WAVES)],
        [""] * WAVES,
        loudness,
        [wave.tobytes() for wave in waves],
    )
    schema = own.schema({}, pa.float32())
    arrays = [pa.array(one, field.type) for one, field in zip(columns, schema, strict=True)]
    folder.mkdir()
    pq.write_table(pa.table(arrays, schema=schema), folder / own.FILE)
    return folder / own.FILE


def write_params(folder: Path, examples: Path) -> None:
    """The params of the default line, with what is the toys' own."""
    yaml = YAML()
    params: Any = yaml.load((ROOT / "params.yaml").read_text())
    params["kind"], params["task"] = "wave", "loudness"
    params["data"] = {
        "dataset": "own",
        "local": "own",
        "own": {
            "title": "Waves",
            "licence": "CC0-1.0",
            "kind": "wave",
            "columns": {},
            "sensitive": [],
            "bytes": examples.stat().st_size,
            "sha256": files.sha256(examples),
        },
    }
    params["prepare"] = {"validation_share": 0.2, "test_share": 0.25}
    params["validate"] = {
        "min_examples": WAVES // 2,
        "max_quarantined_share": 0.3,
        "statistics": {"peak": {"min": 0, "max": 1}},
    }
    params["model"] = {"name": "mlp", "mlp": {"widths": [16]}}
    params["train"]["loss"] = "squared_error"
    params["train"] |= {"augmentation": {}, "epochs": 20, "hardest": 1.0, "batch": 32}
    params["evaluate"] = {"resamples": 1000}
    params["quantize"]["variants"] = ["int8"]
    params["quantize"]["distilled"]["model"] = {"name": "mlp", "mlp": {"widths": [4]}}
    params["gates"]["require"] = {"data_valid": {"measure": "validation.success", "min": 1}}
    params["retrain"]["worst_score"] = None
    params["benchmark"]["seconds"] = 0.5
    params["report"]["draws"] = 200
    text = io.StringIO()
    yaml.dump(params, text)
    (folder / "params.yaml").write_text(text.getvalue())
