"""Requests made wrong: never an answer of 5xx, never a wait, and good requests among them stay
answered.
"""

import json
import random
import time
from collections.abc import Iterator

import pytest

from harness.requests import mutated, once, request, schemathesis
from tests.packaging import tiny
from tests.serving.served import Served, serving

pytestmark = pytest.mark.slow
IMAGES = tiny.images(2)
# seconds of processor time for a request of a few hundred bytes, the client's and the server's
SLOWEST = 0.5


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(package=tiny.package(tmp_path_factory.mktemp("installed") / "bright_row")) as one:
        yield one


def test_mutated_requests(served: Served) -> None:
    tensor = {
        "name": "images",
        "shape": [2, 1, 3, 4],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": 24},
    }
    part = json.dumps({"inputs": [tensor]}).encode()
    good = [
        request(
            "/predict",
            json.dumps({"images": IMAGES.tolist()}).encode(),
            {"Content-Type": "application/json"},
        ),
        request(
            "/v2/models/bright-row/infer",
            part + IMAGES.tobytes(),
            {"Inference-Header-Content-Length": str(len(part))},
        ),
    ]
    expected = [once(served.port, one) for one in good]
    assert {status for status, _ in expected} == {"200"}
    chance = random.Random(0)
    statuses, slowest = [], 0.0
    for number in range(1500):
        began = time.process_time()
        statuses.append(once(served.port, mutated(chance.choice(good), chance))[0])
        slowest = max(slowest, time.process_time() - began)
        if number % 50 == 0:
            assert [once(served.port, one) for one in good] == expected
    assert not [status for status in statuses if status.startswith("5") or status == "reset"]
    assert {"200", "400", "413"} - set(statuses) <= {"413"}
    assert slowest < SLOWEST
    until = time.monotonic() + 5  # the last ones are closed on the server's side a moment later
    while served.service.connections and time.monotonic() < until:
        time.sleep(0.01)
    assert not served.service.connections


def test_what_schemathesis_makes_of_the_document(served: Served) -> None:
    found = schemathesis(served.port, examples=40, phases="fuzzing")
    assert found["failures"] == 0
    assert found["requests"] > 80
