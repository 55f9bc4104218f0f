"""What people write: FastAPI with pydantic in front of onnxruntime. `python -m
benchmarks.reference.serve_fastapi MODEL PORT`.
"""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
app = FastAPI()


class Inputs(BaseModel):
    """MLflow's body."""

    inputs: dict[str, list[list[list[list[int]]]]]


@app.get("/ping")
async def ping() -> dict[str, str]:
    return {}


@app.post("/invocations")
async def invocations(body: Inputs) -> dict[str, list[list[float]]]:
    (logits,) = session.run(None, {"images": np.array(body.inputs["images"], np.uint8)})
    return {"predictions": logits.tolist()}


@app.post("/raw")
async def raw(request: Request) -> Response:
    images = np.frombuffer(await request.body(), np.uint8).reshape(-1, 1, 28, 28)
    (logits,) = session.run(None, {"images": images})
    return Response(logits.tobytes(), media_type="application/octet-stream")


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
