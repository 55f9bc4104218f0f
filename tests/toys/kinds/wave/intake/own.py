"""Waves come as data.own alone."""

from typing import Any

TAKES = "waves, in data.own of params.yaml"
USES = ()


def takes(source: Any) -> bool:
    """No: nobody keeps them in files of their own."""
    return False
