"""What is asked of somebody's data, and what is found in them."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.serving.sources import readable as readable  # noqa: PLC0414  # names as the wheel's

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST = 20  # different examples of a class: with fewer, hardly one of it is left to judge by


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


def shown(names: list[str], most: int) -> str:
    """The first of many names, for a line that somebody reads."""
    return ", ".join(names[:most]) + (
        f" and {len(names) - most:,} more" if len(names) > most else ""
    )
