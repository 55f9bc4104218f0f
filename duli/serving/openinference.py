"""The Open Inference Protocol, version 2 (KServe's and Triton's REST), with the extension for
binary tensors.
"""

import json
import struct
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

from .bodies import document
from .errors import InputError
from .kind import Kind
from .task import Output, Task

MAX_CACHED = 64 * 1024  # bytes of a JSON part that may be remembered
MAX_DIMENSIONS = 4  # of a tensor
EXTENSIONS = ["binary_tensor_data"]


# of each name, datatype, and whether it goes out as bytes
Outputs: TypeAlias = tuple[tuple[str, str, bool], ...]


class Question(NamedTuple):
    """The requested outputs in a JSON part, without the examples."""

    identity: str | None
    parameters: dict[str, Any]
    outputs: Outputs
    inputs: Any  # None: they follow as bytes
    sizes: tuple[int, ...]  # of the tensor that follows
    bytes: int  # of it


def server(name: str, version: str) -> dict[str, Any]:
    """The server's metadata."""
    return {"name": name, "version": version, "extensions": EXTENSIONS}


def model(name: str, version: str, kind: Kind, task: Task) -> dict[str, Any]:
    """The model's metadata."""
    return {
        "name": name,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": kind.tensor.name, "datatype": kind.tensor.datatype, "shape": kind.tensor.shape}
        ],
        "outputs": [output._asdict() for output in task.tensors],
    }


def read(body: bytes, head: bytes | None, kind: Kind, task: Task) -> tuple[Question, Any]:
    """The question and its examples; `head` is the header Inference-Header-Content-Length. Raises
    `InputError`.
    """
    if head is None:
        question = _question(body, kind, task)
        if question.inputs is None:
            raise InputError(
                "the tensor is said to be binary, but the header Inference-Header-Content-Length is"
                " missing; send it"
            )
        return question, question.inputs
    if not head.isdigit() or len(head) > 9 or int(head) > len(body):
        raise InputError(
            "Inference-Header-Content-Length is no length within the body; give the number of bytes"
            " of its JSON part"
        )
    length = int(head)
    part = body[:length]
    read_part = _remembered if length <= MAX_CACHED else _question
    question = read_part(part, kind, task)
    if question.inputs is not None:
        if length != len(body):
            raise InputError(
                f"{len(body) - length:,} bytes follow the JSON part, which has no binary tensor;"
                " set binary_data_size"
            )
        return question, question.inputs
    if len(body) - length != question.bytes:
        raise InputError(
            f"the tensor asks for {question.bytes:,} bytes, {len(body) - length:,} follow the JSON"
            " part"
        )
    return question, kind.unpacked(body, length, question.sizes)


def _question(body: bytes, kind: Kind, task: Task) -> Question:
    asked, truths = document(body, kind.numbers)
    name, datatype, _, advice = kind.tensor
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise InputError(f'give exactly one input: "inputs": [{{"name": "{name}", ...}}]')
    tensor = inputs[0]
    if tensor.get("name") != name:
        raise InputError(f'the model has one input, "{name}"; correct its name')
    if tensor.get("datatype") != datatype:
        raise InputError(f'the input "{name}" is of datatype {datatype}; {advice}')
    sizes = tensor.get("shape")
    if (
        not isinstance(sizes, list)
        or len(sizes) > MAX_DIMENSIONS
        or not all(type(size) is int for size in sizes)
    ):
        raise InputError(
            f'the input "{name}" needs a shape, a list of at most {MAX_DIMENSIONS} whole numbers'
        )
    parameters = _object(tensor, "parameters")
    identity = asked.get("id")
    if identity is not None and not isinstance(identity, str):
        raise InputError("the id is no string; send one, or none")
    general = _object(asked, "parameters")
    binary = general.get("binary_data_output") is True
    outputs = _outputs(asked.get("outputs"), task.tensors, binary=binary)
    length = parameters.get("binary_data_size")
    if length is not None:
        if "data" in tensor or type(length) is not int or kind.size(sizes) not in (None, length):
            raise InputError(
                "binary_data_size has to be the number of bytes that the shape asks for, and no"
                " data may stand beside it"
            )
        kind.fits(sizes)
        return Question(identity, general, outputs, None, tuple(sizes), length)
    data = tensor.get("data")
    if not isinstance(data, list):
        raise InputError(
            f'the input "{name}" has no data; give a list, or a binary tensor with binary_data_size'
        )
    return Question(identity, general, outputs, kind.listed(data, sizes, truths=truths), (), 0)


