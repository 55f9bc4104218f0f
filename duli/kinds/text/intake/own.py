"""Texts in a column of own data."""

import unicodedata

from duli.intake.found import Read
from duli.intake.source import Source

TAKES = "a .csv, .tsv or .parquet file with a column of texts"
USES = ("label", "text", "sensitive")  # of what the owner says


def takes(source: Source) -> bool:
    """Whether one column is plainly the text of each row."""
    return source.sheet is not None and source.sheet.text is not None


def read(source: Source) -> Read:
    """The texts as bytes in Unicode's normal form C, so that texts that read alike are equal."""
    sheet = source.sheet
    assert sheet is not None and sheet.text is not None  # noqa: PT018
    contents = [
        unicodedata.normalize("NFC", text.strip()).encode() for text in sheet.texts(sheet.text)
    ]
    empty = sum(not content for content in contents)
    notes = [f"texts are in the column '{sheet.text}'"]
    notes += [f"{empty:,} texts are empty; the line puts them into quarantine"] if empty else []
    own = {"label": sheet.label, "text": sheet.text}
    columns = frozenset({sheet.text})
    return Read(
        sheet.ids,
        [""] * len(contents),
        sheet.labels,
        contents,
        own,
        [*notes, *sheet.notes],
        columns,
    )
