"""The rules of the house: stages run and the library computes, topics are islands, dvc.yaml tells
the truth.
"""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from dvc.repo import Repo

from duli.base import rooms
from duli.base.params import Params
from duli.cli import lines, new
from duli.models.shared.params import architectures
from stages import sections as all_sections
from stages.__main__ import STAGES, purpose
from tests.closure import ROOT, closure, imports, path, reachable, sections

MODULES = (
    file.relative_to(ROOT).with_suffix("")
    for file in (ROOT / "duli").rglob("*.py")
    if file.name != "__init__.py"
)
LIBRARY = sorted(".".join(module.parts) for module in MODULES)
LINES = sorted(file.parent for file in ROOT.glob("pipelines/*/params.yaml"))
ABOVE = {"base", "cli", "kinds", "tasks"}
# Islands that read people's files as the release will, and that pack it.
AS_THE_RELEASE = {"intake": ["duli.serving."], "packaging": ["duli.serving."]}
TOPICS = sorted({module.split(".")[1] for module in LIBRARY} - ABOVE)


@cache
def pipeline() -> dict[str, dict[str, set[str]]]:
    """For each stage of dvc.yaml, as DVC resolves it: its code deps and its params."""
    with Repo(str(ROOT)) as repo:
        return {
            stage.name: {
                "code": {
                    name
                    for dep in stage.deps
                    if (name := os.path.normpath(dep.def_path)).startswith(("duli/", "stages/"))
                },
                "params": {key for dep in stage.params for key in dep.params},
            }
            for stage in repo.stage.collect("dvc.yaml")
        }


@cache
def named() -> dict[str, str]:
    values = Params(ROOT / "params.yaml").values
    return {
        "duli.datasets": values["data"]["dataset"],
        "duli.models": values["model"]["name"],
        "duli.kinds": values["kind"],
        "duli.tasks": values["task"],
    }


def test_the_graph_has_the_stages_there_are() -> None:
    assert set(pipeline()) == set(STAGES)
    assert {file.stem for file in (ROOT / "stages").glob("*.py")} == {
        *STAGES,
        "__init__",
        "__main__",
        "sections",
    }


