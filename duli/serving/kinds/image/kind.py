"""Images: pixels 0..255 of the one size that the model was trained on."""

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bodies import INVOKED, MAX_INPUTS, Asked, Document, document, under
from ...errors import InputError
from ...kind import Described, Labelled, Tensor
from ...task import Task
from . import images, labelled
from .pictures import Rules
from .pixels import NUMBERS, Shape, flat_pixels, pixels, wrong_type
from .words import WORDS

BATCH = 256  # images given to the model at once: bounds memory whatever the number of images

Images = NDArray[np.uint8]


class Kind:
    """Images of `shape` (channels, height, width)."""

    words = WORDS
    feed = "images"
    numbers = NUMBERS
    media = frozenset(
        (
            b"image/png",
            b"image/jpeg",
            b"image/webp",
            b"application/octet-stream",
            b"application/x-npy",
        )
    )

    def __init__(self, release: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        size = release["input"]
        self.shape: Shape = (size["channels"], size["height"], size["width"])
        pictures = release.get("pictures", {})
        self.rules = Rules.of(pictures)
        # what the page makes of a drawing or a picture, so that it is like the data set's
        self.about = {"input": size, "pictures": pictures}
        self.tensor = Tensor("images", "UINT8", [-1, *self.shape], "send pixels 0..255 as such")

    def checked(self, inputs: Any) -> Images:
        """`inputs` as the model takes them: uint8 [n, channels, height, width], or [n, height,
        width] for one channel.

        Nothing is cast, scaled, resized or reordered silently.
        """
        channels, height, width = self.shape
        expected = f"[n, {channels}, {height}, {width}]" + (
            f" or [n, {height}, {width}]" if channels == 1 else ""
        )
        if not isinstance(inputs, np.ndarray):
            raise InputError(
                f"the images are a {type(inputs).__name__}; give a numpy array of uint8, {expected}"
            )
        if inputs.dtype != np.uint8:
            raise InputError(wrong_type(str(inputs.dtype)))
        found = inputs[:, None] if channels == 1 and inputs.ndim == 3 else inputs
        if found.shape[1:] != self.shape:
            raise InputError(
                f"the images have the shape {list(inputs.shape)}, the model takes"
                f" {expected}{self._hint(inputs)}"
            )
        if not len(found):
            raise InputError(
                f"there is no image in it (shape {list(inputs.shape)}); give at least one"
            )
        return np.ascontiguousarray(found)

    def _hint(self, found: Images) -> str:
        channels, height, width = self.shape
        if found.shape == (self.shape if channels > 1 else (height, width)):
            return "; this is one image without a batch: give images[None]"
        if found.shape[1:] == (height, width, channels):
            return "; the channels stand last: give images.transpose(0, 3, 1, 2)"
        return "; resize and crop before, as the training data was"

    def parts(self, inputs: Images) -> Iterator[tuple[slice, Images]]:
        """At most BATCH images at once, as they come."""
        for start in range(0, len(inputs), BATCH):
            rows = slice(start, start + BATCH)
            yield rows, inputs[rows]

    def joined(self, several: list[Images]) -> Images:
        """The inputs of several requests as one array."""
        return np.concatenate(several)

    def work(self, inputs: Images) -> float:
        """The number of images, which all cost the same."""
        return len(inputs)

    def load(self, source: str) -> Images:
        """The images of a file."""
        return images.load(source, self.shape, self.rules)

    def labelled(self, sources: list[str], task: Task) -> Labelled:
        """Images and their labels."""
        return labelled.load(sources, self.shape, task, self.rules)

    def body(self, content: bytes, media: bytes) -> Images:
        """The images in an uploaded file."""
        found = self.checked(images.decode(content, self.shape, self.rules, sent=True))
        if len(found) > MAX_INPUTS:
            raise InputError(f"holds {len(found):,} images; send {MAX_INPUTS} at once")
        return found

    def seen(self, content: bytes) -> bytes:
        """The pixels that the model gets for an uploaded file, as /predict reads it, and what was
        done to pictures.
        """
        found = self.body(content, b"")
        return json.dumps(
            {"images": found.tolist(), "done": self.rules.said(self.shape[0] == 1)}
        ).encode()

    def asked(self, body: bytes) -> Asked:
        """The images under `images` or `image`."""
        return self._found(document(body, self.numbers), ("images", "image"))

    def invoked(self, body: bytes) -> Asked:
        """The images in a request of MLflow's clients: rows, with the name of the tensor or
        without.
        """
        found = document(body, self.numbers)
        values = found.values
        if isinstance(frame := values.get("dataframe_split"), dict):
            values["dataframe_split"] = _unpacked(
                frame.get("data"), named=frame.get("columns") == [self.feed]
            )
        elif (
            isinstance(records := values.get("dataframe_records"), list)
            and records
            and isinstance(records[0], dict)
        ):
            names = list(records[0])
            rows = [_values(one, names) if isinstance(one, dict) else one for one in records]
            values["dataframe_split"] = _unpacked(rows, named=names == [self.feed])
        return self._found(found, INVOKED[:3])

    def _found(self, found: Document, names: tuple[str, ...]) -> Asked:
        values, truths = found
        name = under(values, names, "images")
        nested = values[name]
        if isinstance(nested, dict):  # as MLflow names the tensors of a model
            nested = nested.get(self.feed)
        if name == "instances" and isinstance(nested, list):
            nested = [one.get(self.feed) if isinstance(one, dict) else one for one in nested]
        return Asked(
            pixels([nested] if name == "image" else nested, self.shape, name, truths=truths), values
        )

    def fits(self, sizes: list[int]) -> None:
        """Raises `InputError` unless a tensor of `sizes` is images."""
        shape = self.shape
        known = {shape, (prod(shape),)} | ({shape[1:]} if shape[0] == 1 else set())
        if tuple(sizes[1:]) not in known or not 0 < sizes[0] <= MAX_INPUTS:
            expected = ", ".join(map(str, shape))
            raise InputError(
                f"the shape is {sizes}; the model takes [n, {expected}], 1 to {MAX_INPUTS} images"
                " at once"
            )

    def listed(self, data: list[Any], sizes: list[int], *, truths: bool) -> Images:
        """Lists as the tensor is nested, or one flat list."""
        if not (data and isinstance(data[0], list)):
            return flat_pixels(data, sizes, self.shape, "data", truths=truths)
        found = pixels(data, self.shape, "data", truths=truths)
        if found.size != prod(sizes):
            raise InputError(
                f"data holds {found.size:,} numbers, its shape {sizes} asks for {prod(sizes):,}"
            )
        return found

    def size(self, sizes: list[int]) -> int:
        """A byte a pixel."""
        return prod(sizes)

    def unpacked(self, body: bytes, start: int, sizes: tuple[int, ...]) -> Images:
        """Bytes as they are."""
        return np.frombuffer(body, np.uint8, offset=start).reshape(-1, *self.shape)

    def described(self) -> Described:
        """Lists of pixels, and files."""
        channels, height, width = self.shape
        pixel = {"type": "integer", "minimum": 0, "maximum": 255}

        def lists(*sizes: int) -> dict[str, Any]:
            schema: dict[str, Any] = pixel
            for size in reversed(sizes):
                schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
            return schema

        forms = [
            lists(*self.shape),
            lists(prod(self.shape)),
            *([lists(height, width)] if channels == 1 else []),
        ]
        several = {"$ref": "#/components/schemas/Images"}
        return Described(
            {
                "Image": {
                    "anyOf": forms,
                    "description": f"Pixels 0..255: {channels} x {height} x {width}.",
                },
                "Images": {
                    "anyOf": [
                        {"type": "array", "items": form, "minItems": 1, "maxItems": MAX_INPUTS}
                        for form in forms
                    ]
                },
            },
            {"images": several, "image": {"$ref": "#/components/schemas/Image"}},
            {
                media.decode(): {
                    "type": "string",
                    "format": "binary",
                    "description": self.rules.said(channels == 1),
                }
                for media in sorted(self.media)
                # other files go as well, of which JSON Schema cannot say what they hold
                if media.startswith(b"image/")
            },
            {
                "inputs": several,
                "instances": several,
                "dataframe_records": {"anyOf": [_records(self.feed, form) for form in forms]},
                "dataframe_split": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"columns": {}, "data": several},
                },
            },
            [([n, *self.shape], lists(n, *self.shape)) for n in (1, 2)],
        )


def _records(name: str, form: dict[str, Any]) -> dict[str, Any]:
    record = {
        "type": "object",
        "required": [name],
        "properties": {name: form},
        "additionalProperties": False,
    }
    return {"type": "array", "items": record, "minItems": 1, "maxItems": MAX_INPUTS}


def _values(record: dict[str, Any], names: list[str]) -> list[Any]:
    """The values under `names`; nothing for a record with fewer keys, since looking each up would
    cost names times records.
    """
    return [record.get(name) for name in names] if len(record) == len(names) else []


def _unpacked(rows: Any, *, named: bool) -> Any:
    """The images of a data frame: its rows, or what stands in its one column, which is `named` as
    the model's input.
    """
    if not (named and isinstance(rows, list)):
        return rows
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]
