"""Writes the model card in Markdown, as a page and for Hugging Face: promises come from params,
every number from the files of the run.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from duli.base.errors import DataError
from duli.packaging import ledger, locked, manifest
from duli.packaging.params import Release
from duli.packaging.product import Kind, Task

if TYPE_CHECKING:
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

PAGE = "MODEL_CARD.html"
NAMES = {
    "page": PAGE,
    "ledger": ledger.FILE,
    "sbom": manifest.SBOM,
    "provenance": manifest.PROVENANCE,
}
MILLION = 1_000_000
# Licences that Hugging Face knows by another name than SPDX in small letters are none that it
# lists; they go under "other".
HUB_LICENCES = {
    *(
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
    ),
    *(
        "agpl-3.0",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mpl-2.0",
        "epl-2.0",
        "eupl-1.2",
        "isc",
        "unlicense",
        "wtfpl",
        "zlib",
    ),
}


class Body(NamedTuple):
    """A Markdown text as HTML: its heading as plain text, and what follows it."""

    heading: str
    html: str


def render(
    release: Release,
    wheel_name: str,
    kind: Kind,
    task: Task,
    signer: Mapping[str, str] | None,
    **evidence: Mapping[str, Any],
) -> str:
    """The card in Markdown, from the contents of the run's JSON files; raises `DataError` if a
    number is missing.

    `evidence` are raw (of data/raw/dataset.json), stats, model, train, evaluation, quantization,
    benchmark and choice. `signer` says whose signature the folder gets that the wheel and the card
    lie in, None that it gets none.
    """
    variant = evidence["choice"]["variant"]
    try:
        return (
            _environment(task)
            .get_template(task.template.name)
            .render(
                release=release,
                wheel_name=wheel_name,
                signer=signer,
                variant=variant,
                shipped=evidence["quantization"]["variants"][variant],
                names=NAMES,
                limits=[*release.limits, *limits(kind, task, variant)],
                words=kind.words,
                usage=kind.usage,
                kind=kind,
                task=task,
                score=task.score,
                **evidence,
            )
        )
    except (UndefinedError, KeyError) as error:
        raise DataError(
            f"the model card lacks a fact: {error}; run `dvc repro`, which makes the run's files"
            " anew"
        ) from None


def limits(kind: Kind, task: Task, variant: str) -> list[str]:
    """The known limitations of a variant of the model, whatever it was made for."""
    if not variant.endswith("int8_dynamic"):
        return []
    # onnxruntime's DynamicQuantizeLinear finds one scale for the whole tensor, the batch included.
    return [
        f"An answer depends a little on its company: `{variant}` rounds by one scale over all"
        f" {kind.words.things} of a call, and the server puts those that wait into one call."
        f" {task.moved(kind.words.thing)}; asked alone, it always gets the same answer"
    ]


def body(markdown: str) -> Body:
    """The card as HTML for the page that a stage puts around it; HTML in the Markdown is shown,
    never obeyed, and no picture loaded.

    Raises `DataError` if the text does not begin with a heading.
    """
    from markdown_it import MarkdownIt

    heading, _, rest = markdown.partition("\n")
    if not heading.startswith("# "):
        raise DataError(
            "the model card does not begin with a heading; mend duli/packaging/templates/card.md.j2"
        )
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.add_render_rule("table_open", _scroll)
    parser.add_render_rule("table_close", _scroll_end)
    return Body(re.sub(r"[#`*]", "", heading).strip(), parser.render(rest))


def hub(
    release: Release,
    markdown: str,
    kind: Kind,
    task: Task,
    evidence: Mapping[str, Mapping[str, Any]],
) -> str:
    """The README.md of a model repository on Hugging Face: metadata in YAML, then the card.

    The keys are those of https://huggingface.co/docs/hub/model-cards#model-card-metadata and of its
    model-index.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 1000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the order is ours
    text = io.StringIO()
    yaml.dump(_metadata(release, kind, task, evidence), text)
    return f"---\n{text.getvalue()}---\n\n{markdown}"


def containerfile(release: Release, wheel_name: str, python: str) -> str:
    """A Containerfile for the wheel beside it, on an image of Python `python` ("3.11")."""
    return _ENVIRONMENT.get_template("Containerfile.j2").render(
        release=release, wheel_name=wheel_name, lock=locked.FILE, python=python
    )


