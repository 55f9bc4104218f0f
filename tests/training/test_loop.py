"""The loop learns, repeats itself to the bit, tells how it goes, and stops before it does harm."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from duli.base.errors import DataError, GateError, ParamsError
from duli.kinds.image.learning.inputs import Pixels, augmenting
from duli.models import fastconv
from duli.training import checkpoint, feed, layers
from duli.training.checkpoint import State
from duli.training.distributed import World
from duli.training.feed import Examples
from duli.training.loop import METRICS_EVERY, Point, Result, evaluate, fit
from duli.training.params import Training
from tests.closure import ROOT
from tests.training.examples import CLASSES, SIDE, TASK, examples, network, recipe, weights

PIXELS = Pixels(0.29, 0.2)
STILL = {
    "rotate": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "shift": 0.0,
    "elastic": 0.0,
    "flip": 0.0,
    "erase": 0.0,
}


def run(model: nn.Module, settings: Training, **changes: Any) -> list[Point]:
    return whole_run(model, settings, **changes).history


def whole_run(model: nn.Module, settings: Training, **changes: Any) -> Result:
    arguments = {
        "train": examples(640, seed=1),
        "validation": examples(160, seed=2),
        "task": TASK,
        "augment": augmenting(settings.augmentation),
        "preprocessing": PIXELS,
        "device": torch.device("cpu"),
        "precision": torch.float32,
        "on_metrics": lambda step, metrics: None,
        **changes,
    }
    return fit(model, arguments.pop("train"), arguments.pop("validation"), settings, **arguments)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_learns(precision: torch.dtype) -> None:
    model = network()
    before = evaluate(model, examples(160, seed=2), TASK, PIXELS)[0] / 160
    history = run(model, recipe(), precision=precision)
    assert history[-1].validation_sums[1] >= 152
    assert history[-1].validation_loss < before / 2
    assert all(value.dtype in (torch.float32, torch.int64) for value in weights(model))


def test_a_teacher_is_followed_against_the_labels_and_stays_as_it_is() -> None:
    """Of labels that are one class the network alone learns that class; with a teacher it learns
    the others too.
    """
    teacher, alone, taught = network(), network(), network()
    run(teacher, recipe())
    before = weights(teacher)
    real = examples(640, seed=1)
    wrong = Examples(real.inputs, torch.zeros_like(real.targets))
    run(alone, recipe(), train=wrong)
    run(taught, recipe(), train=wrong, teacher=teacher)
    validation = examples(160, seed=2)
    assert evaluate(alone, validation, TASK, PIXELS)[1] < 80
    assert evaluate(taught, validation, TASK, PIXELS)[1] > 120
    assert all(torch.equal(*pair) for pair in zip(before, weights(teacher), strict=True))


def test_two_runs_have_the_same_bits_whatever_the_global_generator() -> None:
    first, second, other = network(), network(), network()
    histories = [run(first, recipe())]
    torch.rand(7)
    before = torch.random.get_rng_state()
    histories.append(run(second, recipe()))
    assert torch.equal(before, torch.random.get_rng_state())
    run(other, recipe(seed=1))
    assert histories[0] == histories[1]
    assert all(map(torch.equal, weights(first), weights(second)))
    assert not torch.equal(first[0].weight, other[0].weight)


def test_the_last_point_is_the_network_that_is_left() -> None:
    model = network()
    validation = examples(160, seed=2)
    last = run(model, recipe(), validation=validation)[-1]
    assert last.validation_sums == evaluate(model, validation, TASK, PIXELS)
    assert (last.step, last.epoch) == (20 + 10 + 10, 3)


@pytest.mark.parametrize(("rows", "epochs"), [(640, 3), (40, 1), (70, 1), (3, 2)])
def test_history_covers_the_run(rows: int, epochs: int) -> None:
    history = run(network(), recipe(epochs=epochs), train=examples(rows))
    steps = [point.step for point in history]
    assert steps == sorted(set(steps))
    assert len(history) <= recipe().evaluations
    assert all(math.isfinite(value) for point in history for value in point[:-1])


def test_metrics_are_told_on_the_way() -> None:
    told: list[tuple[int, dict[str, float]]] = []
    history = run(
        network(), recipe(), on_metrics=lambda step, metrics: told.append((step, metrics))
    )
    losses = {step: metrics["train_loss"] for step, metrics in told if "train_loss" in metrics}
    assert list(losses) == [METRICS_EVERY, 2 * METRICS_EVERY]
    accuracies = [
        metrics["validation_accuracy"] for _, metrics in told if "validation_accuracy" in metrics
    ]
    assert accuracies == [point.validation_sums[1] / 160 for point in history]


def test_evaluating_changes_nothing() -> None:
    model, validation = network(), examples(160, seed=2)
    before = weights(model)
    assert evaluate(model, validation, TASK, PIXELS) == evaluate(model, validation, TASK, PIXELS)
    assert all(map(torch.equal, before, weights(model)))


class Watched(nn.Module):
    """Counts, batch by batch, the examples marked by a bright corner."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.marked = network(), list[int]()

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.marked.append(int((images[:, 0, 0, 0] > 3).sum()))
        logits: Tensor = self.inner(images)
        return logits


