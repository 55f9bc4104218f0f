"""Renders pages from the templates beside this file: self-contained, escaped, and strict about missing values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from duli.reporting import wording


def render(template: str, **values: Any) -> str:
    """The page made of `template` (a file of templates/) and `values`; a value it asks for and does not get is an error.

    Templates write numbers with `number(key, style)`: the value at the dotted `key` of the mapping `facts`, inside a
    <data> element that names the key, so that every figure of a page can be traced to the JSON beside it.
    """
    return _ENVIRONMENT.get_template(template).render(**values)


def lookup(facts: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; numbers in the key index lists."""
    value: Any = facts
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pass_context
def _number(context: Context, key: str, style: str) -> Markup | str:
    value = lookup(context["facts"], key)
    text = "none" if value is None else wording.STYLES[style](value)
    if not context.eval_ctx.autoescape:
        return text
    if value is None:
        return Markup('<span class="none">{}</span>').format(text)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(float(value), key, text)


def _cell(text: object) -> str:
    """Text that cannot break out of a cell of a Markdown table."""
    return " ".join(str(text).replace("\\", "\\\\").replace("|", "\\|").split())


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.globals["number"] = _number
_ENVIRONMENT.filters["cell"] = _cell
_ENVIRONMENT.filters["count"] = wording.count
_ENVIRONMENT.filters["label"] = wording.title
