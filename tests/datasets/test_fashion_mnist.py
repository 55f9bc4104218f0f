"""Fashion-MNIST is read as published; Debian's package has the pinned bytes."""

import hashlib
import shutil
import struct
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from duli.base.errors import DataError
from duli.datasets import fashion_mnist
from duli.datasets.shared.sources import DebianPackage, Folder, Mirror

DEBIAN = next(
    source for source in fashion_mnist.PUBLIC_SOURCES if isinstance(source, DebianPackage)
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Five garments of train and two of test, each of one grey: ten times its label."""
    for split, labels in (("train", [9, 0, 0, 3, 0]), ("t10k", [9, 2])):
        pixels = b"".join(bytes([10 * label]) * 784 for label in labels)
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, len(labels), 28, 28) + pixels
        )
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, len(labels)) + bytes(labels)
        )
    return tmp_path


def test_reads_all_examples_in_order(small: Path) -> None:
    batches = list(fashion_mnist.examples(small, rows=2))
    assert [batch.num_rows for batch in batches] == [2, 2, 1, 2]
    table = pa.Table.from_batches(batches)
    assert table["id"].to_pylist() == [
        *(f"train-{n:05d}" for n in range(5)),
        "test-00000",
        "test-00001",
    ]
    assert table["split"].to_pylist() == ["train"] * 5 + ["test"] * 2
    assert table["label"].to_pylist() == [9, 0, 0, 3, 0, 9, 2]
    assert table["content"].to_pylist() == [
        bytes([10 * label]) * 784 for label in table["label"].to_pylist()
    ]


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "ends 1 bytes early"),
        ("t10k-labels-idx1-ubyte", lambda b: b"\x1f\x8b" + b[2:], "starts with"),
        (
            "t10k-images-idx3-ubyte",
            lambda b: b[:8] + b"\x00\x00\x00\x20" + b[12:],
            "images of 32 x 28, not 28 x 28",
        ),
        (
            "train-labels-idx1-ubyte",
            lambda b: b[:4] + b"\x00\x00\x00\x04" + b[8:],
            "5 images but .* 4 labels",
        ),
        ("t10k-images-idx3-ubyte", lambda b: b + b"\0", "t10k-images-idx3-ubyte is longer"),
        ("train-labels-idx1-ubyte", lambda b: b + b"\7", "train-labels-idx1-ubyte is longer"),
    ],
)
def test_damaged_files(small: Path, name: str, damage: object, said: str) -> None:
    (small / name).write_bytes(damage((small / name).read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError, match=said):
        list(fashion_mnist.examples(small, rows=8192))


def test_a_local_folder_comes_first(tmp_path: Path) -> None:
    assert fashion_mnist.sources(None) == fashion_mnist.PUBLIC_SOURCES
    assert fashion_mnist.sources(tmp_path) == (Folder(tmp_path), *fashion_mnist.PUBLIC_SOURCES)
    assert [type(source) for source in fashion_mnist.PUBLIC_SOURCES] == [Mirror, DebianPackage]


def apt_knows(package: str) -> bool:
    """Whether this machine's apt could fetch the package; asks its lists alone."""
    if not shutil.which("apt-get"):
        return False
    return (
        subprocess.run(
            ["apt-get", "download", "--print-uris", package], capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(not apt_knows(DEBIAN.name), reason=f"apt-get here knows no {DEBIAN.name}")
def test_the_debian_package_has_the_pinned_bytes(tmp_path: Path) -> None:
    with DEBIAN.open() as chunks:
        for name, (size, digest) in fashion_mnist.FILES.items():
            content = b"".join(chunks(name))
            assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
            (tmp_path / name).write_bytes(content)
    table = pa.Table.from_batches(fashion_mnist.examples(tmp_path, rows=8192))
    counts = table.group_by(["split", "label"]).aggregate([([], "count_all")])
    assert counts.num_rows == 20
    assert set(counts.filter(pc.equal(counts["split"], "train"))["count_all"].to_pylist()) == {
        6_000
    }
    assert set(counts.filter(pc.equal(counts["split"], "test"))["count_all"].to_pylist()) == {1_000}
    assert [fashion_mnist.CLASSES[label] for label in table["label"][:5].to_pylist()] == [
        "Ankle boot",
        "T-shirt/top",
        "T-shirt/top",
        "Dress",
        "T-shirt/top",
    ]
