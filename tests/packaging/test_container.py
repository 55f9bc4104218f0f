"""The Containerfile says what it has to; where there is an engine it is built and asked."""

import json
import re
import shutil
import subprocess

import pytest

from duli.packaging import card
from tests.closure import ROOT
from tests.packaging import tiny

WHEEL = "bright_row-1.2.0rc1-py3-none-any.whl"


def test_it_installs_the_wheel_and_serves_as_nobody() -> None:
    lines = card.containerfile(tiny.release(), WHEEL, "3.11").splitlines()
    steps = [line.split()[0] for line in lines if re.match(r"[A-Z]", line)]
    assert steps == ["FROM", "COPY", "RUN", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"]
    said = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if re.match(r"[A-Z]", line)}
    assert (said["FROM"], said["COPY"]) == ("python:3.11-slim", f"{WHEEL} /tmp/")
    assert int(said["USER"]) > 0
    assert json.loads(said["ENTRYPOINT"]) == ["bright-row"]
    assert json.loads(said["CMD"])[0] == "serve"
    assert f'"/tmp/{WHEEL}[serve]"' in "\n".join(lines)
    assert lines[3].startswith("# No image of it was built when the release was made")


def engine() -> str | None:
    """An engine that works: podman, or docker with its daemon."""
    for name in filter(shutil.which, ("podman", "docker")):
        try:
            if subprocess.run([name, "info"], capture_output=True, timeout=20, check=False).returncode == 0:
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
        [name, "build", "-q", "-f", "Containerfile", "-t", image, "."], cwd=ROOT / "dist", capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    try:
        ran = subprocess.run(
            [name, "run", "--rm", "--network=none", "--read-only", "--cap-drop=all", image, "verify"], capture_output=True, text=True
        )
        assert (ran.returncode, f"{program} " in ran.stdout) == (0, True), ran.stderr
        user = subprocess.run([name, "run", "--rm", "--network=none", "--entrypoint", "id", image, "-u"], capture_output=True, text=True)
        assert user.stdout.strip() == "10001"
    finally:
        subprocess.run([name, "rmi", "-f", image], capture_output=True, check=False)
