"""A server counts what its inputs look like where it is asked to, keeps no input, and loses no
count.
"""

import json
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from duli.cli import incoming
from duli.serving.errors import InputError
from duli.serving.kinds.image import statistics
from duli.serving.kinds.image.statistics import Counting
from duli.serving.predictor import Predictor
from tests.packaging import tiny
from tests.serving.served import process


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return tiny.package(tmp_path / "installed/bright_row")


def test_counts_are_those_of_the_images_and_answers(package: Path, tmp_path: Path) -> None:
    model, images = Counting(package), tiny.images(50)
    path = tmp_path / "counts.json"
    with model.kept(path):
        found = model.predict(images)
        assert np.array_equal(found.probabilities, Predictor(package).predict(images).probabilities)
    facts = json.loads(path.read_text())
    flat = images.reshape(50, -1)
    for name, values in (
        ("mean", flat.mean(axis=1)),
        ("std", flat.std(axis=1)),
        ("min", flat.min(axis=1)),
        ("max", flat.max(axis=1)),
    ):
        assert (
            facts["features"][name]
            == np.bincount(np.floor(values + 1e-9).astype(int), minlength=256).tolist()
        ), name
    assert facts["predictions"] == [17, 17, 16]
    assert facts["classes"] == tiny.CLASSES
    assert facts["format"] == incoming.FORMAT == statistics.FORMAT
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_server_goes_on_counting(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    for _ in range(2):
        model = Counting(package)
        with model.kept(path):
            model.predict(tiny.images(10))
    assert sum(json.loads(path.read_text())["predictions"]) == 20


def test_threads_lose_no_count(package: Path) -> None:
    model, images = Counting(package, 1), tiny.images(3)
    threads = [
        threading.Thread(target=lambda: [model.predict(images) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.predictions.sum() == model.features["mean"].sum() == 600


def test_it_is_written_while_it_runs(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "EVERY", 0.001)
    model, path, written = Counting(package), tmp_path / "counts.json", threading.Event()
    plain = model._write

    def told(to: Path) -> None:
        plain(to)
        if sum(json.loads(to.read_text())["predictions"]) == 7:
            written.set()

    monkeypatch.setattr(model, "_write", told)
    with model.kept(path):
        model.predict(tiny.images(7))
        assert written.wait(30)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "another"}', "\x00"])
def test_another_file_is_left_alone(package: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"notes\.json"), Counting(package).kept(path):
        pass
    assert path.read_text() == text


def test_a_folder_that_is_not_there_is_told_at_once(package: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="cannot be written"),
        Counting(package).kept(tmp_path / "nowhere/counts.json"),
    ):
        pass


@pytest.mark.slow
def test_the_command_counts_until_it_is_ended(package: Path, tmp_path: Path) -> None:
    import http.client

    path = tmp_path / "counts.json"
    with process(package, "--statistics", str(path)) as (started, port):
        assert sum(json.loads(path.read_text())["predictions"]) == 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(
            "POST",
            "/predict",
            json.dumps({"images": tiny.images(5)[:, 0].tolist()}),
            {"content-type": "application/json"},
        )
        assert connection.getresponse().status == 200
        connection.close()
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0
    assert sum(json.loads(path.read_text())["predictions"]) == 5
