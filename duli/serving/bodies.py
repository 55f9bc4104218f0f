"""Reads untrusted JSON and finds in it the examples for any kind of data."""

from typing import Any, NamedTuple

from .errors import InputError

MAX_INPUTS = 256  # examples in one request
INVOKED = (
    "inputs",
    "instances",
    "dataframe_split",
    "dataframe_records",
)  # MLflow's names for what a model is asked
NO_NUMBERS = ("NaN", "Infinity")  # which other programs write into JSON all the same


class Document(NamedTuple):
    """A JSON object, and whether `true` or `false` stands anywhere in it, which Python takes for
    the numbers 1 and 0.
    """

    values: dict[str, Any]
    truths: bool


class Asked(NamedTuple):
    """A parsed request: its examples, and the JSON object they stood in, which may hold more."""

    inputs: Any
    values: dict[str, Any]


def document(body: bytes, numbers: str = "send numbers alone") -> Document:
    """The JSON object in `body`, of keys that are there twice the last.

    Raises `InputError` for anything else: NaN, Infinity and numbers as large, bytes that are not
    UTF-8 or begin with its mark, half characters, more than about 1,000 brackets within brackets.
    A whole number of more than 64 bits becomes a float.
    `numbers` says what to send in the place of NaN.
    """
    import orjson  # which the extra `serve` brings; the command line does without

    if not body:
        raise InputError("the request has no body; send a JSON object")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(_fault(body, error.msg, error.pos, numbers)) from None
    if not isinstance(parsed, dict):
        raise InputError(f"the body is a JSON {kind_of(parsed)}; send an object")
    return Document(parsed, b"true" in body or b"false" in body)


def _fault(body: bytes, reason: str, position: int, numbers: str) -> str:
    """The error for a body that orjson refuses for `reason` at the character `position`."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        at = f"byte 0x{body[error.start]:02x} at {error.start:,}"
        return f"the body is no JSON in UTF-8 ({at}); encode it as UTF-8"
    if name := next((name for name in NO_NUMBERS if text.startswith(name, position)), None):
        sign = "-" if text[position - 1 : position] == "-" else ""
        return f"the JSON holds {sign}{name}, which is no number; {numbers}"
    if "infinity" in reason:
        return f"the JSON holds a number too large to be one (at character {position:,}); {numbers}"
    if "depth" in reason:
        return f"the JSON is nested too deeply (at character {position:,}); send plain lists"
    if "surrogate" in reason:
        return (
            f"the JSON holds half a character, a lone surrogate (at {position:,}); send whole ones"
        )
    return f"the body is no JSON in UTF-8 ({reason} at character {position:,}); correct it"


def under(values: dict[str, Any], names: tuple[str, ...], things: str) -> str:
    """The one of `names` that is a key of `values`; raises `InputError` if there is none or
    more.
    """
    found = [name for name in names if name in values]
    if len(found) != 1:
        raise InputError(
            f'give the {things} under one of the keys {", ".join(names)}, such as {{"{names[0]}":'
            " [...]}"
        )
    return found[0]


def bounded(n: int, what: str, things: str) -> None:
    """Raises `InputError` if a request holds nothing or too much."""
    if not 0 < n <= MAX_INPUTS:
        raise InputError(f"{what} holds {n:,} {things}; give 1 to {MAX_INPUTS} at once")


def kind_of(value: Any) -> str:
    """The JSON name of a value's type."""
    kinds = {dict: "object", list: "list", str: "string", bool: "truth value", type(None): "null"}
    return kinds.get(type(value), "number")
