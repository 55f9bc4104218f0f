"""The Containerfile says what it has to; where there is an engine it is built and asked."""

import json
import os
import re
import shutil
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from duli.packaging import card
from tests.closure import ROOT
from tests.packaging import tiny

WHEEL = "bright_row-1.2.0rc1-py3-none-any.whl"


def test_it_installs_the_wheel_and_serves_as_nobody() -> None:
    lines = card.containerfile(tiny.release(), WHEEL, "3.11").splitlines()
    steps = [line.split()[0] for line in lines if re.match(r"[A-Z]", line)]
    assert steps == ["FROM", "COPY", "RUN", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"]
    said = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in lines if re.match(r"[A-Z]", line)
    }
    assert (said["FROM"], said["COPY"]) == (
        "python:3.11-slim",
        f"{WHEEL} requirements.lock /tmp/release/",
    )
    assert int(said["USER"]) > 0
    assert json.loads(said["ENTRYPOINT"]) == ["bright-row"]
    assert json.loads(said["CMD"]) == ["serve"]
    assert "--require-hashes -r requirements.lock" in "\n".join(lines)
    assert lines[5].startswith("# No image of it was built when the release was made")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("allowed", "status"), [("", 421), ("model.example,*.svc.local", 200), ("*", 200)]
)
def test_its_command_answers_those_who_know_it_by_another_name(
    tmp_path: Path, allowed: str, status: int
) -> None:
    """As a process here: the command and the environment of the Containerfile, on a free port."""
    package = tiny.package(tmp_path / "bright_row")
    said = dict(
        re.findall(
            r"^(ENV|CMD) (.+)$", card.containerfile(tiny.release(), WHEEL, "3.11"), re.MULTILINE
        )
    )
    environment = {
        **os.environ,
        **dict(setting.split("=") for setting in said["ENV"].split()),
        "DULI_PORT": "0",
        "DULI_ALLOW_HOST": allowed,
        "PYTHONPATH": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", package.name, *json.loads(said["CMD"])]
    body = json.dumps({"images": tiny.images(1).tolist()})
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            found = re.search(r"http://0\.0\.0\.0:(\d+)", started.stdout.readline())
            assert found
            for host in ("model.example", "a.svc.local:8080"):
                for path, sent, expected in (
                    *(
                        (probe, None, 200)
                        for probe in (
                            "/health",
                            "/ping",
                            "/metrics",
                            "/v2/health/live",
                            "/v2/health/ready",
                        )
                    ),
                    ("/v2/models/bright-row/ready", None, 200),
                    ("/predict", body, status),
                ):
                    connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
                    headers = {"Host": host, "Content-Type": "application/json"}
                    connection.request("POST" if sent else "GET", path, sent, headers)
                    assert (path, connection.getresponse().status) == (path, expected)
                    connection.close()
        finally:
            started.terminate()


def engine() -> str | None:
    """An engine that works: podman, or docker with its daemon."""
    for name in filter(shutil.which, ("podman", "docker")):
        try:
            if (
                subprocess.run(
                    [name, "info"], capture_output=True, timeout=20, check=False
                ).returncode
                == 0
            ):
                return name
        except subprocess.TimeoutExpired:
            continue
    return None


@pytest.mark.slow
def test_the_image_of_the_release_here_builds_and_verifies() -> None:
    name = engine()
    if name is None:
        pytest.skip("no container engine works here, so the Containerfile was not built")
    if not (ROOT / "dist/Containerfile").is_file():
        pytest.skip("there is no release in dist/; `dvc repro` makes one")
    image = "duli-test:containerfile"
    program = json.loads((ROOT / "dist/manifest.json").read_text())["name"]
    built = subprocess.run(
        [name, "build", "-q", "-f", "Containerfile", "-t", image, "."],
        cwd=ROOT / "dist",
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    try:
        ran = subprocess.run(
            [
                name,
                "run",
                "--rm",
                "--network=none",
                "--read-only",
                "--cap-drop=all",
                image,
                "verify",
            ],
            capture_output=True,
            text=True,
        )
        assert (ran.returncode, f"{program} " in ran.stdout) == (0, True), ran.stderr
        user = subprocess.run(
            [name, "run", "--rm", "--network=none", "--entrypoint", "id", image, "-u"],
            capture_output=True,
            text=True,
        )
        assert user.stdout.strip() == "10001"
    finally:
        subprocess.run([name, "rmi", "-f", image], capture_output=True, check=False)
