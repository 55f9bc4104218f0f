"""What other servers load: Triton's own schema takes the configuration, and all files speak of one
model.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import tritonclient
from google.protobuf import text_format

from duli.packaging import layouts
from tests.packaging import tiny, tinytable, tinytext

ANSWER = {"temperature": 0.5, "threshold": 0.9}


def model_config() -> Any:
    """Triton's message ModelConfig, without gRPC, which the client's package would import."""
    file = Path(tritonclient.__path__[0], "grpc/model_config_pb2.py")
    spec = importlib.util.spec_from_file_location("model_config_pb2", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelConfig()


@pytest.mark.parametrize(
    "model", [tiny.model(), tinytext.model(), tinytable.model()], ids=["image", "text", "table"]
)
def test_all_describe_the_model_that_runs(model: bytes) -> None:
    made = layouts.of("bright-row", "1.2.0", model, tiny.CLASSES, ANSWER)
    session = onnxruntime.InferenceSession(made["model.onnx"], providers=["CPUExecutionProvider"])
    config = text_format.Parse(made["triton/bright-row/config.pbtxt"].decode(), model_config())
    described = json.loads(made["inference.json"])
    assert (config.name, config.backend, config.max_batch_size) == (
        "bright-row",
        "onnxruntime",
        layouts.MAX_BATCH,
    )
    for tensors, configured, asked in (
        (session.get_inputs(), config.input, described["inputs"]),
        (session.get_outputs(), config.output, described["outputs"]),
    ):
        names = [one.name for one in tensors]
        assert names == [one.name for one in configured] == [one["name"] for one in asked]
        for tensor, one, entry in zip(tensors, configured, asked, strict=True):
            shape = [axis if isinstance(axis, int) else -1 for axis in tensor.shape]
            assert shape == entry["shape"]
            assert shape[1:] == list(one.dims)
            assert (
                one.DESCRIPTOR.fields_by_name["data_type"]
                .enum_type.values_by_number[one.data_type]
                .name
                == f"TYPE_{entry['datatype']}"
            )
    (output,) = config.output
    assert made[f"triton/bright-row/{output.label_filename}"].decode().splitlines() == tiny.CLASSES
    assert made["triton/bright-row/1/model.onnx"] == model
    assert described["parameters"] | ANSWER == described["parameters"]


def test_a_label_stays_on_its_line() -> None:
    classes = ["two\nlines", "a\u2028b", "好"]
    made = layouts.of("bright-row", "1.2.0", tiny.model(), classes, ANSWER)
    assert len(made["labels.txt"].decode().splitlines()) == 3
    assert json.loads(made["inference.json"])["parameters"]["labels"] == classes


def test_kserve_asks_the_addresses_that_the_server_has() -> None:
    made = json.loads(
        layouts.of("bright-row", "1.2.0", tiny.model(), tiny.CLASSES, ANSWER)["kserve.json"]
    )
    (container,) = made["spec"]["predictor"]["containers"]
    assert container["image"].endswith("/bright-row:1.2.0")
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/models/bright-row/ready"
