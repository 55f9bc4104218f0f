"""Turns a folder of images by class, or a CSV or Parquet file, into the examples of a release
line.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.base.errors import DataError
from duli.serving.sources import readable as readable  # noqa: PLC0414  # names as the wheel's

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST = 20  # different examples of a class: with fewer, hardly one of it is left to judge by
FEWEST_IN_ALL = 100
MOST_CLASSES = 1000


class Found(NamedTuple):
    """What somebody's data are."""

    kind: str
    classes: list[str]
    shape: tuple[int, int, int] | None  # channels, height, width of images
    features: list[str] | None  # of a table
    columns: Mapping[str, str]  # what else is known of each example: name -> number or text
    sensitive: list[str]  # of these
    examples: "pa.Table"  # id, split, label, content, and the columns
    notes: list[str]  # what was done to them that their owner may not expect
    # of images: what they have in common (see duli/serving/pictures.py, Rules)
    pictures: Mapping[str, Any] = {}
    label: str = ""  # column of a file that the labels are in
    text: str = ""  # and the texts
    # features -> offset and scale, of those that float32 does not hold as they are
    centred: Mapping[str, tuple[float, float]] = {}

    def per_class(self, split: str | None = None) -> dict[str, int]:
        """How many examples each class has, in one published split or in all; equal ones of a class
        count once.
        """
        import pyarrow.compute as pc

        part = (
            self.examples
            if split is None
            else self.examples.filter(pc.equal(self.examples["split"], split))
        )
        counts = Counter(
            part.select(["label", "content"])
            .group_by(["label", "content"])
            .aggregate([])["label"]
            .to_pylist()
        )
        return {name: counts[index] for index, name in enumerate(self.classes)}


class Wanted(NamedTuple):
    """What somebody says of the data, where it cannot be seen; None, or nothing, is a guess."""

    label: str | None = None  # column
    text: str | None = None  # column
    size: int | None = None  # pixels a side that images are brought to
    sensitive: tuple[str, ...] = ()  # columns


def converted(place: Path, wanted: Wanted) -> Found:
    """The examples in `place`: a folder with a subfolder of images a class, or a .csv, .tsv or
    .parquet file.

    Raises `DataError`, with what to do, where there are no examples, fewer than a model can learn
    from, or some that cannot be read.
    """
    if place.is_dir():
        from duli.cli.pictures import pictures

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
        from duli.cli.columns import columns

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


def shown(names: list[str], most: int) -> str:
    """The first of many names, for a line that somebody reads."""
    return ", ".join(names[:most]) + (
        f" and {len(names) - most:,} more" if len(names) > most else ""
    )
