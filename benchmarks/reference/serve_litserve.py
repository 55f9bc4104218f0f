"""LitServe in front of onnxruntime, batching as its documentation shows. `python -m
benchmarks.reference.serve_litserve MODEL PORT`.
"""

import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Digits(litserve.LitAPI):
    """MLflow's body in, logits out."""

    def setup(self, device: str) -> None:
        del device
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        return np.array(request["inputs"]["images"][0], np.uint8)

    def batch(self, inputs: list[Any]) -> Any:
        return np.stack(inputs)

    def predict(self, x: Any) -> Any:
        return self.session.run(None, {"images": x})[0]

    def unbatch(self, output: Any) -> Any:
        return list(output)

    def encode_response(self, output: Any, **_: Any) -> Any:
        return {"predictions": [output.tolist()]}


if __name__ == "__main__":
    api = Digits(max_batch_size=16, batch_timeout=0.001, api_path="/invocations")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False
    )
