"""What the code imports is what pyproject.toml declares."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.closure import ROOT

# Started as programs, or asked for by another: nothing imports them.
PROGRAMS = {
    "hatchling": "builds the wheels",
    "onnxscript": "torch.onnx.export",
    "pyopenssl": "model-signing",
    "uv": "installs wheels, and this environment",
}
OURS = {"duli", "stages", "tests", "benchmarks", "harness"}


@cache
def imported(*folders: str) -> set[str]:
    """Top-level modules of other libraries that the code imports, lazy imports too."""
    # pydantic brings its own core
    return modules(*folders) - OURS - {"pydantic_core"} - set(sys.stdlib_module_names)


def modules(*folders: str) -> set[str]:
    """Top-level modules that the code imports."""
    found: set[str] = set()
    for file in (one for folder in folders for one in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).split(".")[0])
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[=<>;! ]", one)[0]) for one in requirements}


PROJECT = tomllib.loads(Path(ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAIN = declared(PROJECT["project"]["dependencies"])
DEV = declared(PROJECT["dependency-groups"]["dev"])


@cache
def installed() -> dict[str, list[str]]:
    return {**packages_distributions()}


def missing(modules: set[str], known: set[str]) -> set[str]:
    distributions = installed()
    return {
        module
        for module in modules
        if not {normal(one) for one in distributions.get(module, [])} & known
    }


def test_the_library_imports_what_is_declared() -> None:
    assert not missing(imported("duli", "stages"), MAIN)


def test_tests_and_benchmarks_import_what_is_declared() -> None:
    assert not missing(imported("tests", "benchmarks", "harness"), MAIN | DEV)


def test_tests_and_benchmarks_share_the_harness_alone() -> None:
    assert "benchmarks" not in modules("tests") | modules("harness")
    assert "tests" not in modules("benchmarks") | modules("harness")
    assert not {"tests", "benchmarks", "harness"} & modules("duli", "stages")


@pytest.mark.parametrize("name", sorted(MAIN - {normal(one) for one in PROGRAMS}))
def test_what_is_declared_is_imported(name: str) -> None:
    distributions = installed()
    provided = {
        module for module, names in distributions.items() if name in {normal(one) for one in names}
    }
    assert provided & imported("duli", "stages")
