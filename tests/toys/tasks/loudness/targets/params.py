"""What params say of loudness: nothing."""

from duli.base.params import Section


class Own(Section):
    """Nothing."""
