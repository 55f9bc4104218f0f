"""Judges whether a window of incoming examples is distributed as the champion's training data, with
a stated rate of false alarms.

Many tests look at one window: each feature by Kolmogorov-Smirnov and PSI, labels and predictions by
chi-square, and a classifier that tries to tell the window's embeddings from the reference's. What
counts is the smallest of their probabilities, and how small chance makes it is found by resampling
the reference itself (Westfall and Young 1993): the threshold holds for all tests of a window
together, however much they depend on each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.base.progress import progress
from duli.retraining import shift
from duli.retraining.drift_params import Drift

FEWEST = 100  # examples of a reference
EMBEDDED = 1000  # rows of each sample, at most, that the classifier sees
DIRECTIONS = 32  # of the embeddings, those of most variance
SIZES = 3  # of windows, that are calibrated
MARGIN = 0.5  # of the stated rate is aimed at; the rest is for the luck of the resampling
COUNTED = 100_000  # examples of a served model's statistics, at most, that are judged
BARS = 24  # of the histograms for people, between two more for what lies outside

Facts = dict[str, Any]
Features = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Sample:
    """The parts of examples that the drift tests use.

    `features` name -> [n], where NaN is a missing value; `classes` name (label, prediction) ->
    indices [n], -1 where there is none; `embeddings` [k, d] of k of the examples, drawn at random
    (of all of them, in order, for a reference).
    """

    features: Features
    classes: Mapping[str, NDArray[np.int64]]
    embeddings: NDArray[np.float32] | None

    @property
    def examples(self) -> int:
        """The number of examples."""
        return max(map(len, [*self.features.values(), *self.classes.values()]), default=0)


@dataclass(frozen=True)
class Space:
    """Embeddings as the classifier takes them: in directions of most variance, each of unit
    variance, and how far outside they lie.
    """

    centre: NDArray[np.float32]  # [d]
    directions: NDArray[np.float32]  # [d, directions]
    scale: NDArray[np.float32]  # [directions]
    rows: NDArray[np.float32]  # [k, directions + 1] of the reference

    def project(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows [n, directions + 1] of embeddings [n, d]; raises `DataError` if they have another
        width, or are not finite.
        """
        return _projected(embeddings, self.centre, self.directions, self.scale)


@dataclass(frozen=True)
class Reference:
    """The champion's training data in summary, and the thresholds."""

    names: tuple[str, ...]  # of the classes
    features: dict[str, NDArray[np.float64]]  # sorted, NaN last
    counts: dict[str, NDArray[np.int64]]  # label, prediction -> examples of each class
    space: Space | None
    sizes: NDArray[np.int64]  # [s] of the windows that were resampled
    # [s, resamples], ascending: the smallest probability of any test of a window without drift
    smallest: NDArray[np.float64]
    false_alarms: float
    min_examples: int
    seed: int


@dataclass(frozen=True)
class Verdict:
    """The result for one window; `reason` says why it was not judged."""

    fired: bool
    # test, feature, statistic, threshold, p_value (over all tests of the window), fired; the
    # strongest first
    evidence: list[Facts]
    examples: int
    reason: str | None = None
    moved: Facts = field(default_factory=dict)  # histograms of reference and window, for people

    def facts(self) -> Facts:
        """The verdict as JSON."""
        return {**vars(self)}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Verdict":
        """The verdict from its JSON."""
        return cls(**facts)


class _Row(NamedTuple):
    """One test of one window; `size` and `freedom` as `shift.chance` takes them."""

    test: str
    feature: str
    statistic: float
    size: float
    freedom: int

    @property
    def chance(self) -> float:
        return shift.chance(self.test, self.statistic, self.size, self.freedom)


