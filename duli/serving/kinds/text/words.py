"""The words for texts."""

from ...kind import Words

WORDS = Words(
    "text",
    "texts",
    '.jsonl with a "text" in each line, .csv with a column text, any other file with a text a'
    " line, each in UTF-8 and also as .gz; a folder of them; - for standard input, a text a"
    " line",
    "a .csv with the columns text and label, or a .jsonl with both in each line",
    spoken=True,
)
