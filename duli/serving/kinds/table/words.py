"""The words for rows of a table."""

from ...kind import Words

WORDS = Words(
    "row",
    "rows",
    ".csv whose first line names the columns, or .npy, each also as .gz; a folder of them; -"
    " for standard input",
    "a .csv with the features and a column label",
)
