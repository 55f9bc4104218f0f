"""Texts and their saliency as HTML inside the page."""

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

LEVELS = 4  # of each colour; the page's style has as many
LONGEST = 300  # characters that are shown


def marked(text: str, contributions: NDArray[np.floating[Any]]) -> Markup:
    """The text with each character coloured by its contribution [characters]: `for` the answer, or
    `against` it, the more the stronger.

    The largest of the text is full colour, in whichever direction.
    """
    most = float(np.abs(contributions).max(initial=0))
    strength = (
        np.ceil(np.abs(contributions) / most * LEVELS - 0.5).astype(int)
        if most > 0
        else np.zeros(len(contributions), int)
    )
    parts = [
        (
            Markup('<b class="{} s{}">{}</b>').format(
                "for" if value > 0 else "against", level, character
            )
            if level > 0
            else Markup.escape(character)
        )
        for character, value, level in zip(
            text, contributions.tolist(), strength.tolist(), strict=True
        )
    ][:LONGEST]
    return Markup("").join([*parts, *(["\u2026"] if len(text) > LONGEST else [])])
