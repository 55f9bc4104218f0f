"""Texts: strings that the tokenizer of this release makes tokens of, of which the model reads the
first.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bodies import INVOKED, MAX_INPUTS, Asked, bounded, document, kind_of, under
from ...columns import column, records
from ...errors import InputError, ReleaseError
from ...kind import Described, Labelled, Tensor
from ...sources import content_of, decoded, naming
from ...task import Task
from .words import WORDS

TOKENIZER = "tokenizer.json"
BATCH = 500  # texts of like length given to the model at once, as when the release was judged
BLOCK = 65_536  # texts whose tokens are in memory at once
MAX_LINE = 1_000_000  # characters of one text in a file
# of one text in a request; a model reads far fewer, and making tokens takes time
MAX_CHARACTERS = 10_000
COMMON = 100  # characters of a common text
PADDING = 0  # the token behind a text's last
TEXT, LABEL = "text", "label"  # columns

Tokens = NDArray[np.int32]  # [n, tokens of the longest], PADDING behind the last


class Kind:
    """Texts, of each of which the first `length` tokens are read."""

    words = WORDS
    feed = "tokens"
    numbers = "send texts"
    media = frozenset((b"text/plain",))
    tensor = Tensor("texts", "BYTES", [-1], "send strings in UTF-8 as such")

    def __init__(self, release: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        self.length: int = release["input"]["length"]
        self.about = {"input": release["input"], "example": release.get("example")}
        self._tokenizer = _loaded(contents[TOKENIZER], self.length)
        columns = release.get("columns", {})
        self._text, self._label = (
            [name for name in (columns.get(usual), usual) if name] for usual in (TEXT, LABEL)
        )

    def checked(self, inputs: Any) -> list[str]:
        """`inputs` as a list of strings with something to read in each."""
        if not isinstance(inputs, (list, tuple)):
            raise InputError(
                f"the texts are a {type(inputs).__name__}; give a list of strings, such as [text]"
            )
        if not inputs:
            raise InputError("there is no text in it; give at least one")
        for index, text in enumerate(inputs):
            if problem := _problem(text):
                raise InputError(f"text {index} {problem}")
        return list(inputs)

    def parts(self, inputs: list[str]) -> Iterator[tuple[NDArray[np.intp], Tokens]]:
        """At most BATCH texts at once, those of like length together: padding costs as much time as
        tokens do.
        """
        for start in range(0, len(inputs), BLOCK):
            tokens = self.encode(inputs[start : start + BLOCK])
            lengths = (tokens != PADDING).sum(axis=1)
            order = np.argsort(lengths, kind="stable")
            for rows in np.split(order, range(BATCH, len(order), BATCH)):
                yield start + rows, np.ascontiguousarray(tokens[rows, : lengths[rows[-1]]])

    def encode(self, texts: list[str]) -> Tokens:
        """The tokens of each text, that of its start first; of a longer text the beginning."""
        encodings = self._tokenizer.encode_batch_fast(texts)
        tokens = np.full(
            (len(texts), max(1, *(len(one.ids) for one in encodings))), PADDING, np.int32
        )
        for row, one in zip(tokens, encodings, strict=True):
            row[: len(one.ids)] = one.ids
        return tokens

    def joined(self, several: list[list[str]]) -> list[str]:
        """The texts of several requests as one list."""
        return [text for texts in several for text in texts]

    def work(self, inputs: list[str]) -> float:
        """Making tokens takes as long as a text is: COMMON characters are twice an empty text."""
        return sum(1 + _characters(text) / COMMON for text in inputs)

    def load(self, source: str) -> list[str]:
        """The texts of a file: what it is, its name says."""
        rows = self._rows(source)
        for number, (text, *_) in rows:
            if problem := _problem(text):
                raise InputError(f"line {number:,}: the text {problem}")
        return [text for _, (text, *_) in rows]

    def labelled(self, sources: list[str], task: Task) -> Labelled:
        """Texts and their labels, of one file, read as `duli new` reads it: what that leaves out
        is left out and said.
        """
        if len(sources) != 1:
            raise InputError(f"{len(sources)} files are no labelled data; give {self.words.data}")
        with naming(sources[0]):
            rows = self._rows(sources[0], labels=True)
            for number, (text, _) in rows:
                if not isinstance(text, str) and (problem := _problem(text)):
                    raise InputError(f"line {number:,}: the text {problem}")
            labelled = [(text, label) for _, (text, label) in rows if label.strip()]
            found = [(text, label) for text, label in labelled if not _problem(text)]
            counts = (
                (len(rows) - len(labelled), "texts without a label"),
                (len(labelled) - len(found), "empty texts"),
            )
            if not found:
                raise InputError("has no text with a label in it; give at least one")
            notes = tuple(f"{n:,} {what} were left out" for n, what in counts if n)
            return Labelled(
                [text for text, _ in found],
                task.targets([label for _, label in found]),
                notes=notes,
            )

    def _rows(self, source: str, *, labels: bool = False) -> list[tuple[int, list[Any]]]:
        """Line and text of each example of a file, and its label where these are asked for."""
        content, name = content_of(source), source.removesuffix(".gz").lower()
        rows: list[tuple[int, list[Any]]]
        if name.endswith((".jsonl", ".ndjson")):
            rows = [_parsed(line, number, labels=labels) for number, line in _lines(content)]
        elif labels or name.endswith((".csv", ".tsv")):
            wanted = [self._text, *([self._label] if labels else [])]
            rows = [
                *records(
                    content,
                    lambda header: [header.index(column(header, names)) for names in wanted],
                )
            ]
        else:
            rows = [(number, [line]) for number, line in _lines(content)]
        if not rows:
            raise InputError("has no text in it; give at least one")
        return rows

    def body(self, content: bytes, media: bytes) -> list[str]:
        """The one text that is sent as it is."""
        return self._bounded([decoded(content)], "the body")

    def asked(self, body: bytes) -> Asked:
        """The texts under `texts` or `text`."""
        values, _ = document(body, self.numbers)
        name = under(values, ("texts", "text"), "texts")
        return Asked(
            self._bounded([values[name]] if name == "text" else values[name], name),
            values,
        )

    def invoked(self, body: bytes) -> Asked:
        """The texts in a request of MLflow's clients: strings, or records and data frames with a
        column `text`.
        """
        values, _ = document(body, self.numbers)
        name = under(values, INVOKED, "texts")
        found = values[name]
        if name == "dataframe_split":
            found = _column(found)
        elif isinstance(found, dict):
            found = found.get(self.tensor.name, found.get(TEXT))
        elif isinstance(found, list):
            found = [one.get(TEXT) if isinstance(one, dict) else one for one in found]
        return Asked(self._bounded(found, name), values)

    def _bounded(self, texts: Any, what: str) -> list[str]:
        if not isinstance(texts, list):
            raise InputError(f"{what} is a {kind_of(texts)}; give a list of strings")
        bounded(len(texts), what, "texts")
        for text in texts:
            if problem := _problem(text):
                raise InputError(f"{what}: a text {problem}")
            length = len(text)
            if length > MAX_CHARACTERS or (length := _characters(text)) > MAX_CHARACTERS:
                written = "" if length == len(text) else " once its ligatures are written out"
                raise InputError(
                    f"{what}: a text has {length:,} characters{written}; "
                    f"the model reads the first {self.length} tokens, "
                    f"so send at most {MAX_CHARACTERS:,}"
                )
        return texts

    def fits(self, sizes: list[int]) -> None:
        """Raises `InputError` unless a tensor of `sizes` is texts."""
        if tuple(sizes[1:]) not in ((), (1,)) or not sizes or not 0 < sizes[0] <= MAX_INPUTS:
            raise InputError(
                f"the shape is {sizes}; the model takes [n], 1 to {MAX_INPUTS} texts at once"
            )

    def listed(self, data: list[Any], sizes: list[int], *, truths: bool) -> list[str]:
        """Strings, each also in a list of its own."""
        self.fits(sizes)
        texts = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
        if len(texts) != sizes[0]:
            raise InputError(
                f"data holds {len(texts):,} texts, its shape {sizes} asks for {sizes[0]:,}"
            )
        return self._bounded(texts, "data")

    def size(self, sizes: list[int]) -> None:
        """Each text brings its length along."""
        return

    def unpacked(self, body: bytes, start: int, sizes: tuple[int, ...]) -> list[str]:
        """Each text after its length in four bytes, lowest first."""
        texts: list[str] = []
        while start < len(body):
            end = start + 4 + int.from_bytes(body[start : start + 4], "little")
            if end > len(body) or start + 4 > len(body) or len(texts) >= sizes[0]:
                raise InputError(
                    "the binary tensor does not hold the texts that its shape asks for, each after"
                    " its length in four bytes"
                )
            texts.append(_utf8(body[start + 4 : end]))
            start = end
        if len(texts) != sizes[0]:
            raise InputError(
                f"the binary tensor holds {len(texts):,} texts, its shape asks for {sizes[0]:,}"
            )
        return self._bounded(texts, "the binary tensor")

    def described(self) -> Described:
        """Strings, alone, in lists, and in records."""
        text = {"$ref": "#/components/schemas/Text"}
        texts = {"$ref": "#/components/schemas/Texts"}
        several = {"type": "array", "minItems": 1, "maxItems": MAX_INPUTS}
        record = {"type": "object", "required": [TEXT], "properties": {TEXT: text}}
        mixed = {**several, "items": {"anyOf": [text, record]}}
        frame = {
            "type": "object",
            "required": ["data"],
            "properties": {
                "columns": {
                    "type": "array",
                    "items": {"const": TEXT},
                    "minItems": 1,
                    "maxItems": 1,
                },
                "data": {
                    **several,
                    "items": {"type": "array", "items": text, "minItems": 1, "maxItems": 1},
                },
            },
        }
        return Described(
            {
                "Text": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_CHARACTERS,
                    "pattern": r"\S",
                    "description": f"The first {self.length} tokens are read.",
                },
                "Texts": {**several, "items": text},
            },
            {"texts": texts, "text": text},
            {"text/plain": text},
            {
                "inputs": {
                    "anyOf": [
                        texts,
                        {"type": "object", "required": ["texts"], "properties": {"texts": texts}},
                    ]
                },
                "instances": mixed,
                "dataframe_split": frame,
                "dataframe_records": mixed,
            },
            [([n], {"type": "array", "minItems": n, "maxItems": n, "items": text}) for n in (1, 2)],
        )


def _loaded(content: bytes, length: int) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception as error:  # noqa: BLE001 -- the library raises nothing more exact
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ReleaseError(
            f"the installed version of tokenizers does not read {TOKENIZER} ({reason}); install the"
            " one asked for"
        ) from None
    tokenizer.encode_special_tokens = True  # a text that says "[PAD]" means these five characters
    tokenizer.enable_truncation(length)
    return tokenizer


def _problem(text: Any) -> str | None:
    """The reason why `text` cannot be read."""
    if not isinstance(text, str):
        return f"is a {kind_of(text)}; give strings"
    if not text.strip():
        return "is empty; give something to read"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate); give whole ones"
    return None


def _characters(text: str) -> int:
    """At most so many characters are made tokens of: in normal form KC, one may be 18."""
    if text.isascii():
        return len(text)
    return len(text) + sum(more * n for one, n in Counter(text).items() if (more := _more(one)))


@lru_cache(maxsize=2**16)
def _more(character: str) -> int:
    """The number of characters by which the normal form KC of a text is longer."""
    return len(unicodedata.normalize("NFKC", character)) - 1


def _utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InputError("the binary tensor holds a text that is not UTF-8; encode it so") from None


def _column(frame: Any) -> list[Any]:
    """The column `text` of a data frame in MLflow's form."""
    rows = frame.get("data") if isinstance(frame, dict) else None
    columns = frame.get("columns", [TEXT]) if isinstance(frame, dict) else None
    if not isinstance(rows, list) or not isinstance(columns, list) or TEXT not in columns:
        raise InputError(
            f'dataframe_split is no data frame with a column {TEXT}; send {{"columns": ["{TEXT}"],'
            ' "data": [["..."]]}'
        )
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise InputError(
            f"dataframe_split holds a row that has not one value for each of its {len(columns)}"
            " columns; correct it"
        )
    return [row[columns.index(TEXT)] for row in rows]