def test_what_is_hard_is_seen_again() -> None:
    images, labels = examples(640)
    images[:, :, 0, 0] = 0
    images[5::10, :, 0, 0] = 255
    labels[5::10] = (labels[5::10] + 1) % CLASSES
    model = Watched()
    run(model, recipe(epochs=2, hardest=0.2, augmentation=STILL), train=Examples(images, labels))
    assert sum(model.marked[:20]) == 64
    assert sum(model.marked[20:]) > 40  # by chance 13


class Poisoned(nn.Module):
    """Gives a loss that is not finite from the second batch on."""

    def __init__(self, poison: float) -> None:
        super().__init__()
        self.inner, self.poison, self.calls = network(), poison, 0
        self.as_it_was: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 2:
            self.as_it_was = [weight.detach().clone() for weight in self.inner.parameters()]
        logits: Tensor = self.inner(images)
        return logits * self.poison if self.calls >= 2 else logits


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(poison: float) -> None:
    model = Poisoned(poison)
    where = (
        r"step 2 of 40 \(epoch 1, learning rate 0.00\d+, batch of 32 .* row \d+ of the train"
        r" split\); lower"
    )
    with pytest.raises(GateError, match=where):
        run(model, recipe())
    assert model.calls == 2
    assert all(map(torch.equal, model.as_it_was, model.inner.parameters()))


def test_a_network_lost_in_the_last_step_is_refused() -> None:
    model = network()
    with torch.no_grad():
        model[-1].weight.fill_(math.nan)
    with pytest.raises(GateError, match=r"validation.*nan"):
        evaluate(model, examples(8), TASK, PIXELS)


@pytest.mark.parametrize("label", [CLASSES, -1, -100])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_labels_outside_the_classes_are_refused(split: str, label: int) -> None:
    damaged = examples(64)
    damaged.targets[5] = label
    model = network()
    before = weights(model)
    with pytest.raises(
        DataError,
        match=rf"row 5\b.*{split}.* {label}\b.*\b0\b.*\b3\b",
    ):
        run(model, recipe(), **{split: damaged})
    assert all(map(torch.equal, before, weights(model)))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_empty_and_uneven_splits_are_refused(split: str) -> None:
    images, labels = examples(64)
    for damaged in (Examples(images[:0], labels[:0]), Examples(images, labels[:63])):
        with pytest.raises(DataError, match=f"the {split} split has"):
            run(network(), recipe(), **{split: damaged})


# ---- Going on from a checkpoint: every way to train, to the bit.


def dropping() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = fastconv.Settings(stem=6, blocks=((6,),), dropout=0.3)
        return fastconv.build(settings, channels=1, height=SIDE, width=SIDE, outputs=CLASSES)


UNFREEZING = {"init_from": None, "sha256": None, "frozen": 2, "unfreeze": 0.8, "layer_decay": 0.5}
SHORT = {"epochs": 3, "evaluations": 4, "checkpoint": {"steps": 1, "minutes": None}}
ROWS = 160  # 5 + 2 + 2 steps
WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "elastic": {"augmentation": {**STILL, "elastic": 1.0}},
    "flip": {"augmentation": {**STILL, "flip": 0.5}},
    "ema": {"ema": 0.9},
    "adam": {"optimizer": "adam"},
    "muon": {"optimizer": "muon"},
    "sgd": {"optimizer": "sgd"},
    "clip_norm": {"clip_norm": 0.1},
    "early_stopping": {"early_stopping": 2, "evaluations": 1000},
    "early_stopping_ema": {"early_stopping": 50, "evaluations": 1000, "ema": 0.9},
    "streamed": {"examples": "streamed"},
    "float16": {"precision": "float16"},
    "bfloat16": {"precision": "bfloat16"},
    "plateau": {"schedule": "plateau", "evaluations": 1000, "learning_rate": 0.2},
    "transfer": {"transfer": UNFREEZING},
    "micro_batch": {"micro_batch": 5},
    "squares": {"loss": "mean_squared_error"},
}