def reference(sample: Sample, names: Sequence[str], settings: Drift) -> Reference:
    """The reference from `sample`: training data that the champion was not fitted to.

    On those it was fitted to its predictions and embeddings are better than on any new example,
    which would look like drift. Resampling takes ten seconds or so for 5,000 examples and 1,000
    resamples. Raises `DataError` if it is too small, or uneven.
    """
    n = sample.examples
    if n < FEWEST:
        raise DataError(
            f"drift needs a reference of at least {FEWEST} examples, the validation split has {n};"
            " raise prepare.validation_share"
        )
    lengths = {len(values) for values in (*sample.features.values(), *sample.classes.values())}
    if len(lengths) > 1 or (sample.embeddings is not None and len(sample.embeddings) != n):
        raise DataError(
            "the columns of the reference are of different lengths; give one row an example in each"
        )
    if not sample.features:
        raise DataError("the reference has no numeric column; drift needs at least one")
    for name, indices in sample.classes.items():
        _known(name, indices, names)
    generator = np.random.default_rng(settings.seed)
    space = None if sample.embeddings is None else _space(sample.embeddings)
    sizes = np.unique(
        np.geomspace(min(settings.min_examples, n // 2), n // 2, SIZES).round().astype(np.int64)
    )
    pool = _Pool(sample, space, len(names))
    smallest = [
        np.sort(
            [
                pool.smallest(generator.permutation(n), int(size))
                for _ in progress(range(settings.resamples), f"windows of {size}")
            ]
        )
        for size in sizes
    ]
    if space is not None:
        kept = np.sort(generator.permutation(n)[:EMBEDDED])
        space = Space(space.centre, space.directions, space.scale, space.rows[kept])
    return Reference(
        names=tuple(names),
        features={
            name: np.sort(values.astype(np.float64)) for name, values in sample.features.items()
        },
        counts={name: _counted(indices, len(names)) for name, indices in sample.classes.items()},
        space=space,
        sizes=sizes,
        smallest=np.array(smallest),
        false_alarms=settings.false_alarms,
        min_examples=settings.min_examples,
        seed=settings.seed,
    )


def judge(reference: Reference, window: Sample) -> Verdict:
    """Tests `window`; it fires if any test does.

    A window without classes or embeddings is judged by what it has, and the rate of false alarms is
    then lower than stated. Raises `DataError` if a feature of the reference is missing, or a
    class is unknown.
    """
    n = window.examples
    if n < reference.min_examples:
        return Verdict(
            fired=False,
            evidence=[],
            examples=n,
            reason=f"{n:,} examples; fewer than {reference.min_examples:,} are not judged",
        )
    missing = [name for name in reference.features if name not in window.features]
    if missing:
        raise DataError(
            f"the window lacks the column {', '.join(missing)}, which the training data have;"
            " add it"
        )
    for name, indices in window.classes.items():
        _known(name, indices, reference.names)
    rows = list(_tests(reference, window))
    sizes = _neighbours(reference.sizes, n)
    nulls = reference.smallest[sizes]
    # The rank of a threshold: so many resamples may lie below it.
    level = min(float(null[_allowed(reference, len(null))]) for null in nulls)
    evidence: list[Facts] = []
    for row in sorted(rows, key=lambda row: row.chance):
        adjusted = max(
            (1 + int(np.searchsorted(null, row.chance, side="right"))) / (1 + len(null))
            for null in nulls
        )
        evidence.append(
            {
                "test": row.test,
                "feature": row.feature,
                "statistic": row.statistic,
                "threshold": shift.critical(row.test, level, row.size, row.freedom),
                "p_value": adjusted,
                "fired": row.chance < level,
            }
        )
    return Verdict(
        any(facts["fired"] for facts in evidence), evidence, n, None, _moved(reference, window)
    )


def rounded(reference: Reference, names: Iterable[str]) -> Reference:
    """The training data as a server counts them: these features rounded down to whole numbers, and
    predictions.

    The thresholds stay: with fewer tests, and of coarser values, they are on the strict side.
    """
    features = {
        name: np.floor(values) for name, values in reference.features.items() if name in set(names)
    }
    counts = {name: counts for name, counts in reference.counts.items() if name == "prediction"}
    return replace(reference, features=features, counts=counts, space=None)


def counted(
    features: Mapping[str, Sequence[int]], predictions: Sequence[int], seed: int = 0
) -> Sample:
    """Examples that a served model has counted: of each feature how many had the value 0, 1, 2 ...,
    and how many got each class.

    Of more than `COUNTED` as many are drawn at random. Judged against the `rounded` reference;
    raises `DataError` where these are no counts, or not of the same examples.
    """
    try:
        counts = {
            name: np.array(some, np.int64)
            for name, some in [*features.items(), ("predictions", predictions)]
        }
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            "the statistics hold something that is no count; take the file as the server wrote it"
        ) from None
    if (
        any(some.ndim != 1 or (some < 0).any() for some in counts.values())
        or len({int(some.sum()) for some in counts.values()}) > 1
    ):
        raise DataError(
            "the statistics do not count the same examples; take the file as the server wrote it"
        )
    generator = np.random.default_rng(seed)
    values = {}
    for name, some in counts.items():
        drawn = (
            generator.multivariate_hypergeometric(some, COUNTED, method="marginals")
            if some.sum() > COUNTED
            else some
        )
        values[name] = np.repeat(np.arange(len(drawn)), drawn)
    prediction = values.pop("predictions")
    return Sample(
        {name: some.astype(np.float64) for name, some in values.items()},
        {"prediction": prediction},
        None,
    )


def decide(verdicts: Iterable[Verdict], needed: int) -> bool:
    """Whether at least `needed` of the last windows fired."""
    return sum(verdict.fired for verdict in verdicts) >= needed


def to_bytes(reference: Reference) -> bytes:
    """The reference as a safetensors file: the same bytes for the same reference."""
    import json

    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {"sizes": reference.sizes, "smallest": reference.smallest}
    arrays |= {f"feature.{name}": values for name, values in reference.features.items()}
    arrays |= {f"counts.{name}": values for name, values in reference.counts.items()}
    if reference.space is not None:
        arrays |= {
            f"space.{name}": np.ascontiguousarray(values)
            for name, values in vars(reference.space).items()
        }
    plain = {
        "names": reference.names,
        "false_alarms": reference.false_alarms,
        "min_examples": reference.min_examples,
    }
    facts = {
        **plain,
        "seed": reference.seed,
        "features": [*reference.features],
        "counts": [*reference.counts],
    }
    return save(arrays, {"drift": json.dumps(facts)})


def from_bytes(content: bytes) -> Reference:
    """The reference that `to_bytes` wrote; raises `DataError` on anything else."""
    import json

    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        length = int.from_bytes(content[:8], "little")
        facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["drift"])
        parts = ("centre", "directions", "scale", "rows")
        return Reference(
            names=tuple(facts["names"]),
            features={name: arrays[f"feature.{name}"] for name in facts["features"]},
            counts={name: arrays[f"counts.{name}"] for name in facts["counts"]},
            space=(
                Space(*(arrays[f"space.{part}"] for part in parts))
                if "space.rows" in arrays
                else None
            ),
            sizes=arrays["sizes"],
            smallest=arrays["smallest"],
            false_alarms=facts["false_alarms"],
            min_examples=facts["min_examples"],
            seed=facts["seed"],
        )
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"this is no reference for drift ({type(error).__name__}: {error}); delete it, it is"
            " made again"
        ) from None


