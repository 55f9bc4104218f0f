"""Reads JSON that nobody vouches for: its depth is known before it is parsed, and what every kind of data is asked is found in it."""

import json
import re
from typing import Any, NamedTuple, NoReturn

from .errors import InputError

MAX_DEPTH = 16  # brackets within brackets; a batch of images has 7
MAX_INPUTS = 256  # examples in one request
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
INVOKED = ("inputs", "instances", "dataframe_split", "dataframe_records")  # MLflow's names for what a model is asked


class Document(NamedTuple):
    """A JSON object, and whether `true` or `false` stands anywhere in it, which Python takes for the numbers 1 and 0."""

    values: dict[str, Any]
    truths: bool


class Asked(NamedTuple):
    """What a request asks: examples, and whether an unsure answer is to be withheld (None: it does not say)."""

    inputs: Any
    abstain: bool | None


def document(body: bytes, numbers: str = "send numbers alone") -> Document:
    """The JSON object in `body`; raises `InputError` for anything else, NaN, Infinity and what is nested too deeply included.

    `numbers` says what to send in the place of NaN.
    """
    if not body:
        raise InputError("the request has no body; send a JSON object")
    brackets = STRING.sub(b"", body).translate(None, NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    else:
        if brackets:
            raise InputError(f"the JSON is nested deeper than {MAX_DEPTH} brackets, or they do not match; send plain lists")

    def no_number(text: str) -> NoReturn:
        raise InputError(f"the JSON holds {text}, which is no number; {numbers}")

    try:
        parsed = json.loads(body, parse_constant=no_number)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        where = f" ({error.msg} at character {error.pos:,})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"the body is no JSON in UTF-8{where}; correct it") from None
    if not isinstance(parsed, dict):
        raise InputError(f"the body is a JSON {kind_of(parsed)}; send an object")
    return Document(parsed, b"true" in body or b"false" in body)


def under(values: dict[str, Any], names: tuple[str, ...], things: str) -> str:
    """The one of `names` that is a key of `values`; raises `InputError` where there is none or more."""
    found = [name for name in names if name in values]
    if len(found) != 1:
        raise InputError(f'give the {things} under one of the keys {", ".join(names)}, such as {{"{names[0]}": [...]}}')
    return found[0]


def abstention(values: dict[str, Any]) -> bool | None:
    """Whether an unsure answer is to be withheld: the key `abstain`, or that of MLflow's `params`; None where neither is there."""
    params = values.get("params")
    wish = values.get("abstain", params.get("abstain") if isinstance(params, dict) else None)
    if wish is not None and not isinstance(wish, bool):
        raise InputError('"abstain" is true or false')
    return wish


def bounded(n: int, what: str, things: str) -> None:
    """Raises `InputError` where a request holds nothing or too much."""
    if not 0 < n <= MAX_INPUTS:
        raise InputError(f"{what} holds {n:,} {things}; give 1 to {MAX_INPUTS} at once")


def kind_of(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {dict: "object", list: "list", str: "string", bool: "truth value", type(None): "null"}
    return kinds.get(type(value), "number")
