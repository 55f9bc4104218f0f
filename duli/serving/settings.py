"""The settings of a server: from the flags of the command, else from the environment, else
defaults.
"""

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import hosts
from .errors import InputError

PREFIX = "DULI_"  # of the environment's names: DULI_PORT is --port
TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
MAX_BODY = 2**30  # bytes: a body is held in memory
MAX_CONNECTIONS = 2**20


class Settings(NamedTuple):
    """The settings of a server."""

    host: str = "127.0.0.1"
    port: int = 8080  # 0: any that is free
    allow_host: tuple[str, ...] = ()  # names it answers to besides those of this machine
    workers: int = 1  # processes
    max_body: int = 2 * 2**20  # bytes
    max_connections: int = 1000  # of a process
    access_log: bool = False  # to standard output
    release: Path | None = None  # the folder the wheel came in, with its signature
    key: Path | None = None  # the publisher's public key
    metrics_dir: Path | None = None  # through which the processes of an ASGI server add up /metrics


def read(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings by `flags`, of which None or () is one that is not given, and by `environment`.

    Raises `InputError` if a variable says what cannot be.
    """
    found: dict[str, Any] = {}
    for name, parsed in VARIABLES.items():
        flag, text = flags.get(name), environment.get(PREFIX + name.upper(), "")
        if flag is not None and flag != []:
            found[name] = tuple(flag) if name == "allow_host" else flag
        elif text:
            try:
                found[name] = parsed(text)
            except ArgumentTypeError as error:
                raise InputError(f"the environment's {PREFIX}{name.upper()}: {error}") from None
    try:
        found["allow_host"] = tuple(map(hosts.name, found.get("allow_host", ())))
    except InputError as error:
        raise InputError(f"--allow-host or {PREFIX}ALLOW_HOST: {error}") from None
    return Settings(**found)


def port(text: str) -> int:
    """A TCP port."""
    return _whole(text, 0, 65535, "port")


def count(text: str) -> int:
    """A number of cores, of which there are only so many: onnxruntime would start as many
    threads.
    """
    from .processor import allowed

    return min(_whole(text, 1, None, "number of cores"), allowed() or os.cpu_count() or 1)


def size(text: str) -> int:
    """A number of bytes that a request's body may have."""
    return _whole(text, 1, MAX_BODY, "number of bytes")


def connections(text: str) -> int:
    """A number of connections at once."""
    return _whole(text, 1, MAX_CONNECTIONS, "number of connections")


def _whole(text: str, least: int, most: int | None, what: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20:
        number = int(text)
        if number >= least and (most is None or number <= most):
            return number
    bound = "or more" if most is None else f"to {most}"
    raise ArgumentTypeError(f"{text!r} is no {what}; give {least} {bound}")


def _truth(text: str) -> bool:
    if text.lower() not in TRUTH:
        raise ArgumentTypeError(f"{text!r} is neither true nor false; give one of them")
    return TRUTH[text.lower()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


VARIABLES: dict[str, Callable[[str], Any]] = {
    "host": str,
    "port": port,
    "allow_host": _names,
    "workers": count,
    "max_body": size,
    "max_connections": connections,
    "access_log": _truth,
    "release": Path,
    "key": Path,
    "metrics_dir": Path,
}
