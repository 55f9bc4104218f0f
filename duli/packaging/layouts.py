"""The model for programs that load it without the wheel: labels, Triton's model repository, KServe,
the Open Inference Protocol.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from duli.packaging.manifest import encoded

MODEL, LABELS, DESCRIPTION, KSERVE = "model.onnx", "labels.txt", "inference.json", "kserve.json"
TRITON = "triton"  # folder: a model repository, as `tritonserver --model-repository` takes it
MAX_BATCH = 256  # examples of one call of the model in Triton
# Of ONNX's element types those that a released model takes or gives, as the Open Inference Protocol
# names them. Triton's configuration has the same names behind TYPE_:
# https://github.com/triton-inference-server/common, model_config.proto.
DATATYPES = {1: "FP32", 2: "UINT8", 6: "INT32", 7: "INT64", 10: "FP16", 11: "FP64"}

Tensor = dict[str, Any]  # name, datatype, shape; -1 is any number


def of(
    name: str, version: str, model: bytes, labels: Sequence[str], answer: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files by their paths in the release; `model` is the ONNX file that ships.

    `labels` are the names of its output's numbers, if they have any; `answer` says how that output
    becomes an answer.
    """
    inputs, outputs = _tensors(model)
    lines = "".join(f"{' '.join(label.split())}\n" for label in labels).encode()
    triton = f"{TRITON}/{name}"
    description = {
        "name": name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {
            "file": MODEL,
            **({"labels": list(labels)} if labels else {}),
            **answer,
        },
    }
    return {
        MODEL: model,
        **({LABELS: lines, f"{triton}/{LABELS}": lines} if labels else {}),
        DESCRIPTION: encoded(description),
        KSERVE: encoded(_kserve(name, version)),
        f"{triton}/config.pbtxt": _triton(name, inputs, outputs, named=bool(labels)),
        f"{triton}/1/{MODEL}": model,
    }


def _tensors(model: bytes) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of an ONNX file, as the Open Inference Protocol describes them."""
    import onnx

    graph = onnx.load_from_string(model).graph

    def described(value: Any) -> Tensor:
        kind = value.type.tensor_type
        shape = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
        return {"name": value.name, "datatype": DATATYPES[kind.elem_type], "shape": shape}

    return [described(one) for one in graph.input], [described(one) for one in graph.output]


def _triton(
    name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, named: bool
) -> bytes:
    """Triton's configuration; its shapes leave out the first axis, which is the batch."""

    def tensor(one: Tensor, further: str = "") -> str:
        shape = ", ".join(map(str, one["shape"][1:]))
        kind = f"TYPE_{one['datatype']}"
        return f'  {{ name: "{one["name"]}" data_type: {kind} dims: [ {shape} ]{further} }}'

    label_file = f' label_filename: "{LABELS}"' if named else ""
    lines = [
        f"name: {json.dumps(name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {MAX_BATCH}",
        "input [",
        ",\n".join(map(tensor, inputs)),
        "]",
        "output [",
        ",\n".join(tensor(one, label_file) for one in outputs),
        "]",
        "dynamic_batching { }",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _kserve(name: str, version: str) -> dict[str, Any]:
    """An InferenceService around the container of this release:
    https://kserve.github.io/website/docs/reference/crd-api.

    JSON is YAML, so `kubectl apply -f` takes it. The image has to be pushed, and its address put
    in, by whoever runs it.
    """

    def probe(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": 8080}}

    container = {
        "name": "kserve-container",
        "image": f"REGISTRY/{name}:{version}",
        "args": [
            "serve",
            "--host",
            "0.0.0.0",  # noqa: S104  # a pod's
            "--port",
            "8080",
            "--allow-host",
            "*",
        ],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "livenessProbe": probe("/v2/health/live"),
        "readinessProbe": probe(f"/v2/models/{name}/ready"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"containers": [container]}},
    }
