"""The addresses of a server: what each answers, to a browser, a program, MLflow's clients and
Triton's own.
"""

import io
import json
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from duli.serving import batching, server
from duli.serving.batching import Batcher
from duli.serving.kinds.image.images import decode
from duli.serving.predictor import Predictor
from tests.packaging import tiny
from tests.serving.served import Served, process, serving

IMAGES = tiny.images(4)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.package(tmp_path_factory.mktemp("installed") / "bright_row")


@pytest.fixture(scope="module")
def served(package: Path) -> Iterator[Served]:
    with serving(package=package) as one:
        yield one


def labels(answer: dict[str, Any]) -> list[str]:
    return [one["label"] for one in answer["predictions"]]


def npy(images: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        {"images": IMAGES.tolist()},
        {"images": IMAGES[:, 0].tolist()},
        {"images": IMAGES.reshape(4, -1).tolist(), "abstain": False},
    ],
)
def test_predict_takes_lists(served: Served, body: Any) -> None:
    status, answer, _ = served.ask("POST", "/predict", body)
    assert (status, labels(answer)) == (200, ["top", "middle", "bottom", "top"])
    for one in answer["predictions"]:
        assert (
            one["probability"]
            == one["probabilities"][one["label"]]
            == max(one["probabilities"].values())
        )
        assert abs(sum(one["probabilities"].values()) - 1) < 1e-5


def test_predict_answers_as_the_predictor_does(served: Served, package: Path) -> None:
    _, answer, _ = served.ask("POST", "/predict", {"images": IMAGES.tolist()})
    expected = Predictor(package).predict(IMAGES).probabilities
    assert (
        np.abs(
            np.array([list(one["probabilities"].values()) for one in answer["predictions"]])
            - expected
        ).max()
        < 1e-6
    )


def test_predict_takes_one_image_and_files(served: Served) -> None:
    assert labels(served.ask("POST", "/predict", {"image": IMAGES[1, 0].tolist()})[1]) == ["middle"]
    assert (
        labels(served.ask("POST", "/predict", npy(IMAGES), content_type="application/x-npy")[1])[2]
        == "bottom"
    )
    buffer = io.BytesIO()
    Image.fromarray(IMAGES[2, 0]).save(buffer, "PNG")
    for kind in ("image/png", "application/octet-stream"):
        assert labels(served.ask("POST", "/predict", buffer.getvalue(), content_type=kind)[1]) == [
            "bottom"
        ]


def test_the_page_is_told_what_the_model_sees_of_a_picture(served: Served) -> None:
    wide = np.zeros((30, 40), np.uint8)
    wide[10:20] = 255
    buffer = io.BytesIO()
    Image.fromarray(255 - wide).convert("RGBA").save(buffer, "PNG")
    status, seen, _ = served.ask("POST", "/pixels", buffer.getvalue(), content_type="image/png")
    assert (status, seen["images"]) == (200, decode(buffer.getvalue(), (1, 3, 4)).tolist())
    assert "EXIF" in seen["done"]
    answers = [served.ask("POST", "/predict", {"images": seen["images"]})[1]]
    answers += [served.ask("POST", "/predict", buffer.getvalue(), content_type="image/png")[1]]
    assert answers[0] == answers[1]
    assert served.ask("POST", "/pixels", b"BM", content_type="image/png")[0] == 400
    assert served.ask("POST", "/pixels", buffer.getvalue(), content_type="text/plain")[0] == 415


