"""Uncertainty as numbers: draws by Latin hypercube, percentiles, and the influence of each input on
the result.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draws = dict[str, Floats]
Model = Callable[[Draws], Floats]  # inputs by name, each [n], to the result, [n]

PERCENTILES = (10, 50, 90)
BARS = 40  # of a histogram
# the standard normal's 95th percentile: low to high of a lognormal holds 90 %
NINETIETH = 1.6448536269514722


@dataclass(frozen=True)
class Uncertain:
    """One input: its value, its range and the shape between; with `n` a share that was counted."""

    value: float
    low: float
    high: float
    dist: Literal["triangular", "lognormal", "beta", "point"]
    n: int | None = None  # examples a measured share was counted on

    @property
    def known(self) -> bool:
        """Whether there is nothing to draw."""
        return self.low == self.high

    def ppf(self, quantiles: Any) -> Floats:
        """The values below which the shares `quantiles` of all draws lie.

        triangular: from low to high, most often at the value. beta: PERT (Malcolm 1959), the same
        with the mean at (low + 4 value + high) / 6; of a counted share Jeffreys' posterior Beta(k +
        1/2, n - k + 1/2) (Brown, Cai and DasGupta 2001). lognormal: the value is the median, and 90
        % of the draws lie within a factor sqrt(high / low) of it.
        """
        from scipy import special

        q = np.asarray(quantiles, float)
        if self.known:
            return np.full(q.shape, self.value)
        width = self.high - self.low
        if self.dist == "beta" and self.n:
            return np.asarray(
                special.betaincinv(self.value * self.n + 0.5, (1 - self.value) * self.n + 0.5, q)
            )
        if self.dist == "beta":
            below, above = (
                1 + 4 * (self.value - self.low) / width,
                1 + 4 * (self.high - self.value) / width,
            )
            return np.asarray(self.low + width * special.betaincinv(below, above, q))
        if self.dist == "lognormal":
            sigma = math.log(self.high / self.low) / (2 * NINETIETH)
            return np.asarray(self.value * np.exp(sigma * special.ndtri(q)))
        mode = (self.value - self.low) / width
        rising, falling = np.sqrt(q * mode), 1 - np.sqrt((1 - q) * (1 - mode))
        return np.asarray(
            np.clip(self.low + width * np.where(q < mode, rising, falling), self.low, self.high)
        )


def hypercube(inputs: Mapping[str, Uncertain], n: int, seed: int) -> Draws:
    """`n` draws of every input by Latin hypercube (McKay 1979): each of its n equally likely slices
    is drawn once, in a seeded order.
    """
    from scipy.stats import qmc

    moving = [name for name, one in inputs.items() if not one.known]
    sample = (
        qmc.LatinHypercube(len(moving), rng=np.random.default_rng(seed)).random(n)
        if moving
        else np.empty((n, 0))
    )
    drawn = {name: inputs[name].ppf(sample[:, column]) for column, name in enumerate(moving)}
    return {name: drawn.get(name, np.full(n, one.value)) for name, one in inputs.items()}


def point(inputs: Mapping[str, Uncertain]) -> Draws:
    """Every input at its value, as a single draw."""
    return {name: np.array([one.value]) for name, one in inputs.items()}


def percentiles(results: Any) -> dict[str, float | None]:
    """P10, P50 and P90 of draws [n]; None if that many of them are infinite.

    An infinite result (never paid back) counts as the worst there is, and is not left out.
    """
    found = np.quantile(
        np.asarray(results, float), [share / 100 for share in PERCENTILES], method="lower"
    )
    return {
        f"p{share}": float(value) if math.isfinite(value) else None
        for share, value in zip(PERCENTILES, found, strict=True)
    }


def histogram(results: Floats) -> list[dict[str, float]]:
    """The number of results [n] in each of equally wide bars; the outermost hundredth at either end
    is left out.

    One bar where all results are the same.
    """
    low, high = np.quantile(results, (0.01, 0.99))
    counts, edges = np.histogram(results, bins=BARS if low < high else 1, range=(low, high))
    return [
        {"low": float(below), "high": float(above), "draws": int(count)}
        for count, below, above in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def tornado(model: Model, inputs: Mapping[str, Uncertain]) -> list[dict[str, Any]]:
    """The result with one input at its low and at its high, the others at their values; the one
    that moves it most first.
    """
    names = list(inputs)
    rows = {name: np.full(2 * len(names), inputs[name].value) for name in names}
    for place, name in enumerate(names):
        rows[name][2 * place : 2 * place + 2] = inputs[name].low, inputs[name].high
    ends = model(rows).reshape(-1, 2)
    bars = [
        {
            "input": name,
            "low": inputs[name].low,
            "high": inputs[name].high,
            "at_low": float(at_low),
            "at_high": float(at_high),
        }
        for name, (at_low, at_high) in zip(names, ends, strict=True)
        if not inputs[name].known
    ]
    return sorted(bars, key=lambda bar: (-abs(bar["at_high"] - bar["at_low"]), bar["input"]))


def sobol(model: Model, inputs: Mapping[str, Uncertain], n: int, seed: int) -> list[dict[str, Any]]:
    """Each input's share of the result's variance, alone (first) and with all it acts together with
    (total); the largest total first.

    Saltelli et al. 2010 over n * (inputs + 2) points; `n` is a power of two. Empty where the result
    does not vary.
    """
    from scipy.stats import sobol_indices

    moving = [name for name, one in inputs.items() if not one.known]

    def evaluate(x: Floats) -> Floats:
        return model({**_fixed(inputs, x.shape[1]), **dict(zip(moving, x, strict=True))})[None, :]

    if not moving or np.ptp(evaluate(_matrix(inputs, moving, n, seed))) == 0:
        return []
    found = sobol_indices(
        func=evaluate, n=n, dists=[inputs[name] for name in moving], rng=np.random.default_rng(seed)
    )
    first, total = np.atleast_2d(found.first_order)[0], np.atleast_2d(found.total_order)[0]
    rows = [
        {"input": name, "first": float(one), "total": float(all_)}
        for name, one, all_ in zip(moving, first, total, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["total"], row["input"]))


def variance_share(
    model: Model, inputs: Mapping[str, Uncertain], of: Sequence[str], n: int, seed: int
) -> float | None:
    """The share of the result's variance that would vanish if the inputs `of` were known,
    interactions included.

    The total index of a group, by Jansen 1999: E[(f(A) - f(A with the group from B))^2] / 2 Var(f).
    None if nothing varies.
    """
    moving = [name for name, one in inputs.items() if not one.known]
    group = [name for name in moving if name in set(of)]
    if not moving:
        return None
    a, b = (
        dict(zip(moving, _matrix(inputs, moving, n, seed + step), strict=True)) for step in (0, 1)
    )
    fixed = _fixed(inputs, n)
    of_a, of_b = model({**fixed, **a}), model({**fixed, **b})
    mixed = model({**fixed, **a, **{name: b[name] for name in group}})
    variance = float(np.var(np.concatenate([of_a, of_b])))
    return min(float(np.mean((of_a - mixed) ** 2)) / (2 * variance), 1.0) if variance > 0 else None


def _matrix(inputs: Mapping[str, Uncertain], moving: Sequence[str], n: int, seed: int) -> Floats:
    """Independent quasi-random draws of the inputs that move, [inputs, n]."""
    from scipy.stats import qmc

    sample = qmc.LatinHypercube(len(moving), rng=np.random.default_rng(seed)).random(n)
    return np.array([inputs[name].ppf(sample[:, column]) for column, name in enumerate(moving)])


def _fixed(inputs: Mapping[str, Uncertain], n: int) -> Draws:
    return {name: np.full(n, one.value) for name, one in inputs.items() if one.known}
