"""What a release of a kind of data is made of, and what its papers say of the kind."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """One kind of data; `thing` is an example of it."""

    thing: str
    things: str
    task: str  # as Hugging Face and CycloneDX call it
    files: str  # that the wheel's command takes
    data: str  # that it recomputes its accuracy on
    # what may follow the command's name, and why; WHEEL is the wheel's file
    usage: tuple[tuple[str, str], ...]
    before: str  # where what stands before the network is
    sent: str  # what curl sends to the server
    code: frozenset[str]  # files of duli/serving/ that others need not, unless they name them too
    runtime: tuple[str, ...]  # libraries the wheel needs
    # files of the wheel, made of the rules of data/prepared/preprocessing.json
    carried: Callable[[Mapping[str, Any]], dict[str, bytes]]
    suffix: str  # of a file of examples
    rows: int  # in such a file
    # that file, of the contents of examples and data/prepared/stats.json
    written: Callable[[Sequence[bytes], Mapping[str, Any]], bytes]


def _nothing(rules: Mapping[str, Any]) -> dict[str, bytes]:
    return {}


def _tokenizer(rules: Mapping[str, Any]) -> dict[str, bytes]:
    return {"tokenizer.json": str(rules["tokenizer"]).encode()}


def _pixels(contents: Sequence[bytes], stats: Mapping[str, Any]) -> bytes:
    import numpy as np

    size = stats["input"]
    pixels = np.frombuffer(b"".join(contents), np.uint8)
    return _npy(pixels.reshape(len(contents), size["channels"], size["height"], size["width"]))


def _rows(contents: Sequence[bytes], stats: Mapping[str, Any]) -> bytes:
    """The numbers as they were measured: a feature that is centred goes back to where it lies, in
    float64.
    """
    import numpy as np

    rows = np.frombuffer(b"".join(contents), "<f4").reshape(
        len(contents), stats["input"]["features"]
    )
    if centred := stats.get("centred"):
        offset, scale = np.array([centred.get(name, (0.0, 1.0)) for name in stats["features"]]).T
        rows = rows.astype(np.float64) * scale + offset
    return _npy(rows)


def _npy(array: Any) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _lines(contents: Sequence[bytes], stats: Mapping[str, Any]) -> bytes:
    return b"".join(
        json.dumps({"text": content.decode()}, ensure_ascii=False).encode() + b"\n"
        for content in contents
    )


KINDS = {
    "image": Kind(
        "image",
        "images",
        "image-classification",
        "pictures (PNG, JPEG, WebP, GIF, BMP, TIFF), .npy or IDX, each also as .gz",
        "IMAGES LABELS",
        (
            (
                "predict image.png",
                "any picture; also .npy and IDX files, .gz, and - for standard input",
            ),
            (
                "predict images.npy --json",
                "one object a line, with the probabilities of all classes",
            ),
            (
                "predict folder",
                "every image in it; --abstain gives no answer where the model is not sure enough",
            ),
        ),
        "The scaling of pixels is part of the graph.",
        '@image.png -H "Content-Type: image/png"',
        frozenset(
            (
                "kind_image.py",
                "images.py",
                "pictures.py",
                "pixels.py",
                "labelled.py",
                "npy.py",
                "statistics.py",
                "page_image.html",
                "page_image.js",
            )
        ),
        ("numpy", "onnxruntime", "pillow"),
        _nothing,
        ".npy",
        4096,
        _pixels,
    ),
    "text": Kind(
        "text",
        "texts",
        "text-classification",
        ".txt with a text a line, .jsonl or .csv, each also as .gz",
        "DATA.csv",
        (
            (
                'predict --text "..."',
                "also a file with a text a line, .jsonl and .csv, .gz, and - for standard input",
            ),
            (
                "predict texts.txt --json",
                "one object a line, with the probabilities of all classes",
            ),
            (
                "predict folder",
                "every file in it; --abstain gives no answer where the model is not sure enough",
            ),
        ),
        "The tokenizer stands before the graph: the file `tokenizer.json` of this wheel.",
        '"..." -H "Content-Type: text/plain"',
        frozenset(("kind_text.py", "columns.py", "page_text.html", "page_text.js")),
        ("numpy", "onnxruntime", "tokenizers"),
        _tokenizer,
        ".jsonl",
        65_536,  # which the predictor puts into batches of like length at once
        _lines,
    ),
    "table": Kind(
        "row",
        "rows",
        "tabular-classification",
        ".csv or .npy, also as .gz",
        "DATA.csv",
        (
            (
                "predict rows.csv",
                "columns by name, in any order; also .npy, .gz, and - for standard input",
            ),
            ("predict rows.csv --json", "one object a line, with the probabilities of all classes"),
            (
                "predict folder",
                "every file in it; --abstain gives no answer where the model is not sure enough",
            ),
        ),
        "The scaling of the features, and what stands for missing ones, are part of the graph.",
        '@rows.csv -H "Content-Type: text/csv"',
        frozenset(("kind_table.py", "columns.py", "npy.py", "page_table.html", "page_table.js")),
        ("numpy", "onnxruntime"),
        _nothing,
        ".npy",
        4096,
        _rows,
    ),
}
OWN = frozenset().union(*(kind.code for kind in KINDS.values()))


def needs(kind: str, file: str) -> bool:
    """Whether a wheel of this kind needs a file of duli/serving/."""
    return file in KINDS[kind].code or file not in OWN


def limits(kind: str, variant: str) -> list[str]:
    """What is known to go wrong with a variant of the model, whatever it was made for."""
    if not variant.endswith("int8_dynamic"):
        return []
    # onnxruntime's DynamicQuantizeLinear finds one scale for the whole tensor, the batch included.
    thing, things = KINDS[kind].thing, KINDS[kind].things
    return [
        f"An answer depends a little on its company: `{variant}` rounds by one scale over all"
        f" {things} of a call, and the server puts those that wait into one call. Probabilities"
        f" move, and a {thing} that lies between two classes may get the other one; asked alone, it"
        " always gets the same answer"
    ]


def tensor(stats: Mapping[str, Any]) -> str:
    """What the ONNX file takes."""
    size = stats["input"]
    plain = {
        "image": "images: uint8 [n, {channels}, {height}, {width}]",
        "text": "tokens: int32 [n, up to {length}]",
        "table": "features: float32 [n, {features}]",
    }[stats["kind"]].format(**size)
    return f"{plain}, {centres(stats)}" if stats.get("centred") else plain


def centres(stats: Mapping[str, Any]) -> str:
    """How the features that float32 does not hold as they are go into the ONNX file."""
    places = [
        f"{name} as (value - {offset!r}) / {scale!r}"
        for name, (offset, scale) in stats["centred"].items()
    ]
    return f"computed in float64: {', '.join(places)}"


def python(stats: Mapping[str, Any]) -> str:
    """What the predictor takes."""
    size = stats["input"]
    if stats["kind"] == "text":
        return (
            f"`texts` are a list of strings, of each of which the first {size['length']} tokens are"
            " read"
        )
    if stats["kind"] == "table":
        kind = "float64, for float32 does not hold them all" if stats.get("centred") else "float32"
        return f"`rows` are numbers ({kind}) as [n, {size['features']}], NaN where one is missing"
    alone = f" or [n, {size['height']}, {size['width']}]" if size["channels"] == 1 else ""
    return (
        f"`images` are pixels 0 to 255 (uint8) as [n, {size['channels']}, {size['height']},"
        f" {size['width']}]{alone}"
    )
