"""Lines that `duli new` made of a table and of Chinese texts, by real `dvc repro`."""

from pathlib import Path

import pytest

from stages.__main__ import STAGES
from tests.cli.made_up import points, reviews
from tests.test_line import Clone, make_clone

pytestmark = pytest.mark.slow


def made(tmp_path: Path, data: Path, epochs: int) -> Clone:
    """The folder of the line that `duli new` makes of the data, with less to do than it would have."""
    (tmp_path / "clone").mkdir()
    clone = make_clone(tmp_path / "clone", tmp_path)
    clone.duli("new", "mine", "--from", str(data))
    clone.folder /= "pipelines/mine"
    for section, key, value in (("train", "epochs", epochs), ("benchmark", "seconds", 0.5)):
        clone.set(section, key, value)
    return clone


def test_a_line_of_a_table_runs_and_learns_what_is_in_it(tmp_path: Path) -> None:
    """Three heaps of points in six dimensions, which hardly touch: nearly all are told apart, up to the report."""
    clone = made(tmp_path, points(tmp_path / "points.csv", 600), epochs=6)
    clone.run("dvc", "repro", "report")
    facts = clone.json("reports/evaluation.json")
    assert facts["accuracy"]["value"] > 0.97
    assert facts["accuracy"]["n"] == clone.json("data/prepared/stats.json")["splits"]["test"]["examples"]
    assert clone.json("data/prepared/stats.json")["classes"] == ["heap 0", "heap 1", "heap 2"]
    assert clone.json("reports/business.json")["accuracy"] == facts["accuracy"]
    assert "margin" not in {gate["name"] for gate in clone.json("reports/gates.json")["results"]}
    assert "<code>mine 0.1.0</code></h1>" in (clone.folder / "reports/report.html").read_text()
    assert clone.run("dvc", "repro", "report").stdout.count("Running stage") == 0


def test_a_line_of_chinese_texts_runs_to_a_champion(tmp_path: Path) -> None:
    clone = made(tmp_path, reviews(tmp_path / "reviews.csv", 400), epochs=20)
    assert clone.repro() == list(STAGES)
    facts = clone.json("reports/evaluation.json")
    assert clone.json("data/prepared/stats.json")["classes"] == ["好评", "差评"]
    assert facts["accuracy"]["value"] > 0.9
    clone.duli("promote")
    assert clone.json("champion.json")["champion"]["version"] == "0.1.0"
    root = Clone(clone.folder.parents[1])
    [(_, status)] = root.runs("mine-training")
    assert status == "FINISHED"
    [(run, _)] = root.runs("mine")
    assert run == clone.json("reports/release_run.json")["run_id"]
    shown = clone.duli("releases").splitlines()
    assert len(shown) == 2, shown
    assert "0.1.0" in shown[1]
    assert shown[1].endswith("release  champion, challenger")
