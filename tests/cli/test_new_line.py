"""A line that `duli new` made of a table, by real `dvc repro`."""

from pathlib import Path

import numpy as np
import pytest

from tests.test_line import make_clone

pytestmark = pytest.mark.slow

LAST = "evaluate"  # stage up to which tables are known


def test_a_line_of_a_table_runs_and_learns_what_is_in_it(tmp_path: Path) -> None:
    """Three heaps of points in six dimensions, which hardly touch: nearly all are told apart."""
    generator = np.random.default_rng(0)
    kinds = generator.integers(0, 3, 600)
    points = generator.normal(size=(600, 6)) + 3 * generator.normal(size=(3, 6))[kinds]
    rows = [",".join([*(f"{one:.4f}" for one in point), f"heap {kind}"]) for point, kind in zip(points, kinds, strict=True)]
    (tmp_path / "points.csv").write_text("\n".join(["a,b,c,d,e,f,label", *rows]) + "\n")
    (tmp_path / "clone").mkdir()
    clone = make_clone(tmp_path / "clone", tmp_path)
    clone.duli("new", "points", "--from", str(tmp_path / "points.csv"))
    clone.folder /= "pipelines/points"
    for section, key, value in (("train", "epochs", 6), ("benchmark", "seconds", 0.5)):
        clone.set(section, key, value)
    clone.run("dvc", "repro", LAST)
    facts = clone.json("reports/evaluation.json")
    assert facts["accuracy"]["value"] > 0.97
    assert facts["accuracy"]["n"] == clone.json("data/prepared/stats.json")["splits"]["test"]["examples"]
    assert clone.json("data/prepared/stats.json")["classes"] == ["heap 0", "heap 1", "heap 2"]
    assert clone.run("dvc", "repro", LAST).stdout.count("Running stage") == 0
