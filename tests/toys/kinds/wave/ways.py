"""The names of the ways in which waves are spoilt: none."""

NAMES: tuple[str, ...] = ()
