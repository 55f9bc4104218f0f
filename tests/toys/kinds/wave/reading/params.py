"""What params say of waves: nothing."""

from duli.base.params import Section

Tokens = None


class Own(Section):
    """Nothing."""
