"""Predictions of a torch module or of ONNX bytes for stored examples: logits, and probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base import machine, padding

BATCH = 500  # batch size of a forward pass: large enough to be fast, small enough for the cache

Images = NDArray[np.uint8]
# bytes of images [n, channels, height, width], int32 tokens [n, length] or float32 [n, features]
Inputs = NDArray[Any]


def torch_logits(model: Any, inputs: Inputs) -> NDArray[np.float32]:
    """Logits [n, classes] of a torch module with its preprocessing.

    Computed in float32 on the CPU, so that every run gives the same.
    """
    import torch

    model = model.eval()
    with torch.inference_mode():
        return _in_batches(inputs, lambda batch: model(torch.from_numpy(batch)).numpy())


def onnx_logits(model: bytes, inputs: Inputs) -> NDArray[np.float32]:
    """Logits [n, classes] of an ONNX file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if machine.cpu_quota() is not None:
        options.intra_op_num_threads = machine.cores()
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return _in_batches(inputs, lambda batch: session.run(["logits"], {name: padding.cut(batch)})[0])


def _in_batches(
    inputs: Inputs, answer: Callable[[Inputs], NDArray[np.float32]]
) -> NDArray[np.float32]:
    order = padding.by_length(inputs)
    answers = np.concatenate(
        [answer(inputs[order[start : start + BATCH]]) for start in range(0, len(inputs), BATCH)]
    )
    result = np.empty_like(answers)
    result[order] = answers
    return result


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities [n, classes] of logits [n, classes], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result
