"""The Host names that a request may use; others are answered with 421.

A page of another site can have its own name lead to this machine (DNS rebinding); it still sends
that name, and gets no answer.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from .errors import InputError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY, BELOW = "*", "*."  # every name; every name below another
PROBES = frozenset((b"/health", b"/ping", b"/metrics", b"/v2/health/live", b"/v2/health/ready"))
MODELS, READY = b"/v2/models/", b"/ready"  # the probe of a model begins and ends so
REFUSAL = (
    "this server does not answer to that Host; start it with --allow-host NAME, or ask for"
    " localhost"
)
MAX_LENGTH = 300  # of a Host header: a name has at most 253 characters, and each dot is looked at
MAX_PORT = 65535
BRACKETED = re.compile(r"\[([^\[\]]*)\](?::[0-9]{0,5})?")
PORT = re.compile("[0-9]{0,5}")
LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:\*\.)?(?:{LABEL}\.)*(?![0-9]+$){LABEL}")


class Hosts:
    """This machine's own names, and those of `names`.

    Raises `InputError` if one of them is none.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        known = {*LOOPBACK, *map(name, names)}

        def allowed(host: bytes) -> bool:
            asked = _bare(host.decode("latin-1").strip(" \t")) if len(host) <= MAX_LENGTH else ""
            parents = (
                BELOW + asked[dot + 1 :] for dot, sign in enumerate(asked) if dot and sign == "."
            )
            return ANY in known or asked in known or not known.isdisjoint(parents)

        self._known = lru_cache(maxsize=64)(allowed)

    def allowed(self, host: bytes, path: bytes) -> bool:
        """Whether a request for `path` with the header `host` is answered.

        Probes are asked by the address of a pod or of a service, which nobody knows beforehand.
        """
        if path in PROBES or (path.startswith(MODELS) and path.endswith(READY)):
            return True
        return self._known(host)


def name(text: str) -> str:
    """The name in `text` as it is compared; raises `InputError` for what is no host."""
    given = text.strip()
    if not given:
        raise InputError(
            "the name of a host is empty; give one such as model.example, or * for all"
        )
    if "/" in given:
        raise InputError(
            f"{given!a} is an address or a path; give the host's name alone, such as model.example"
        )
    found = _bare(given)
    try:
        found = found if found.isascii() else found.encode("idna").decode()
    except UnicodeError:
        found = ""
    if found == ANY or _address(found) or NAME.fullmatch(found):
        return found
    if ANY in given:
        raise InputError(
            f"{given!a} is no wildcard; give * for all names, or *.model.example for all below"
            " that one"
        )
    raise InputError(f"{given!a} is no host; give a name such as model.example, or an IP address")


def _bare(host: str) -> str:
    """The name in `host` in small letters, without port and final dot; empty if there is none.

    An address is in its shortest form.
    """
    if host.startswith("["):
        found = BRACKETED.fullmatch(host)
        address = _address(found[1]) if found else ""
        return address if ":" in address else ""
    if host.count(":") == 1:
        host, _, port = host.partition(":")
        if not PORT.fullmatch(port) or int(port or 0) > MAX_PORT:
            return ""
    return _address(host) or host.lower().removesuffix(".")


def _address(text: str) -> str:
    """An IP address in its shortest form; empty if it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
