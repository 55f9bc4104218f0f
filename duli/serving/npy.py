"""Reads the header of an untrusted .npy file; nothing in it is unpickled or evaluated beyond a
literal.
"""

import ast

from .errors import InputError

NPY = b"\x93NUMPY"
MAX_HEADER = 10_000  # bytes, numpy's own limit
MAX_DIMENSIONS = 4
TYPES = {
    "b1": "bool",
    **{
        f"{kind[0]}{size}": f"{kind}{8 * size}"
        for kind in ("int", "uint", "float")
        for size in (1, 2, 4, 8)
    },
}


def type_name(kind: str) -> str:
    """The name of the type in a header; raises `InputError` for Python objects."""
    if "O" in kind:
        raise InputError(
            "holds Python objects (a pickle), which are never opened; save an array of numbers"
        )
    return TYPES.get(kind.lstrip("<>|="), "of another kind")


def header(content: bytes) -> tuple[str, bool, tuple[int, ...], int]:
    """The header of a .npy file: type, whether the first axis varies fastest, shape, and where the
    values start; raises `InputError`.
    """
    width = 2 if content[6:7] == b"\x01" else 4
    start = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    try:
        if start > min(len(content), MAX_HEADER):
            raise ValueError
        found = ast.literal_eval(content[8 + width : start].decode("utf-8").strip())
        kind, fortran, shape = found["descr"], found["fortran_order"], found["shape"]
        if len(shape) > MAX_DIMENSIONS or not all(
            type(size) is int and 0 <= size < 2**32 for size in shape
        ):
            raise ValueError
    except (
        ValueError,
        SyntaxError,
        TypeError,
        KeyError,
        AttributeError,
        MemoryError,
        RecursionError,
    ):
        raise InputError(
            "is a damaged .npy file: its header makes no sense; save it again with numpy.save"
        ) from None
    return str(kind), bool(fortran), tuple(shape), start