def _metadata(
    release: Release, kind: Kind, task: Task, evidence: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    stats, evaluation, variant = (
        evidence["stats"],
        evidence["evaluation"],
        evidence["choice"]["variant"],
    )
    known, made_for = release.licence.lower() in HUB_LICENCES, task.hub(kind.modality)
    return {
        "license": release.licence.lower() if known else "other",
        **({} if known else {"license_name": release.licence.lower()}),
        "library_name": "onnx",
        "pipeline_tag": made_for,
        "tags": [
            "onnx",
            "onnxruntime",
            stats["dataset"],
            evidence["model"]["architecture"]["name"],
            variant,
        ],
        "datasets": [stats["dataset"]],
        "metrics": [known_as for known_as, _ in task.measures.values()],
        "model-index": [
            {
                "name": f"{release.name} {release.version}",
                "results": [
                    {
                        "task": {
                            "type": made_for,
                            "name": made_for.replace("-", " ").capitalize(),
                        },
                        "dataset": {
                            "name": stats["title"],
                            "type": stats["dataset"],
                            "split": "test",
                            "args": {
                                "digest": evaluation["test_digest"],
                                kind.words.things: evaluation["n"],
                            },
                        },
                        "metrics": [
                            {
                                "type": known_as,
                                "name": name,
                                "value": evaluation[key]["value"],
                                "args": {
                                    "low_95": evaluation[key]["low"],
                                    "high_95": evaluation[key]["high"],
                                },
                            }
                            for key, (known_as, name) in task.measures.items()
                        ],
                    }
                ],
            }
        ],
    }


def _scroll(
    renderer: "RendererHTML", tokens: "list[Token]", index: int, options: Any, _: Any
) -> str:
    """A wide table scrolls by itself, not the page."""
    return '<div class="scroll">' + renderer.renderToken(tokens, index, options, {})


def _scroll_end(
    renderer: "RendererHTML", tokens: "list[Token]", index: int, options: Any, _: Any
) -> str:
    return renderer.renderToken(tokens, index, options, {}) + "</div>\n"


def _percent(share: Mapping[str, Any]) -> str:
    return f"{share['value']:.2%}".replace("%", " %")


def _interval(share: Mapping[str, Any]) -> str:
    return f"{share['low']:.2%} to {share['high']:.2%}".replace("%", " %")


def _row(share: Mapping[str, Any]) -> str:
    return f"{_percent(share)} | {_interval(share)} | {_count(share['n'])}"


def _ranged(measure: Mapping[str, Any]) -> str:
    return (
        f"{_number(measure['value'])} | {_number(measure['low'])} to {_number(measure['high'])} |"
        f" {_count(measure['n'])}"
    )


def _rate(measure: Mapping[str, Any]) -> str:
    return f"{measure['value']:,.0f} (spread {measure['spread']:.1%})".replace("%", " %")


def _count(value: int) -> str:
    return f"{int(value):,}"


def _number(value: float) -> str:
    return f"{float(value):.4g}"


def _facts(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in values.items()
    )


def _busy(speed: Mapping[str, Any]) -> str:
    """Seconds that all cores take for a million predictions."""
    return _number(MILLION / speed["machine_throughput"]["value"])


def _points(share: float) -> str:
    return f"{share:.2%}".removesuffix("%")


def _words(name: str) -> str:
    return _cell(name.replace("_", " "))


def _cell(text: object) -> str:
    """Text that cannot break out of a cell of a Markdown table."""
    return " ".join(str(text).replace("\\", "\\\\").replace("|", "\\|").split())


def _environment(task: Task) -> Environment:
    """The Jinja environment of the card, with the filters of the task."""
    made = _ENVIRONMENT.overlay(loader=FileSystemLoader([task.template.parent, TEMPLATES]))
    made.filters = {**made.filters, **task.filters}
    return made


TEMPLATES = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  # it makes Markdown; `body`, which makes HTML of that, escapes
)
_ENVIRONMENT.filters |= {
    "percent": _percent,
    "interval": _interval,
    "row": _row,
    "ranged": _ranged,
    "rate": _rate,
    "count": _count,
    "number": _number,
    "facts": _facts,
    "busy": _busy,
    "points": _points,
    "words": _words,
    "cell": _cell,
}
