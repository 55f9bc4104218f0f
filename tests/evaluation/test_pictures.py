"""Which models take pictures, and what is said of the others."""

import pytest

from duli.kinds.image.judging.sized import no_pictures


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_coloured_images_are_pictures(channels: int) -> None:
    assert no_pictures({"channels": channels, "height": 28, "width": 20}) is None


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (
            {"channels": 2, "height": 28, "width": 28},
            "the model takes 2 channels; a picture has 1 or 3",
        ),
        ({"tokens": 128}, "the model takes tokens, not channels, height, width of a picture"),
        (
            {"height": 28, "width": 28},
            "the model takes height, width, not channels, height, width of a picture",
        ),
        ({}, "the model takes nothing, not channels, height, width of a picture"),
    ],
)
def test_anything_else_is_none_and_the_reason_says_why(
    declared: dict[str, int], reason: str
) -> None:
    assert no_pictures(declared) == reason