def _tests(reference: Reference, window: Sample) -> Iterable[_Row]:
    for name, known in reference.features.items():
        values = window.features[name].astype(np.float64)
        size = _size(int((~np.isnan(known)).sum()), int((~np.isnan(values)).sum()))
        if size:
            yield _Row("ks", name, shift.ks(known, values), size, 1)
        ends = shift.edges(known)
        bins = [
            np.bincount(shift.binned(some, ends), minlength=len(ends) + 2)
            for some in (known, values)
        ]
        yield _Row("psi", name, *_with(shift.psi(*bins), _size(len(known), len(values))))
    for name, counts in reference.counts.items():
        found = _counted(window.classes.get(name, np.empty(0, np.int64)), len(reference.names))
        if found.sum() >= reference.min_examples and counts.sum():
            yield _Row("chi-square", name, *_with(shift.chi_square(counts, found), 0.0))
    if (
        reference.space is not None
        and window.embeddings is not None
        and len(window.embeddings) >= 4
    ):
        rows = min(len(window.embeddings), len(reference.space.rows), EMBEDDED)
        projected = reference.space.project(window.embeddings[:rows])
        # An even share of the reference, in whatever order it came.
        chosen = reference.space.rows[
            np.random.default_rng(reference.seed).permutation(len(reference.space.rows))[:rows]
        ]
        yield _Row("classifier", "embeddings", shift.separability(chosen, projected), rows, 1)