def _lines(content: bytes) -> list[tuple[int, str]]:
    """Each line with its number; the last may end without a line break."""
    lines = decoded(content).split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            raise InputError(
                f"line {number:,} has {len(line):,} characters; a text has at most {MAX_LINE:,}"
            )
    return [(number, line.removesuffix("\r")) for number, line in enumerate(lines, start=1)]


class _Written(str):
    """A number of JSON as it is written there."""


def _parsed(line: str, number: int, *, labels: bool) -> tuple[int, list[Any]]:
    try:
        found = json.loads(line, parse_int=_Written, parse_float=_Written)
    except (ValueError, RecursionError):
        raise InputError(
            f"line {number:,} is no JSON; correct it, or name the file .txt if it has a text a line"
        ) from None
    if not isinstance(found, dict) or TEXT not in found:
        raise InputError(
            f'line {number:,} is no object with a "{TEXT}"; give lines such as {{"{TEXT}": "..."}}'
        )
    if labels and LABEL not in found:
        raise InputError(f'line {number:,} has no "{LABEL}"; give one in each line')
    text = 0 if isinstance(found[TEXT], _Written) else found[TEXT]
    return number, [text, *([_label(found[LABEL])] if labels else [])]


def _label(value: Any) -> str:
    """A label of JSON as text: a number as it is written, true and false so, and null is none."""
    return (
        ""
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
