import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from duli.tracking import ui
from duli.tracking.client.store import Store
from duli.tracking.logged import release
from stages import track
from tests.closure import ROOT
from tests.tracking import line

SERVE = """
import sys
from pathlib import Path
from duli.tracking import ui
from duli.tracking.client import store
ui.serve(store.locate({"DVC_ROOT": sys.argv[1]}, Path()), lambda text: print(text, flush=True), int(sys.argv[2]))
"""


@pytest.mark.slow
def test_the_server_takes_a_free_port_says_what_to_open_takes_releases_and_ends_cleanly(
    store: Store, tmp_path: Path
) -> None:
    for cost in (12.0, 13.0):
        line.build(tmp_path / "line", cost=cost)
        release.log(store, track.gather(tmp_path / "line", {}))
    with socket.socket() as taken:
        taken.bind((ui.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
            assert serving.stdout is not None
            said = []
            for text in serving.stdout:
                said.append(text.strip())
                if text.startswith("Ctrl-C"):
                    break
            links = dict(entry.rsplit("  ", 1) for entry in said[1:-2])
            assert said[0].startswith(f"port {port} is taken; using ")
            assert list(map(str.strip, links)) == [
                "digits: releases",
                "digits: charts",
                "digits: last two",
                "models",
            ]
            server = said[1].split()[-1].split("/#/")[0]
            with urllib.request.urlopen(f"{server}/health") as answer:
                assert answer.status == 200
            line.build(tmp_path / "line", name="letters")
            through = {"DVC_ROOT": str(tmp_path), "MLFLOW_TRACKING_URI": server}
            logged = track.record(tmp_path / "line", through)
            assert (logged.created, logged.registered, logged.version) == (True, True, 1)
            assert track.record(tmp_path / "line", through) == replace(
                logged, created=False, registered=False
            )
            assert (
                track.record(tmp_path / "line", {"DVC_ROOT": str(tmp_path)}).run_id == logged.run_id
            )
            serving.terminate()  # raises the same KeyboardInterrupt as Ctrl-C
            assert serving.stdout.read().strip() == "stopped"
    assert serving.returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex((ui.HOST, int(server.rsplit(":", 1)[1]))) != 0


def test_without_a_release_there_is_a_page_too(store: Store) -> None:
    assert ui.pages(store) == [
        ("no release yet, `dvc repro` makes one", "/#/experiments?workflowType=machine_learning")
    ]
