"""All release lines side by side: what each released, its quality and cost, and the value of its
plan, alone and together.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, create_model

from duli.base import files, rooms
from duli.base.errors import DataError, ParamsError
from duli.cli import lines

if TYPE_CHECKING:
    from duli.economics.portfolio import Figures
    from duli.reporting.business.speech import Language

BUSINESS = "reports/business.json"
PAGES: "dict[Language, str]" = {"en": "reports/portfolio.html", "zh": "reports/portfolio.zh.html"}
JSON = "reports/portfolio.json"
# Of business.json what stands in the portfolio as it stands there.
SAME = (
    "verdict",
    "gates",
    "gates_refused",
    "model_bytes",
    "wheel_bytes",
    "latency_ms",
    "unit_cost_usd_per_million",
    "price_usd_per_million",
    "gross_margin",
    "assumed_share_of_cost",
)
INVESTMENT = (
    "npv_usd",
    "npv_positive_probability",
    "npv_variance_from_assumed",
    "revenue_usd",
    "funding_usd",
)
BREAK_EVEN = ("break_even_answers_per_month", "break_even_with_team_answers_per_month")
Form = TypeVar("Form", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Wheel(_Part):
    sha256: str


class _Manifest(_Part):
    """The identity of a release in dist/manifest.json."""

    name: str
    version: str
    wheel: _Wheel
    signed: bool


def _known(kind: str) -> str:
    if kind not in rooms.names("kinds"):
        raise ValueError(f"there is no kind '{kind}'")
    return kind


class _Stats(_Part):
    """The kind of data in data/prepared/stats.json."""

    kind: Annotated[str, AfterValidator(_known)]


def portfolio() -> None:
    """Compares all built release lines on one page; run it in the root of the repository.

    Reads what the lines' last runs left behind and builds nothing: lines that are not built, and
    those whose reports are not those of their params.yaml, are named. Writes
    reports/portfolio.html, .zh.html (Chinese) and .json, which holds every number of the pages.
    """
    from duli.base.params import Params
    from duli.economics.portfolio import together
    from duli.packaging.params import Release
    from duli.tracking.client.store import repository

    Params("params.yaml")  # says what is wrong in a folder that is no line
    if lines.further():
        raise ParamsError(
            "a portfolio is one of all lines: run `duli portfolio` in the root of the repository"
            " (`make portfolio` there)"
        )
    repository({}, Path())  # nobody else knows which params the reports are of
    named: dict[str, Path] = {}
    listed: dict[str, Any] = {}
    built: dict[str, Figures] = {}
    for folder in lines.folders():
        release = Params(folder / "params.yaml").section("release", Release)
        if release.name in named:
            raise ParamsError(
                f"{folder / 'params.yaml'}: release.name = '{release.name}' is that of"
                f" {named[release.name] / 'params.yaml'} too, and a line needs an experiment and a"
                " registered model of its own; change one"
            )
        named[release.name] = folder
        listed[release.name] = {
            "folder": str(folder),
            "title": release.title,
            "state": "not built",
            "fix": lines.repro(folder),
        }
        if (folder / BUSINESS).exists():
            built[release.name], of_line = _line(folder)
            changed = _changed(folder)
            listed[release.name] |= {
                "state": "outdated" if changed else "current",
                "changed": changed,
                **of_line,
            }
    if not built:
        raise DataError(
            f"no release line is built ({', '.join(named)}); `make repro` builds the default one,"
            " `make repro-all` all of them"
        )
    currency, rate = _currency(named[next(iter(built))], next(iter(built.values())))
    facts = {
        "currency": currency,
        "currency_per_usd": rate,
        "lines": listed,
        "totals": together(built),
        "plan": next(iter(built.values())).plan.model_dump(),
        "reasons": [
            reason for name, figures in built.items() for reason in _reasons(name, figures)
        ],
    }
    files.write_json(JSON, facts)
    _write_pages(facts)
    _tell(facts)


def _line(folder: Path) -> "tuple[Figures, dict[str, Any]]":
    """The business report of a line, and all that the portfolio says of it."""
    from duli.base.params import Params
    from duli.economics.portfolio import Figures, Score
    from duli.tracking.champion import load

    task = Params(folder / "params.yaml").values["task"]
    score = rooms.task(task, "task").SCORE
    own: dict[str, Any] = {score.key: (Score, ...)}
    form = create_model("Judged", __base__=Figures, **own)
    found = _read(folder, BUSINESS, form)
    manifest = _read(folder, "dist/manifest.json", _Manifest)
    champion = load(folder / "champion.json").champion
    in_use = champion is not None and champion.wheel_sha256 == manifest.wheel.sha256
    figures = found.model_dump()
    return found, {
        "name": manifest.name,
        "version": manifest.version,
        "signed": manifest.signed,
        "kind": _read(folder, "data/prepared/stats.json", _Stats).kind,
        "place": "champion" if in_use else "challenger",
        "champion_version": champion.version if champion else None,
        "task": task,
        "score": {"measure": score.key, "form": score.form, **figures[score.key]},
        "refused": [gate.name for gate in found.gate_results if not gate.passed],
        **{name: figures[name] for name in SAME},
        **{name: figures[name]["value"] for name in BREAK_EVEN},
        **{name: figures["investment"][name] for name in INVESTMENT},
    }


def _read(folder: Path, name: str, form: type[Form]) -> Form:
    """A file of a line; raises `DataError` if it is missing, damaged, or was written by another
    version.
    """
    path = folder / name
    try:
        return form.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing, though {folder / BUSINESS} is there; `{lines.repro(folder)}`"
            " makes it"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole of it"
        raise DataError(
            f"{path} is damaged or was made by another version ({place}: {first['msg']}); "
            f'`rm -f {path}; chmod -R u+w "$(dvc cache dir)"`, then `{lines.repro(folder)}`'
        ) from None


def _changed(folder: Path) -> list[str]:
    """The parts of a line that differ from what DVC noted at the build: sections of params.yaml,
    and the report itself; usually none.
    """
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from duli.tracking.logged import recorded

    found: dict[str, None] = {}
    recorded.stages(folder)
    try:
        with Repo(str(folder)) as repo:  # a further line is a DVC project of its own
            for stage in repo.stage.collect(str(folder / "dvc.yaml")):
                for dep in stage.deps:
                    if isinstance(dep, ParamsDependency):
                        for state in dep.status().values():
                            # A text where nothing was noted at all.
                            found |= dict.fromkeys(state if isinstance(state, dict) else dep.params)
                if any(
                    out.def_path == BUSINESS and "modified" in out.status().values()
                    for out in stage.outs
                ):
                    found[BUSINESS] = None
    except DvcException as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{folder / 'dvc.yaml'}: DVC cannot tell what was built ({reason}); `dvc status` in"
            " that folder says more"
        ) from None
    return [*found]


def _currency(folder: Path, figures: "Figures") -> tuple[Literal["USD", "CNY"], float]:
    """The currency of the pages and its rate: those of the first built line."""
    from duli.base.params import Params
    from duli.economics.params import Report

    currency, rate = (
        Params(folder / "params.yaml").section("report", Report).currency,
        figures.currency_per_usd.value,
    )
    # a report of before the change knows no rate
    return (currency, rate) if currency != "USD" and rate and rate != 1 else ("USD", 1.0)


def _reasons(name: str, figures: "Figures") -> list[dict[str, str]]:
    """The reasons for missing numbers of the line, by key in the portfolio."""
    keys = {f"{key}.value": key for key in BREAK_EVEN} | {
        f"investment.{key}": key for key in INVESTMENT
    }
    return [
        {"key": f"lines.{name}.{keys[entry.key]}", "reason": entry.reason}
        for entry in figures.reasons
        if entry.key in keys
    ]


def _write_pages(facts: dict[str, Any]) -> None:
    from duli.reporting.business import sentences
    from duli.reporting.business.speech import Speech
    from duli.reporting.portfolio import charts as charts_portfolio
    from duli.reporting.shared.pages import render

    built = {name: line for name, line in facts["lines"].items() if line["state"] != "not built"}
    reasons = [entry | {"reason": sentences.reason(entry["reason"])} for entry in facts["reasons"]]
    for language, path in PAGES.items():
        speech = Speech(language, facts["currency"], facts["currency_per_usd"])
        scores = {name: _words(line["task"], language) for name, line in built.items()}
        chart = charts_portfolio.worth(list(built.values()), speech)
        files.write_text(
            path,
            render(
                "reporting/portfolio/portfolio.html.j2",
                facts=facts | {"reasons": reasons},
                built=built,
                scores=scores,
                speech=speech,
                chart=chart,
            ),
        )


def _words(task: str, language: "Language") -> str:
    """The name of a task's score."""
    from duli.reporting.business.speech import Speech

    folder = Path(str(rooms.task(task, "pricing.quality").__file__)).parent
    return Speech(language, own=folder).text("score_name")


def _tell(facts: dict[str, Any]) -> None:
    from duli.reporting.shared import wording

    rows = [["line", "release", "verdict", "place", "score", "margin", "NPV, USD", "P10", "P90"]]
    for name, line in facts["lines"].items():
        if line["state"] != "not built":
            worth = [wording.big(line["npv_usd"][end]) for end in ("p50", "p10", "p90")]
            shown = [
                _score(line["score"]),
                wording.share(line["gross_margin"]["value"]),
            ]
            rows.append([name, line["version"], line["verdict"], line["place"], *shown, *worth])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    print(f"the page is {' or '.join(PAGES.values())}", flush=True)
    for name, line in facts["lines"].items():
        if line["state"] == "not built":
            print(f"{name} is not built: {line['fix']}", file=sys.stderr)
        elif line["state"] == "outdated":
            print(
                f"{name} is not what its params.yaml says now ({', '.join(line['changed'])}):"
                f" {line['fix']}",
                file=sys.stderr,
            )


def _score(score: dict[str, Any]) -> str:
    from duli.reporting.shared import wording

    style = wording.percent if score["form"] == "share" else wording.quantity
    return f"{style(score['value'])} ({score['measure'].replace('_', ' ')})"
