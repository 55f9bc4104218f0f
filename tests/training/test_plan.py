"""The plan against reality: what autograd really keeps, what textbooks say of the arithmetic, and
how many devices hold it.
"""

import copy
import resource

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torchvision.models import VisionTransformer

from duli.base.errors import ParamsError
from duli.models import convnet, fastconv, mlp, resnet18, resnet50, vit_b_16
from duli.training import distributed
from duli.training import plan as planning
from duli.training.plan import Plan, plan

GIB = 2**30


def planned(model: nn.Module, shape: tuple[int, int, int], **changes) -> Plan:
    return plan(
        model,
        torch.zeros(1, *shape),
        **{"batch": 5, "precision": torch.float32, "optimizer_tensors": 2, **changes},
    )


def really_kept(
    model: nn.Module, shape: tuple[int, int, int], batch: int, precision: torch.dtype
) -> int:
    """Bytes that autograd keeps from a real forward pass: distinct blocks of memory, the weights'
    own apart.
    """
    weights = {
        value.untyped_storage().data_ptr() for value in (*model.parameters(), *model.buffers())
    }
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            logits = model(torch.rand(batch, *shape))
        # The graph has to live while it is counted.
        loss = functional.cross_entropy(logits.float(), torch.zeros(batch, dtype=torch.int64))
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert loss.requires_grad
    return size


SMALL = {"channels": 1, "height": 12, "width": 12, "outputs": 3}
ATTENTION = nn.TransformerEncoderLayer(144, 4, 32, dropout=0.1, batch_first=True)
MODELS = {
    "mlp": mlp.build(mlp.Settings(widths=(10, 50), normalisation="batch", dropout=0.5), **SMALL),
    "convnet": convnet.build(convnet.Settings(filters=8, hidden=16, activation="gelu"), **SMALL),
    "fastconv": fastconv.build(fastconv.Settings(stem=8, blocks=((8,),)), **SMALL),
    "resnet18": resnet18.build(resnet18.Settings(), **SMALL),
    "attention": nn.Sequential(nn.Flatten(2), ATTENTION, nn.Flatten(), nn.Linear(144, 3)),
}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_activations_are_what_autograd_really_keeps(name: str, precision: torch.dtype) -> None:
    model = copy.deepcopy(MODELS[name])
    cost = planned(model, (1, 12, 12), precision=precision)
    # torch's stand-in for batch normalisation keeps mean and deviation in the lower precision, the
    # real one in float32.
    channels = sum(
        module.num_features
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    )
    missing = 0 if precision == torch.float32 else 2 * 2 * channels
    for batch in (3, 16):
        assert cost.activations(batch) + missing == really_kept(
            model, (1, 12, 12), batch, precision
        )


def test_weights_are_counted_once_each() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(144, 20, bias=False), nn.BatchNorm1d(20), nn.Linear(20, 3)
    )
    cost = planned(model, (1, 12, 12), ema=True)
    assert (
        cost.parameters
        == sum(weight.numel() for weight in model.parameters())
        == 144 * 20 + 40 + 63
    )
    assert cost.memory() == {
        "weights": 4 * cost.parameters + 4 * 40 + 8,  # running mean and variance, number of batches
        "gradients": 4 * cost.parameters,
        "optimizer": 8 * cost.parameters,
        "ema": 4 * cost.parameters + 4 * 40 + 8,
        "activations": cost.activations(5),
        "examples": 0,
    }
    # Input, input of the normalisation and its two statistics, input of the last layer, its
    # log-softmax, labels, and the loss's one weight
    assert (
        4 * 5 * (144 + 20 + 20 + 3)
        <= cost.activations(5)
        <= 4 * 5 * (144 + 20 + 20 + 3) + 5 * 8 + 4 * 40 + 4
    )


def test_frozen_weights_have_no_gradients_and_no_state() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 20), nn.Linear(20, 3))
    model[1].requires_grad_(False)  # noqa: FBT003
    cost = planned(model, (1, 12, 12))
    assert (cost.parameters, cost.trainable, cost.gradients, cost.optimizer) == (
        145 * 20 + 63,
        63,
        4 * 63,
        8 * 63,
    )


