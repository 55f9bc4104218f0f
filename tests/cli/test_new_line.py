"""Lines that `duli new` made of a table and of Chinese texts, stage by stage under real DVC."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.clone import Clone, make_clone
from harness.made_up import HEAPS, points, reviews

pytestmark = pytest.mark.slow


def made(tmp_path: Path, data: Path, epochs: int, *options: str) -> Clone:
    """The folder of the line that `duli new` makes of the data, with less to do than it would
    have.
    """
    (tmp_path / "clone").mkdir()
    clone = make_clone(tmp_path / "clone", tmp_path)
    clone.duli("new", "mine", "--from", str(data), *options)
    clone.folder /= "pipelines/mine"
    for section, key, value in (
        ("train", "epochs", epochs),
        ("benchmark", "seconds", 0.5),
        ("report", "draws", 200),
    ):
        clone.set(section, key, value)
    return clone


def test_a_line_of_a_table_runs_and_learns_what_is_in_it(tmp_path: Path) -> None:
    """Three heaps of points in six dimensions, which hardly touch: nearly all are told apart, up to
    the report.

    The release takes the file that the line was made of.
    """
    data = points(tmp_path / "points.csv", 600)
    clone = made(tmp_path, data, 6, "--label", "heap")
    clone.run_stages("report")
    facts = clone.json("reports/evaluation.json")
    assert facts["accuracy"]["value"] > 0.97
    assert (
        facts["accuracy"]["n"]
        == clone.json("data/prepared/stats.json")["splits"]["test"]["examples"]
    )
    stats = clone.json("data/prepared/stats.json")
    assert set(stats["classes"]) == set(HEAPS)
    assert stats["features"] == [*"abcdef", "t_ms"]
    assert list(stats["centred"]) == ["t_ms"]
    with zipfile.ZipFile(next((clone.folder / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    asked = [sys.executable, "-m", "mine", "evaluate", str(data)]
    told = subprocess.run(
        asked, cwd=tmp_path / "installed", capture_output=True, text=True, check=True
    ).stdout
    assert "line 9: a is 'broken'" in told
    assert " of 600 right: 9" in told
    assert "t_ms as (value - " in (clone.folder / "dist/MODEL_CARD.md").read_text(encoding="utf-8")
    assert clone.json("reports/business.json")["accuracy"] == facts["accuracy"]
    assert "margin" not in {gate["name"] for gate in clone.json("reports/gates.json")["results"]}
    assert "<code>mine 0.1.0</code></h1>" in (clone.folder / "reports/report.html").read_text()
    assert clone.run("dvc", "repro", "report").stdout.count("Running stage") == 0


def test_a_line_of_chinese_texts_runs_to_a_champion(tmp_path: Path) -> None:
    clone = made(tmp_path, reviews(tmp_path / "reviews.csv", 400), epochs=20)
    clone.run_stages("report")
    assert clone.repro() == ["track"]
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
