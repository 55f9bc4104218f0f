"""What compression keeps of the toy's answers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Outputs = NDArray[np.float32]  # [n, 1]


class Judged(NamedTuple):
    """A variant against the export, on the same examples."""

    facts: dict[str, Any]
    rows: list[dict[str, Any]]
    within_bounds: bool
    reason: str


class Variants:
    """Judges variants by how much their mean absolute error grows."""

    rows = "by_variant"

    def __init__(
        self,
        description: Mapping[str, Any],
        targets: NDArray[np.float32],
        max_drop: float,
        max_class_drop: float,
    ) -> None:
        self.targets, self.max_drop = targets, max_drop

    def facts(self) -> dict[str, Any]:
        """What quantization.json says of all variants."""
        return {"max_drop_points": 100 * self.max_drop}

    def agreement(self, exported: Outputs, trained: Outputs) -> dict[str, Any]:
        """How far an export is from the trained network."""
        far = np.abs(exported - trained)
        return {
            "max_logit_difference": float(far.max()),
            "disagreements": int((far > 1e-3).sum()),
            "n": len(far),
        }

    def draw(self, targets: NDArray[np.float32], rows: int, seed: int) -> NDArray[np.int64]:
        """Indices of at most `rows` calibration examples, sorted."""
        order = np.random.default_rng(seed).permutation(len(targets))
        return np.sort(order[:rows])

    def measured(self, outputs: Outputs) -> dict[str, Any]:
        """The score of a variant by itself."""
        errors = self._errors(outputs)
        half = 1.96 * errors.std() / len(errors) ** 0.5
        mean = float(errors.mean())
        return {
            "validation_mean_absolute_error": {
                "value": mean,
                "low": mean - half,
                "high": mean + half,
                "n": len(errors),
            }
        }

    def calibrated(self, original: Outputs, outputs: Outputs, reference: Outputs) -> dict[str, Any]:
        """What a calibration loses."""
        grown = float((self._errors(outputs) - self._errors(original)).mean())
        return {"grown": grown, "logit_error": float(np.square(outputs - reference).mean() ** 0.5)}

    def best(self, tried: Mapping[str, Mapping[str, Any]]) -> str:
        """The calibration whose error grows least."""
        return min(tried, key=lambda name: tried[name]["grown"])

    def judged(self, original: Outputs, outputs: Outputs) -> Judged:
        """A variant's error against that of the export, paired."""
        grown = self._errors(outputs) - self._errors(original)
        centre, half = float(grown.mean()), 1.96 * float(grown.std()) / len(grown) ** 0.5
        drop = {"value": centre, "low": centre - half, "high": centre + half}
        within = drop["high"] <= self.max_drop
        facts = {"paired": {"drop_points": {key: 100 * value for key, value in drop.items()}}}
        return Judged(facts, [], within, f"the error grows by {drop['high']:.4f} at worst (95 %)")

    def _errors(self, outputs: Outputs) -> NDArray[np.float64]:
        return np.abs(outputs.astype(np.float64) - self.targets)[:, 0]
