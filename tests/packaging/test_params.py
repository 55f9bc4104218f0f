"""The names of a release are checked before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from duli.base.errors import ParamsError
from duli.base.params import Params
from duli.packaging.params import Release
from tests.packaging import tiny


def section(folder: Path, **changes: Any) -> Release:
    path = folder / "params.yaml"
    path.write_text(json.dumps({"release": {**tiny.RELEASE, **changes}}))
    return Params(path).section("release", Release)


def test_a_good_section(tmp_path: Path) -> None:
    release = section(tmp_path)
    assert (release.name, release.package, release.version) == (
        "bright-row",
        "bright_row",
        "1.2.0rc1",
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "Digits", "is no name for a distribution"),
        ("name", "2digits", "is no name for a distribution"),
        ("name", "my_digits", "is no name for a distribution"),
        ("name", "a--b", "is no name for a distribution"),
        ("name", "../evil", "is no name for a distribution"),
        ("name", "digits\n", "is no name for a distribution"),
        ("name", "json", "is taken"),
        ("name", "numpy", "is taken"),
        ("name", "class", "is taken"),
        ("version", "one", "is no version by PEP 440"),
        ("version", "1.0-rc1", 'write "1.0rc1"'),
        ("version", "v1.0", 'write "1.0"'),
        ("version", 1.0, "should be text; put it in quotes"),
        ("licence", "Apache 2", "is no SPDX expression"),
        ("title", "two\nlines", "has to be one line"),
        ("title", " blank", "has to be one line"),
        ("title", "\u007f", "has to be one line"),
        ("title", "", "at least 1 character"),
        ("intended", [], "at least 1 item"),
        ("limits", ["a\tb"], "has to be one line"),
        ("licenc", "MIT", "unknown key 'release.licenc'"),
        ("sign", "yes", "valid boolean"),
        ("sign", None, "valid boolean"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(ParamsError, match=message) as refusal:
        section(tmp_path, **{key: value})
    assert f"release.{key}" in str(refusal.value)


def test_licences_take_their_usual_spelling(tmp_path: Path) -> None:
    assert section(tmp_path, licence="apache-2.0").licence == "Apache-2.0"
    assert section(tmp_path, licence="LicenseRef-Proprietary").licence == "LicenseRef-Proprietary"
