"""JSON becomes pixels exactly, fast or slowly, or is refused in one line."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duli.serving import kind_image
from duli.serving.bodies import MAX_INPUTS, document
from duli.serving.errors import InputError
from duli.serving.openinference import read
from duli.serving.pixels import asked, batch, pixels

SHAPE = (1, 3, 4)
KIND = kind_image.Kind({"input": {"channels": 1, "height": 3, "width": 4}}, {})
PIXELS = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize("sizes", [(2, 1, 3, 4), (2, 3, 4), (2, 12)])
@pytest.mark.parametrize("spaces", [(", ", ": "), (",", ":"), (" ,\n", ":")])
def test_every_nesting_both_ways(sizes: tuple[int, ...], spaces: tuple[str, str]) -> None:
    body = json.dumps({"images": PIXELS.reshape(sizes).tolist()}, separators=spaces).encode()
    found = asked(body, SHAPE)
    assert found.document.values == {"images": []}
    assert found.block is not None
    assert (batch(found.block, SHAPE, "images", single=False) == PIXELS).all()
    assert (pixels(document(body).values["images"], SHAPE, "images", truths=False) == PIXELS).all()


def taken(body: bytes, *, slow: bool) -> Any:
    """The pixels, or that it was refused."""
    try:
        found, block = (document(body), None) if slow else asked(body, SHAPE)
        if block is not None and found.values["images"] == []:
            return batch(block, SHAPE, "images", single=False).tolist()
        return pixels(found.values["images"], SHAPE, "images", truths=found.truths).tolist()
    except (InputError, KeyError) as error:
        return type(error)


BODY = json.dumps({"images": PIXELS.tolist()}).encode()


@settings(max_examples=800, deadline=None, derandomize=True)
@given(
    st.integers(0, len(BODY)), st.integers(0, 3), st.sampled_from([b"", b"0", b"9", b",", b"[", b"]", b" ", b"-", b"1e9", b"true", b"256"])
)
def test_what_the_fast_way_takes_the_slow_way_takes_too(position: int, cut: int, put: bytes) -> None:
    body = BODY[:position] + put + BODY[position + cut :]
    fast, slow = taken(body, slow=False), taken(body, slow=True)
    assert fast == slow


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no body"),
        (b"[1]", "is a JSON list; send an object"),
        (b"{", "nested deeper|do not match"),
        (b'{"a": nope}', "no JSON"),
        (b"\xff", "no JSON"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b'{"a": -Infinity}', "Infinity, which is no number"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 16"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 16"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_documents_that_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        document(body)


def test_brackets_in_strings_are_no_nesting() -> None:
    name = '"\\' + "[{" * 99
    assert document(json.dumps({"id": name}).encode()).values == {"id": name}


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
        ([[1e999] * 12], "the pixels are float64"),
        ([[True] * 12], "holds a truth value among its pixels"),
        ([[None] * 12], "holds a null among its pixels"),
        ([["1"] * 12], "holds a string among its pixels"),
        ([[[1] * 3] * 4], r"has the shape \[1, 4, 3\]; give \[n, 1, 3, 4\] or \[n, 3, 4\] or \[n, 12\]"),
        ([[1] * 12] * (MAX_INPUTS + 1), "holds 257 images; give 1 to 256"),
    ],
)
def test_images_that_are_refused(images: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pixels(images, SHAPE, "images", truths=True)


def question(**changes: Any) -> bytes:
    tensor = {"name": "images", "shape": [2, 1, 3, 4], "datatype": "UINT8", "data": PIXELS.ravel().tolist(), **changes.pop("tensor", {})}
    return json.dumps({"inputs": [{key: value for key, value in tensor.items() if value is not None}], **changes}).encode()


@pytest.mark.parametrize(
    ("body", "head", "message"),
    [
        (question(inputs=[]), None, "exactly one input"),
        (question(tensor={"name": "pixels"}), None, "has one input"),
        (question(tensor={"datatype": "FP32"}), None, "datatype UINT8"),
        (question(tensor={"shape": "x"}), None, "needs a shape"),
        (question(tensor={"shape": [2, 1, 4, 3]}), None, "has the shape"),
        (question(tensor={"shape": [3, 1, 3, 4]}), None, "holds 24 numbers"),
        (question(tensor={"data": None}), None, "has no data"),
        (question(tensor={"data": PIXELS.tolist(), "shape": [1, 1, 3, 4]}), None, "holds 24 numbers"),
        (question(id=5), None, "the id is no string"),
        (question(parameters=[]), None, "parameters is no object"),
        (question(outputs=[{"name": "logits"}]), None, "has the outputs"),
        (question(outputs=[]), None, "one or two outputs"),
        (question(outputs=[{"name": "label", "parameters": {"classification": 2}}]), None, "classification"),
        (
            question(tensor={"data": None, "parameters": {"binary_data_size": 24}}),
            None,
            "header Inference-Header-Content-Length is missing",
        ),
        (question(), b"-1", "is no length within the body"),
        (question(), b"999999", "is no length within the body"),
        (question() + b"\0", str(len(question())).encode(), "1 bytes follow the JSON part"),
        (question(tensor={"data": None, "parameters": {"binary_data_size": -24}}), b"9", "no JSON|do not match"),
    ],
)
def test_questions_that_are_refused(body: bytes, head: bytes | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(body, head, KIND)


@pytest.mark.parametrize("size", [23, 25, -24, 2**70])
def test_a_binary_tensor_has_the_size_it_says(size: int) -> None:
    part = question(tensor={"data": None, "parameters": {"binary_data_size": size}})
    with pytest.raises(InputError, match="binary_data_size has to be"):
        read(part + PIXELS.tobytes(), str(len(part)).encode(), KIND)
    part = question(tensor={"data": None, "parameters": {"binary_data_size": 24}})
    assert (read(part + PIXELS.tobytes(), str(len(part)).encode(), KIND)[1] == PIXELS).all()
    with pytest.raises(InputError, match="asks for 24 bytes, 23 follow"):
        read(part + PIXELS.tobytes()[1:], str(len(part)).encode(), KIND)
