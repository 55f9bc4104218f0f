"""The `benchmark` section refuses what cannot be measured."""

from pathlib import Path

import pytest

from duli.base.errors import ParamsError
from duli.base.params import Params
from duli.benchmark.params import Benchmark

GOOD = "benchmark: {seconds: 8, batches: [1, 8], slo_ms: 10, max_spread: 0.1, tie: 0.05}"


def section(tmp_path: Path, text: str) -> Benchmark:
    (tmp_path / "params.yaml").write_text(text)
    return Params(tmp_path / "params.yaml").section("benchmark", Benchmark)


def test_good_settings(tmp_path: Path) -> None:
    assert section(tmp_path, GOOD).batches == (1, 8)


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("[1, 8]", "[1, 8, 8]", "has to rise from 1"),
        ("[1, 8]", "[8, 64]", "has to rise from 1"),
        ("[1, 8]", "[1, 64, 8]", "has to rise from 1"),
        ("[1, 8]", "[]", "batches"),
        ("[1, 8]", "[1, 100000]", "4096"),
        ("[1, 8]", "[1, 8.5]", "integer"),
        ("seconds: 8", "seconds: 0", "greater than 0"),
        ("slo_ms: 10", "slo_ms: -1", "greater than 0"),
        ("slo_ms: 10", "slo_ms: .inf", "finite"),
        ("max_spread: 0.1", "max_spread: 0", "greater than 0"),
        ("tie: 0.05", "tie: 0.9", "0.5"),
        ("tie: 0.05", "tie: 0.05, batch: 64", "unknown key 'benchmark.batch'"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, good: str, bad: str, told: str) -> None:
    with pytest.raises(ParamsError, match=told.replace("[", r"\[")):
        section(tmp_path, GOOD.replace(good, bad))
