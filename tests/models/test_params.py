"""The `model` section is checked by the architectures it lists, and gives the settings of the one
it names.
"""

from pathlib import Path

import pytest

from duli.base.errors import ParamsError
from duli.base.params import Params
from duli.models import fastconv, mlp
from duli.models.shared.params import ModelChoice, architectures
from tests.closure import ROOT

OF_TEXTS = {"encoder"}  # architectures that a line of images does not offer


def section(line: Path, text: str) -> ModelChoice:
    (line / "params.yaml").write_text(f"model: {text}")
    return Params("params.yaml").section("model", ModelChoice)


def test_settings_become_those_of_the_architecture(line: Path) -> None:
    choice = section(line, "{name: fastconv, fastconv: {stem: 8, blocks: [[8], [16, 16]]}}")
    assert choice.settings == fastconv.Settings(stem=8, blocks=((8,), (16, 16)))
    dumped = choice.model_dump(mode="json")
    assert set(dumped) == {"name", "settings"}
    assert (dumped["name"], dumped["settings"]["blocks"]) == ("fastconv", [[8], [16, 16]])


def test_the_name_alone_changes_the_choice(line: Path) -> None:
    both = "fastconv: {stem: 8, blocks: []}, mlp: {widths: [10, 50]}}"
    assert section(line, "{name: fastconv, " + both).settings == fastconv.Settings(
        stem=8, blocks=()
    )
    assert section(line, "{name: mlp, " + both).settings == mlp.Settings(widths=(10, 50))


def test_the_name_is_enough_where_all_settings_have_defaults(line: Path) -> None:
    assert section(line, "{name: mlp}") == section(line, "{name: mlp, mlp: {}}")
    assert section(line, "{name: mlp}").settings == mlp.Settings(widths=(10, 50))


def test_the_default_params_offer_every_architecture() -> None:
    listed = Params(ROOT / "params.yaml").values["model"]
    assert set(listed) == {"name", *architectures()} - OF_TEXTS


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "{name: fastcnv, fastconv: {stem: 8, blocks: []}}",
            (
                "model.name = 'fastcnv' is no architecture: there is no duli/models/fastcnv.py; did"
                " you mean 'fastconv'?"
            ),
        ),
        ("{name: _restore}", "model.name = '_restore'"),
        ("{name: ../serving}", "model.name = '../serving'"),
        ("{name: 8}", "model.name = 8"),
        ("{mlp: {widths: []}}", "'model.name' is missing"),
        (
            "{name: encoder, encoder: {heads: 2, width: 64, feed_forward: 8}}",
            "'model.encoder.layers'",
        ),
        (
            "{name: mlp, mlp: {widths: []}, fastcon: {}}",
            "unknown key 'model.fastcon' (value {}); did you mean 'fastconv'?",
        ),
        (
            "{name: mlp, mlp: {widths: [], dropot: 0.1}}",
            "unknown key 'model.mlp.dropot' (value 0.1); did you mean 'dropout'?",
        ),
        (
            "{name: mlp, mlp: {widths: []}, convnet: {filters: 0, hidden: 8}}",
            "model.convnet.filters = 0 should be greater than or equal to 1",
        ),
        ("{name: fastconv, fastconv: {stem: 8}}", "'model.fastconv.blocks' is missing"),
        ("{name: fastconv, fastconv: {stem: 8, blocks: [8]}}", "model.fastconv.blocks.0 = 8"),
        (
            "{name: fastconv, fastconv: {stem: 8, blocks: [[8, 0]]}}",
            "model.fastconv.blocks.0.1 = 0 should be greater than or equal to 1",
        ),
        (
            "{name: mlp, mlp: {widths: [], activation: rlu}}",
            "model.mlp.activation = 'rlu' should be 'relu'",
        ),
        (
            "{name: mlp, mlp: {widths: [], dropout: 1.0}}",
            "model.mlp.dropout = 1.0 should be less than 1",
        ),
        ("{name: fastconv, fastconv: 8}", "model.fastconv = 8"),
        ("8", "model = 8"),
    ],
)
def test_a_mistake_is_named_with_its_place(line: Path, text: str, complaint: str) -> None:
    with pytest.raises(ParamsError) as caught:
        section(line, text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