# clients send the same JSON part with every binary tensor
_remembered = lru_cache(maxsize=128)(_question)


def _outputs(wanted: Any, there: tuple[Output, ...], *, binary: bool) -> Outputs:
    if wanted is None:
        return tuple((output.name, output.datatype, binary) for output in there)
    names = {output.name: output.datatype for output in there}
    said = " and ".join(names)
    if (
        not isinstance(wanted, list)
        or not 0 < len(wanted) <= len(names)
        or not all(isinstance(one, dict) for one in wanted)
    ):
        raise InputError(f"outputs is no list of 1 to {len(names)} outputs; the model has {said}")
    found = {}
    for one in wanted:
        name, parameters = one.get("name"), _object(one, "parameters")
        if name not in names:
            raise InputError(f"the model has the outputs {said}; correct the name")
        if parameters.get("classification"):
            raise InputError(f'the extension "classification" is not spoken here; ask for {said}')
        found[name] = (name, names[name], parameters.get("binary_data", binary) is True)
    return tuple(found.values())


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    if value is not None and not isinstance(value, dict):
        raise InputError(f"{key} is no object; correct or leave it out")
    return value or {}


def answer(
    name: str, version: str, question: Question, found: list[NDArray[Any] | list[str]]
) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON part where binary tensors follow; `found` are the
    outputs asked for: float32 numbers, or texts.
    """
    contents: list[bytes] = []
    shapes: list[tuple[int, ...]] = []
    for (_, _, binary), values in zip(question.outputs, found, strict=True):
        if isinstance(values, list):
            shapes.append((len(values),))
            contents.append(_packed(values) if binary else json.dumps(values).encode())
        else:
            shapes.append(values.shape)
            contents.append(
                values.astype("<f4", copy=False).tobytes()
                if binary
                else json.dumps(values.ravel().tolist()).encode()
            )
    sizes = tuple(map(len, contents))
    identity = (
        b"" if question.identity is None else b', "id": ' + json.dumps(question.identity).encode()
    )
    pieces = _pieces(name, version, question.outputs, tuple(shapes), sizes)
    tail, text = b"", pieces[0] + identity
    for (_, _, binary), piece, content in zip(question.outputs, pieces[1:], contents, strict=True):
        if binary:
            text, tail = text + piece, tail + content
        else:
            text += piece + content + b"}"
    text += b"]}"
    return text + tail, len(text) if tail else None


@lru_cache(maxsize=1024)
def _pieces(
    name: str,
    version: str,
    outputs: Outputs,
    shapes: tuple[tuple[int, ...], ...],
    sizes: tuple[int, ...],
) -> list[bytes]:
    """The JSON part without its data: what stands before the outputs, and each output up to its
    data.
    """
    pieces = [json.dumps({"model_name": name, "model_version": version})[:-1].encode()]
    opening = ', "outputs": [{'
    for (output, datatype, binary), shape, size in zip(outputs, shapes, sizes, strict=True):
        text = f'{opening}"name": "{output}", "datatype": "{datatype}", '
        text += f'"shape": {list(shape)}, '
        pieces.append(
            (
                text + (f'"parameters": {{"binary_data_size": {size}}}}}' if binary else '"data": ')
            ).encode()
        )
        opening = ", {"
    return pieces


def _packed(texts: list[str]) -> bytes:
    return b"".join(map(_string, texts))


@lru_cache(maxsize=2048)
def _string(text: str) -> bytes:
    """A string of the protocol: after its length in four bytes, lowest first."""
    content = text.encode()
    return struct.pack("<I", len(content)) + content
