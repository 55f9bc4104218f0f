"""Whether a model takes pictures, which some measures need; other models skip these, and their
report says why.
"""

from collections.abc import Mapping

SIDES = ("channels", "height", "width")
CHANNELS = (1, 3)  # grey, or red, green and blue
# measures, as the report calls them
NEED_PICTURES = ("looks", "corruptions", "pgd", "saliency", "gallery")


def no_pictures(declared: Mapping[str, int]) -> str | None:
    """The reason why picture measures do not apply to a model with the `declared` input
    (model.json); None if they do.
    """
    if set(declared) != set(SIDES):
        return (
            f"the model takes {', '.join(declared) or 'nothing'}, not {', '.join(SIDES)} of a"
            " picture"
        )
    if declared["channels"] not in CHANNELS:
        return (
            f"the model takes {declared['channels']} channels; a picture has"
            f" {' or '.join(map(str, CHANNELS))}"
        )
    return None
