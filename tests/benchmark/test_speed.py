"""The arithmetic of the measurement, and one real measurement of a real session."""

import gc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from duli.benchmark import speed


@pytest.fixture
def model() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["images"], ["logits"], to=TensorProto.FLOAT)],
        "cast",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def test_latency_percentiles_and_spread() -> None:
    rounds = [np.full(99, 1.0), np.append(np.full(98, 1.0), 9.0)]
    facts = speed.latency(rounds)
    assert (facts["value"], facts["p95"], facts["n"], facts["spread"]) == (1.0, 1.0, 198, 0.0)


def test_throughput_counts_examples_a_second() -> None:
    facts = speed.throughput([np.full(10, 2.0), np.full(10, 2.0)], batch=64)
    assert facts["value"] == pytest.approx(32_000)
    assert facts["n"] == 20
    noisy = speed.throughput([np.full(10, 1.0), np.full(10, 2.0), np.full(10, 4.0)], batch=64)
    assert noisy["spread"] > 0.5


def test_every_session_is_measured_in_every_round(model: bytes) -> None:
    sessions = {"a": speed.session(model, 1), "b": speed.session(model, 1)}
    rounds = speed.calls_ms(sessions, np.zeros((2, 4), np.uint8), seconds=0.1)
    assert rounds.keys() == {"a", "b"}
    assert all(len(of_one) == speed.ROUNDS and all(len(one) >= 1 and (one > 0).all() for one in of_one) for of_one in rounds.values())
    assert gc.isenabled()


def test_load_time(model: bytes) -> None:
    assert speed.load_ms(model)["value"] > 0
