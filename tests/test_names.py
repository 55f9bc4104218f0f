"""Kinds and tasks are named nowhere but in their rooms: code outside finds them by what params and
data say.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from duli.base import rooms
from tests.closure import ROOT

KINDS, TASKS = rooms.names("kinds"), rooms.names("tasks")
ROOMS = tuple(ROOT / "duli" / room for room in ("kinds", "tasks", "serving/kinds", "serving/tasks"))
DATASETS = ROOT / "duli/datasets"  # a data set says of which kind it is, as data.own.kind does
# The same word for something else.
OTHERWISE = {
    "duli/datasets/own.py": {"text"},  # a type of column
    "duli/datasets/shared/params.py": {"text"},
    "duli/intake/sheet.py": {"text"},  # the same, and the argument
    "duli/packaging/card.py": {"image", "table"},  # rules of a Markdown parser
    "duli/packaging/layouts.py": {"image"},  # of a container
    "duli/packaging/sbom.py": {"classification"},  # CycloneDX: of data
    "duli/serving/columns.py": {"text"},  # a usual name of a column
    "duli/serving/openinference.py": {"classification"},  # an extension of the protocol
}
CHARTS = {"text"}  # in duli/reporting: a mark of a Vega-Lite chart


def outside() -> Iterator[Path]:
    for folder in ("duli", "stages"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".j2", ".js", ".html") and not any(
                path.is_relative_to(room) for room in ROOMS
            ):
                yield path


def named(tree: ast.AST) -> Iterator[str]:
    """Names that code writes as a text, imports from, or puts into an identifier."""
    known = "|".join([*KINDS, *TASKS])
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if text in (*KINDS, *TASKS):
                yield text
            case ast.ImportFrom(module=str(module)):
                yield from re.findall(rf"\b(?:kinds|tasks)\.({known})\b", module)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                yield from re.findall(rf"\b(?:kind|task|is)_({known})\b", name)


def found(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return set(named(ast.parse(text)))
    known = "|".join([*KINDS, *TASKS])
    return set(re.findall(rf"""(?:kind|task)\s*===?\s*["']({known})["']""", text))


def allowed(path: Path) -> set[str]:
    if path.parent == DATASETS and path.name != "own.py":
        return set(KINDS)
    if path.is_relative_to(ROOT / "duli/reporting"):
        return CHARTS
    return OTHERWISE.get(str(path.relative_to(ROOT)), set())


def test_no_kind_or_task_is_named_outside_of_its_room() -> None:
    names = {str(path.relative_to(ROOT)): found(path) - allowed(path) for path in outside()}
    assert {path: words for path, words in names.items() if words} == {}


def test_a_word_of_another_meaning_is_still_there() -> None:
    assert {name for name, words in OTHERWISE.items() if words - found(ROOT / name)} == set()


@pytest.mark.parametrize(
    "code",
    [
        "if kind == 'image': pass",
        "from duli.tasks.classification.task import SCORE",
        "kind_text = 1",
        "match kind:\n    case 'table': pass",
    ],
)
def test_a_name_is_found(code: str) -> None:
    assert set(named(ast.parse(code)))
