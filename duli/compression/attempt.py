"""Attempts to make a variant: if the library fails, the variant is left out with one sentence;
nothing else is caught.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DuliError

LENGTH = 300  # characters of a library's own words that are told
# What to do; whoever made the variant adds that it may be taken out of the list.
OPERATORS = "take operators in the architecture (duli/models/) that it has"
RANGES = "look for weights that are huge or no numbers, or try another quantize.calibration"

T = TypeVar("T")


class LeftOut(Exception):  # noqa: N818 -- no error of anybody's
    """A variant that cannot be made or does not run; the message gives the reason and the fix."""


def attempt(step: str, work: Callable[[], T]) -> T:
    """The result of `work`, which does nothing but call a library's converter, trainer or runtime.

    Raises `LeftOut` ("STEP: what the library says; what to do") for what these raise at a network
    they cannot take; our own errors pass through.
    """
    from google.protobuf.message import DecodeError, EncodeError
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    # onnxruntime's exceptions have no common base.
    of_runtime = (
        runtime.Fail,
        runtime.InvalidArgument,
        runtime.InvalidGraph,
        runtime.InvalidProtobuf,
        runtime.NotImplemented,
    )
    of_graph = (
        runtime.RuntimeException,
        runtime.EPFail,
        ValidationError,
        InferenceError,
        DecodeError,
        EncodeError,
    )
    # What the quantizer, the converter and the pruner raise, in plain Python, at an operator or a
    # shape they do not know.
    plain = (
        ValueError,
        RuntimeError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
        ArithmeticError,
    )
    try:
        return work()
    except (DuliError, LeftOut):
        raise
    except (*of_runtime, *of_graph, *plain) as error:
        raise LeftOut(f"{step}: {said(error)}; {OPERATORS}") from error


def said(error: BaseException) -> str:
    """An error of a library in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:LENGTH]}"


def sound(content: bytes) -> bytes:
    """An ONNX file as it is; raises `LeftOut` if one of its numbers is none, or one of its
    scales is not above zero.

    Integer kernels turn such a scale into some integer: the answers then look like answers.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(content).graph
    scales = {
        node.input[1]
        for node in graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        # An infinity that is no scale may be meant, such as that of a mask; what it spoils shows in
        # the answers.
        right = np.isfinite(values) & (values > 0) if tensor.name in scales else ~np.isnan(values)
        if not right.all():
            reader = next(
                (node.op_type for node in graph.node if tensor.name in node.input), "nothing"
            )
            broken = "scale" if tensor.name in scales else "value"
            raise LeftOut(
                f"its tensor '{tensor.name}', read by {reader}, has a {broken} that is broken;"
                f" {RANGES}"
            )
    return content


def finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """`logits` [n, classes]; raises `LeftOut` if one of them is no number."""
    wrong = int((~np.isfinite(logits)).any(axis=1).sum())
    if wrong:
        raise LeftOut(
            f"its answers to {wrong:,} of {len(logits):,} validation examples are not finite;"
            f" {RANGES}"
        )
    return logits