def kept_run(
    settings: Training, make: Callable[[], nn.Module] = dropping, **changes: Any
) -> tuple[nn.Module, Result, list[bytes]]:
    model, kept = make(), list[bytes]()
    precision = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(
        settings.precision, torch.float32
    )
    # labels of others: progress does not last
    validation = Examples(examples(60, seed=2).inputs, examples(60, seed=3).targets)
    arguments = {
        "train": examples(ROWS, seed=1),
        "validation": validation,
        "precision": precision,
        **changes,
    }
    return model, whole_run(model, settings, on_checkpoint=kept.append, **arguments), kept


@pytest.mark.parametrize("way", WAYS)
def test_going_on_from_any_checkpoint_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(feed, "SHARD_BYTES", 2 * 32 * SIDE * SIDE)  # two batches a shard
    settings = recipe(**{**SHORT, **WAYS[way]})
    model, result, kept = kept_run(settings)
    assert len(kept) == result.history[-1].step - 1
    for content in kept:
        state = checkpoint.unpack(content)
        torch.rand(3)  # another state of the global generator
        again, repeated, rest = kept_run(settings, resume=state)
        assert repeated == result, state.values["step"]
        assert all(map(torch.equal, weights(model), weights(again))), state.values["step"]
        assert [checkpoint.unpack(one).values for one in rest] == [
            checkpoint.unpack(one).values for one in kept[state.values["step"] :]
        ]


def test_checkpoints_change_nothing() -> None:
    with_checkpoints, _, kept = kept_run(recipe(**SHORT))
    without, _, none = kept_run(recipe(**{**SHORT, "checkpoint": {"steps": None, "minutes": None}}))
    assert (len(kept), len(none)) == (8, 0)
    assert all(map(torch.equal, weights(with_checkpoints), weights(without)))


@pytest.mark.parametrize(("every", "steps"), [(2, [2, 4, 6, 8]), (3, [3, 6]), (9, []), (100, [])])
def test_a_checkpoint_is_kept_every_so_many_steps_but_not_at_the_end(
    every: int, steps: list[int]
) -> None:
    _, _, kept = kept_run(recipe(**{**SHORT, "checkpoint": {"steps": every, "minutes": None}}))
    assert [checkpoint.unpack(content).values["step"] for content in kept] == steps


def test_a_checkpoint_is_kept_by_the_clock_too() -> None:
    for minutes, count in ((1e-9, 8), (60.0, 0)):
        _, _, kept = kept_run(
            recipe(**{**SHORT, "checkpoint": {"steps": None, "minutes": minutes}})
        )
        assert len(kept) == count


def damaged(state: State, name: str, value: Tensor | None) -> State:
    tensors = {key: tensor for key, tensor in state.tensors.items() if key != name}
    return State(state.values, tensors if value is None else {**tensors, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("generator", torch.Generator().manual_seed(99).get_state()),
        ("rng:0", torch.Generator().manual_seed(99).get_state()),
        ("rng:0", None),
        ("latest", torch.zeros(ROWS)),
        ("optimizer:0.weight/exp_avg", torch.zeros(6, 1, 5, 5)),
    ],
)
def test_everything_in_a_checkpoint_is_needed(name: str, value: Tensor | None) -> None:
    """The control of the tests above: the same comparison notices one piece that is wrong."""
    model, _, kept = kept_run(recipe(**SHORT))
    state = checkpoint.unpack(kept[2])
    assert name in state.tensors
    again, _, _ = kept_run(recipe(**SHORT), resume=damaged(state, name, value))
    assert not all(map(torch.equal, weights(model), weights(again)))


# ---- What is kept, and what is refused.


