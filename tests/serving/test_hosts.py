"""Which Host is answered: names, addresses, wildcards, and probes whatever they ask for."""

import pytest

from duli.serving.errors import InputError
from duli.serving.hosts import Hosts, name

ASKED = b"/predict"


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("model.example", "model.example"),
        ("model.example", "MODEL.example:8080"),
        ("model.example", "model.example."),
        ("Model.Example.", "model.example"),
        ("model.example:8080", "model.example:8080"),
        ("model.example:8080", "model.example"),
        ("my_service", "my_service:80"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("10.1.2.3", "10.1.2.3:8080"),
        ("10.1.2.3:8080", "10.1.2.3"),
        ("2001:DB8:0::1", "[2001:db8::1]:8080"),
        ("[2001:db8::1]", "[2001:db8:0:0::1]"),
        ("[2001:db8::1]:8080", "[2001:db8::1]"),
        ("*.example.com", "a.example.com"),
        ("*.Example.com:80", "a.b.example.com.:8080"),
        ("*", "anything.at.all"),
        ("*", "!"),
        (" model.example ", "model.example"),
    ],
)
def test_what_is_allowed_is_answered(allowed: str, host: str) -> None:
    assert Hosts([allowed]).allowed(host.encode(), ASKED)
    assert not Hosts().allowed(host.encode(), ASKED)
    assert not Hosts(["other.example", "*.other.example"]).allowed(host.encode(), ASKED)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1:8080", "[::1]", "[0:0::1]:9", "::1"],
)
def test_this_machine_is_answered(host: str) -> None:
    assert Hosts().allowed(host.encode(), ASKED)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "example.com",
            "badexample.com",
            ".example.com",
            "example.com.evil.example",
            "a.example.com@evil.example",
        ),
        *(
            "localhost.evil.example",
            "evil.example:localhost",
            "localhost:99999",
            "[127.0.0.1]",
            "[localhost]",
            "[::1",
            "[::1]x",
        ),
        *(
            "127.0.0.1.evil.example",
            "a.example.com/x",
            "localhost evil",
            "\xff",
            "a." * 150 + "example.com",
        ),
    ],
)
def test_others_are_not(host: str) -> None:
    assert not Hosts(["*.example.com"]).allowed(host.encode("latin-1"), ASKED)


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/ping",
        "/metrics",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/m/ready",
        "/v2/models/m/versions/1/ready",
    ],
)
def test_probes_are_answered_whatever_they_ask_for(path: str) -> None:
    assert Hosts().allowed(b"10.244.0.7:8080", path.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/predict",
        "/about",
        "/card",
        "/v2",
        "/v2/models/m",
        "/v2/models/m/infer",
        "/healthy",
        "/metrics/",
    ],
)
def test_nothing_else_is(path: str) -> None:
    assert not Hosts().allowed(b"10.244.0.7:8080", path.encode())


@pytest.mark.parametrize(
    ("given", "fact"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("http://model.example", "is an address"),
        ("model.example/predict", "a path"),
        ("10.0.0.0/8", "a path"),
        ("two names", "is no host"),
        ("a,b", "is no host"),
        ("model.example:http", "is no host"),
        ("model.example:65536", "is no host"),
        (":8080", "is no host"),
        ("8080", "is no host"),
        ("300.1.2.3", "is no host"),
        ("[::1", "is no host"),
        ("[model.example]", "is no host"),
        ("a..b", "is no host"),
        ("-a.example", "is no host"),
        ("a" * 64 + ".example", "is no host"),
        ("ü" * 64, "is no host"),
        ("user@model.example", "is no host"),
        ("*example.com", "is no wildcard"),
        ("a.*.example", "is no wildcard"),
        ("**", "is no wildcard"),
    ],
)
def test_what_cannot_be_taken_is_told(given: str, fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        name(given)
    with pytest.raises(InputError, match=fact):
        Hosts(["model.example", given])
