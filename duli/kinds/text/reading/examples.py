"""Texts: the form of their bytes, their properties, and their conversion to arrays of tokens."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.bounds import Bounds
from duli.base.errors import DataError, ParamsError
from duli.kinds.text.reading import tokenizer as tokens

STATISTICS = pa.schema([pa.field("characters", pa.int32(), nullable=False)])
# Soft hyphens, spaces without width, joiners, marks of direction and variation, of byte order.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)


class Kind:
    """UTF-8 as bytes; `length` is the most tokens of an example that are read, `vocabulary` the
    number of different ones.

    `tokenizer` is the JSON of Hugging Face's tokenizers; None if it is still to be made, of the
    texts that are added.
    """

    name = "text"
    statistics = STATISTICS
    compared = ("characters", "bytes")

    def __init__(self, length: int, vocabulary: int, tokenizer: str | None = None) -> None:
        self.length, self.vocabulary, self.tokenizer = length, vocabulary, tokenizer
        self._texts: list[str] = []

    @classmethod
    def of(cls, dataset: Any, tokens: Mapping[str, int] | None) -> "Kind":
        """The kind for a data set of texts; raises `ParamsError` if the params do not say how texts
        become tokens.
        """
        if tokens is None:
            raise ParamsError(
                f"params.yaml: prepare.tokens is null, but {dataset.TITLE} is made of texts; write"
                " {vocabulary: 4000, length: 128}, say"
            )
        return cls(tokens["length"], tokens["vocabulary"])

    @property
    def input(self) -> dict[str, int]:
        """The input size of the network."""
        return {"length": self.length, "vocabulary": self.vocabulary}

    @property
    def named(self) -> dict[str, Any]:
        """No further facts."""
        return {}

    def readable(self, contents: list[bytes | None]) -> NDArray[np.bool_]:
        """Whether each content is a text: UTF-8 with something to read in it."""
        return np.array([content is not None and _readable(content) for content in contents], bool)

    def describe(self, contents: list[bytes]) -> dict[str, Any]:
        """The columns `statistics` of readable contents."""
        return {"characters": [len(content.decode()) for content in contents]}

    def seen(self, contents: list[bytes]) -> list[bytes]:
        """The part of readable contents that a model can tell apart: without case, width and white
        space.

        Nor by characters that nobody sees.
        """
        visible = (INVISIBLE.sub("", content.decode()) for content in contents)
        return [text.encode() for text in tokens.normal(visible)]

    def outlines(self, contents: list[bytes]) -> NDArray[np.uint8]:
        """None: two texts are the same to a model, or they are not."""
        return np.empty((len(contents), 0), np.uint8)

    def add(self, contents: list[bytes]) -> None:
        """Adds contents of the train split to the tokenizer's corpus."""
        self._texts += [content.decode() for content in contents]

    def learn(self) -> None:
        """Makes the tokenizer; small corpora fill no large vocabulary."""
        rules = tokens.train(self._texts, self.vocabulary)
        self.tokenizer, self.vocabulary = rules.decode(), tokens.size(rules)

    @property
    def rules(self) -> dict[str, Any]:
        """Further rules that turn contents into arrays."""
        return {"tokenizer": self.tokenizer}

    @property
    def normalisation(self) -> dict[str, Any]:
        """Always None: tokens are used as they are."""
        return {}

    def expected(self) -> dict[str, Bounds]:
        """Bounds for the columns of the prepared examples, including their length in bytes."""
        return {"bytes": Bounds(1, None), "characters": Bounds(1, None)}

    def arrays(self, contents: pa.ChunkedArray) -> NDArray[np.int32]:
        """int32 [n, length]: tokens, and 0 behind the last. Raises `DataError` if one is no
        text.
        """
        assert self.tokenizer is not None
        try:
            texts = [content.decode() for content in contents.to_pylist()]
        except UnicodeDecodeError as error:
            raise DataError(
                f"a prepared example is no text ({error}); delete data/prepared and run `dvc repro`"
            ) from None
        return tokens.encode(self.tokenizer.encode(), texts, self.length)


def _readable(content: bytes) -> bool:
    try:
        return bool(content.decode().strip())
    except UnicodeDecodeError:
        return False
