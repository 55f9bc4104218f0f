"""What a model answers, as a torch module or as ONNX bytes, to images of raw bytes: logits, and probabilities of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 500  # examples a forward pass: large enough to be quick, small enough to stay in the cache

Images = NDArray[np.uint8]


def torch_logits(model: Any, images: Images, mean: float, std: float) -> NDArray[np.float32]:
    """Logits [n, classes] of a torch module that takes normalised floats, for `images` [n, channels, height, width].

    In float32 on the CPU, where they are the same on every run.
    """
    import torch

    model = model.eval()
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(images), BATCH)
        outputs = [model(((batch.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)) for batch in batches]
        result: NDArray[np.float32] = torch.cat(outputs).numpy()
        return result


def onnx_logits(model: bytes, images: Images) -> NDArray[np.float32]:
    """Logits [n, classes] of an ONNX file that takes raw bytes [n, channels, height, width]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return np.concatenate([session.run(["logits"], {"images": batch})[0] for batch in batches])


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities [n, classes] of logits [n, classes], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result
