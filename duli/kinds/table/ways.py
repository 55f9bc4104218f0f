"""The names of the ways in which examples are spoilt, to be read without numpy."""

NAMES = ("noise", "missing_values", "one_outlier", "coarse_rounding")
