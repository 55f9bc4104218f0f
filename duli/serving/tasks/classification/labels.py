"""Class labels as people write them."""

import unicodedata
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from ...columns import LONG, PLAIN
from ...errors import InputError


def label(text: str) -> str:
    """A label as a class is called: Unicode's normal form C, no white space around, control
    characters spelled out.
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in unicodedata.normalize("NFC", text.strip())
    )


def indices(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """The index of the class of each label: as it is written, or else what one class alone could
    mean.

    So 7, 7.0 and 007 name the class 007 where no other class is the number seven, and TRUE names
    the class true; a number from 0 on names a class by its place where no class is called by a
    number. Raises `InputError` for any other label.
    """
    exact = {label(name): index for index, name in reversed([*enumerate(classes)])}
    meant: dict[Decimal | str, list[int]] = {}
    for index, name in enumerate(classes):
        meant.setdefault(_meaning(label(name)), []).append(index)
    if not any(isinstance(meaning, Decimal) for meaning in meant):
        meant |= {Decimal(index): [index] for index in range(len(classes))}

    def index_of(text: str) -> int:
        name = label(text)
        if name in exact:
            return exact[name]
        found = meant.get(_meaning(name), [])
        if len(found) != 1:
            may = (
                f"may be {' or '.join(classes[one] for one in found)}; write it so"
                if found
                else "is no class"
            )
            raise InputError(
                f"the label {text[:100]!a} {may}; the classes are {', '.join(classes)}"
            )
        return found[0]

    known = {text: index_of(text) for text in dict.fromkeys(labels)}
    return np.array([known[text] for text in labels], np.int64)


def _meaning(name: str) -> Decimal | str:
    """The meaning of a label, however it is spelled: an exact number, or a text in any case."""
    return Decimal(name) if len(name) <= LONG and PLAIN.fullmatch(name) else name.casefold()
