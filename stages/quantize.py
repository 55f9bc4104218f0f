"""Exports the model to ONNX, makes its smaller variants, and compares each with the export on the
same examples.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from duli.base import files, kinds, rooms
from duli.base.errors import GateError
from duli.base.params import Params
from duli.base.progress import progress
from duli.compression import aware, export, float16, int8, int8_dynamic, narrow, saturation, sparse
from duli.compression.attempt import LeftOut, attempt, finite, sound
from duli.compression.params import NETWORKS, TRAINED, Quantize, parts
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.models.shared.inputs import Whole
from duli.models.shared.new import new
from duli.models.shared.params import ModelChoice
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import examples
from duli.training import device as devices
from duli.training.feed import Examples
from duli.training.loop import fit
from duli.training.params import Training

TOLERANCE = 1e-3  # largest allowed difference of a logit between torch and the float32 export

MODELS = Path("models")
PREPARED = Path("data/prepared")


class _Made(NamedTuple):
    """A variant that was converted and runs."""

    content: bytes
    logits: NDArray[np.float32]  # [n, classes] of the validation split
    facts: dict[str, Any]


def main() -> None:
    params = Params("params.yaml")
    settings, recipe = params.section("quantize", Quantize), params.section("train", Training)
    work = _Work(
        params.values["task"],
        settings,
        recipe,
        params.section("quantize.distilled.model", ModelChoice),
    )
    made, left_out = work.variants()

    folder = MODELS / "variants"
    for name, variant in made.items():
        files.write_bytes(folder / f"{name}.onnx", variant.content)
    for stale in {*folder.iterdir()} - {folder / f"{name}.onnx" for name in made}:
        stale.unlink()
    calibrations = work.calibrations
    files.write_json(
        "reports/quantization.json",
        {
            "variants": {name: variant.facts for name, variant in made.items()},
            work.task.rows: work.rows,
            **work.task.facts(),
            "left_out": left_out,
            "export": work.agreement,
            "calibration": work.task.best(calibrations) if calibrations else None,
            "calibrations": calibrations,
        },
    )
    for name, variant in made.items():
        facts = variant.facts
        print(
            f"{name}: {facts['bytes'] / 1000:.1f} kB,"
            f" {'' if facts['within_bounds'] else 'OUT OF BOUNDS: '}{facts['reason']}"
        )
    for name, reason in left_out.items():
        print(f"{name}: not made: {reason}")


class _Work:
    """The trained network, its examples and the results so far."""

    def __init__(
        self, task: str, settings: Quantize, recipe: Training, student: ModelChoice
    ) -> None:
        self.settings, self.recipe, self.student = settings, recipe, student
        self.description = files.read_json(MODELS / "model.json")
        weights = files.verified(
            MODELS / self.description["weights"]["file"], self.description["weights"]["sha256"]
        )
        self.model = restore(self.description, weights)
        self.inputs = rooms.kind(self.description["kind"], "learning.inputs")
        self.preprocessing = self.inputs.Preprocessing(**self.description["normalisation"])
        self.example = self.inputs.example(self.description["input"], 2)
        kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
        targets = rooms.task(task, "targets.targets").Targets.prepared(self.description)
        self.train = examples(PREPARED / "train.parquet", kind, targets)
        # The test split stays unread until the choice is made: it judges that choice.
        self.validation, self.targets = examples(PREPARED / "validation.parquet", kind, targets)
        self.learning = rooms.task(task, "learning.learn").Learning(self.description)
        self.task = rooms.task(task, "comparing.variants").Variants(
            self.description, self.targets, settings.max_drop, settings.max_class_drop
        )
        rows = self.task.draw(self.train[1], settings.calibration_rows, settings.seed)
        self.calibration_inputs = self.train[0][rows]
        self.original = np.empty((0, 0), np.float32)  # logits of the fp32 variant
        self.agreement: dict[str, Any] = {}
        self.calibrations: dict[str, dict[str, Any]] = {}
        # of every variant, for each group that the task compares
        self.rows: list[dict[str, Any]] = []

    def variants(self) -> tuple[dict[str, _Made], dict[str, str]]:
        """Makes the variants in the order of params; returns those that run, and the reasons why
        others do not.
        """
        exported = self._onnx(self.model)
        self.original = onnx_logits(exported, self.validation)
        self.agreement = self._agreement()
        made, left_out = {"fp32": self._judged("fp32", exported, self.original)}, dict[str, str]()
        wanted = ["fp32", *self.settings.variants]
        for network in NETWORKS:
            names = [name for name in wanted if parts(name)[0] == network and name != "fp32"]
            if not names:
                continue
            plain_int8 = made.get("int8")
            if network == "aware" and plain_int8 and plain_int8.facts["within_bounds"]:
                left_out["aware_int8"] = "not needed: int8 stays within its bounds without it"
                continue
            try:
                of_network = exported if network == TRAINED else self._exported(network)
            except LeftOut as reason:
                left_out |= {
                    name: f"{reason}, or take {name} out of quantize.variants" for name in names
                }
                continue
            for name in names:
                try:
                    content, logits = self._converted(name, of_network)
                    made[name] = self._judged(name, content, logits)
                except LeftOut as reason:
                    left_out[name] = f"{reason}, or take {name} out of quantize.variants"
        self.rows.sort(key=lambda row: wanted.index(row["variant"]))
        return (
            {name: made[name] for name in wanted if name in made},
            {name: left_out[name] for name in wanted if name in left_out},
        )

    def _agreement(self) -> dict[str, Any]:
        """Difference of export and trained network; raises `GateError` if it is too large."""
        trained = torch_logits(Whole(self.preprocessing, self.model), self.validation)
        found: dict[str, Any] = self.task.agreement(self.original, trained)
        if not (found["disagreements"] == 0 and found["max_logit_difference"] <= TOLERANCE):
            raise GateError(
                f"the exported ONNX model disagrees with the trained one: {found['disagreements']}"
                f" of {len(self.validation):,} answers, logits by up to"
                f" {found['max_logit_difference']:.2g} (allowed {TOLERANCE:g}); take operators that"
                " ONNX has in the architecture, duli/models/"
            )
        return found

    def _exported(self, network: str) -> bytes:
        """The float32 ONNX file of another network; raises `LeftOut` if it cannot be trained or
        exported.
        """
        makers: dict[str, Callable[[], nn.Module]] = {
            "sparse": self._sparse,
            "narrow": self._narrow,
            "aware": self._aware,
            "distilled": self._distilled,
        }
        try:
            model = attempt(f"torch cannot make the network {network}", makers[network])
            return self._onnx(model)
        except GateError as error:  # its training or its export failed
            raise LeftOut(str(error)) from None

    def _onnx(self, model: nn.Module) -> bytes:
        return export.to_onnx(
            model, self.preprocessing.exported(), self.example, self.preprocessing.name
        )

    def _sparse(self) -> nn.Module:
        of = self.settings.sparse
        return sparse.solid(
            self._tuned("sparse", sparse.pruned(self.model, of.share), of.epochs, of.learning_rate)
        )

    def _narrow(self) -> nn.Module:
        of = self.settings.narrow
        return self._tuned(
            "narrow",
            narrow.narrowed(self.model, self.preprocessing(self.example), of.share),
            of.epochs,
            of.learning_rate,
        )

    def _aware(self) -> nn.Module:
        of = self.settings.aware
        # In float32: half precision would round again what int8 has rounded.
        return aware.plain(
            self._tuned(
                "aware",
                aware.rounding(self.model),
                of.epochs,
                of.learning_rate,
                precision="float32",
            )
        )

    def _distilled(self) -> nn.Module:
        of = self.settings.distilled
        student = new(
            self.student,
            self.settings.seed,
            **self.description["input"],
            outputs=self.learning.outputs,
        )
        return self._fitted(
            "distilled", student, self.recipe.model_copy(update={"epochs": of.epochs})
        )

    def _tuned(
        self, network: str, model: nn.Module, epochs: int, learning_rate: float, **changes: Any
    ) -> nn.Module:
        """`model` after fine-tuning with the recipe of the section `train`."""
        short = {
            "epochs": epochs,
            "learning_rate": learning_rate,
            "ema": None,
            "early_stopping": None,
            **changes,
        }
        return self._fitted(network, model, self.recipe.model_copy(update=short))

    def _fitted(self, network: str, model: nn.Module, recipe: Training) -> nn.Module:
        """`model` trained with the trained network as teacher, on the CPU in evaluation mode."""
        whole = recipe.transfer.model_copy(update={"frozen": 0, "layer_decay": 1.0})
        recipe = recipe.model_copy(
            update={
                "evaluations": 1,
                "transfer": whole,
                "compile": False,
                "seed": self.settings.seed,
            }
        )
        device = devices.choose(recipe.device)
        devices.repeatable(device, recipe.deterministic)
        torch.set_num_threads(recipe.threads)
        train, validation = (
            Examples(torch.from_numpy(inputs), torch.from_numpy(labels))
            for inputs, labels in (self.train, (self.validation, self.targets))
        )
        fit(
            model,
            train,
            validation,
            recipe,
            task=self.learning,
            augment=self.inputs.augmenting(recipe.augmentation),
            lengths=self.inputs.lengths(train.inputs),
            preprocessing=self.preprocessing,
            device=device,
            precision=devices.precision(recipe.precision, device),
            on_metrics=lambda step, metrics: None,
            teacher=self.model,
            name="train" if network == "distilled" else f"quantize.{network}",
        )
        return model.cpu().eval()

    def _converted(self, name: str, exported: bytes) -> tuple[bytes, NDArray[np.float32]]:
        """A float32 file converted to the format of the variant `name`, and its outputs; raises
        `LeftOut` if the conversion fails.
        """
        match parts(name)[1]:
            case "int8" | "int8_full":
                return self._calibrated(name, exported)
            case "int8_dynamic":
                content = attempt(
                    "onnxruntime cannot quantize it dynamically",
                    lambda: int8_dynamic.quantize(exported),
                )
            case "fp16":
                content = attempt(
                    "onnxruntime cannot convert it to float16", lambda: float16.quantize(exported)
                )
            case _:
                content = exported
        return content, self._answers(content)

    def _calibrated(self, name: str, exported: bytes) -> tuple[bytes, NDArray[np.float32]]:
        """The static int8 file of the calibration that keeps most answers; raises `LeftOut` if none
        yields a file that runs.
        """
        reference = self.original if name == "int8" else self._answers(exported)
        tried: dict[str, tuple[bytes, NDArray[np.float32]]] = {}
        calibrations: dict[str, dict[str, Any]] = {}
        broken: LeftOut | None = None
        convert = (
            partial(int8.quantize, full=True) if parts(name)[1] == "int8_full" else int8.quantize
        )
        for method in progress(self.settings.calibration, f"calibrating {name}", unit="methods"):
            try:
                content = attempt(
                    f"onnxruntime cannot quantize it ({method})",
                    lambda method=method: convert(exported, self.calibration_inputs, method),  # type: ignore[misc]
                )
                logits = self._answers(content)
            except LeftOut as reason:
                broken = reason
                continue
            tried[method] = content, logits
            calibrations[method] = self.task.calibrated(self.original, logits, reference)
        if not tried:
            assert broken is not None
            raise broken
        if name == "int8":
            self.calibrations = calibrations
        return tried[self.task.best(calibrations)]

    def _answers(self, content: bytes) -> NDArray[np.float32]:
        """Outputs of a file on the validation split; raises `LeftOut` if it is broken or does not
        run.
        """
        return finite(
            attempt(
                "onnxruntime cannot run it", lambda: onnx_logits(sound(content), self.validation)
            )
        )

    def _judged(self, name: str, content: bytes, logits: NDArray[np.float32]) -> _Made:
        """The facts about a variant, compared with fp32."""
        network, form = parts(name)
        overflowing = saturation.pairs(content)
        facts = {
            "file": f"variants/{name}.onnx",
            "bytes": len(content),
            "sha256": files.sha256(content),
            "network": network,
            "format": form,
            **self.task.measured(logits),
            "saturating_pairs": overflowing,
        }
        if name == "fp32":
            verdict = {"within_bounds": True, "reason": "the network as it was trained"}
            return _Made(content, logits, {**facts, **verdict})
        judged = self.task.judged(self.original, logits)
        self.rows += [{"variant": name, **row} for row in judged.rows]
        verdict = {"within_bounds": judged.within_bounds, "reason": judged.reason}
        if overflowing:
            reason = (
                f"{overflowing:,} pairs of its weights overflow 16 bits, so CPUs without VNNI"
                f" answer otherwise; {judged.reason}"
            )
            verdict = {"within_bounds": False, "reason": reason}
        return _Made(content, logits, {**facts, **judged.facts, **verdict})
