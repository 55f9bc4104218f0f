"""Reads .csv files that nobody vouches for: columns by name, in any order."""

import csv
import io
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .sources import decoded

Row = tuple[int, list[str]]  # number of its last line, and its values


def records(content: bytes, choose: Callable[[list[str]], list[int]], most: int | None = None) -> list[Row]:
    """The rows behind the header, of each the columns that `choose` picks from the header, in its order; blank lines are none.

    Raises `InputError` where a row has not as many values as the header, or where there are more than `most`.
    """
    reader = csv.reader(io.StringIO(decoded(content), newline=""), strict=True)
    found: list[Row] = []
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            twice = next(name for name, count in Counter(header).items() if count > 1)
            raise InputError(f"names the column {twice!a} twice; name it once")
        chosen = choose(header)
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                raise InputError(
                    f"line {reader.line_num:,} has {len(values)} values, the first line names {len(header)} columns; correct it"
                )
            if most is not None and len(found) == most:
                raise InputError(f"holds more than {most} rows; send {most} at once")
            found.append((reader.line_num, [values[index] for index in chosen]))
    except csv.Error as error:
        raise InputError(f"line {reader.line_num:,} is no CSV ({error}); correct it") from None
    return found


def indices(labels: list[str], classes: list[str]) -> NDArray[np.int64]:
    """The index of the class of each label: its name, or its number where no class is called by a number."""
    known = {name: index for index, name in enumerate(classes)}
    if not any(name.isdigit() for name in classes):
        known |= {str(index): index for index in range(len(classes))}
    if unknown := [label for label in labels if label not in known]:
        raise InputError(f"the label {unknown[0]!a} is no class; the classes are {', '.join(classes)}")
    return np.array([known[label] for label in labels], np.int64)
