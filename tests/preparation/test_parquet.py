"""Prepared splits come back as the pixels they were, and damaged files are named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.base.errors import DataError
from duli.kinds.image.reading import examples as image
from duli.preparation.prepared.parquet import arrays, examples
from duli.tasks.classification.targets.targets import Targets

KIND = image.Kind(1, 2, 2)
TARGETS = Targets(["a", "b", "c"])


def table(contents: list[bytes]) -> pa.Table:
    return pa.table(
        {
            "label": pa.array(range(len(contents)), pa.int16()),
            "content": pa.array(contents, pa.binary()),
        }
    )


def test_pixels_of_slices_and_chunks() -> None:
    rows = pa.concat_tables(
        [table([bytes([i, i, 0, 255]) for i in range(start, start + 5)]) for start in (0, 5)]
    )
    images, labels = arrays(rows.slice(3, 5), KIND, TARGETS)
    assert images.shape == (5, 1, 2, 2)
    assert images[:, 0, 0, 0].tolist() == [3, 4, 5, 6, 7]
    assert images[:, 0, 1, 1].tolist() == [255] * 5
    assert labels.tolist() == [3, 4, 0, 1, 2]
    assert arrays(rows.slice(0, 0), KIND, TARGETS)[0].shape == (0, 1, 2, 2)


def test_a_file_comes_back(tmp_path: Path) -> None:
    pq.write_table(table([bytes([1, 2, 3, 4])] * 7), tmp_path / "test.parquet", row_group_size=3)
    images, labels = examples(tmp_path / "test.parquet", KIND, TARGETS)
    assert (images == np.array([[[[1, 2], [3, 4]]]] * 7)).all()
    assert labels.tolist() == list(range(7))


def test_contents_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"\b4\b.*`dvc repro`"):
        arrays(table([b"1234", b"123", b"12345"]), KIND, TARGETS)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 10, None])
def test_damaged_and_missing_files_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "test.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"test\.parquet"):
        examples(path, KIND, TARGETS)


def test_one_flipped_bit_is_seen_while_reading(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 4), np.uint8)
    pq.write_table(
        table([row.tobytes() for row in pixels]),
        path,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"test\.parquet.*CRC.*`dvc repro`"):
        examples(path, KIND, TARGETS)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "test.parquet")
    with pytest.raises(DataError, match="content"):
        examples(tmp_path / "test.parquet", KIND, TARGETS)
