"""A data set that says of whom its examples come, and one whose examples are no pictures, through
the real stages up to evaluate.
"""

import csv
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from duli import datasets
from duli.base import files
from duli.base.errors import DataError
from duli.gates import gates
from duli.tasks.classification.judging import judge
from harness.clone import make_line
from stages import evaluate, fetch, prepare, quantize, train, validate
from tests.datasets import people
from tests.stages.test_train import Recorder

pytestmark = pytest.mark.slow

KNOBS: dict[str, Any] = {
    "data__dataset": "people",
    "prepare__limit": None,
    "prepare__validation_share": 0.2,
    "validate__min_examples": 1000,
    "validate__class_share": {"min": 0.2, "max": 0.5},
    "validate__statistics": {"mean": {"min": 10, "max": 100}, "std": {"min": 10, "max": 100}},
    "train__epochs": 6,
    "train__hardest": 1.0,
    "train__batch": 50,
    "evaluate__slices": {"min_examples": 30, "quantiles": 3},
}


@pytest.fixture
def made(line: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A line of people, before its first stage."""
    spec = importlib.util.spec_from_file_location("duli.datasets.people", people.__file__)
    monkeypatch.setattr(people, "__spec__", spec)
    monkeypatch.setitem(sys.modules, "duli.datasets.people", people)
    monkeypatch.setattr(datasets, "people", people, raising=False)
    monkeypatch.setattr(train, "LiveRun", Recorder)
    monkeypatch.setattr(Recorder, "runs", [])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(line))
    (line / "own").mkdir()
    people.write(line / "own")
    threads = torch.get_num_threads()
    yield make_line(line, line / "own", **KNOBS)
    torch.set_num_threads(threads)


def run() -> dict[str, Any]:
    for stage in (fetch, prepare, validate, train, quantize):
        stage.main()
    # As the stage benchmark would choose, whose times are not needed here.
    shipped = json.loads(Path("reports/quantization.json").read_text())["variants"]["int8"]
    files.write_json(
        "reports/choice.json",
        {"variant": "int8", **{key: shipped[key] for key in ("file", "bytes", "sha256")}},
    )
    evaluate.main()
    return dict(json.loads(Path("reports/evaluation.json").read_text()))


def test_sensitive_slices_are_marked_come_first_and_intersect(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = run()
    assert json.loads((made / "data/prepared/stats.json").read_text())["sensitive"] == [
        "sex",
        "age",
    ]
    found = facts["slices"]
    assert list(found) == [
        "sex",
        "age",
        "sex_x_age",
        "class",
        "brightness",
        "thickness",
        "contrast",
        "site",
    ]
    assert [name for name, one in found.items() if "sensitive" in one] == [
        "sex",
        "age",
        "sex_x_age",
    ]
    assert facts["skipped"] == {
        "slices": {"note": "there are 600 values; more than 50 are names, not groups"}
    }

    # Against the examples themselves: women of the upper third of ages are answered worse.
    test, predictions = (
        pq.read_table("data/prepared/test.parquet"),
        pq.read_table("reports/predictions.parquet"),
    )
    right = np.array(predictions[facts["variant"]].to_pylist()).argmax(axis=1) == np.array(
        predictions["label"]
    )
    age, sex = test["age"].to_numpy(), np.array(test["sex"].to_pylist())
    worst = found["sex_x_age"]["worst"]
    low, high = map(float, re.findall(r"[\d.]+", worst["group"]))
    inside = (sex == "f") & (age >= low) & (age <= high)
    assert worst["group"].startswith("f, ")
    assert high == age[~np.isnan(age)].max()
    assert (worst["value"], worst["n"]) == (
        pytest.approx(right[inside].mean(), abs=1e-12),
        inside.sum(),
    )
    assert worst["high"] < found["sex"]["worst"]["low"]  # which neither property shows by itself
    assert {row["n"] for row in found["age"]["not_judged"]} == {int(np.isnan(age).sum())}
    assert {row["group"] for row in found["age"]["not_judged"]} == {"(missing)"}
    assert "evaluation.slices.sex_x_age.worst.low" in gates.measures({"evaluation": facts})

    page = (made / "reports/evaluation.html").read_text()
    assert re.findall(
        r"<h3>By ([\w ]+?)( <span class=\"badge flag\">Sensitive</span>)?</h3>", page
    ) == [
        (
            name.replace("_", " "),
            ' <span class="badge flag">Sensitive</span>' if "sensitive" in one else "",
        )
        for name, one in found.items()
    ]
    assert "by note, <cite>there are 600 values" in page
    assert "weakest by sex_x_age: f, " in capsys.readouterr().out


def test_measures_of_pictures_are_left_out_where_there_are_none_and_the_report_says_why(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(people, "SHAPE", (2, 12, 12))
    facts = run()
    reason = "the model takes 2 channels; a picture has 1 or 3"
    assert facts["robustness"] == {}
    assert facts["accuracy"]["value"] > 0.5
    assert {
        name: facts["skipped"][name]
        for name in ("looks", "corruptions", "pgd", "saliency", "gallery")
    } == dict.fromkeys(("looks", "corruptions", "pgd", "saliency", "gallery"), reason)
    assert "brightness" not in facts["slices"]
    with Path("reports/evaluation/robustness.csv").open() as file:
        assert list(csv.reader(file)) == [list(judge.HEADS["robustness"])]
    page = (made / "reports/evaluation.html").read_text()
    assert page.count(reason) == 2
    assert "<img" not in page
    assert facts["mistakes"][0]["id"] in page
    assert f"left out: pgd: {reason}" in capsys.readouterr().out


def test_a_column_may_not_take_the_name_of_a_computed_slice(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        people, "COLUMNS", people.COLUMNS.set(2, people.COLUMNS.field(2).with_name("brightness"))
    )
    monkeypatch.setattr(
        people,
        "examples",
        lambda folder, rows: (
            part.rename_columns({"site": "brightness"}) for part in EXAMPLES(folder, rows)
        ),
    )
    with pytest.raises(DataError, match="'brightness'"):
        run()
    assert not (made / "reports/evaluation.json").exists()


EXAMPLES = people.examples


def test_a_declared_column_that_the_examples_lack_stops_prepare(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        people, "COLUMNS", people.COLUMNS.append(people.COLUMNS.field(1).with_name("income"))
    )
    fetch.main()
    with pytest.raises(DataError, match="declares the column 'income'"):
        prepare.main()
    assert not list((made / "data/prepared").iterdir())
