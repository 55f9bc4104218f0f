"""Files that dvc.lock was not written for are named; the hashes are DVC's own, which
tests/test_line.py shows.
"""

from pathlib import Path
from typing import Any

import pytest

from duli.tracking.logged import recorded


@pytest.fixture
def stages(tmp_path: Path) -> dict[str, Any]:
    """Two stages: one made a file and a folder, the other read both."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "duli").mkdir()
    for name in ("a.json", "dist/b.json", "dist/c.json", "duli/code.py", "prices.csv"):
        (tmp_path / name).write_text(name)

    def entries(*names: str) -> list[dict[str, Any]]:
        return [{"path": name, "md5": recorded.md5(tmp_path / name)} for name in names]

    return {
        "first": {"deps": entries("duli/code.py"), "outs": entries("a.json", "dist")},
        "second": {"deps": entries("a.json", "dist/b.json", "prices.csv", "duli/code.py")},
    }


def test_nothing_is_named_while_all_is_as_it_was(tmp_path: Path, stages: dict[str, Any]) -> None:
    assert recorded.changed(stages, tmp_path) == []
    assert not recorded.code_changed(stages, tmp_path)
    assert recorded.changed({}, tmp_path) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.json", [("first", "a.json"), ("second", "a.json")]),
        ("dist/b.json", [("first", "dist"), ("second", "dist/b.json")]),
        ("dist/c.json", [("first", "dist")]),
        ("dist/new", [("first", "dist")]),
        ("prices.csv", []),  # comes from people: what was made of it is what counts
        ("duli/code.py", []),
    ],
)
def test_another_byte_is_named_with_its_stages(
    tmp_path: Path, stages: dict[str, Any], name: str, found: list[tuple[str, str]]
) -> None:
    (tmp_path / name).write_text("other")
    assert recorded.changed(stages, tmp_path) == found
    assert recorded.code_changed(stages, tmp_path) == (name == "duli/code.py")


def test_what_is_missing_is_left_to_those_who_need_it(
    tmp_path: Path, stages: dict[str, Any]
) -> None:
    (tmp_path / "a.json").unlink()
    assert recorded.changed(stages, tmp_path) == []


def test_a_result_that_a_later_stage_read_in_another_form_is_named(
    tmp_path: Path, stages: dict[str, Any]
) -> None:
    """`dvc repro` of the first stage alone: its output is right, and the second has not seen it."""
    (tmp_path / "a.json").write_text("newer")
    stages["first"]["outs"][0]["md5"] = recorded.md5(tmp_path / "a.json")
    assert recorded.changed(stages, tmp_path) == [("second", "a.json")]
