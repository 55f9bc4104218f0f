"""The access log: a line of JSON for every answer, whoever gave it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from duli.serving.accesslog import AccessLog
from tests.packaging import tiny
from tests.serving.served import serving

LISTS = {"images": tiny.images(3).tolist()}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.package(tmp_path_factory.mktemp("installed") / "bright_row")


def test_every_answer_is_a_line(package: Path) -> None:
    file = io.StringIO()
    with serving(package=package, max_body=2000, log=AccessLog(file)) as one:
        _, _, found = one.ask("POST", "/predict", LISTS, x_request_id="one/1")
        made = one.ask("HEAD", "/card")[2]["x-request-id"]
        one.ask("POST", "/predict", {"image": 1}, x_request_id='two"\u00fc')
        one.ask("GET", "/nothing?secret=1")
        one.ask("POST", "/predict", bytes(2001), content_type="application/json")
    assert found["x-request-id"] == "one/1"
    lines: list[dict[str, Any]] = [json.loads(line) for line in file.getvalue().splitlines()]
    told = [(line["method"], line["route"], line["status"], line["examples"]) for line in lines]
    assert told == [
        ("POST", "/predict", 200, 3),
        ("HEAD", "/card", 200, 0),
        ("POST", "/predict", 400, 0),
        ("GET", "other", 404, 0),
        (None, "other", 413, 0),  # refused before it was whole
    ]
    assert lines[0]["id"] == "one/1"
    assert lines[0]["bytes"] == int(found["content-length"])
    assert (lines[1]["id"], lines[1]["bytes"]) == (made, 0)
    assert len(lines[2]["id"]) == 32  # a name that could be mistaken is replaced
    assert all(line["time"].endswith("Z") and line["seconds"] >= 0 for line in lines)
    assert "secret" not in file.getvalue()


def test_a_request_without_a_log_is_not_named(package: Path) -> None:
    with serving(package=package) as one:
        assert "x-request-id" not in one.ask("GET", "/ping", x_request_id="one")[2]


def test_answers_go_on_where_the_log_cannot(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = io.StringIO()
    file.close()
    with serving(package=package, log=AccessLog(file)) as one:
        assert [one.ask("GET", "/ping")[0] for _ in range(3)] == [200] * 3
    assert capsys.readouterr().err.count("the access log ends") == 1
