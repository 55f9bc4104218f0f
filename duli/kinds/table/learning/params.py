"""The recipe's sections for tables, which are empty."""

from duli.base.params import Section


class Augmentation(Section):
    """No settings: rows are not augmented."""


Pretraining = None  # rows have none
