"""What a recipe says of waves alone: nothing."""

from duli.base.params import Section

Pretraining = None


class Augmentation(Section):
    """Nothing."""