def test_a_label_is_withheld_when_asked_for(served: Served) -> None:
    unsure = {"image": np.full((3, 4), 7).tolist()}
    _, answer, _ = served.ask("POST", "/predict", unsure)
    assert (labels(answer), answer["predictions"][0]["abstains"]) == (["top"], True)
    for path, body in (
        ("/predict?abstain=true", unsure),
        ("/predict", {**unsure, "abstain": True}),
    ):
        _, answer, _ = served.ask("POST", path, body)
        assert (labels(answer), answer["predictions"][0]["abstains"]) == ([None], True)
    sure = {"image": (np.eye(3, 4, dtype=int) * 0 + np.array([[255], [0], [0]])).tolist()}
    assert labels(served.ask("POST", "/predict?abstain=true", sure)[1]) == ["top"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": IMAGES.tolist()},
        {"inputs": {"images": IMAGES.tolist()}},
        {"instances": IMAGES.tolist()},
        {"instances": [{"images": image.tolist()} for image in IMAGES]},
        {"dataframe_split": {"columns": list(range(12)), "data": IMAGES.reshape(4, -1).tolist()}},
        {"dataframe_split": {"data": IMAGES.reshape(4, -1).tolist()}, "params": {"abstain": False}},
    ],
)
def test_invocations_as_mlflow_is_asked(served: Served, body: Any) -> None:
    status, answer, _ = served.ask("POST", "/invocations", body)
    assert (status, labels(answer)) == (200, ["top", "middle", "bottom", "top"])


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "message"),
    [
        ("/predict", b"x", "text/plain", 415, "Content-Type is not read"),
        ("/invocations", b"x", "text/csv", 415, "Content-Type is not read"),
        ("/predict", b"x", "image/png", 400, "the body: is of no known kind"),
        (
            "/predict",
            npy(np.zeros((2, 5, 5), np.uint8)),
            "application/x-npy",
            400,
            "the model takes",
        ),
        (
            "/predict",
            npy(np.zeros((257, 3, 4), np.uint8)),
            "application/x-npy",
            400,
            "send 256 at once",
        ),
        (
            "/predict",
            b"{}",
            "application/json",
            400,
            "give the images under one of the keys images, image",
        ),
        (
            "/predict",
            b'{"images": [], "image": []}',
            "application/json",
            400,
            "under one of the keys",
        ),
        ("/predict", b'{"image": [[1]]}', "application/json", 400, "has the shape"),
        ("/predict?abstain=perhaps", b'{"image": [[1]]}', "application/json", 400, "abstain=true"),
        (
            "/predict",
            b'{"image": [1,1,1,1,1,1,1,1,1,1,1,1], "abstain": 1}',
            "application/json",
            400,
            "true or false",
        ),
        ("/invocations", b'{"dataframe_records": []}', "application/json", 400, "dataframe_split"),
        ("/v2/models/bright-row/infer", b"{}", "application/json", 400, "exactly one input"),
        ("/v2/models/other/infer", b"{}", "application/json", 404, "the model is bright-row"),
        (
            "/v2/repository/models/bright-row/unload",
            b"{}",
            "application/json",
            404,
            "nothing at this address",
        ),
        ("/metrics", b"{}", "application/json", 405, "takes GET alone"),
    ],
)
def test_refusals_say_what_to_do(
    served: Served, path: str, body: bytes, kind: str, status: int, message: str
) -> None:
    found, answer, _ = served.ask("POST", path, body, content_type=kind)
    assert found == status
    assert message in answer["error"]


def test_nothing_is_allowed_to_other_sites(served: Served) -> None:
    for path in ("/", "/page.js", "/about", "/predict"):
        _, _, headers = served.ask("OPTIONS", path, origin="https://evil.example")
        assert not [name for name in headers if name.startswith("access-control")]
    _, _, headers = served.ask("GET", "/")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_asked_of_the_server_as_a_whole(served: Served) -> None:
    status, _, headers = served.ask("OPTIONS", "*")
    assert (status, headers["allow"]) == (200, "GET, HEAD, OPTIONS, POST")
    assert served.ask("GET", "*")[0] == 405


def test_the_release_tells_of_itself(served: Served) -> None:
    assert served.ask("GET", "/card")[1] == b"# A card\n"
    about = served.ask("GET", "/about")[1]
    assert (about["accuracy"]["n"], about["threshold"], about["kind"], about["pictures"]) == (
        60,
        0.9,
        "image",
        {},
    )
    assert about["integrity"].endswith("files are as released; UNSIGNED")
    assert served.ask("GET", "/ping")[0] == served.ask("HEAD", "/health")[0] == 200