def test_dvc_yaml_says_what_each_stage_says_of_itself() -> None:
    with Repo(str(ROOT)) as repo:
        assert {stage.name: stage.desc for stage in repo.stage.collect("dvc.yaml")} == {
            name: purpose(name) for name in STAGES
        }


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_further_line_has_the_graph_of_the_root_and_params_that_hold(
    line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (line / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes(), "run `make graphs`"
    monkeypatch.chdir(line)  # where its stages run
    all_sections.check(Path("params.yaml"))
    assert {link: (line / link).readlink() for link in lines.LINKS} == {
        link: Path("../..") / link for link in lines.LINKS
    }


@pytest.mark.parametrize("folder", [ROOT, *LINES], ids=lambda folder: folder.name)
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # within DVC
def test_each_line_is_a_dvc_project_of_its_own_so_that_the_root_s_dvc_speaks_of_the_root_alone(
    folder: Path,
) -> None:
    with Repo(str(folder)) as repo:
        assert {(Path(stage.path_in_repo), stage.name) for stage in repo.index.graph} == {
            (Path("dvc.yaml"), stage) for stage in STAGES
        }
        # The same on every machine: code outside of a line's project is named from the line.
        assert not [
            dep.def_path
            for stage in repo.index.stages
            for dep in stage.deps
            if Path(dep.def_path).is_absolute()
        ]
        assert Path(repo.cache.local_cache_dir) == ROOT / ".dvc/cache"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_further_line_has_the_dvc_files_that_new_writes(line: Path) -> None:
    kept = {
        name: (line / name).read_text() for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore")
    }
    assert kept == {
        ".dvc/config": new._dvc_config(line),
        ".dvc/.gitignore": new.DVC_GITIGNORE,
        ".dvcignore": new.DVCIGNORE,
    }


def needed(stage: str, kind: str, task: str) -> set[str]:
    """The import closure with the architecture of params.yaml, and what the stage would import with
    any other, their own files apart.

    `${model.name}` in dvc.yaml follows the name; what architectures share is the same list for all
    of them, so it has to be complete.
    """
    rooms_of = {**named(), "duli.kinds": kind, "duli.tasks": task}
    own = {f"duli/models/{name}.py" for name in architectures()}
    return closure(stage, rooms_of).union(
        *(closure(stage, {**rooms_of, "duli.models": name}) - own for name in architectures())
    )


def listed(stage: str, kind: str, task: str) -> set[str]:
    """The code that dvc.yaml lists for a line of that kind and task."""
    line = named()
    return {
        dep.replace(f"kinds/{line['duli.kinds']}/", f"kinds/{kind}/").replace(
            f"tasks/{line['duli.tasks']}/", f"tasks/{task}/"
        )
        for dep in pipeline()[stage]["code"]
    }


def below(file: str, deps: set[str]) -> bool:
    return bool({file, *map(str, Path(file).parents)} & deps)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", rooms.names("kinds"))
@pytest.mark.parametrize("task", rooms.names("tasks"))
def test_no_code_is_missing_in_dvc_yaml(stage: str, kind: str, task: str) -> None:
    deps = listed(stage, kind, task)
    assert not {file for file in needed(stage, kind, task) if not below(file, deps)}
    assert all((ROOT / dep).exists() for dep in deps)


@pytest.mark.parametrize("stage", STAGES)
def test_no_folder_in_dvc_yaml_is_superfluous(stage: str) -> None:
    line = named()
    used = needed(stage, line["duli.kinds"], line["duli.tasks"])
    assert not [
        dep
        for dep in listed(stage, line["duli.kinds"], line["duli.tasks"])
        if not any(below(file, {dep}) for file in used)
    ]


def test_dvc_yaml_names_folders() -> None:
    """One screen a stage: what would list every file again is not read by anybody."""
    assert sum(len(of["code"]) for of in pipeline().values()) <= 120


def test_an_architecture_imports_no_other() -> None:
    """Only so does `${model.name}.py` in dvc.yaml name all of them that a stage runs."""
    for name in architectures():
        others = {f"duli.models.{other}" for other in architectures() if other != name}
        assert not reachable(f"duli.models.{name}") & others


@pytest.mark.parametrize("stage", STAGES)
def test_params_listed_are_the_sections_loaded(stage: str) -> None:
    assert {key.split(".")[0] for key in pipeline()[stage]["params"]} == sections(stage)


def test_train_depends_on_the_settings_of_the_chosen_architecture_alone() -> None:
    name = named()["duli.models"]
    assert {key for key in pipeline()["train"]["params"] if key.startswith("model")} == {
        "model.name",
        f"model.{name}",
    }


def test_the_closure_is_not_blind() -> None:
    """The closure sees lazy imports, modules named by params, and templates; an importer of nothing
    has nothing.
    """
    of_validate = closure("validate", named())
    assert {
        "duli/validation/suite.py",
        "duli/reporting/validation/validation.html.j2",
    } <= of_validate
    assert "duli/training/loop.py" not in of_validate
    assert "duli/datasets/mnist.py" in closure("prepare", named())
    assert "duli/reporting/business/zh.po" in closure("report", named())
    assert imports("duli.base.errors") == set()


def floor(module: str) -> list[str]:
    """What a module may import, as prefixes: its own room, what lies below it, and the ground."""
    parts = module.split(".")
    if parts[1] in ("kinds", "tasks"):
        room = ".".join(parts[:3])
        islands = [f"duli.{topic}." for topic in TOPICS]
        return [f"{room}.", *islands, *(["duli.kinds."] if parts[1] == "tasks" else [])]
    return [f"duli.{parts[1]}.", *AS_THE_RELEASE.get(parts[1], [])]


@pytest.mark.parametrize("module", [module for module in LIBRARY if "duli.cli." not in module])
def test_topics_are_islands_and_kinds_and_tasks_stand_on_them(module: str) -> None:
    allowed = ("duli.base.", *floor(module))
    assert not {name for name in imports(module) if not name.startswith(allowed)}


def test_the_library_never_imports_a_stage() -> None:
    library = [module for module in LIBRARY if not module.startswith("duli.cli.")]
    assert not [
        module for module in library if any(name.startswith("stages") for name in imports(module))
    ]


@pytest.mark.parametrize(
    "module", [module for module in LIBRARY if module.startswith("duli.serving.")]
)
def test_serving_stands_alone(module: str) -> None:
    """It is copied into the wheel as it is: the standard library, numpy, onnxruntime and itself by
    relative imports.

    What an extra of the wheel brings is imported by the one module that needs it.
    """
    extras = {
        "bodies": {"orjson"},
        "protocol": {"httptools"},
        "server": {"orjson", "uvloop"},
        "kinds.image.pictures": {"PIL"},
        "kinds.text.kind": {"tokenizers"},
        "signature": {"cryptography"},
    }
    allowed = {
        *sys.stdlib_module_names,
        "numpy",
        "onnxruntime",
        *extras.get(module.removeprefix("duli.serving."), ()),
    }
    for node in ast.walk(ast.parse(path(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in allowed


def test_the_library_names_no_paths_and_writes_no_files() -> None:
    """`params.yaml` and the folders of a line are named in stages and the CLI; the writers of
    duli.base.files are called there.
    """
    for module in LIBRARY:
        if module.startswith(("duli.base.", "duli.cli.")):
            continue
        tree = ast.parse(path(module).read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docstrings
            ):
                assert not re.fullmatch(
                    r"(data|models|reports|dist)/[\w./-]+|params\.yaml", node.value
                ), f"{module} names {node.value!r}"
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "files"
            ):
                assert not node.attr.startswith(("write", "atomic")), (
                    f"{module}, line {node.lineno} writes a file"
                )


def test_packages_are_empty() -> None:
    assert not [
        file
        for folder in ("duli", "stages")
        for file in (ROOT / folder).rglob("__init__.py")
        if file.stat().st_size
    ]


def test_all_sections_are_known() -> None:
    used = set().union(*(sections(stage) for stage in STAGES))
    assert used <= {*all_sections.types(Params(ROOT / "params.yaml"))}


@pytest.mark.parametrize("module", ["stages.__main__", "stages.sections", "duli.cli.main"])
def test_starting_imports_nothing_heavy(module: str) -> None:
    heavy = {
        "torch",
        "mlflow",
        "great_expectations",
        "pandas",
        "sklearn",
        "onnxruntime",
        "pyarrow",
        "numpy",
    }
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert shown.stdout.split() == []
