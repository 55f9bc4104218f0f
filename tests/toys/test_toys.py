"""A kind and a task that nobody has heard of: a line of them is released, promoted and compared,
without an edit outside of their folders.
"""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.__main__ import STAGES
from tests.shared import once
from tests.test_line import Clone
from tests.toys.line import WAVES, make_toys
from tests.toys.tasks.loudness.intake import answers
from tests.toys.tasks.loudness.promoting.compared import compared


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The toys' line after `dvc repro`."""

    def build(folder: Path) -> None:
        assert make_toys(folder).repro() == list(STAGES)

    return Clone(once(tmp_path_factory, "toys", build)).copy(
        tmp_path_factory.mktemp("toys-of-worker") / "line"
    )


@pytest.mark.slow
def test_examples_are_cleaned_and_checked(line: Clone) -> None:
    stats = line.json("data/prepared/stats.json")
    assert (stats["kind"], stats["input"]) == ("wave", {"features": 16})
    # The last wave contradicts the one before it.
    assert stats["quarantined"] == {"conflicting labels": 2, "duplicate": WAVES // 4 - 1}
    splits = {
        split: pq.read_table(line.folder / f"data/prepared/{split}.parquet")
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, splits.values())) == WAVES - WAVES // 4 - 1
    for split, rows in splits.items():
        assert rows.schema.field("label").type == pa.float32()
        mean = rows["label"].to_numpy().mean(dtype=np.float64)
        assert stats["splits"][split]["mean_loudness"] == pytest.approx(mean)
    report = line.json("reports/validation.json")
    assert (report["success"], report["absent"]) == (True, {})
    shifts = {outcome["column"] for outcome in report["outcomes"] if "means" in outcome["name"]}
    assert "label" in shifts


@pytest.mark.slow
def test_a_model_learns_and_is_compressed(line: Clone) -> None:
    score = line.json("reports/train.json")["validation_mean_absolute_error"]
    waves = pq.read_table(line.folder / "data/prepared/validation.parquet")
    loudness = waves["label"].to_numpy()
    # A constant answer is off by more.
    assert 0 < score["low"] < score["value"] < np.abs(loudness - np.median(loudness)).mean() / 2
    variants = line.json("reports/quantization.json")["variants"]
    assert variants["fp32"]["validation_mean_absolute_error"]["value"] == pytest.approx(
        score["value"], rel=1e-3
    )
    assert line.json("reports/choice.json")["variant"] in variants
    assert "mean_absolute_error_low" in (line.folder / "reports/pareto.csv").read_text()


@pytest.mark.slow
def test_what_ships_is_judged_priced_and_tracked(line: Clone) -> None:
    evaluation = line.json("reports/evaluation.json")
    shipped = pq.read_table(line.folder / "reports/predictions.parquet").to_pandas()
    errors = np.abs(np.stack(shipped[evaluation["variant"]])[:, 0] - shipped["label"])
    measured = evaluation["mean_absolute_error"]["value"]
    assert measured == pytest.approx(errors.mean(), rel=1e-4)
    right = (errors <= 0.05).mean()  # the toy's tolerance

    business = line.json("reports/business.json")
    assert business["accuracy_of_accepted"]["value"] == pytest.approx(right)
    assert {"accuracy", "coverage", "threshold", "confidence_threshold"} & business.keys() == set()
    error_usd = next(row["value"] for row in business["register"] if row["input"] == "error")
    expected = pytest.approx((1 - right) * error_usd * 1e6)
    assert business["cost_usd_per_million"]["errors"] == expected
    assert business["cost_usd_per_million"]["review"] == 0
    for page, unit in (("report.html", "per million accepted readings"), ("report.zh.html", "次")):
        assert unit in (line.folder / "reports" / page).read_text()

    headline = line.json("reports/headline.json")
    assert list(headline)[:2] == ["mean_absolute_error", "mean_absolute_error_high"]
    assert headline["worst_error"] == pytest.approx(errors.max(), rel=1e-4)
    assert f"mean absolute error  {measured:.4g} (" in line.duli("show")


@pytest.mark.slow
def test_it_is_promoted_listed_and_compared(line: Clone, tmp_path: Path) -> None:
    clone = line.copy(tmp_path / "line")
    assert "answers    171 test waves" in clone.duli("promote")
    measures = clone.json("champion.json")["champion"]["measures"]
    assert "business.mean_absolute_error.value" in measures
    listed = clone.duli("releases").splitlines()
    heads = re.split("  +", listed[1])
    assert heads[4:6] == ["mean absolute error", "at most"]
    assert "champion" in listed[2]
    clone.duli("portfolio")
    score = clone.json("reports/portfolio.json")["lines"]["digits"]["score"]
    assert score["measure"] == "mean_absolute_error"


@pytest.mark.slow
def test_a_second_repro_runs_nothing(line: Clone) -> None:
    assert line.repro() == []


def test_the_champion_stays_where_the_error_grows() -> None:
    labels = np.zeros((200, 1), np.float32)
    better, worse = labels + 0.1, labels + 0.2
    assert compared(worse, better, labels).objections(0.01, None, 0.0) == []
    (objection,) = compared(better, worse, labels).objections(0.01, None, 0.0)
    assert "0.1000" in objection


def test_drift_compares_answers_as_numbers() -> None:
    outputs = np.array([[0.5], [1.5]], np.float32)
    groups, features = answers.Answers({}).outputs(outputs)
    assert (groups, features["prediction"].tolist()) == ({}, [0.5, 1.5])
    score = answers.score(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert (score["value"], score["n"]) == (0.5, 2)
