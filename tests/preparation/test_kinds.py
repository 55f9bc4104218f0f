"""Each kind of data refuses what is not of it, and gives back as an array what it was given as
bytes.
"""

import numpy as np
import pyarrow as pa
import pytest

from duli.base import kinds
from duli.base.errors import DataError, ParamsError

TEXTS = ["屏幕很好, 我喜欢", "电池太差了", "ok ok", "很好很好", "不好"]


def chunked(contents: list[bytes]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(contents, pa.binary())])


def test_the_normalisation_of_pixels_is_that_of_all_of_them_however_they_come() -> None:
    contents = [bytes([0, 255, 10, 20]), bytes([1, 2, 3, 4]), bytes([7, 7, 7, 7])]
    together, apart = (
        kinds.kind("image", {"channels": 1, "height": 2, "width": 2}),
        kinds.kind("image", {"channels": 1, "height": 2, "width": 2}),
    )
    together.add(contents)
    for content in contents:
        apart.add([content])
    for one in (together, apart):
        one.learn()
    pixels = np.frombuffer(b"".join(contents), np.uint8) / 255
    assert together.normalisation == apart.normalisation
    assert np.isclose(
        [together.normalisation["mean"], together.normalisation["std"]],
        [pixels.mean(), pixels.std()],
    ).all()


@pytest.mark.parametrize(
    ("name", "declared", "good", "bad"),
    [
        (
            "image",
            {"channels": 1, "height": 2, "width": 2},
            bytes(4),
            [None, b"", bytes(3), bytes(5)],
        ),
        ("text", {"length": 8, "vocabulary": 100}, "好".encode(), [None, b"", b" \n", b"\xff\xfe"]),
        (
            "table",
            {"features": 2},
            np.array([1, np.nan], "<f4").tobytes(),
            [
                None,
                b"",
                bytes(4),
                np.array([np.nan, np.nan], "<f4").tobytes(),
                np.array([1, np.inf], "<f4").tobytes(),
            ],
        ),
    ],
)
def test_what_is_not_of_the_kind_cannot_be_read(
    name: str, declared: dict[str, int], good: bytes, bad: list[bytes | None]
) -> None:
    kind = kinds.kind(name, declared)
    assert kind.readable([good, *bad, good]).tolist() == [True, *[False] * len(bad), True]
    assert {len(column) for column in kind.describe([good, good]).values()} == {2}
    assert {*kind.describe([good])} == {*kind.statistics.names}
    assert {*kind.statistics.names, "bytes"} >= {*kind.expected()}


def test_numbers_come_back_and_their_normalisation_leaves_out_what_is_missing() -> None:
    rows = np.array([[1, 5, np.nan], [3, 5, 2], [5, 5, 4]], np.float32)
    kind = kinds.kind("table", {"features": 3})
    contents = [row.astype("<f4").tobytes() for row in rows]
    kind.add(contents)
    kind.learn()
    assert np.allclose(kind.normalisation["mean"], [3, 5, 3])
    # what never changes is not divided by zero
    assert np.allclose(kind.normalisation["std"], [np.std([1, 3, 5]), 1, 1])
    assert np.array_equal(kind.arrays(chunked(contents)), rows, equal_nan=True)
    with pytest.raises(DataError, match=r"\b3\b.*`dvc repro`"):
        kind.arrays(chunked([bytes(8)]))


def test_texts_become_tokens_and_what_was_described_makes_the_same_kind() -> None:
    kind = kinds.kind("text", {"length": 8, "vocabulary": 100})
    contents = [text.encode() for text in TEXTS]
    kind.add(contents)
    kind.learn()
    arrays = kind.arrays(chunked(contents))
    assert arrays.dtype == np.int32
    assert arrays.shape == (len(TEXTS), 8)
    assert ((arrays >= 0) & (arrays < kind.input["vocabulary"])).all()
    again = kinds.prepared(kinds.described(kind))
    assert np.array_equal(again.arrays(chunked(contents)), arrays)
    with pytest.raises(DataError, match=r"byte 0xff.*`dvc repro`"):
        again.arrays(chunked([b"\xff"]))


def test_texts_need_to_be_told_how_they_become_tokens() -> None:
    class Texts:
        TITLE, KIND = "Letters", "text"

    with pytest.raises(ParamsError, match=r"prepare\.tokens.*null"):
        kinds.of(Texts, None)
    assert kinds.of(Texts, {"vocabulary": 200, "length": 16}).input == {
        "length": 16,
        "vocabulary": 200,
    }
