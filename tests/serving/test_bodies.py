"""JSON becomes pixels exactly, fast or slowly, or is refused in one line."""

import json
from typing import Any

import numpy as np
import pytest

from duli.serving.bodies import MAX_INPUTS, document
from duli.serving.errors import InputError
from duli.serving.kinds.image import kind as kind_image
from duli.serving.kinds.image.pixels import pixels
from duli.serving.openinference import read
from tests.packaging import tiny

SHAPE = (1, 3, 4)
KIND = kind_image.Kind({"input": {"channels": 1, "height": 3, "width": 4}}, {})
TASK = tiny.task()
PIXELS = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize("sizes", [(2, 1, 3, 4), (2, 3, 4), (2, 12)])
def test_every_nesting(sizes: tuple[int, ...]) -> None:
    body = json.dumps({"images": PIXELS.reshape(sizes).tolist()}).encode()
    assert (KIND.asked(body).inputs == PIXELS).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no body"),
        (b"[1]", "is a JSON list; send an object"),
        (b"{", "no JSON"),
        (b'{"a": 1} x', "no JSON"),
        (b'{"a": nope}', "no JSON"),
        (b"\xff", "byte 0xff at 0"),
        (b'{"a": "caf\xe9"}', "byte 0xe9 at 10"),
        ('{"a": 1}'.encode("utf-16"), "byte 0xff at 0"),
        (b"\xef\xbb\xbf{}", r"\(BOM\)"),
        (b'{"a": NaN}', " NaN, which is no number"),
        (b'{"a": [1, -NaN]}', "-NaN, which is no number"),
        (b'{"a": Infinity}', " Infinity, which is no number"),
        ('{"é": -Infinity}'.encode(), "-Infinity, which is no number"),
        (b'{"a": 1e999}', "number too large"),
        (b'{"a": -1e999}', "number too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number too large"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"\\udc00": 1}', "half a character"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    ],
)
def test_documents_that_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        document(body)


def test_brackets_in_strings_are_no_nesting() -> None:
    name = '"\\' + "[{" * 99
    assert document(json.dumps({"id": name}).encode()).values == {"id": name}


def test_keys_that_are_there_twice_and_numbers_of_more_than_64_bits() -> None:
    assert document(b'{"a": 1, "a": 2}').values == {"a": 2}
    assert document(b'{"a": 18446744073709551616}').values == {"a": 2.0**64}
    with pytest.raises(InputError, match="above 255"):
        KIND.asked(b'{"images": [[' + b",".join([b"1"] * 11 + [b"9" * 30]) + b"]]}")


@pytest.mark.parametrize("row", [[235.0] * 12, [0, 1.0, 235] * 4, [0.0] * 12, [2.0, 1] * 6])
def test_whole_floats_are_whole_numbers(row: list[float]) -> None:
    found = KIND.asked(json.dumps({"images": [row]}).encode()).inputs
    assert found.ravel().tolist() == row


@pytest.mark.parametrize("depth", [5, 300, 1000])
def test_lists_in_lists_are_no_images(depth: int) -> None:
    body = b'{"images": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
    with pytest.raises(InputError, match="nested deeper than 4") as refused:
        KIND.asked(body)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("text", "is a string; give a list"),
        ([], r"has the shape \[0\]"),
        ([[1, 2], [3]], "rows of different lengths"),
        ([[1] * 12, 3], "mixes lists and numbers"),
        ([[256] * 12], "below 0 or above 255"),
        ([[-1] * 12], "below 0 or above 255"),
        ([[0.5] * 12], r"the pixels are float64.*255"),
        ([[0.0, 1.0] * 6], r"the pixels are float64.*255"),
        ([[235.0, 0.5] * 6], "the pixels are float64"),
        ([[256.0] * 12], "below 0 or above 255"),
        ([[1e999] * 12], "the pixels are float64"),
        ([[True] * 12], "holds a truth value among its pixels"),
        ([[None] * 12], "holds a null among its pixels"),
        ([["1"] * 12], "holds a string among its pixels"),
        (
            [[[1] * 3] * 4],
            r"has the shape \[1, 4, 3\]; give \[n, 1, 3, 4\] or \[n, 3, 4\] or \[n, 12\]",
        ),
        ([[1] * 12] * (MAX_INPUTS + 1), "holds 257 images; give 1 to 256"),
    ],
)
def test_images_that_are_refused(images: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pixels(images, SHAPE, "images", truths=True)


def question(**changes: Any) -> bytes:
    tensor = {
        "name": "images",
        "shape": [2, 1, 3, 4],
        "datatype": "UINT8",
        "data": PIXELS.ravel().tolist(),
        **changes.pop("tensor", {}),
    }
    return json.dumps(
        {"inputs": [{key: value for key, value in tensor.items() if value is not None}], **changes}
    ).encode()


@pytest.mark.parametrize(
    ("body", "head", "message"),
    [
        (question(inputs=[]), None, "exactly one input"),
        (question(tensor={"name": "pixels"}), None, "has one input"),
        (question(tensor={"datatype": "FP32"}), None, "datatype UINT8"),
        (question(tensor={"shape": "x"}), None, "needs a shape"),
        (question(tensor={"shape": []}), None, "has the shape"),
        (
            question(tensor={"shape": [2**63] * 9_999, "data": PIXELS.tolist()}),
            None,
            "needs a shape",
        ),
        (
            question(tensor={"shape": [2**63] * 4, "data": PIXELS.tolist()}),
            None,
            "holds 24 numbers",
        ),
        (question(tensor={"shape": [2, 1, 4, 3]}), None, "has the shape"),
        (question(tensor={"shape": [3, 1, 3, 4]}), None, "holds 24 numbers"),
        (question(tensor={"data": None}), None, "has no data"),
        (
            question(tensor={"data": PIXELS.tolist(), "shape": [1, 1, 3, 4]}),
            None,
            "holds 24 numbers",
        ),
        (question(id=5), None, "the id is no string"),
        (question(parameters=[]), None, "parameters is no object"),
        (question(outputs=[{"name": "logits"}]), None, "has the outputs"),
        (question(outputs=[]), None, "1 to 2 outputs"),
        (
            question(outputs=[{"name": "label", "parameters": {"classification": 2}}]),
            None,
            "classification",
        ),
        (
            question(tensor={"data": None, "parameters": {"binary_data_size": 24}}),
            None,
            "header Inference-Header-Content-Length is missing",
        ),
        (question(), b"-1", "is no length within the body"),
        (question(), b"999999", "is no length within the body"),
        (question() + b"\0", str(len(question())).encode(), "1 bytes follow the JSON part"),
        (question(tensor={"data": None, "parameters": {"binary_data_size": -24}}), b"9", "no JSON"),
    ],
)
def test_questions_that_are_refused(body: bytes, head: bytes | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(body, head, KIND, TASK)


@pytest.mark.parametrize("size", [23, 25, -24, 2**70])
def test_a_binary_tensor_has_the_size_it_says(size: int) -> None:
    part = question(tensor={"data": None, "parameters": {"binary_data_size": size}})
    with pytest.raises(InputError, match="binary_data_size"):
        read(part + PIXELS.tobytes(), str(len(part)).encode(), KIND, TASK)
    part = question(tensor={"data": None, "parameters": {"binary_data_size": 24}})
    assert (read(part + PIXELS.tobytes(), str(len(part)).encode(), KIND, TASK)[1] == PIXELS).all()
    with pytest.raises(InputError, match="asks for 24 bytes, 23 follow"):
        read(part + PIXELS.tobytes()[1:], str(len(part)).encode(), KIND, TASK)
