"""A network made again from its description and its weights answers as it did; anything that does
not fit is refused.
"""

from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from duli.base.errors import DataError
from duli.models import fastconv
from duli.models.shared.restore import restore

SETTINGS = {"stem": 4, "blocks": [[4], [8]]}


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A network whose batch normalisation has seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fastconv.build(
            fastconv.Settings(stem=4, blocks=((4,), (8,))),
            channels=1,
            height=20,
            width=20,
            outputs=3,
        )
        model(torch.randn(16, 1, 20, 20))
    return model.eval()


@pytest.fixture
def description() -> dict[str, Any]:
    return {
        "architecture": {"name": "fastconv", "settings": SETTINGS},
        "input": {"channels": 1, "height": 20, "width": 20},
        "outputs": 3,
    }


def test_answers_as_it_did(trained: nn.Module, description: dict[str, Any]) -> None:
    again = restore(description, save(trained.state_dict()))
    images = torch.randn(5, 1, 20, 20, generator=torch.Generator().manual_seed(1))
    assert not again.training
    assert torch.equal(again(images), trained(images))


def test_other_bytes_are_refused(description: dict[str, Any]) -> None:
    for content in (b"", b"not a model", save({"x": torch.zeros(3)})[:-5]):
        with pytest.raises(DataError, match=r"weights.*Error while deserializing"):
            restore(description, content)


def test_weights_that_do_not_belong_are_refused(
    trained: nn.Module, description: dict[str, Any]
) -> None:
    weights = trained.state_dict()
    missing = {name: value for name, value in weights.items() if name != "0.weight"}
    for content in (
        missing,
        {**weights, "more": torch.zeros(1)},
        {**weights, "0.weight": torch.zeros(4, 1, 3, 3)},
    ):
        with pytest.raises(DataError, match=r"model\.json.*weights.*\(\w+Error: "):
            restore(description, save(content))


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": 2},
        {"input": {"channels": 1, "height": 6, "width": 6}},
        {"input": {"channels": 1}},
        {"architecture": {"name": "nothing_of_ours", "settings": SETTINGS}},
        {"architecture": {"name": "_params", "settings": SETTINGS}},
        {"architecture": {"name": "fastconv", "settings": {"stem": 4}}},
        {"architecture": None},
    ],
)
def test_descriptions_that_do_not_belong_are_refused(
    trained: nn.Module, description: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"model\.json.*weights.*\(\w+Error: "):
        restore({**description, **change}, save(trained.state_dict()))
