"""The encoder answers for a text whatever padding stands behind it, in torch, in ONNX and in int8,
and is BERT at BERT's size.
"""

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

from duli.compression import int8_dynamic
from duli.models import encoder
from duli.models.encoder import Settings

LENGTH, VOCABULARY, CLASSES = 24, 50, 3
BERT_BASE = {"layers": 12, "heads": 12, "width": 768, "feed_forward": 3072}


def network(**changes: object) -> nn.Module:
    settings = {"layers": 2, "heads": 4, "width": 32, "feed_forward": 64, **changes}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return encoder.build(
            Settings.model_validate(settings), length=LENGTH, vocabulary=VOCABULARY, outputs=CLASSES
        )


def texts(n: int, length: int, seed: int = 0) -> Tensor:
    """Of 1 to `length` tokens each; the first has as many."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, VOCABULARY, (n, length), generator=generator, dtype=torch.int32)
    lengths = torch.randint(1, length + 1, (n, 1), generator=generator)
    lengths[0] = length
    return tokens.masked_fill(torch.arange(length) >= lengths, 0)


@pytest.mark.parametrize("pooling", ["first", "mean", "max"])
@pytest.mark.parametrize("convolution", [0, 5])
def test_padding_changes_nothing(pooling: str, convolution: int) -> None:
    model = network(pooling=pooling, convolution=convolution).eval()
    with torch.no_grad():
        # as after pretraining, which learns from the other side of the same matrix
        model.get_parameter("tokens.weight")[0] = 1.0
    short = texts(20, 10)
    long = torch.cat((short, torch.zeros(20, LENGTH - 10, dtype=torch.int32)), dim=1)
    logits = model(short)
    torch.testing.assert_close(model(long), logits, rtol=0, atol=1e-5)
    for text, alone in zip(short, logits, strict=True):
        torch.testing.assert_close(model(text[text != 0][None])[0], alone, rtol=0, atol=1e-5)
    assert logits.std(dim=0).min() > 0.01


def test_the_order_of_the_tokens_matters() -> None:
    model = network(pooling="mean").eval()
    text = texts(1, LENGTH)
    assert not torch.allclose(model(text), model(text.flip(1)), atol=1e-3)


def test_dropout_is_for_training_alone() -> None:
    model = network(token_dropout=0.5)
    text = texts(4, LENGTH)
    assert not torch.equal(model(text), model(text))
    model.eval()
    assert torch.equal(model(text), model(text))


def test_dropped_tokens_are_as_many_as_asked_for() -> None:
    model = network(dropout=0.0, token_dropout=0.25, layers=1)
    seen: list[Tensor] = []
    model.get_submodule("normalise").register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    text = texts(1, LENGTH)
    for _ in range(100):
        model.encode(text)  # type: ignore[operator]
    gone = torch.stack(
        [(rows - model.get_parameter("positions.weight")).abs().amax(dim=-1) == 0 for rows in seen]
    )
    assert gone.float().mean().item() == pytest.approx(0.25, abs=0.05)


def test_it_is_bert_at_berts_size() -> None:
    """110 M in the paper; its code has 109,482,240 with an embedding of sentence A and B (1,536),
    which single texts do not need.
    """
    with torch.device("meta"):
        model = encoder.build(
            Settings.model_validate(BERT_BASE), length=512, vocabulary=30_522, outputs=2
        )
    without_classifier = sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if not name.startswith("classifier")
    )
    # BERT's, without the two rows of sentences, and with the normalisation that pre-LN has behind
    # the last layer.
    assert without_classifier == 109_482_240 - 1_536 + 1_536


def test_initial_weights_are_berts_at_its_width_and_grow_as_it_shrinks() -> None:
    wide = encoder.build(
        Settings(layers=1, heads=1, width=768, feed_forward=8), length=4, vocabulary=50, outputs=2
    )
    # cut at two deviations
    assert wide.get_parameter("tokens.weight")[1:].std().item() == pytest.approx(
        0.02 * 0.88, rel=0.05
    )
    assert network().get_parameter("tokens.weight")[1:].std().item() == pytest.approx(
        0.02 * 0.88 * (768 / 32) ** 0.5, rel=0.05
    )
    assert not network().get_parameter("tokens.weight")[0].any()


def exported(model: nn.Module) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            model.eval(),
            (texts(2, 7),),
            dynamo=True,
            verbose=False,
            input_names=["tokens"],
            output_names=["logits"],
            opset_version=21,
            dynamic_shapes={
                "tokens": {
                    0: torch.export.Dim("batch", min=1),
                    1: torch.export.Dim("length", min=1, max=LENGTH),
                }
            },
        )
    assert program is not None
    onnx.checker.check_model(program.model_proto, full_check=True)
    file = io.BytesIO()
    onnx.save(program.model_proto, file)
    return file.getvalue()


def answers(model: bytes, tokens: Tensor) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = onnxruntime.InferenceSession(model).run(
        None, {"tokens": tokens.numpy()}
    )[0]
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["first", "mean", "max"])
def test_onnx_of_any_batch_and_length_and_int8_agree(pooling: str) -> None:
    model = network(pooling=pooling, convolution=3)
    content = exported(model)
    small = int8_dynamic.quantize(content)
    assert {node.op_type for node in onnx.load_from_string(small).graph.node} >= {"MatMulInteger"}
    for n, length in ((1, 1), (1, LENGTH), (33, 10)):
        tokens = texts(n, length, seed=n)
        expected = model(tokens).detach().numpy()
        np.testing.assert_allclose(answers(content, tokens), expected, atol=1e-4)
        assert np.abs(answers(small, tokens) - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 5}, "width 32 is not divisible by heads 5"),
        ({"convolution": 4}, "convolution 4 has no middle"),
        ({"pooling": "last"}, "'mean'"),
    ],
)
def test_settings_that_make_no_network(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        network(**changes)
