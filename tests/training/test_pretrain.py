"""Pretraining chooses tokens as BERT does, learns to guess them, repeats itself to the bit, and
stops where the loss is lost.
"""

import pytest
import torch
from torch import Tensor, nn

from duli.base.errors import DataError, GateError
from duli.kinds.text.learning.params import Pretraining
from duli.kinds.text.learning.pretrain import Epoch, choose, pretrain
from duli.models import encoder

MASK, SPECIAL, VOCABULARY, LENGTH = 3, 4, 30, 12
RECIPE = {
    "epochs": 6,
    "masked": 0.15,
    "batch": 32,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warm_up": 0.1,
}


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = encoder.Settings(layers=1, heads=2, width=32, feed_forward=64, dropout=0.0)
        return encoder.build(settings, length=LENGTH, vocabulary=VOCABULARY, outputs=2)


def texts(n: int = 640) -> Tensor:
    """After [CLS], a text counts upwards from any token to the last and begins again; so each token
    tells all others.
    """
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, VOCABULARY - SPECIAL, (n, 1), generator=generator)
    counted = SPECIAL + (first + torch.arange(LENGTH - 1)) % (VOCABULARY - SPECIAL)
    tokens = torch.cat((torch.full((n, 1), 2), counted), dim=1).int()
    lengths = torch.randint(4, LENGTH + 1, (n, 1), generator=generator)
    return tokens.masked_fill(torch.arange(LENGTH) >= lengths, 0)


def run(
    model: nn.Module,
    tokens: Tensor,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    **changes: object,
) -> list[Epoch]:
    settings = Pretraining.model_validate({**RECIPE, **changes})
    return pretrain(
        model,
        tokens,
        settings,
        mask=MASK,
        special=SPECIAL,
        seed=seed,
        device=torch.device("cpu"),
        precision=precision,
    )


def test_chooses_the_share_and_shows_it_as_bert_does() -> None:
    tokens = torch.randint(
        SPECIAL, VOCABULARY, (2_000, 40), generator=torch.Generator().manual_seed(0)
    )
    tokens[:, 0], tokens[:, 30:] = 2, 0
    shown, chosen = choose(
        tokens, 0.15, MASK, SPECIAL, VOCABULARY, torch.Generator().manual_seed(0)
    )
    assert set(chosen.sum(dim=1).tolist()) == {4}  # of 29, rounded
    assert not chosen[tokens < SPECIAL].any()
    assert torch.equal(shown[~chosen], tokens[~chosen])
    of_them = shown[chosen], tokens[chosen]
    assert (of_them[0] == MASK).float().mean().item() == pytest.approx(0.8, abs=0.02)
    kept = 0.1 + 0.1 / (VOCABULARY - SPECIAL)  # any token may be the right one
    assert (of_them[0] == of_them[1]).float().mean().item() == pytest.approx(kept, abs=0.02)
    assert not ((of_them[0] < SPECIAL) & (of_them[0] != MASK)).any()
    assert chosen[:, 1:30].float().mean(dim=0).std() < 0.02  # any place


def test_a_short_text_has_one_to_guess_and_an_empty_one_none() -> None:
    tokens = torch.tensor([[2, 7, 0, 0], [2, 0, 0, 0], [2, 1, 1, 1], [2, 1, 8, 1]])
    _, chosen = choose(tokens, 0.15, MASK, SPECIAL, VOCABULARY, torch.Generator().manual_seed(0))
    assert chosen.int().tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]


@pytest.mark.slow
def test_it_learns_to_guess() -> None:
    model = network()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    history = run(model, texts(), epochs=12)
    assert len(history) == 12
    assert history[0].accuracy < 0.3
    assert history[-1].accuracy > 0.8
    assert history[-1].loss < 0.5 < history[0].loss
    changed = {
        name.split(".")[0]
        for name, weight in model.named_parameters()
        if not torch.equal(weight, before[name])
    }
    assert changed == {"tokens", "positions", "normalise", "blocks", "last"}


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_generator() -> None:
    state = torch.random.get_rng_state()
    models = [network() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        run(model, texts(96), seed=seed, epochs=1)
    first, again, other = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["tokens.weight"], other["tokens.weight"])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_bfloat16_learns_too() -> None:
    history = run(network(), texts(), precision=torch.bfloat16, epochs=3)
    assert history[-1].loss < history[0].loss


def test_nothing_to_guess() -> None:
    with pytest.raises(DataError, match="data/prepared"):
        run(network(), torch.tensor([[2, 1, 0], [2, 0, 0]]))


def test_a_batch_without_a_token_to_guess_is_passed_over() -> None:
    history = run(network(), torch.tensor([[2, 1, 0], [2, 9, 8]]), batch=1, epochs=2)
    assert all(0 < epoch.loss < 10 for epoch in history)


def test_a_loss_that_is_not_finite_stops_before_it_changes_a_weight() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("last.bias").fill_(torch.nan)
    before = model.get_parameter("positions.weight").clone()
    with pytest.raises(
        GateError,
        match=r"1.*120.*pretrain\.learning_rate",
    ):
        run(model, texts())
    assert torch.equal(model.get_parameter("positions.weight"), before)
