"""The names of the ways in which examples are spoilt, to be read without numpy."""

NAMES = (
    "swapped_characters",
    "dropped_characters",
    "repeated_characters",
    "replaced_characters",
    "inserted_spaces",
)