def test_a_network_frozen_as_a_whole_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"train.transfer.frozen.*2"):
        planned(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).requires_grad_(False), (1, 12, 12))  # noqa: FBT003


def test_flops_are_those_of_the_textbook() -> None:
    linear = planned(nn.Sequential(nn.Flatten(), nn.Linear(144, 20)), (1, 12, 12))
    assert linear.forward_flops == 2 * 144 * 20
    # the gradient of the weights; the input needs none
    assert linear.step_flops == 5 * 2 * linear.forward_flops
    convolution = planned(
        nn.Sequential(nn.Conv2d(3, 8, 5), nn.Conv2d(8, 4, 3), nn.Flatten()), (3, 12, 12)
    )
    first, second = 2 * 8 * 8 * 8 * 3 * 25, 2 * 6 * 6 * 4 * 8 * 9
    assert convolution.forward_flops == first + second
    assert convolution.step_flops == 5 * (2 * first + 3 * second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "parameters", "gflops"),
    # twice the multiply-adds torchvision publishes: 4.09 and 17.56 billion
    [(resnet50, 25_557_032, 8.18), (vit_b_16, 86_567_656, 35.13)],
)
def test_large_networks_take_no_memory(architecture, parameters: int, gflops: float) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with torch.device("meta"):
        model = architecture.build(
            architecture.Settings(), channels=3, height=224, width=224, outputs=1000
        )
    cost = planned(model, (3, 224, 224), batch=256, precision=torch.bfloat16, optimizer_tensors=1)
    assert cost.parameters == parameters
    assert cost.forward_flops / 1e9 == pytest.approx(gflops, abs=0.01)
    assert cost.step_flops / cost.batch == pytest.approx(3 * cost.forward_flops, rel=0.02)
    assert sum(cost.memory().values()) > 8e9
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < GIB / 4


def test_the_model_and_the_random_numbers_stay_as_they_were() -> None:
    model = copy.deepcopy(MODELS["mlp"])
    before, state = (
        {name: value.clone() for name, value in model.state_dict().items()},
        torch.get_rng_state(),
    )
    planned(model, (1, 12, 12))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_recomputed_activations_are_not_kept_but_computed_again() -> None:
    transformer = VisionTransformer(
        image_size=12,
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
        num_classes=3,
    )
    for model, shape in (
        (resnet18.build(resnet18.Settings(), **SMALL), (1, 12, 12)),
        (transformer, (3, 12, 12)),
    ):
        plain = planned(model, shape)
        distributed._recompute(model)
        spared = planned(model, shape)
        assert spared.activations(5) < plain.activations(5) * 0.7
        assert spared.forward_flops == plain.forward_flops
        assert spared.step_flops > 1.1 * plain.step_flops


COST = Plan(
    parameters=100,
    trainable=100,
    forward_flops=0,
    step_flops=0,
    batch=8,
    micro_batch=8,
    weights=400,
    gradients=400,
    optimizer=800,
    ema=0,
    kept_per_example=1000,
    kept_fixed=50,
    largest_layer=10,
    examples=30,
)


def test_under_ddp_only_the_batch_is_divided() -> None:
    assert [COST.ddp(devices) for devices in (1, 2, 3, 8)] == [
        1680 + kept for kept in (8000, 4000, 3000, 1000)
    ]
    assert COST._replace(micro_batch=2).ddp(1) == 1680 + 2000  # one micro-batch at a time


def test_under_fsdp_the_state_is_divided_and_the_largest_layer_gathered() -> None:
    assert [COST.fsdp(devices) for devices in (1, 2, 3)] == [
        1600 + 160 + 8000,
        800 + 160 + 4000,
        534 + 160 + 3000,
    ]


@pytest.mark.parametrize(
    ("available", "ddp", "fsdp"),
    [
        (9680 / 0.9 + 1, 1, 2),
        (9679 / 0.9, 2, 2),
        (2681 / 0.9, 8, 4),
        (2679 / 0.9, None, 4),
        (1359 / 0.9, None, None),
        (0, None, None),
    ],
)
def test_the_fewest_devices_or_none(available: float, ddp: int | None, fsdp: int | None) -> None:
    assert planning.ddp_devices(COST, available) == ddp
    assert planning.fsdp_devices(COST, available) == fsdp
