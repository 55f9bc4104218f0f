"""Renders pages from templates: self-contained, escaped, and strict about missing values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from duli.reporting.shared import wording

_MIDDLES = ("value", "p50", "mean")  # of a measure: what stands as its number


def render(template: str, **values: Any) -> str:
    """Renders the page `template`, a path below duli/, with `values`; a missing value is an error.

    Templates write numbers with `number(key, style)`: the value at the dotted `key` of the mapping
    `facts`, inside a <data> element that names the key, so that every figure of a page can be
    traced to the JSON beside it. With a `speech` among the values (duli/reporting/business/)
    a page is written in its language: `say(key)`, `name(of)`, `why(keys)`.
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
    speech = context.get("speech")
    value = lookup(context["facts"], key)
    if value is None:
        text = str(speech.say("none")) if speech else "none"
    else:
        text = speech.write(value, style) if speech else wording.STYLES[style](value)
    if not context.eval_ctx.autoescape:
        return text
    if value is None:
        return Markup('<span class="none" data-key="{}">{}</span>').format(key, text)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(float(value), key, text)


@pass_context
def _why(context: Context, *keys: str) -> Markup:
    """A note with the reasons for missing numbers under these keys, each once; empty if there are
    none.
    """
    speech = context["speech"]
    # whether it is the number itself that is missing, and not just an end of its range
    found: dict[tuple[str, Any], bool] = {}
    for entry in context["facts"]["reasons"]:
        if any(f"{entry['key']}.".startswith(f"{key}.") for key in keys):
            *parents, last = entry["key"].split(".")
            measure, end = (parents[-1], last) if last in wording.ENDS else (last, "value")
            said = measure, entry["reason"]
            found[said] = found.get(said, False) or end in _MIDDLES
    notes = [
        speech.say(
            "because" if whole else "because_end",
            what=speech.name(measure),
            reason=speech.reason(reason),
        )
        for (measure, reason), whole in found.items()
    ]
    return (
        Markup('<p class="note">{}</p>').format(Markup("<br>").join(notes)) if notes else Markup("")
    )


@pass_context
def _say(context: Context, key: str, **values: Any) -> Markup:
    return Markup(context["speech"].say(key, **values))  # noqa: S704 - it escapes what fills the phrase


@pass_context
def _name(context: Context, of: str) -> str:
    return str(context["speech"].name(of))


def _cell(text: object) -> str:
    """Text that cannot break out of a cell of a Markdown table."""
    return " ".join(str(text).replace("\\", "\\\\").replace("|", "\\|").split())


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parents[2]),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.globals |= {"number": _number, "say": _say, "name": _name, "why": _why}
_ENVIRONMENT.filters["cell"] = _cell
_ENVIRONMENT.filters["count"] = wording.count
_ENVIRONMENT.filters["label"] = wording.title
