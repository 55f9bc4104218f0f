"""Rows of a table: one number for each feature, NaN if it is missing."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import npy
from ...bodies import INVOKED, MAX_INPUTS, Asked, bounded, document, kind_of, under
from ...columns import centred, column, mostly, number, numbers, read
from ...errors import InputError
from ...kind import Described, Labelled, Tensor
from ...sources import content_of, naming
from ...task import Task
from .words import WORDS

BATCH = 4096  # rows given to the model at once
LABEL = "label"  # column

# [n, features] as measured: float32, or float64 where the release centres a feature
Rows = NDArray[np.floating[Any]]


class Kind:
    """Rows of the `features` that the model was trained on, in their order; offset and scale of
    those that are `centred`.
    """

    words = WORDS
    feed = "features"
    numbers = "send null where a value is missing"
    media = frozenset((b"text/csv", b"application/x-npy", b"application/octet-stream"))

    def __init__(self, release: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        self.features: list[str] = release["features"]
        self.about = {"features": self.features}
        self._places = {name: index for index, name in enumerate(self.features)}
        self._label = [name for name in (release.get("columns", {}).get("label"), LABEL) if name]
        far: dict[str, list[float]] = release.get("centred") or {}
        self._centres = np.array([far.get(name, (0.0, 1.0)) for name in self.features], np.float64)
        self._type = np.dtype("<f8" if far else "<f4")  # of rows, and of a binary tensor
        advice = (
            f"send numbers as such; float32 does not hold those of {', '.join(far)}"
            if far
            else "send numbers as such"
        )
        self.tensor = Tensor(
            "features", "FP64" if far else "FP32", [-1, len(self.features)], advice
        )

    def checked(self, inputs: Any) -> Rows:
        """`inputs` as rows [n, features]: an array, lists of numbers, or dictionaries by the
        features' names.

        Rounded to float32 where that is enough; nothing else is done silently.
        """
        if isinstance(inputs, list):
            return self._rows(inputs, "the list", truths=True)
        if not isinstance(inputs, np.ndarray):
            raise InputError(
                f"the rows are a {type(inputs).__name__}; give a numpy array of numbers, [n,"
                f" {len(self.features)}]"
            )
        if inputs.dtype.kind not in "fiu":
            raise InputError(f"the rows are {inputs.dtype}; give numbers, NaN if one is missing")
        if inputs.ndim != 2 or inputs.shape[1] != len(self.features):
            hint = (
                "; this is one row without a batch: give rows[None]"
                if inputs.shape == (len(self.features),)
                else ""
            )
            raise InputError(
                f"the rows have the shape {list(inputs.shape)}, the model takes [n,"
                f" {len(self.features)}]{hint}"
            )
        return self._numbers(inputs, "row {}".format)

    def _numbers(self, found: NDArray[Any], called: Callable[[int], str]) -> Rows:
        """`found` [n, features] as rows; `called` says what a row is called, given its number from
        0.
        """
        if not len(found):
            raise InputError("there is no row in it; give at least one")
        with np.errstate(over="ignore"):  # which is refused below
            rows = np.ascontiguousarray(found, self._type)
        if (infinite := np.argwhere(np.isinf(self._taken(rows)))).size:
            row, column = infinite[0].tolist()
            raise InputError(
                f"{called(row)}: {self.features[column]} is infinite or too large for float32;"
                " leave it out or correct it"
            )
        if (empty := np.flatnonzero(np.isnan(rows).all(axis=1))).size:
            raise InputError(f"{called(int(empty[0]))} has no value at all; give at least one")
        return rows

    def parts(self, inputs: Rows) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """At most BATCH rows at once, as they come, and as the model takes them."""
        for start in range(0, len(inputs), BATCH):
            rows = slice(start, start + BATCH)
            yield rows, self._taken(inputs[rows])

    def _taken(self, rows: Rows) -> NDArray[np.float32]:
        """Centred in float64, and rounded to float32."""
        return (
            centred(rows.astype(np.float64, copy=False), self._centres)
            if self._type.itemsize == 8
            else rows.astype(np.float32, copy=False)
        )

    def joined(self, several: list[Rows]) -> Rows:
        """The inputs of several requests as one array."""
        return np.concatenate(several)

    def work(self, inputs: Rows) -> float:
        """The number of rows, which all cost the same."""
        return len(inputs)

    def load(self, source: str) -> Rows:
        """The rows of a .csv or .npy file: what it is, its bytes say."""
        return self._file(content_of(source))

    def _file(self, content: bytes) -> Rows:
        return self._npy(content) if content.startswith(npy.NPY) else self._csv(content)

    def labelled(self, sources: list[str], task: Task) -> Labelled:
        """Rows and their labels, of one .csv file."""
        if len(sources) != 1:
            raise InputError(f"{len(sources)} files are no labelled data; give {self.words.data}")
        with naming(sources[0]):
            content = content_of(sources[0])
            if content.startswith(npy.NPY):
                raise InputError(
                    f"is a .npy file, in which no labels stand; give {self.words.data}"
                )
            return self._labelled(content, task)

    def _npy(self, content: bytes) -> Rows:
        kind, fortran, shape, start = npy.header(content)
        name = npy.type_name(kind)
        if not name.startswith(("float", "int", "uint")):
            raise InputError(f"holds values of the type {name}; save an array of float32")
        dtype = np.dtype(kind)
        if prod(shape) * dtype.itemsize != len(content) - start:
            raise InputError(
                f"is truncated or longer than its header says, which claims {list(shape)}; copy or"
                " save it again"
            )
        return self.checked(
            np.frombuffer(content, dtype, offset=start).reshape(
                shape, order="F" if fortran else "C"
            )
        )

    def _csv(self, content: bytes, most: int | None = None) -> Rows:
        names: list[str] = []

        def choose(header: list[str]) -> list[int]:
            if not header:
                raise InputError("has no first line that names the columns; give one")
            names.extend(header)
            self._known(names, "names")
            return [*range(len(header))]

        found, comma = read(content, choose, most)
        values = np.full((len(found), len(self.features)), np.nan)
        places = [self._places[name] for name in names]
        for row, (line, texts) in zip(values, found, strict=True):
            row[places] = [
                _number(text, line, name, comma=comma)
                for text, name in zip(texts, names, strict=True)
            ]
        return self._numbers(values, lambda row: f"line {found[row][0]:,}")

    def _labelled(self, content: bytes, task: Task) -> Labelled:
        """Rows and their labels, read as `duli new` reads such a file: what that leaves out is
        left out and said.
        """
        names: list[str] = []
        others: list[str] = []

        def choose(header: list[str]) -> list[int]:
            label = column(header, self._label)
            names.extend(name for name in header if name in self._places and name != label)
            others.extend(name for name in header if name not in self._places and name != label)
            if not names:
                raise InputError(
                    "has no column that is a feature of the model; its features are"
                    f" {self._listed()}"
                )
            return [header.index(name) for name in (*names, label)]

        found, comma = read(content, choose)
        rows = [row for row in found if row[1][-1].strip()]
        values = np.full((len(rows), len(self.features)), np.nan)
        notes = (
            [f"{len(others):,} columns are no features: {', '.join(map(ascii, others[:5]))}"]
            if others
            else []
        )
        for index, name in enumerate(names):
            texts = [cells[index] for _, cells in rows]
            some, odd = numbers(texts, comma=comma)
            values[:, self._places[name]] = some
            if odd:
                said = f"line {rows[odd[0]][0]:,}: {name} is {texts[odd[0]][:40]!a}"
                if not mostly(some, len(odd)):
                    raise InputError(f"{said}, which is no number; leave it empty if it is missing")
                notes.append(
                    f"{said}, which counts as missing; so do {len(odd) - 1:,} more cells of it"
                )
        kept = centred(values, self._centres)
        usable = np.asarray(~np.isinf(kept).any(axis=1) & ~np.isnan(kept).all(axis=1))
        for n, what in (
            (len(found) - len(rows), "without a label"),
            (int((~usable).sum()), "without numbers, or with infinite ones"),
        ):
            notes += [f"{n:,} rows {what} were left out"] if n else []
        labels = task.targets(
            [cells[-1] for (_, cells), keep in zip(rows, usable, strict=True) if keep]
        )
        if not len(labels):
            raise InputError("there is no row with numbers and a label in it; give at least one")
        return Labelled(
            values[usable].astype(self._type), labels, notes=tuple(notes), kept=kept[usable]
        )

    def _known(self, names: list[Any], what: str) -> None:
        """Raises `InputError` if one of `names` is no feature."""
        if unknown := [name for name in names if name not in self._places]:
            hint = "; `evaluate` takes labels, `predict` does not" if unknown[0] == LABEL else ""
            raise InputError(
                f"{what} the column {unknown[0]!a}, which is no feature of the model{hint}; its"
                f" features are {self._listed()}"
            )

    def _listed(self) -> str:
        shown = ", ".join(self.features[:20])
        return shown + (f" and {len(self.features) - 20} more" if len(self.features) > 20 else "")

    def body(self, content: bytes, media: bytes) -> Rows:
        """The rows in an uploaded file."""
        rows = (
            self._npy(content)
            if content.startswith(npy.NPY)
            else self._csv(content, most=MAX_INPUTS)
        )
        if len(rows) > MAX_INPUTS:
            raise InputError(f"holds {len(rows):,} rows; send {MAX_INPUTS} at once")
        return rows

    def asked(self, body: bytes) -> Asked:
        """The rows under `rows` or `row`."""
        values, truths = document(body, self.numbers)
        name = under(values, ("rows", "row"), "rows")
        found = [values[name]] if name == "row" else values[name]
        return Asked(self._bounded(found, name, truths=truths), values)

    def invoked(self, body: bytes) -> Asked:
        """The rows in a request of MLflow's clients: rows, records, columns by name, or data
        frames.
        """
        values, truths = document(body, self.numbers)
        name = under(values, INVOKED, "rows")
        found = values[name]
        if name == "dataframe_split":
            found = self._frame(found)
        elif isinstance(found, dict):
            found = (
                found[self.feed]
                if self.feed in found and self.feed not in self._places
                else _transposed(found, name)
            )
        return Asked(self._bounded(found, name, truths=truths), values)

    def _frame(self, frame: Any) -> Any:
        """The rows of a data frame in MLflow's form."""
        if not isinstance(frame, dict) or not isinstance(frame.get("data"), list):
            raise InputError(
                'dataframe_split is no data frame; send {"columns": [...], "data": [[...]]}'
            )
        columns, rows = frame.get("columns"), frame["data"]
        if columns is None:
            return rows
        if (
            not isinstance(columns, list)
            or not all(isinstance(name, str) for name in columns)
            or len(set(columns)) < len(columns)
        ):
            raise InputError(
                "the columns of dataframe_split are no list of different names; correct it"
            )
        bounded(len(rows), "dataframe_split", "rows")
        if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
            raise InputError(
                f"dataframe_split holds a row that has not one value for each of its {len(columns)}"
                " columns; correct it"
            )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _bounded(self, rows: Any, what: str, *, truths: bool) -> Rows:
        if not isinstance(rows, list):
            raise InputError(f"{what} is a {kind_of(rows)}; give a list of rows")
        bounded(len(rows), what, "rows")
        return self._rows(rows, what, truths=truths)

    def _rows(self, rows: list[Any], what: str, *, truths: bool) -> Rows:
        """Rows as lists of numbers, or as dictionaries by the features' names; `truths` as in
        `bodies.Document`.
        """
        if not rows:
            raise InputError("there is no row in it; give at least one")
        for index, row in enumerate(rows):
            if isinstance(row, dict):
                self._known(list(row), f"row {index} of {what} names")
            elif not isinstance(row, list):
                raise InputError(
                    f"row {index} of {what} is a {kind_of(row)}; give a list of numbers, or an"
                    " object by the features' names"
                )
            elif len(row) != len(self.features):
                raise InputError(
                    f"row {index} of {what} has {len(row)} values; the model takes"
                    f" {len(self.features)}: {self._listed()}"
                )
        lists = [
            [row.get(name) for name in self.features] if isinstance(row, dict) else row
            for row in rows
        ]
        flat = list(chain.from_iterable(lists))
        kinds = set(map(type, flat))
        if not kinds <= {int, float, type(None)} or (truths and bool in kinds):
            index, strange = next(
                (i, one) for i, one in enumerate(flat) if type(one) not in (int, float, type(None))
            )
            row, column = divmod(index, len(self.features))
            raise InputError(
                f"row {row} of {what}: {self.features[column]} is a {kind_of(strange)}; give a"
                " number, or null where it is missing"
            )
        try:
            values = np.array([math.nan if one is None else one for one in flat], np.float64)
        except OverflowError:
            raise InputError(
                f"{what} holds a whole number too large for float32; leave it out or correct it"
            ) from None
        return self._numbers(values.reshape(len(rows), -1), lambda row: f"row {row} of {what}")

    def fits(self, sizes: list[int]) -> None:
        """Raises `InputError` unless a tensor of `sizes` is rows."""
        if len(sizes) != 2 or sizes[1] != len(self.features) or not 0 < sizes[0] <= MAX_INPUTS:
            raise InputError(
                f"the shape is {sizes}; the model takes [n, {len(self.features)}], 1 to"
                f" {MAX_INPUTS} rows at once"
            )

    def listed(self, data: list[Any], sizes: list[int], *, truths: bool) -> Rows:
        """Rows, or one flat list."""
        self.fits(sizes)
        rows = data
        if not (data and isinstance(data[0], list)):
            if len(data) != prod(sizes):
                raise InputError(
                    f"data holds {len(data):,} numbers, its shape {sizes} asks for {prod(sizes):,}"
                )
            rows = [data[start : start + sizes[1]] for start in range(0, len(data), sizes[1])]
        if len(rows) != sizes[0]:
            raise InputError(
                f"data holds {len(rows):,} rows, its shape {sizes} asks for {sizes[0]:,}"
            )
        return self._rows(rows, "data", truths=truths)

    def size(self, sizes: list[int]) -> int:
        """Four bytes a number, or eight."""
        return self._type.itemsize * prod(sizes)

    def unpacked(self, body: bytes, start: int, sizes: tuple[int, ...]) -> Rows:
        """float32 or float64, as the tensor is declared, lowest byte first."""
        return self._numbers(
            np.frombuffer(body, self._type, offset=start).reshape(-1, len(self.features)),
            "row {}".format,
        )

    def described(self) -> Described:
        """Lists of numbers, and objects by the features' names."""
        width = len(self.features)
        largest = 2.0**128 - 2.0**103  # from which on float32 rounds to infinity
        number = {
            "type": ["number", "null"],
            "description": "null: missing",
            "exclusiveMinimum": -largest,
            "exclusiveMaximum": largest,
        }
        some = {"contains": {"type": "number"}}  # a row has a value at least
        listed = {"type": "array", "items": number, "minItems": width, "maxItems": width, **some}
        several = {"type": "array", "minItems": 1, "maxItems": MAX_INPUTS}
        row = {"$ref": "#/components/schemas/Row"}
        rows = {"$ref": "#/components/schemas/Rows"}
        # Of one row: that columns are of one length cannot be said.
        columns = {
            name: {"type": "array", "items": number, "minItems": 1, "maxItems": 1, **some}
            for name in self.features
        }
        frame = {
            "type": "object",
            "required": ["data"],
            "properties": {
                "columns": {"enum": [self.features, None], "description": "in any order"},
                "data": {**several, "items": listed},
            },
        }
        named = {
            "type": "object",
            "properties": dict.fromkeys(self.features, number),
            "additionalProperties": False,
            "not": {"additionalProperties": {"type": "null"}},
        }
        # What a file of them looks like; .npy files go as well, of which JSON Schema cannot say
        # what they hold.
        cell = r"-?[0-9]{1,6}(\.[0-9]{1,6})?"
        names = ",".join('"' + name.replace('"', '""') + '"' for name in self.features)
        csv = {
            "type": "string",
            "pattern": rf"^{re.escape(names)}\n({cell}(,{cell}){{{width - 1}}}\n){{1,3}}$",
        }
        return Described(
            {
                "Row": {"anyOf": [listed, named]},
                "Rows": {**several, "items": row},
            },
            {"rows": rows, "row": row},
            {"text/csv": csv},
            {
                "inputs": {
                    "anyOf": [
                        rows,
                        {
                            "type": "object",
                            "properties": columns,
                            "additionalProperties": False,
                            "minProperties": 1,
                        },
                    ]
                },
                "instances": rows,
                "dataframe_split": frame,
                "dataframe_records": rows,
            },
            [
                ([n, width], {"type": "array", "minItems": n, "maxItems": n, "items": listed})
                for n in (1, 2)
            ],
        )


def _transposed(columns: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Columns by name as rows."""
    if not columns or not all(isinstance(column, list) for column in columns.values()):
        raise InputError(f"{what} holds no columns by name; give lists of numbers")
    if len(set(map(len, columns.values()))) > 1:
        raise InputError(
            f"{what} holds columns of different lengths; give one value of each for each row"
        )
    bounded(len(next(iter(columns.values()))), what, "rows")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _number(text: str, line: int, name: str, *, comma: bool) -> float:
    """A cell of a .csv; NaN if it is missing."""
    value = number(text, comma=comma)
    if value is None:
        raise InputError(
            f"line {line:,}: {name} is {text[:40]!a}, which is no number; leave it empty if it"
            " is missing"
        )
    return value
