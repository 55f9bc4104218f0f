"""Typing errors: a share of each text's characters is changed, in five ways."""

from collections.abc import Callable, Sequence

import numpy as np

SHARE = 0.1  # share of a text's characters that are changed; at least one

Change = Callable[[list[str], int, np.random.Generator], None]


def _swapped(characters: list[str], at: int, generator: np.random.Generator) -> None:
    if at + 1 < len(characters):
        characters[at], characters[at + 1] = characters[at + 1], characters[at]


def _dropped(characters: list[str], at: int, generator: np.random.Generator) -> None:
    # some text has to remain
    if any(one.strip() for place, one in enumerate(characters) if place != at):
        characters[at] = ""


def _repeated(characters: list[str], at: int, generator: np.random.Generator) -> None:
    characters[at] *= 2


def _replaced(characters: list[str], at: int, generator: np.random.Generator) -> None:
    """Replaces a character by another of the same text, so that none comes in that the language
    lacks.
    """
    characters[at] = characters[int(generator.integers(len(characters)))][:1] or characters[at]


def _split(characters: list[str], at: int, generator: np.random.Generator) -> None:
    characters[at] = f" {characters[at]}"


TYPOS: dict[str, Change] = {
    "swapped_characters": _swapped,
    "dropped_characters": _dropped,
    "repeated_characters": _repeated,
    "replaced_characters": _replaced,
    "inserted_spaces": _split,
}


def mistyped(name: str, texts: Sequence[str], seed: int) -> list[str]:
    """Each of `texts` with `SHARE` of its characters changed in the way `name`, each text at places
    of its own.
    """
    generator = np.random.default_rng(seed)
    return [_one(TYPOS[name], text, generator) for text in texts]


def _one(change: Change, text: str, generator: np.random.Generator) -> str:
    characters = list(text)
    for at in generator.permutation(len(characters))[
        : max(1, round(SHARE * len(characters)))
    ].tolist():
        change(characters, at, generator)
    return "".join(characters)