class _Pool:
    """The reference's examples, prepared for drawing windows from them: each against all the
    others.
    """

    def __init__(self, sample: Sample, space: Space | None, classes: int) -> None:
        self.space = space
        self.features = []
        for values in sample.features.values():
            ends = shift.edges(values)
            ranks = np.zeros(len(values), np.int64)  # 0 stands for a missing value
            known = ~np.isnan(values)
            ranks[known] = np.unique(values[known], return_inverse=True)[1] + 1
            self.features.append(
                (
                    _Counts(ranks, int(ranks.max()) + 1),
                    _Counts(shift.binned(values, ends), len(ends) + 2),
                )
            )
        # Class -1, of an unlabelled example, is counted in front and left out.
        self.classes = [_Counts(indices + 1, classes + 1) for indices in sample.classes.values()]

    def smallest(self, order: NDArray[np.int64], size: int) -> float:
        """The smallest probability of any test, of the first `size` examples in this order against
        the others.
        """
        window, others = order[:size], order[size:]
        found: list[_Row] = []
        for ranks, bins in self.features:
            one, other = (counts[1:] for counts in ranks.split(window))
            n, m = int(one.sum()), int(other.sum())
            if n and m:
                found.append(
                    _Row(
                        "ks",
                        "",
                        float(np.abs(one.cumsum() / n - other.cumsum() / m).max()),
                        _size(n, m),
                        1,
                    )
                )
            found.append(
                _Row("psi", "", *_with(shift.psi(*bins.split(window)), _size(len(others), size)))
            )
        for indices in self.classes:
            one, other = (counts[1:] for counts in indices.split(window))
            if one.any() and other.any():
                found.append(_Row("chi-square", "", *_with(shift.chi_square(one, other), 0.0)))
        if self.space is not None:
            rows = min(size, len(others), EMBEDDED)
            area = shift.separability(
                self.space.rows[others[:rows]], self.space.rows[window[:rows]]
            )
            found.append(_Row("classifier", "", area, rows, 1))
        return min(row.chance for row in found)


