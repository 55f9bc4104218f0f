"""The arithmetic of the measurement, and real measurements of real sessions."""

import gc
import json
import time

import numpy as np
import onnxruntime
import pytest

from duli.base.errors import DataError
from duli.benchmark import speed
from duli.serving import predictor
from tests.benchmark.graphs import LARGE, SMALL


def turn(*calls: float, cpu_ms: float = 0.0) -> speed.Turn:
    return speed.Turn(np.array(calls), cpu_ms)


def images(count: int) -> speed.Inputs:
    return np.zeros((count, 1, 2, 2), np.uint8)


def test_percentiles_are_those_of_all_calls() -> None:
    calls = np.random.default_rng(0).gamma(2, 1, (10, 57))
    facts = speed.run([speed.Turn(one, 0) for one in calls], 8, 1)
    assert [facts["p50_ms"], facts["p95_ms"], facts["p99_ms"]] == np.percentile(
        calls, [50, 95, 99]
    ).tolist()
    assert facts["n"] == 570


def test_a_run_counts_examples_a_second_and_the_spread_of_its_rounds() -> None:
    facts = speed.run([turn(2.0, 2.0), turn(2.0)], 64, 1)
    assert facts["per_second"] == pytest.approx(32_000)
    assert facts["spread"] == 0
    assert speed.run([turn(1.0), turn(2.0), turn(4.0)], 64, 1)["spread"] > 0.5


def test_a_run_says_how_much_of_the_cores_it_had() -> None:
    assert speed.run([turn(10.0, cpu_ms=10.0), turn(10.0, cpu_ms=5.0)], 1, 1)[
        "cpu_share"
    ] == pytest.approx(0.75)
    assert speed.run([turn(10.0, cpu_ms=10.0)], 1, 2)["cpu_share"] == pytest.approx(0.5)


def test_latency_is_that_of_the_smallest_batch() -> None:
    facts = speed.latency([speed.run([turn(5.0)], 8, 1), speed.run([turn(1.0, 3.0)], 1, 1)])
    assert (facts["value"], facts["n"], facts["threads"]) == (2.0, 2, 1)


def test_throughput_is_stated_within_the_objective() -> None:
    runs = [
        speed.run([turn(milliseconds)], batch, 1)
        for batch, milliseconds in ((1, 1.0), (8, 5.0), (64, 20.0))
    ]
    assert speed.at_objective(runs, 50)["batch"] == 64
    within = speed.at_objective(runs, 10)
    assert (within["batch"], within["within_slo"], within["p99_ms"]) == (8, True, 5.0)
    assert within["value"] == pytest.approx(1600)
    none = speed.at_objective(runs, 0.5)
    assert (none["batch"], none["within_slo"]) == (1, False)


def test_the_slow_p99_of_a_batch_counts_not_its_median() -> None:
    restless = speed.run([turn(*[1.0] * 50, *[30.0] * 2)], 64, 1)
    assert speed.at_objective([speed.run([turn(1.0)], 1, 1), restless], 10)["batch"] == 1


def test_a_larger_graph_is_measured_slower() -> None:
    contestants = {
        name: speed.call(speed.session(model, 1))
        for name, model in (("small", SMALL), ("large", LARGE))
    }
    taken = speed.turns(contestants, [images(1), images(64)], 0.3)
    for batch in (1, 64):
        runs = {name: speed.run(taken[name][batch], batch, 1) for name in contestants}
        assert runs["large"]["p50_ms"] > 3 * runs["small"]["p50_ms"]
        assert runs["large"]["per_second"] < runs["small"]["per_second"]


def test_everybody_has_a_turn_in_every_round_and_the_order_changes() -> None:
    seen: list[tuple[str, int]] = []
    contestants = {name: lambda batch, name=name: seen.append((name, len(batch))) for name in "ab"}
    taken = speed.turns(contestants, [images(1), images(8)], 1e-9)
    assert {
        name: {batch: len(of_one) for batch, of_one in by_batch.items()}
        for name, by_batch in taken.items()
    } == {name: {1: speed.FEWEST_ROUNDS, 8: speed.FEWEST_ROUNDS} for name in "ab"}
    firsts = [seen[start][0] for start in range(0, 4 * (speed.FEWEST_ROUNDS + 1), 4)]
    assert firsts == ["a", "b", "a", "b"]
    assert gc.isenabled()


def test_the_budget_holds_where_calls_are_slow() -> None:
    contestants = {"slow": lambda _: time.sleep(0.02)}
    began = time.monotonic()
    taken = speed.turns(contestants, [images(1)], 0.1)
    assert time.monotonic() - began < 1
    assert speed.FEWEST_ROUNDS <= len(taken["slow"][1]) <= speed.ROUNDS


def test_a_session_is_made_as_the_released_predictor_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two islands, one way: what is measured is what ships."""
    made: list[tuple[dict[str, object], list[str]]] = []

    def catch(_: bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> None:
        names = (
            name
            for name in dir(options)
            if not name.startswith("_") and not callable(getattr(options, name))
        )
        made.append(({name: getattr(options, name) for name in names}, providers))

    size = {"channels": 1, "height": 2, "width": 2}
    facts = {
        "classes": ["0"],
        "temperature": 1,
        "threshold": 0.5,
        "kind": "image",
        "task": "classification",
        "input": size,
        "model": {"file": "model.onnx"},
        "numbers": {"evaluation": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}}},
    }
    release = json.dumps(facts).encode()
    monkeypatch.setattr(onnxruntime, "InferenceSession", catch)
    monkeypatch.setattr(
        predictor, "verify", lambda _: {predictor.RELEASE: release, "model.onnx": SMALL}
    )
    predictor.Predictor(threads=3)
    speed.session(SMALL, 3)
    assert made[0] == made[1]
    assert made[0][0]["intra_op_num_threads"] == 3
    speed.session(SMALL, 2)
    assert made[2] != made[0]


def test_bytes_that_are_no_model_are_told_in_one_line() -> None:
    for broken in (b"", b"no model", LARGE[: len(LARGE) // 2]):
        with pytest.raises(DataError, match="onnxruntime cannot load this model") as told:
            speed.session(broken, 1)
        assert "\n" not in str(told.value)


def test_the_cpu_is_always_measured_and_a_gpu_where_onnxruntime_was_built_for_one() -> None:
    assert speed.devices(["CPUExecutionProvider", "AzureExecutionProvider"]) == {
        "cpu": ["CPUExecutionProvider"]
    }
    with_cuda = speed.devices(
        ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert with_cuda == {
        "cpu": ["CPUExecutionProvider"],
        "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    }


def test_waiting_ends_when_the_other_threads_have_slept_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock of CPU seconds that others push on for ten looks, with one pause: a spinning thread
    that has to wait for its core.
    """
    now, looks = [0.0, 0.0], [0]

    def sleep(seconds: float) -> None:
        looks[0] += 1
        now[0] += seconds
        if looks[0] <= 10 and looks[0] != 5:
            now[1] += seconds

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[1])
    monkeypatch.setattr(time, "sleep", sleep)
    speed.until_asleep()
    assert looks[0] == 10 + speed.QUIET
    monkeypatch.setattr(
        time,
        "sleep",
        lambda seconds: (
            now.__setitem__(1, now[1] + seconds),
            now.__setitem__(0, now[0] + seconds),
        ),
    )
    speed.until_asleep()  # never asleep: it ends all the same