def test_early_stopping_keeps_the_best_weights_and_ends_the_run() -> None:
    model, seen = dropping(), list[list[Tensor]]()
    settings = recipe(**{**SHORT, "epochs": 40, "early_stopping": 3, "evaluations": 1000})
    validation = Examples(examples(60, seed=2).inputs, examples(60, seed=3).targets)
    result = whole_run(
        model,
        settings,
        train=examples(ROWS, seed=1),
        validation=validation,
        on_metrics=lambda _, metrics: (
            seen.append(weights(model)) if "validation_loss" in metrics else None
        ),
    )
    losses = [point.validation_loss for point in result.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 80
    assert result.kept == result.history[best]
    assert all(map(torch.equal, weights(model), seen[best]))
    assert not all(map(torch.equal, weights(model), seen[-1]))
    assert evaluate(model, validation, TASK, PIXELS) == result.kept.validation_sums


@pytest.mark.parametrize("stopping", [None, 50])
def test_with_an_average_the_average_is_kept(stopping: int | None) -> None:
    model, result, _ = kept_run(recipe(**SHORT, ema=0.9, early_stopping=stopping))
    plain, _, _ = kept_run(recipe(**SHORT))
    assert not torch.equal(model[0].weight, plain[0].weight)
    validation = Examples(examples(60, seed=2).inputs, examples(60, seed=3).targets)
    assert evaluate(model, validation, TASK, PIXELS) == result.kept.validation_sums


def bare(seed: int = 0) -> nn.Module:
    """Without batch normalisation, which sees the parts of a step one by one."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, CLASSES)
        )


class Momenta:
    """SGD's momentum after the first step is the gradient of that step."""

    def __init__(self, **changes: Any) -> None:
        settings = recipe(
            **{
                **SHORT,
                "optimizer": "sgd",
                "weight_decay": 0.0,
                "batch": 33,
                "learning_rate": 1e-3,
                **changes,
            }
        )
        _, self.result, kept = kept_run(settings, bare)
        tensors = checkpoint.below("optimizer", checkpoint.unpack(kept[0]).tensors)
        self.gradient = torch.cat([tensors[name].flatten() for name in sorted(tensors)])


@pytest.mark.parametrize("micro", [1, 5, 16, 32, 33, 1000])
def test_a_step_in_parts_has_the_gradient_of_the_whole(micro: int) -> None:
    whole, parts = Momenta(), Momenta(micro_batch=micro)
    assert whole.gradient.norm() > 0.01
    assert (whole.gradient - parts.gradient).norm() < 1e-5 * whole.gradient.norm()
    assert [point.train_loss for point in parts.result.history] == pytest.approx(
        [point.train_loss for point in whole.result.history], rel=1e-4
    )


class Sizes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.sizes = bare(), list[int]()

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.sizes.append(len(images))
        logits: Tensor = self.inner(images)
        return logits


@pytest.mark.parametrize(
    ("micro", "sizes"),
    [(None, [33]), (33, [33]), (32, [17, 16]), (10, [9, 8, 8, 8]), (1, [1] * 33)],
)
def test_no_part_is_larger_than_micro_batch(micro: int | None, sizes: list[int]) -> None:
    model = Sizes()
    whole_run(model, recipe(epochs=1, batch=33, micro_batch=micro), train=examples(33))
    assert model.sizes == sizes


@pytest.mark.parametrize("name", ["default", "float16", "muon"])
def test_long_gradients_are_shortened(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    norms: list[float] = []
    inner = nn.utils.clip_grad_norm_

    def watched(parameters: Any, limit: float) -> Tensor:
        own = list(parameters)
        before = inner(own, limit)
        norms.append(torch.cat([weight.grad.flatten() for weight in own]).norm().item())
        return before

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", watched)
    kept_run(recipe(**{**SHORT, **WAYS[name]}, clip_norm=0.01))
    assert len(norms) == 9
    # float16 may skip its first steps, to find its scale
    finite = [norm for norm in norms if math.isfinite(norm)]
    assert len(finite) >= 5
    assert finite == pytest.approx([0.01] * len(finite), rel=1e-3)
    whole, short = Momenta(), Momenta(clip_norm=0.01)
    assert torch.allclose(short.gradient, whole.gradient * 0.01 / whole.gradient.norm(), atol=1e-6)


def test_a_weight_that_is_not_finite_is_never_kept() -> None:
    model, kept = bare(), list[bytes]()

    def told(step: int, metrics: dict[str, float]) -> None:
        if step == 4:
            with torch.no_grad():
                model[0].bias[2] = math.inf

    settings = recipe(**{**SHORT, "evaluations": 1000})
    with pytest.raises(
        GateError,
        match=(r"4.*train.learning_rate"),
    ):
        whole_run(
            model,
            settings,
            train=examples(ROWS, seed=1),
            on_metrics=told,
            on_checkpoint=kept.append,
        )
    assert [checkpoint.unpack(content).values["step"] for content in kept] == [1, 2, 3]


@pytest.mark.parametrize("transfer", [{"frozen": 3}, {"frozen": 7}])
def test_one_layer_has_to_learn(transfer: dict[str, int]) -> None:
    wanted = {**UNFREEZING, "unfreeze": 0.0, **transfer}
    with pytest.raises(
        ParamsError,
        match=(
            rf"train\.transfer.frozen = {transfer['frozen']}, but the network has 3 layers, and one"
            r" has to"
        ),
    ):
        run(network(), recipe(transfer=wanted))


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(
        ParamsError,
        match=r"40.*32.*train.batch",
    ):
        run(network(), recipe(), world=World(0, 40))
    with pytest.raises(
        ParamsError,
        match=(
            r"float16' scales gradients, which parallel: fsdp does not take; set precision:"
            r" bfloat16"
        ),
    ):
        run(network(), recipe(parallel="fsdp"), world=World(0, 2), precision=torch.float16)


# ---- Frozen layers.


def test_frozen_layers_keep_their_bits_until_they_are_freed() -> None:
    model, seen = network(), dict[int, list[list[Tensor]]]()
    stack = [[weight for weight in layer] for layer in layers.layers(model)]  # noqa: C416 -- the lists grow
    stack[0] += [model[1].running_mean, model[1].running_var]
    stack[1] += [model[4].running_mean, model[4].running_var]

    def told(step: int, metrics: dict[str, float]) -> None:
        if "validation_loss" in metrics:
            seen[step] = [[value.detach().clone() for value in layer] for layer in stack]

    seen[0] = [[value.detach().clone() for value in layer] for layer in stack]
    settings = recipe(
        epochs=1, batch=32, evaluations=1000, transfer={**UNFREEZING, "unfreeze": 0.8}
    )
    # 10 steps: layer 1 is freed after 4, layer 0 after 8
    whole_run(model, settings, train=examples(320, seed=1), on_metrics=told)
    moved = [
        [
            not all(map(torch.equal, seen[step][layer], seen[step - 1][layer]))
            for step in range(1, 11)
        ]
        for layer in range(3)
    ]
    assert moved[2] == [True] * 10
    assert moved[1] == [False] * 4 + [True] * 6
    assert moved[0] == [False] * 8 + [True] * 2


def test_layers_that_are_never_freed_end_as_they_began() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run(model, recipe(transfer={**UNFREEZING, "unfreeze": 0.0}))
    changed = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"8.weight", "8.bias"}


# ---- Where memory ends.


class Full(nn.Module):
    """Says what the allocators say, after two batches."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.inner, self.error, self.calls = bare(), error, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += self.training
        if self.calls == 3 and images.device.type == "cpu" and type(images) is Tensor:
            raise self.error
        logits: Tensor = self.inner(images)
        return logits


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    ],
)
def test_out_of_memory_says_what_would_fit(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("duli.base.machine.available_bytes", lambda: 10**9)
    where = (
        r"out of memory at step 3 of 40 with 32 examples at once on cpu \(1\.0 GB free, 0\.0 MB an"
        r" example in torch\.float32\); "
    )
    with pytest.raises(
        GateError,
        match=where + r".*\b16\b.*train\.micro_batch.*`duli plan`",
    ):
        run(Full(error), recipe())
    monkeypatch.setattr("duli.base.machine.available_bytes", lambda: 100)
    with pytest.raises(
        GateError,
        match=("`duli plan`"),
    ):
        run(Full(error), recipe())


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match=r"mat1 and mat2"):
        run(Full(RuntimeError("mat1 and mat2 shapes cannot be multiplied")), recipe())


STARVED = """
import resource, torch
from torch import nn
from duli.base import machine
from tests.training.examples import CLASSES, examples, recipe
from tests.training.test_loop import run
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv2d(1, 512, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))
run(model, recipe(epochs=1, batch=8), train=examples(8))
held = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (held + (100 << 20), -1))
try:
    run(model, recipe(epochs=1, batch=640), train=examples(640, seed=1))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_memory_that_really_ends(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith(
        "GateError out of memory at step 1 of 1 with 640 examples at once on cpu"
    ), (done.stdout, done.stderr)
    assert "would fit" in done.stdout


@pytest.mark.slow
def test_a_compiled_network_learns_the_same() -> None:
    settings = recipe(**SHORT)
    model, result, _ = kept_run(settings, bare)
    compiled, its, kept = kept_run(settings.model_copy(update={"compile": True}), bare)
    assert compiled.state_dict().keys() == model.state_dict().keys()
    assert [point.train_loss for point in its.history] == pytest.approx(
        [point.train_loss for point in result.history], rel=1e-3
    )
    again, _, _ = kept_run(
        settings.model_copy(update={"compile": True}), bare, resume=checkpoint.unpack(kept[3])
    )
    assert all(map(torch.equal, weights(compiled), weights(again)))
