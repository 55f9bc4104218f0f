"""What a machine says of itself: memory that is left, under limits as Linux writes them."""

from pathlib import Path

import pytest

from duli.base import machine

GB = 10**9


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {
        "proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {8 * GB // 1024} kB\n",
        **files,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8 * GB // 1024 * 1024),
        (
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"},
            8 * GB // 1024 * 1024,
        ),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": f"{6 * GB}\n",
                "sys/fs/cgroup/a/b/memory.current": f"{GB}\n",
                "sys/fs/cgroup/a/memory.max": f"{4 * GB}\n",  # the tighter one stands above
                "sys/fs/cgroup/a/memory.current": f"{2 * GB}\n",
                "sys/fs/cgroup/a/memory.stat": f"anon 5\ninactive_file {GB // 2}\n",
            },
            2 * GB + GB // 2,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/not/mounted/here\n1:cpu:/\n0::/\n",
                f"{V1}/memory.limit_in_bytes": f"{3 * GB}\n",
                f"{V1}/memory.usage_in_bytes": f"{GB}\n",
                f"{V1}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GB // 4}\n",
            },
            2 * GB + GB // 4,
        ),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "100\n",
                "sys/fs/cgroup/memory.current": "200\n",
            },
            0,
        ),
    ],
)
def test_memory_left_is_what_the_tightest_limit_leaves(
    tmp_path: Path, files: dict[str, str], left: int
) -> None:
    assert machine.available_bytes(tree(tmp_path, files)) == left


def test_without_proc_it_is_all_there_is(tmp_path: Path) -> None:
    assert machine.available_bytes(tmp_path) >= machine.available_bytes() > 0


QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("files", "quota", "cores"),
    [
        ({}, None, 8),
        ({"proc/self/cgroup": "0::/\n"}, None, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2.5, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 64.0, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "\n"}, None, 8),
        (
            {
                "proc/self/cgroup": "0::/pod/box\n",  # the tighter one stands above
                "sys/fs/cgroup/pod/box/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/pod/cpu.max": "100000 50000\n",
                "sys/fs/cgroup/cpu.max": "max 100000\n",
            },
            2.0,
            2,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n0::/\n",
                f"sys/fs/cgroup/cpu/{QUOTA}": "50000\n",
                f"sys/fs/cgroup/cpu/{PERIOD}": "100000\n",
            },
            0.5,
            1,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n",
                f"sys/fs/cgroup/cpu/{QUOTA}": "-1\n",
                f"sys/fs/cgroup/cpu/{PERIOD}": "100000\n",
            },
            None,
            8,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/docker/of/the/host\n2:cpuset:/\n",
                f"sys/fs/cgroup/cpu,cpuacct/{QUOTA}": "150000\n",
                f"sys/fs/cgroup/cpu,cpuacct/{PERIOD}": "100000\n",
            },
            1.5,
            2,
        ),
        (
            {
                "proc/self/cgroup": "3:cpuacct,cpu:/a\n",  # mounted under another name
                f"sys/fs/cgroup/cpu/a/{QUOTA}": "20000\n",
                f"sys/fs/cgroup/cpu/a/{PERIOD}": "100000\n",
            },
            0.2,
            1,
        ),
    ],
)
def test_cores_are_no_more_than_the_quota_which_is_told_beside_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    quota: float | None,
    cores: int,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    found = machine.describe(tree(tmp_path, files))
    assert (found.get("cpu_quota"), found["cores"]) == (quota, cores)


def test_the_cpu_and_its_flags_are_named(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: Xeon Test\nflags\t\t: fpu avx2 avx_vnni sse\n"
    found = machine.describe(tree(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert (found["cpu"], found["flags"]) == ("Xeon Test", ["avx2", "avx_vnni"])


@pytest.mark.parametrize(
    ("flags", "in_16"),
    [
        (["avx2"], True),
        (["avx2", "avx512f"], True),
        (["avx2", "avx_vnni"], False),
        (["avx2", "avx512_vnni"], False),
        (["asimd"], False),
    ],
)
def test_an_x86_without_vnni_adds_in_16_bits(flags: list[str], in_16: bool) -> None:
    assert machine.adds_in_16_bits(flags) is in_16
