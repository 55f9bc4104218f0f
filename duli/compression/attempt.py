"""Runs a library step of a variant: if the library fails, the variant is left out with a one-line
reason; no other error is caught.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DuliError

LENGTH = 300  # characters kept of a library's own message
# The fix; the caller adds that the variant may be removed from the list.
OPERATORS = "take operators in the architecture (duli/models/) that it has"
RANGES = "look for weights that are huge or no numbers, or try another quantize.calibration"

T = TypeVar("T")


class LeftOut(Exception):  # noqa: N818 -- no error of anybody's
    """A variant that cannot be made or does not run; the message gives the reason and the fix."""


def attempt(step: str, work: Callable[[], T]) -> T:
    """Runs `work`, which only calls a library's converter, trainer or runtime, and returns its
    result.

    Raises `LeftOut` ("STEP: the library's message; the fix") for the exceptions that these
    libraries raise for unsupported networks; our own errors pass through.
    """
    from google.protobuf.message import DecodeError, EncodeError
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    # onnxruntime's exceptions have no common base class.
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
    # Plain Python exceptions of the quantizer, the converter and the pruner at an unknown operator
    # or shape.
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
        raise LeftOut(f"{step}: {in_one_line(error)}; {OPERATORS}") from error


def in_one_line(error: BaseException) -> str:
    """A library's error message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:LENGTH]}"


def sound(content: bytes) -> bytes:
    """Returns an ONNX file unchanged; raises `LeftOut` if it holds NaN, or a scale that is not
    above zero.

    Integer kernels turn such a scale into some integer: the outputs then look plausible.
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
        # Another infinity may be intended, such as that of a mask; any damage shows in the outputs.
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
    """`logits` [n, classes]; raises `LeftOut` if one of them is not finite."""
    wrong = int((~np.isfinite(logits)).any(axis=1).sum())
    if wrong:
        raise LeftOut(
            f"its answers to {wrong:,} of {len(logits):,} validation examples are not finite;"
            f" {RANGES}"
        )
    return logits
