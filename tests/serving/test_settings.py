"""How a server is started: flags, else the environment, else what is usual."""

from pathlib import Path

import pytest

from duli.serving import settings, workers
from duli.serving.errors import InputError
from duli.serving.settings import Settings, read


def test_nothing_said_is_what_is_usual() -> None:
    assert read({}, {}) == read({"port": None, "allow_host": []}, {"DULI_PORT": ""}) == Settings()


def test_the_environment_says_all_that_flags_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.os, "cpu_count", lambda: 8)
    said = {
        "DULI_HOST": "0.0.0.0",
        "DULI_PORT": "0",
        "DULI_ALLOW_HOST": "model.example, *.other.example,",
        "DULI_WORKERS": "3",
        "DULI_MAX_BODY": "4096",
        "DULI_MAX_CONNECTIONS": "7",
        "DULI_ACCESS_LOG": "True",
        "DULI_RELEASE": "dist",
        "DULI_KEY": "signing.pub",
        "DULI_METRICS_DIR": "counts",
    }
    hosts = ("model.example", "*.other.example")
    paths = (Path("dist"), Path("signing.pub"), Path("counts"))
    assert read({}, said) == ("0.0.0.0", 0, hosts, 3, 4096, 7, True, *paths)
    assert set(said) == {f"DULI_{name.upper()}" for name in Settings._fields}


def test_flags_win() -> None:
    said = {"DULI_PORT": "nonsense", "DULI_ALLOW_HOST": "a.example", "DULI_ACCESS_LOG": "0"}
    flags = {"port": 81, "allow_host": ["b.example"], "access_log": True, "statistics": "other"}
    found = read(flags, said)
    assert (found.port, found.allow_host, found.access_log) == (81, ("b.example",), True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DULI_PORT", "65536"),
        ("DULI_PORT", "8080 "),
        ("DULI_PORT", "٨"),
        ("DULI_WORKERS", "0"),
        ("DULI_WORKERS", "two"),
        ("DULI_WORKERS", "9" * 5000),
        ("DULI_MAX_BODY", "2M"),
        ("DULI_MAX_BODY", str(2**30 + 1)),
        ("DULI_MAX_CONNECTIONS", "-1"),
        ("DULI_ACCESS_LOG", "perhaps"),
        ("DULI_ALLOW_HOST", "http://model.example"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name) as refused:
        read({}, {name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["a" * 64, "a..b", ".", "caf\udce9", "a b"])
def test_what_is_no_name_of_a_host_is_said(host: str) -> None:
    with pytest.raises(InputError, match=r"cannot listen on .*; choose another"):
        workers.listen(host, 0)
