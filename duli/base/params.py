"""Reads params.yaml strictly: typed sections, no unknown key, every error with file, key, value and
fix.
"""

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from duli.base import files
from duli.base.errors import ParamsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from ruamel.yaml.nodes import Node

MAX_BYTES = 200_000
S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """Base of all params sections: frozen, strictly typed, finite numbers only, unknown keys
    forbidden.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def keys(cls) -> list[str]:
        """The keys a user may write here, for "did you mean"."""
        return [*cls.model_fields]

    @classmethod
    def inner(cls, key: str) -> "type[Section] | None":
        """The section that `key` holds, also in a list, a mapping or beside null; None if it
        holds plain values or is no key.
        """
        return _first_section(cls.model_fields[key].annotation) if key in cls.model_fields else None


class Params:
    """The top level of one params.yaml; sections are validated when asked for.

    Raises `ParamsError` if the file is missing, too large, not YAML 1.2, has a duplicate key, or
    is no mapping.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.values, self._node = _read(self.path)

    def section(self, name: str, kind: type[S]) -> S:
        """The section `name`, validated as `kind`; raises `ParamsError` that lists every mistake in
        it.

        `outer.inner` is a section within one.
        """
        section, mistakes = self._parse(name, kind)
        if section is None:
            raise ParamsError("\n".join(mistakes))
        return section

    def check(self, kinds: dict[str, type[Section]], plain: dict[str, list[str]]) -> None:
        """Validates all sections at once.

        `plain` gives the top-level keys that are no section, and the texts that each may be. Raises
        `ParamsError` with one line a mistake, unknown and missing sections included.
        """
        mistakes = [
            f"{self.path}: unknown section '{name}'{_did_you_mean(str(name), [*kinds, *plain])}"
            for name in self.values
            if name not in kinds and name not in plain
        ]
        mistakes += [
            f"{self.path}: {name} = {self.values.get(name)!r}; write one of {', '.join(known)}"
            for name, known in plain.items()
            if self.values.get(name) not in known
        ]
        for name, kind in kinds.items():
            mistakes += self._parse(name, kind)[1]
        if mistakes:
            raise ParamsError("\n".join(mistakes))

    def _parse(self, name: str, kind: type[S]) -> tuple[S | None, list[str]]:
        values: Any = self.values
        for key in name.split("."):
            if not isinstance(values, dict) or key not in values:
                return None, [
                    f"{self.path}: section '{name}' is missing; add it (see the repository's"
                    " params.yaml)"
                ]
            values = values[key]
        try:
            # Through JSON: pydantic's strict mode then takes a YAML list for a tuple and a text for
            # an enumeration, and still no text for a number.
            return kind.model_validate_json(json.dumps(values, default=_no_json)), []
        except ParamsError:
            return None, [
                f"{self.path}: in section '{name}', {told}" for told in self._no_json(values, name)
            ]
        except ValidationError as error:
            return None, [self._explain(name, kind, details) for details in error.errors()]

    def _explain(self, name: str, kind: type[Section], details: "ErrorDetails") -> str:
        key = ".".join([name, *(str(part) for part in details["loc"])])
        value = details["input"]
        match details["type"]:
            case "extra_forbidden":
                for part in details["loc"][:-1]:
                    # what is no key is an index, or a name in a mapping
                    kind = kind.inner(str(part)) or kind
                return (
                    f"{self.path}: unknown key '{key}' (value"
                    f" {value!r}){_did_you_mean(key.split('.')[-1], kind.keys())}"
                )
            case "missing":
                return f"{self.path}: key '{key}' is missing; add it"
            case "finite_number":
                return f"{self.path}: {key} = {value!r} is not a finite number; give one"
            case "string_type" if value is None:
                return f"{self.path}: {key} is empty; give it a text"
            case "string_type" if isinstance(value, dict | list):
                return f"{self.path}: {key} = {value!r} should be text; give one"
            case "string_type":
                shown = self._written(key, value)
                return f'{self.path}: {key} = {shown} should be text; put it in quotes: "{shown}"'
        reason = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
        return f"{self.path}: {key} = {value!r} {reason}; change it"

    def node(self, key: str) -> Any:
        """The YAML node of a dotted key's value; None if there is none."""
        node: Any = self._node
        for part in key.split("."):
            if node is None or isinstance(node.value, str):
                return None
            entries = node.value if node.id == "mapping" else enumerate(node.value)
            node = next(
                (inner for name, inner in entries if str(getattr(name, "value", name)) == part),
                None,
            )
        return node

    def _written(self, key: str, value: Any) -> str:
        """A value as it stands in the file: the numbers `1.10` and `0x10` would be shown
        otherwise.
        """
        node = self.node(key)
        return str(node.value) if node is not None and isinstance(node.value, str) else repr(value)

    def _no_json(self, values: Any, key: str) -> list[str]:
        """One message for each value that YAML knows and DVC refuses in params: dates,
        sets, bytes.
        """
        if isinstance(values, dict | list):
            entries = values.items() if isinstance(values, dict) else enumerate(values)
            return [
                line for part, inner in entries for line in self._no_json(inner, f"{key}.{part}")
            ]
        if values is None or isinstance(values, str | int | float):
            return []
        shown = self._written(key, values)
        kind = type(values).__name__
        return [
            f'{shown} is read as a {kind}, which DVC does not take; put it in quotes: "{shown}"'
            f" ({key})"
        ]


def _first_section(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_first_section, get_args(annotation))), None)


def _no_json(value: object) -> str:
    raise ParamsError(f"{value!r} is no JSON")


def _read(path: Path) -> "tuple[dict[str, Any], Node | None]":
    if not path.exists():
        raise ParamsError(
            f"no {path} here; run this in the folder of a release line (it holds a params.yaml)"
        )
    values, node = files.read_yaml(
        path, MAX_BYTES, ParamsError, "correct it; params are knobs, data belong elsewhere"
    )
    if not isinstance(values, dict):
        raise ParamsError(
            f"{path} holds {type(values).__name__}, not sections; start from the repository's"
            " params.yaml"
        )
    return values, node


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return (
        f"; did you mean '{close[0]}'?"
        if close
        else f"; remove it (known: {', '.join(known)})"
        if known
        else "; remove it"
    )
