"""Which Host a request may name: what is not allowed is answered with 421."""

from collections.abc import Iterable
from functools import lru_cache

LOOPBACK = frozenset((b"localhost", b"127.0.0.1", b"[::1]"))
REFUSAL = "this server does not answer to that Host; start it with --allow-host NAME, or ask for localhost"


class Hosts:
    """This machine's own names, and those of `names`."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        known = LOOPBACK | {name.lower().encode() for name in names}
        self._known = lru_cache(maxsize=64)(lambda host: _name(host) in known)

    def allowed(self, host: bytes, path: bytes) -> bool:
        """Whether a request for `path` with the header `host` is answered."""
        del path  # every address is as strict as the others
        return self._known(host)


def _name(host: bytes) -> bytes:
    """A Host header's name without its port."""
    name = host.strip().lower()
    end = name.find(b"]") if name.startswith(b"[") else name.find(b":") - 1
    return name[: end + 1] if end >= 0 else name
