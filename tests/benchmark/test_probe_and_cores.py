"""Fresh processes: what one file needs, and what all cores give at once."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.benchmark import cores, probe
from tests.benchmark.graphs import LARGE, SMALL

IMAGES = np.zeros((8, 1, 2, 2), np.uint8)


def once(path: Path, content: bytes) -> dict[str, float]:
    path.write_bytes(content)
    return probe.once(path, files.sha256(content), (64, 1, 2, 2), "uint8")


def test_a_larger_model_needs_more_memory(tmp_path: Path) -> None:
    small, large = once(tmp_path / "small.onnx", SMALL), once(tmp_path / "large.onnx", LARGE)
    assert large["model_mb"] > small["model_mb"] + len(LARGE) / 1e6
    assert large["peak_mb"] > small["peak_mb"] > small["model_mb"] > 0
    assert small["load_ms"] > 0


def test_a_broken_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    with pytest.raises(DataError, match=r"broken\.onnx") as told:
        once(path, LARGE[:5000])
    assert "\n" not in str(told.value)
    with pytest.raises(DataError, match="does not have the SHA-256"):
        probe.once(path, "0" * 64, (64, 1, 2, 2), "uint8")


def test_a_summary_has_median_spread_and_count() -> None:
    probes = [{"load_ms": one, "peak_mb": 90.0, "model_mb": 30.0} for one in (1.0, 2.0, 9.0)]
    facts = probe.summary(probes, 64)
    assert facts["load_ms"] == {"value": 2.0, "spread": pytest.approx(2.0), "n": 3}
    assert facts["peak_mb"] == {"value": 90.0, "spread": 0.0, "n": 3, "model_mb": 30.0, "batch": 64}


def test_all_processes_work_on_every_model() -> None:
    found = cores.measured({"small": SMALL, "large": LARGE}, IMAGES[:8], 0.4, 2)
    assert found["large"]["cpu_us"]["value"] > 3 * found["small"]["cpu_us"]["value"]
    for one in found.values():
        facts = one["machine_throughput"]
        assert (facts["batch"], facts["threads"]) == (8, 2)
        assert facts["n"] >= 2 * 3
        assert facts["value"] > 0
        assert 0 < facts["cpu_share"] <= 1


def test_a_core_that_is_shared_halves_the_throughput_and_leaves_the_cost() -> None:
    alone = cores.facts([[cores.Work(100, 1.0, 1.0), cores.Work(110, 1.0, 1.0)]] * 3, 8)
    shared = cores.facts([[cores.Work(50, 1.0, 0.5), cores.Work(55, 1.0, 0.5)]] * 3, 8)
    assert alone["machine_throughput"]["value"] == 8 * 210
    assert shared["machine_throughput"]["value"] == 8 * 105
    assert (
        alone["machine_throughput"]["cpu_share"],
        shared["machine_throughput"]["cpu_share"],
    ) == (1, 0.5)
    assert alone["cpu_us"]["value"] == shared["cpu_us"]["value"] == pytest.approx(2e6 / (8 * 210))
    assert shared["machine_throughput"]["n"] == 3 * 105


def test_a_process_that_is_killed_is_one_line() -> None:
    def kill_one() -> None:
        for _ in range(2000):
            children = {
                int(child)
                for task in Path("/proc/self/task").iterdir()
                for child in (task / "children").read_text().split()
            }
            spawned = [
                child
                for child in children
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
            ]
            if spawned:
                os.kill(spawned[0], signal.SIGKILL)
                return
            time.sleep(0.005)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(DataError, match="one of 2 measuring processes ended before its time"):
        cores.measured({"small": SMALL}, IMAGES[:8], 30, 2)
    killer.join()


def test_memory_bounds_the_processes() -> None:
    assert cores.affordable(2, 90e6, 20e9) == 2
    assert cores.affordable(64, 1e9, 20e9) == 10
    assert cores.affordable(64, 90e9, 20e9) == 1