class _Counts:
    """The counts of each index in a part of the examples and in the rest."""

    def __init__(self, indices: NDArray[np.int64], distinct: int) -> None:
        self.indices, self.distinct = indices, distinct
        self.all = np.bincount(indices, minlength=distinct)

    def split(self, window: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts [distinct] of the examples that are not in the window, and of those that are."""
        inside = np.bincount(self.indices[window], minlength=self.distinct)
        return self.all - inside, inside


def _with(found: tuple[float, int], size: float) -> tuple[float, float, int]:
    statistic, freedom = found
    return statistic, size, freedom


def _size(n: int, m: int) -> float:
    """The effective size of two samples: 1 over the sum of 1/n and 1/m."""
    return n * m / (n + m) if n and m else 0.0


def _neighbours(sizes: NDArray[np.int64], n: int) -> list[int]:
    """The calibrated sizes for a window of n: the nearest ones on both sides; the stricter one
    decides.
    """
    above = int(np.searchsorted(sizes, n))
    return sorted(
        {
            max(0, above - 1) if above == len(sizes) or sizes[above] != n else above,
            min(above, len(sizes) - 1),
        }
    )


def _allowed(reference: Reference, resamples: int) -> int:
    return int(reference.false_alarms * MARGIN * (resamples + 1)) - 1


def _counted(indices: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.bincount(indices[indices >= 0], minlength=classes)


def _known(name: str, indices: NDArray[np.int64], names: Sequence[str]) -> None:
    if len(indices) and not (indices.min() >= -1 and indices.max() < len(names)):
        raise DataError(
            f"a {name} is {indices.max()}, and there are {len(names)} classes; quarantine it first"
        )


def _space(embeddings: NDArray[np.float32]) -> Space | None:
    """The space of the reference's embeddings; None if they are all alike."""
    centre = embeddings.mean(axis=0, dtype=np.float64)
    centred = embeddings - centre.astype(np.float32)
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(centred))
    order = values.argsort()[::-1][:DIRECTIONS]
    order = order[values[order] > 1e-6 * max(float(values.max()), 1e-12)]
    if not order.size:
        return None
    parts = (
        centre.astype(np.float32),
        vectors[:, order].astype(np.float32),
        np.sqrt(values[order]).astype(np.float32),
    )
    return Space(*parts, _projected(embeddings, *parts))


def _projected(
    embeddings: NDArray[np.float32],
    centre: NDArray[np.float32],
    directions: NDArray[np.float32],
    scale: NDArray[np.float32],
) -> NDArray[np.float32]:
    if embeddings.shape[1] != len(centre):
        raise DataError(
            f"embeddings have {embeddings.shape[1]} numbers, the reference's {len(centre)}; they"
            " are of another network"
        )
    if not np.isfinite(embeddings).all():
        raise DataError("an embedding is not finite; the network or its input is damaged")
    centred = embeddings - centre
    inside = centred @ directions
    outside = np.maximum(0, (centred**2).sum(axis=1) - (inside**2).sum(axis=1))
    # In a logarithm, for a few rows lie very far outside.
    return np.column_stack([inside / scale, np.log1p(outside / float(scale.max()) ** 2)]).astype(
        np.float32
    )


def _moved(reference: Reference, window: Sample) -> Facts:
    """Shares in the same bars of reference and window: what a person looks at."""
    features = {}
    for name, known in reference.features.items():
        ends = _bars(known)
        features[name] = {
            "ends": ends.tolist(),
            "reference": _shares(known, ends),
            "window": _shares(window.features[name], ends),
            "missing": [
                float(np.isnan(values).mean()) for values in (known, window.features[name])
            ],
        }
    classes = {}
    for name, counts in reference.counts.items():
        found = _counted(window.classes.get(name, np.empty(0, np.int64)), len(reference.names))
        if found.sum() and counts.sum():
            classes[name] = {
                "reference": (counts / counts.sum()).tolist(),
                "window": (found / found.sum()).tolist(),
                "n": int(found.sum()),
            }
    return {"features": features, "classes": classes}


def _bars(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends of the bars: of equal width, over nearly all of the reference and a quarter of that to
    both sides.
    """
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.005, 0.995]) if known.size else (0.0, 0.0)
    side = (high - low) / 4 or max(abs(float(low)), 1.0) / 4
    return np.linspace(low - side, high + side, BARS + 1)


def _shares(values: NDArray[np.float64], ends: NDArray[np.float64]) -> list[float]:
    """The shares of all values below the first end, in each bar, and from the last end on."""
    bins = np.searchsorted(ends, values[~np.isnan(values)], side="right")
    shares: list[float] = (
        np.bincount(bins, minlength=len(ends) + 1) / max(1, len(values))
    ).tolist()
    return shares
