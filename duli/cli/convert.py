"""Turns a folder of images by class, or a CSV or Parquet file, into the examples of a release
line.
"""

from pathlib import Path

from duli.cli.columns import columns
from duli.cli.own_data import FEWEST, Found, Wanted, shown
from duli.cli.pictures import pictures
from duli.errors import DataError

FEWEST_IN_ALL = 100
MOST_CLASSES = 1000


def converted(place: Path, wanted: Wanted) -> Found:
    """The examples in `place`: a folder with a subfolder of images a class, or a .csv, .tsv or
    .parquet file.

    Raises `DataError`, with what to do, where there are no examples, fewer than a model can learn
    from, or some that cannot be read.
    """
    if place.is_dir():
        named = [
            option
            for option, value in (
                ("--label", wanted.label),
                ("--text", wanted.text),
                ("--sensitive", wanted.sensitive),
            )
            if value
        ]
        if named:
            raise DataError(
                f"{place} is a folder, and {named[0]} names a column; leave it out, or give a .csv,"
                " .tsv or .parquet file"
            )
        found = pictures(place, wanted.size)
    elif place.is_file():
        if wanted.size:
            raise DataError(
                f"{place} is a file, and --size is for images; leave it out, or give a folder of"
                " images by class"
            )
        found = columns(place, wanted)
    else:
        raise DataError(
            f"there is no file or folder {place}; give a folder of images by class, or a .csv, .tsv"
            " or .parquet file"
        )
    return _enough(found, place)


def _enough(found: Found, place: Path) -> Found:
    counts = found.per_class()
    total = sum(counts.values())
    if len(counts) < 2:
        raise DataError(
            f"{place} has one class alone ({', '.join(counts) or 'none'}); a classifier needs two"
            " at least"
        )
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"{place} has {len(counts):,} classes, more than {MOST_CLASSES:,}; join some, or name"
            " other labels (--label COLUMN)"
        )
    small = [f"{name} ({count})" for name, count in counts.items() if count < FEWEST]
    if small or total < FEWEST_IN_ALL:
        few = f", and too few of {shown(small, 5)}" if small else ""
        few += "".join(f" ({note})" for note in found.notes if note.startswith("float32"))
        raise DataError(
            f"{place} has {total:,} different examples{few}; a class needs {FEWEST} and all"
            f" together {FEWEST_IN_ALL}, so that something is left to judge by: collect more, or"
            " join classes"
        )
    if "test" in (published := found.examples["split"].unique().to_pylist()):
        lacking = [
            name for part in published for name, count in found.per_class(part).items() if not count
        ]
        if lacking:
            raise DataError(
                f"{place} has no example of {shown(lacking, 5)} in one of its folders"
                f" {', '.join(published)}; put some there"
            )
    equal = found.examples.num_rows - total
    notes = (
        [f"{equal:,} examples are equal to another of their class; one of each is learned from"]
        if equal
        else []
    )
    return found._replace(notes=[*found.notes, *notes])
