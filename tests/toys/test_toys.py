"""A kind and a task that nobody has heard of: their data are fetched, cleaned and checked, and a
model of them is trained, compressed and measured, without an edit outside of their folders.
"""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.toys.line import WAVES, make_toys
from tests.toys.tasks.loudness.intake import answers

pytestmark = pytest.mark.slow


def test_data_stages_run_by_dvc(tmp_path: Path) -> None:
    clone = make_toys(tmp_path)

    def repro() -> list[str]:
        return re.findall(r"Running stage '(\w+)'", clone.run("dvc", "repro", "validate").stdout)

    assert repro() == ["fetch", "prepare", "validate"]
    stats = clone.json("data/prepared/stats.json")
    assert (stats["kind"], stats["input"]) == ("wave", {"features": 16})
    # The last wave contradicts the one before it.
    assert stats["quarantined"] == {"conflicting labels": 2, "duplicate": WAVES // 4 - 1}
    splits = {
        split: pq.read_table(tmp_path / f"data/prepared/{split}.parquet")
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, splits.values())) == WAVES - WAVES // 4 - 1
    for split, rows in splits.items():
        assert rows.schema.field("label").type == pa.float32()
        mean = rows["label"].to_numpy().mean(dtype=np.float64)
        assert stats["splits"][split]["mean_loudness"] == pytest.approx(mean)
    report = clone.json("reports/validation.json")
    assert (report["success"], report["absent"]) == (True, {})
    shifts = {one["column"] for one in report["outcomes"] if "means" in one["name"]}
    assert "label" in shifts
    assert repro() == []


def test_model_stages_run_by_dvc(tmp_path: Path) -> None:
    clone = make_toys(tmp_path)
    shown = clone.run("dvc", "repro", "benchmark").stdout
    assert re.findall(r"Running stage '(\w+)'", shown)[-3:] == ["train", "quantize", "benchmark"]
    score = clone.json("reports/train.json")["validation_mean_absolute_error"]
    waves = pq.read_table(tmp_path / "data/prepared/validation.parquet")
    loudness = waves["label"].to_numpy()
    # A constant answer is off by more.
    assert 0 < score["low"] < score["value"] < np.abs(loudness - np.median(loudness)).mean() / 2
    variants = clone.json("reports/quantization.json")["variants"]
    assert variants["fp32"]["validation_mean_absolute_error"]["value"] == pytest.approx(
        score["value"], rel=1e-3
    )
    assert clone.json("reports/choice.json")["variant"] in variants
    assert "mean_absolute_error_low" in (tmp_path / "reports/pareto.csv").read_text()


def test_drift_compares_answers_as_numbers() -> None:
    outputs = np.array([[0.5], [1.5]], np.float32)
    groups, features = answers.Answers({}).outputs(outputs)
    assert (groups, features["prediction"].tolist()) == ({}, [0.5, 1.5])
    score = answers.score(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert (score["value"], score["n"]) == (0.5, 2)
