"""The contents of a text release, and its words in card and papers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from duli.packaging.product import Usage
from duli.serving.kinds.text.words import WORDS


class Kind:
    """Texts, of each of which so many tokens are read (see `duli.packaging.product.Kind`)."""

    words = WORDS
    modality = "text"
    usage = Usage(
        '--text "..."',
        "also a file with a text a line, .jsonl and .csv, .gz, and - for standard input",
        "texts.txt",
        "every file",
        "DATA.csv",
        '"..." -H "Content-Type: text/plain"',
    )
    runtime = ("numpy", "onnxruntime", "tokenizers")
    columns = ("text",)
    suffix = ".jsonl"
    rows = 65_536  # which the predictor puts into batches of like length at once
    before = "The tokenizer stands before the graph: the file `tokenizer.json` of this wheel."
    reading = ""
    centres = None

    def __init__(self, stats: Mapping[str, Any]) -> None:
        length = stats["input"]["length"]
        self.tensor = f"tokens: int32 [n, up to {length}]"
        self.python = (
            f"`texts` are a list of strings, of each of which the first {length} tokens are read"
        )
        self.facts: dict[str, Any] = {}

    def carried(self, rules: Mapping[str, Any]) -> dict[str, bytes]:
        """The tokenizer."""
        return {"tokenizer.json": str(rules["tokenizer"]).encode()}

    def written(self, contents: Sequence[bytes]) -> bytes:
        """A .jsonl."""
        return b"".join(
            json.dumps({"text": content.decode()}, ensure_ascii=False).encode() + b"\n"
            for content in contents
        )
