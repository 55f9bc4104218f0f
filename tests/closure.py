"""What a stage really depends on, read from the code: imports, lazy ones too, modules named by
params, and templates.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Checks every section before any stage runs: it can stop a stage, never change what one makes. Were
# it counted, each change of one section's type would rerun the whole line.
CANNOT_CHANGE_RESULTS = {"stages.sections"}

TEMPLATES = (ROOT / "duli", ROOT / "duli/packaging/templates")
BESIDE = (".html", ".css", ".js", ".j2", ".po")  # files that a module names and that lie beside it


def closure(stage: str, named: dict[str, str]) -> set[str]:
    """Files (relative to the repository) that `stage` runs.

    `named` gives the module for a package in `import_module(f"package.{...}")`, and the rooms of
    `rooms.kind(..., part)` and `rooms.task(..., part)`.
    """
    named = {**named, "stages": stage}
    # It reads them as files, imported or not.
    started = packed(named) if stage == "package" else []
    seen = reachable(
        "stages.__main__", f"stages.{stage}", *started, named=named, stop=CANNOT_CHANGE_RESULTS
    )
    return {str(path(module).relative_to(ROOT)) for module in seen} | {
        str(template.relative_to(ROOT)) for module in seen for template in _templates(module)
    }


def packed(named: dict[str, str]) -> list[str]:
    """The modules of a wheel: of duli/serving/, with the rooms of its kind and task."""
    rooms = ("", f"kinds/{named['duli.kinds']}/", f"tasks/{named['duli.tasks']}/")
    return [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for room in rooms
        for file in ROOT.glob(f"duli/serving/{room}*.py")
        if file.stem != "__init__"
    ]


def reachable(
    *modules: str, named: dict[str, str] | None = None, stop: set[str] | None = None
) -> set[str]:
    """The modules and all that they import, directly or not, without those in `stop` and what only
    these import.
    """
    seen: set[str] = set()
    todo = [*modules]
    while todo:
        module = todo.pop()
        if module not in seen and module not in (stop or set()):
            seen.add(module)
            todo += imports(module, named)
    return seen


def imports(module: str, named: dict[str, str] | None = None) -> set[str]:
    """Modules of this repository that `module` imports anywhere in its code, type-checking blocks
    apart.
    """
    names, packages, rooms = _mentions(module)
    if named is not None:
        names = names | {f"{name}.{named[name]}" for name in packages if name in named}
        names |= {f"duli.{room}s.{named[f'duli.{room}s']}.{part}" for room, part in rooms}
    return {name for name in names if _is_ours(name)}


@cache
def _mentions(module: str) -> tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]:
    """What the code imports: names, packages of `import_module(f"package.{...}")`, and the rooms
    and parts of `rooms.kind(..., part)` and `rooms.task(..., part)`.
    """
    names, packages, rooms = set[str](), set[str](), set[tuple[str, str]]()
    for node in _runtime_nodes(_tree(module)):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=base, names=aliases, level=level):
                package = module.split(".")[:-level] if level else []
                origin = ".".join([*package, *([base] if base else [])])
                names |= {f"{origin}.{alias.name}" for alias in aliases} | {origin}
            case ast.Call(
                func=ast.Attribute(attr="import_module"),
                args=[ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_])],
            ):
                packages.add(prefix.rstrip("."))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="rooms"), attr="kind" | "task" as room),
                args=[_, ast.Constant(value=str(part))],
            ):
                rooms.add((room, part))
    return frozenset(names), frozenset(packages), frozenset(rooms)


@cache
def _is_ours(name: str) -> bool:
    return name.split(".")[0] in ("duli", "stages") and path(name).is_file()


def path(module: str) -> Path:
    """The file of a module; packages are no files here, for every `__init__.py` is empty."""
    return ROOT / (module.replace(".", "/") + ".py")


def sections(stage: str) -> set[str]:
    """The params sections a stage asks for: the literal first argument of `.section(...)`, of a
    section within one the outermost.
    """
    found = set()
    for node in ast.walk(_tree(f"stages.{stage}")):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="section"), args=[ast.Constant(value=str(name)), *_]
            ):
                found.add(name.split(".")[0])
    return found


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(path(module).read_text(encoding="utf-8"))


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in (
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        ):
            continue
        yield child
        yield from _runtime_nodes(child)


@cache
def _templates(module: str) -> set[Path]:
    names = {
        node.value
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    todo = [
        folder / name
        for folder in TEMPLATES
        for name in names
        if name.endswith(".j2") and (folder / name).is_file()
    ]
    beside = {
        path(module).parent / name for name in names if name.endswith(BESIDE) and "/" not in name
    }
    seen: set[Path] = set()
    while todo:
        template = todo.pop()
        if template not in seen:
            seen.add(template)
            used = re.findall(
                r"""{%-?\s*(?:extends|include|import|from)\s+["']([^"']+)["']""",
                template.read_text(encoding="utf-8"),
            )
            todo += [
                folder / name for folder in TEMPLATES for name in used if (folder / name).is_file()
            ]
    return seen | {file for file in beside if file.is_file()}
