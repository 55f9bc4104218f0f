"""What a recipe says of rows alone: nothing."""

from duli.base.params import Section


class Augmentation(Section):
    """Nothing: rows are learned from as they are."""


Pretraining = None  # rows have none
