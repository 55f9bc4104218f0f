"""The `model` section is checked by the architecture it names."""

from pathlib import Path

import pytest

from duli.errors import ParamsError
from duli.models._params import ModelChoice
from duli.models.fastconv import Settings
from duli.params import Params


def section(line: Path, text: str) -> ModelChoice:
    (line / "params.yaml").write_text(f"model: {text}")
    return Params("params.yaml").section("model", ModelChoice)


def test_settings_become_those_of_the_architecture(line: Path) -> None:
    choice = section(line, "{name: fastconv, settings: {stem: 8, blocks: [[8], [16, 16]]}}")
    assert choice.settings == Settings(stem=8, blocks=((8,), (16, 16)))
    assert choice.model_dump(mode="json") == {"name": "fastconv", "settings": {"stem": 8, "blocks": [[8], [16, 16]]}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{name: fastcnv, settings: {}}", "model.name = 'fastcnv' is no architecture: there is no duli/models/fastcnv.py"),
        ("{name: _restore, settings: {}}", "model.name = '_restore'"),
        ("{name: ../serving, settings: {}}", "model.name = '../serving'"),
        ("{name: fastconv, settings: {stem: 8, blocks: [[8]], width: 3}}", "unknown key 'model.settings.width'"),
        ("{name: fastconv, settings: {stem: 8}}", "'model.settings.blocks' is missing"),
        ("{name: fastconv, settings: {stem: 8, blocks: [8]}}", "model.settings.blocks.0 = 8"),
        ("{name: fastconv, settings: {stem: 8, blocks: [[8, 0]]}}", "model.settings.blocks.0.1 = 0 should be greater than or equal to 1"),
        ("{name: fastconv, settings: 8}", "model.settings = 8"),
        ("{name: fastconv}", "'model.settings' is missing"),
    ],
)
def test_a_mistake_is_named_with_its_place(line: Path, text: str, complaint: str) -> None:
    with pytest.raises(ParamsError) as caught:
        section(line, text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
