"""MNIST is read as published, and a damaged IDX file is named."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from duli.base.errors import DataError
from duli.datasets import mnist
from duli.serving.pictures import Rules, framed


def test_reads_all_examples_in_order(mnist_folder: Path) -> None:
    table = pa.Table.from_batches(mnist.examples(mnist_folder, rows=8192))
    assert table.num_rows == 70_000
    assert table["id"][59_999].as_py() == "train-59999"
    assert table["id"][60_000].as_py() == "test-00000"
    # The first ten labels that every tutorial prints.
    assert table["label"][:10].to_pylist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert sum(table["content"][0].as_py()) == 27_525
    assert {len(batch["content"][0].as_py()) for batch in table.to_batches()} == {784}


def test_no_digit_is_taken_for_a_negative_and_every_negative_for_its_digit(
    mnist_folder: Path,
) -> None:
    """Of every seventieth; all 70,000 were counted once."""
    rules = Rules.of(mnist.PICTURES)
    for batch in mnist.examples(mnist_folder, rows=8192):
        for content in batch["content"].to_pylist()[::70]:
            pixels = np.frombuffer(content, np.uint8).reshape(28, 28)
            assert (framed(Image.fromarray(pixels), mnist.SHAPE, rules) == pixels).all()
            assert (framed(Image.fromarray(255 - pixels), mnist.SHAPE, rules) == pixels).all()


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "ends 1 bytes early"),
        ("train-images-idx3-ubyte", lambda b: b"", "ends 16 bytes early"),
        ("t10k-images-idx3-ubyte", lambda b: b"\x1f\x8b" + b[2:], "starts with"),
        (
            "t10k-images-idx3-ubyte",
            lambda b: b[:8] + b"\xff\xff\xff\xff" + b[12:],
            "images of 4294967295 x 28",
        ),
        (
            "t10k-labels-idx1-ubyte",
            lambda b: b[:4] + b"\x00\x00\x00\x05" + b[8:],
            "10000 images but .* 5 labels",
        ),
    ],
)
def test_damaged_files(
    mnist_folder: Path, tmp_path: Path, name: str, damage: object, said: str
) -> None:
    for file in mnist.FILES:
        shutil.copy(mnist_folder / file, tmp_path / file)
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError, match=said):
        list(mnist.examples(tmp_path, rows=8192))