def test_metrics_count(package: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with serving(package=package) as one:
        for _ in range(3):
            one.ask("POST", "/predict", {"images": IMAGES.tolist()})
        one.ask("POST", "/predict", {"images": 1})
        text = one.ask("GET", "/metrics")[1].decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["http_requests_total", ("route", "/predict"), ("status", "200")] == 3
    assert samples["http_requests_total", ("route", "/predict"), ("status", "400")] == 1
    assert samples["http_request_duration_seconds_count", ("route", "/predict")] == 4
    assert (
        samples["http_request_duration_seconds_bucket", ("le", "+Inf"), ("route", "/predict")] == 4
    )
    assert samples[("model_batch_images_sum",)] == 12
    assert samples["model_info", ("name", "bright-row"), ("version", "1.2.0rc1")] == 1


@pytest.mark.slow
def test_openapi_is_valid_and_complete(served: Served) -> None:
    from jsonschema import Draft202012Validator

    document = served.ask("GET", "/openapi.json")[1]
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        for method in operations:
            assert served.ask(method.upper(), path, b"" if method == "post" else None)[0] in (
                200,
                400,
                415,
            )
    schemas = {"components": document["components"]}
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        del name
    answer = served.ask("POST", "/predict", {"images": IMAGES.tolist()})[1]
    Draft202012Validator({"$ref": "#/components/schemas/Predictions", **schemas}).validate(answer)
    Draft202012Validator({"$ref": "#/components/schemas/Images", **schemas}).validate(
        IMAGES.tolist()
    )
    assert not Draft202012Validator({"$ref": "#/components/schemas/Images", **schemas}).is_valid(
        [[256] * 12]
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of gevent's, at import
def test_tritons_own_client(served: Served, package: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tritonclient.http as triton

        client = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("bright-row")
        assert client.is_model_ready("bright-row", "1.2.0rc1")
        assert not client.is_model_ready("other")
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        assert client.get_model_metadata("bright-row")["inputs"] == [
            {"name": "images", "datatype": "UINT8", "shape": [-1, 1, 3, 4]}
        ]
        expected = Predictor(package).predict(IMAGES)
        for sent in (True, False):
            tensor = triton.InferInput("images", list(IMAGES.shape), "UINT8")
            tensor.set_data_from_numpy(IMAGES, binary_data=sent)
            for outputs in (
                None,
                [
                    triton.InferRequestedOutput(name, binary_data=binary)
                    for name in ("label", "probabilities")
                    for binary in (True,)
                ],
                [
                    triton.InferRequestedOutput(name, binary_data=False)
                    for name in ("label", "probabilities")
                ],
            ):
                result = client.infer("bright-row", [tensor], outputs=outputs, request_id="a-1")
                assert result.get_response()["id"] == "a-1"
                found = [
                    label.decode() if isinstance(label, bytes) else label
                    for label in result.as_numpy("label")
                ]
                assert found == expected.labels
                assert (
                    np.abs(result.as_numpy("probabilities") - expected.probabilities).max() < 1e-6
                )
        unsure = np.full((1, *tiny.SHAPE), 7, np.uint8)
        tensor = triton.InferInput("images", list(unsure.shape), "UINT8")
        tensor.set_data_from_numpy(unsure)
        assert client.infer("bright-row", [tensor], parameters={"abstain": True}).as_numpy(
            "label"
        ).tolist() == [b""]
        with pytest.raises(triton.InferenceServerException, match="correct its name"):
            client.infer(
                "bright-row",
                [triton.InferInput("x", [1, 1, 3, 4], "UINT8").set_data_from_numpy(unsure)],
            )
        client.close()


class Loop:
    """An event loop whose callbacks run when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Any] = []
        self.now = 0.0

    def call_soon(self, call: Any, *arguments: Any) -> None:
        self.soon.append((call, arguments))

    call_soon_threadsafe = call_soon

    def time(self) -> float:
        return self.now

    def run(self) -> None:
        while self.soon:
            call, arguments = self.soon.pop(0)
            call(*arguments)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    one = Loop()
    monkeypatch.setattr(batching.asyncio, "get_running_loop", lambda: one)
    return one


def test_requests_that_come_together_go_together(loop: Loop) -> None:
    calls: list[int] = []
    batcher = Batcher(lambda images: np.float32(images[:, 0, 0, :2]), calls.append)
    answers: list[Any] = []
    for image in IMAGES[:3]:
        batcher.submit(image[None], answers.append)
    loop.run()
    assert calls == [3]
    assert [answer.tolist() for answer in answers] == [
        [image[0, 0, :2].tolist()] for image in IMAGES[:3]
    ]
    batcher.stop()


def test_a_batch_takes_no_longer_than_its_bound(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    batcher = Batcher(lambda images: np.zeros((len(images), 2), np.float32), calls.append)
    batcher._seconds = batching.LATENCY_SECONDS / 2
    monkeypatch.setattr(batching, "INLINE_SECONDS", 1)
    for _ in range(5):
        batcher.submit(IMAGES[:1], lambda _: None)
    loop.run()
    assert calls[0] == 2
    assert sum(calls) == 5
    batcher.stop()


def slow_batcher(seconds: float) -> Batcher:
    """Of a model that is known to take `seconds` for an example."""
    batcher = Batcher(lambda images: np.zeros((len(images), 2), np.float32), lambda _: None)
    batcher._seconds = seconds
    return batcher


def test_the_queue_is_measured_in_work_and_not_in_examples(loop: Loop) -> None:
    """4,097 examples that take 0.1 s are let in, 6 that take 0.6 s are not."""
    fast, slow = slow_batcher(0.1 / 4097), slow_batcher(0.1)
    for _ in range(17):
        fast.admit()
        fast.submit(np.zeros((241, *tiny.SHAPE), np.uint8), lambda _: None)
    fast.admit()
    for _ in range(6):
        slow.admit()
        slow.submit(IMAGES[:1], lambda _: None)
    with pytest.raises(batching.Overloaded) as refused:
        slow.admit()
    assert refused.value.seconds == pytest.approx(0.6)
    fast.stop()
    slow.stop()


def test_one_request_larger_than_the_budget_is_admitted_alone(loop: Loop) -> None:
    batcher = slow_batcher(10.0)
    batcher.admit()
    batcher.submit(IMAGES[:1], lambda _: None)
    with pytest.raises(batching.Overloaded):
        batcher.admit()
    loop.run()  # hands it to the thread: it is still before all others
    with pytest.raises(batching.Overloaded):
        batcher.admit()
    batcher.stop()
    loop.run()
    batcher.admit()


def test_one_slow_call_is_enough_to_know_how_slow_the_model_is(loop: Loop) -> None:
    batcher = Batcher(lambda images: np.zeros((len(images), 2), np.float32), lambda _: None)
    item = batching._Item(IMAGES, lambda _: None, 0.0, 4.0)
    batcher._deliver([item], np.zeros((4, 2), np.float32), 4.0)
    assert 0.5 < batcher._per_example < 1.0
    batcher.stop()


def test_what_is_more_work_than_the_others_leaves_the_loop_free(loop: Loop) -> None:
    batcher = Batcher(lambda texts: np.zeros((len(texts), 2), np.float32), lambda _: None, sum, len)
    batcher._seconds = batching.INLINE_SECONDS / 10
    batcher.submit("a", lambda _: None)
    loop.run()
    assert not batcher.running
    batcher._weigh = lambda _: 20.0
    batcher.submit("a", lambda _: None)
    loop.run()
    assert batcher.running == 20.0
    assert batcher.queued == 0
    batcher.stop()
    loop.run()
    assert not batcher.running
    assert not batcher.backlog


def test_one_that_waits_too_long_is_given_up(loop: Loop) -> None:
    batcher = slow_batcher(0.1)
    answers: list[Any] = []
    for n in (3, 1):
        batcher.submit(IMAGES[:n], answers.append)
    loop.now = batching.WAIT_SECONDS + 1
    loop.run()
    assert [type(answer) for answer in answers] == [batching.Overloaded] * 2
    assert batcher.queued == 0
    batcher.stop()


def test_long_calls_leave_the_loop_free(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the thread is at the model, the server goes on answering, and refuses before it
    parses.
    """
    monkeypatch.setattr(batching, "INLINE_SECONDS", 0)
    monkeypatch.setattr(server, "REFUSAL_SECONDS", 0.01)
    release = threading.Event()
    original = Predictor.answers

    def slow(self: Predictor, images: Any) -> Any:
        assert release.wait(10)
        return original(self, images)

    monkeypatch.setattr(Predictor, "answers", slow)
    with serving(package=package) as one:
        batcher = one.application.batcher
        batcher._seconds = 0.1  # an example
        found: list[Any] = []

        def ask() -> None:
            found.append(one.ask("POST", "/predict", {"images": IMAGES.tolist()}))

        first = threading.Thread(target=ask)
        first.start()
        while not batcher.running:
            assert one.ask("GET", "/ping")[0] == 200
        second = threading.Thread(target=ask)
        second.start()
        while not batcher.queued:
            assert one.ask("GET", "/ping")[0] == 200
        batcher._seconds = 0.9
        for path in ("/predict", "/invocations", "/v2/models/bright-row/infer"):
            status, answer, headers = one.ask(
                "POST", path, b"no JSON", content_type="application/json"
            )
            assert (status, headers["retry-after"]) == (503, "8")  # 8 examples of 0.9 s
            assert "try again in 8 seconds" in answer["error"]
        release.set()
        first.join(10)
        second.join(10)
    assert [status for status, _, _ in found] == [200, 200]


def test_a_model_that_fails_is_a_500(tmp_path: Path) -> None:
    with serving(
        package=tiny.package(tmp_path / "bright_row", tiny.model(scale=float("nan")))
    ) as one:
        for path, body in (
            ("/predict", {"images": IMAGES.tolist()}),
            (
                "/v2/models/bright-row/infer",
                {
                    "inputs": [
                        {
                            "name": "images",
                            "datatype": "UINT8",
                            "shape": [4, 12],
                            "data": IMAGES.ravel().tolist(),
                        }
                    ]
                },
            ),
        ):
            status, answer, _ = one.ask("POST", path, body)
            assert status == 500
            assert "not finite" in answer["error"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_after_the_last_answer(
    package: Path, number: signal.Signals
) -> None:
    body = json.dumps({"images": IMAGES.tolist()}).encode()
    with process(package) as (started, port):
        connections = [HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(8)]
        for connection in connections:
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answers = [connection.getresponse().read() for connection in connections]
        for connection in connections:
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
        started.send_signal(number)
        for connection, first in zip(connections, answers, strict=True):
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, first)
            connection.close()
        assert started.wait(10) == 0
        assert started.stderr is not None
        assert started.stderr.read() == ""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.slow
def test_a_port_that_is_taken_and_a_damaged_package(package: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    def serve(folder: Path, port: int) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "bright_row", "serve", "--port", str(port)]
        return subprocess.run(
            command,
            env={"PYTHONPATH": str(folder.parent)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = serve(package, taken.getsockname()[1])
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "choose another with --host and --port" in ended.stderr
    damaged = tiny.package(tmp_path / "bright_row")
    (damaged / "page.js").write_bytes((damaged / "page.js").read_bytes() + b"\n")
    ended = serve(damaged, 0)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "page.js is changed" in ended.stderr


@pytest.mark.slow
def test_a_name_that_is_allowed(package: Path) -> None:
    with process(package, "--allow-host", "Model.Example") as (_, port):
        for host, path, expected in (
            ("model.example:80", "/about", 200),
            ("localhost", "/about", 200),
            ("other.example", "/about", 421),
            ("other.example", "/ping", 200),
        ):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path, headers={"Host": host})
            assert connection.getresponse().status == expected
            connection.close()
