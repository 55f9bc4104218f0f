"""What the wheel knows of the CPU: the same as the stages, which have their own code for it."""

from pathlib import Path

import onnxruntime
import pytest

from duli.base import machine
from duli.serving import processor
from duli.serving.predictor import Predictor
from tests.packaging import tiny
from tests.test_machine import PERIOD, QUOTA, tree

GROUPS = {
    "none": ({}, 0),
    "v2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
    "half": ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
    "unlimited": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 0),
    "more than there are": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"},
        0,
    ),
    "nested": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/cpu.max": "100000 50000\n",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        },
        2,
    ),
    "v1": (
        {
            "proc/self/cgroup": "3:cpuacct,cpu:/of/the/host\n",
            f"sys/fs/cgroup/cpu/{QUOTA}": "150000\n",
            f"sys/fs/cgroup/cpu/{PERIOD}": "100000\n",
        },
        2,
    ),
    "v1 unlimited": (
        {
            "proc/self/cgroup": "3:cpu:/\n",
            f"sys/fs/cgroup/cpu/{QUOTA}": "-1\n",
            f"sys/fs/cgroup/cpu/{PERIOD}": "100000\n",
        },
        0,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_threads_follow_the_quota_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    files, cores = GROUPS[name]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    root = tree(tmp_path, files)
    assert processor.allowed(root) == cores
    assert machine.cores(root) == (cores or 8)


@pytest.mark.parametrize(("asked", "taken"), [(0, 2), (5, 5)])
def test_the_predictor_takes_as_many_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, taken: int
) -> None:
    made: list[int] = []
    real = onnxruntime.InferenceSession

    def session(
        content: bytes, options: onnxruntime.SessionOptions, providers: list[str]
    ) -> object:
        made.append(options.intra_op_num_threads)
        return real(content, options, providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(processor, "allowed", lambda: 2)
    Predictor(tiny.package(tmp_path / "bright_row"), asked)
    assert made == [taken]


def test_a_cpu_is_called_as_the_stages_call_it(tmp_path: Path) -> None:
    text = "model name\t: Xeon Test\nflags\t\t: fpu avx2 avx512f avx512_vnni\n"
    root = tree(tmp_path, {"proc/cpuinfo": text})
    assert processor.cpu(root) == machine.cpu(root)
    assert processor.named(processor.cpu(root)) == "Xeon Test (avx2 avx512f avx512_vnni)"
