"""Whether a model takes pictures, which some measures are about; any other model goes without
these, and its report says why.
"""

from collections.abc import Mapping

SIDES = ("channels", "height", "width")
CHANNELS = (1, 3)  # grey, or red, green and blue
# measures, as the report calls them
NEED_PICTURES = ("looks", "corruptions", "pgd", "saliency", "gallery")


def no_pictures(declared: Mapping[str, int]) -> str | None:
    """Why measures of pictures do not apply to a model whose input is `declared` so (model.json);
    None where they do.
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
