"""What a machine says of itself: memory that is left, under limits as Linux writes them."""

from pathlib import Path

import pytest

from duli import machine

GB = 10**9


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {8 * GB // 1024} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8 * GB // 1024 * 1024),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 8 * GB // 1024 * 1024),
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
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n", "sys/fs/cgroup/memory.current": "200\n"},
            0,
        ),
    ],
)
def test_memory_left_is_what_the_tightest_limit_leaves(tmp_path: Path, files: dict[str, str], left: int) -> None:
    assert machine.available_bytes(tree(tmp_path, files)) == left


def test_without_proc_it_is_all_there_is(tmp_path: Path) -> None:
    assert machine.available_bytes(tmp_path) >= machine.available_bytes() > 0
