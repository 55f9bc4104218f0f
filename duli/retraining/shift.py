"""Statistics of two samples that grow where their distributions differ, and what chance alone makes
of each.

Chance is the asymptotic distribution: it puts all statistics on one scale, and is never the last
word (`duli.retraining.drift` calibrates on that scale by resampling).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.integer[Any]]

# Where the bins of the PSI end: deciles, and narrower bins at both ends, where a few strange
# examples show.
QUANTILES = (0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99)
HALF = 0.5  # added to each count, so that the logarithm of an empty bin exists


def edges(values: Floats) -> NDArray[np.float64]:
    """Ascending inner ends of the bins for `values` [n], NaN apart; a value that many share gets a
    bin of its own. None without values.
    """
    known = values[~np.isnan(values)].astype(np.float64)
    if not known.size:
        return np.empty(0)
    ends, times = np.unique(np.quantile(known, QUANTILES, method="higher"), return_counts=True)
    return np.unique(np.concatenate([ends, np.nextafter(ends[times > 1], np.inf)]))


def binned(values: Floats, ends: Floats) -> NDArray[np.int64]:
    """The bin [n] of each value, of len(ends) + 2: the last holds NaN."""
    bins = np.searchsorted(ends, values, side="right")
    return np.where(np.isnan(values), len(ends) + 1, bins).astype(np.int64)


def psi(reference: Counts, window: Counts) -> tuple[float, int]:
    """Population stability index of two histograms [bins], 0 where both are alike, and its degrees
    of freedom.

    The sum over the bins of (q - p) ln(q / p) (Kullback's J divergence; as PSI: Siddiqi 2006), over
    bins that hold something.
    """
    held = (reference + window) > 0
    p, q = (counts[held] + HALF for counts in (reference, window))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum()), max(1, int(held.sum()) - 1)


def chi_square(reference: Counts, window: Counts) -> tuple[float, int]:
    """Pearson's statistic of homogeneity of two histograms [bins], and its degrees of freedom; both
    have to hold something.
    """
    held = (reference + window) > 0
    one, other = reference[held].astype(np.float64), window[held].astype(np.float64)
    ratio = np.sqrt(other.sum() / one.sum())
    return float(((one * ratio - other / ratio) ** 2 / (one + other)).sum()), max(
        1, int(held.sum()) - 1
    )


def ks(reference: Floats, window: Floats) -> float:
    """The largest distance of two empirical distribution functions (Kolmogorov and Smirnov), NaN
    apart; both have to hold values.

    As `scipy.stats.ks_2samp`, which takes half a second to import and asks for a p-value of its
    own.
    """
    one, other = (np.sort(values[~np.isnan(values)]) for values in (reference, window))
    every = np.concatenate([one, other])
    below = (np.searchsorted(values, every, side="right") / len(values) for values in (one, other))
    return float(np.abs(next(below) - next(below)).max())


def separability(reference: Floats, window: Floats) -> float:
    """The AUC of a linear classifier that tells unseen rows [k, d] of one sample from rows of the
    other; 0.5 by chance.

    The classifier two-sample test (Lopez-Paz and Oquab 2017) with linear discriminants, fitted on
    each half and asked about the other.
    """
    import scipy.linalg

    parts = [
        (rows[::2].astype(np.float64), rows[1::2].astype(np.float64))
        for rows in (reference, window)
    ]
    areas = []
    for fitted, asked in ((0, 1), (1, 0)):
        one, other = (part[fitted] for part in parts)
        means = one.mean(axis=0), other.mean(axis=0)
        centred = np.concatenate([one - means[0], other - means[1]])
        # Not through BLAS: for so few numbers its threads cost more than they give, and einsum
        # always adds in the same order.
        scatter = np.einsum("ni,nj->ij", centred, centred) / len(centred)
        # A small ridge: a direction without spread proves nothing.
        scatter += np.eye(len(scatter)) * (1e-6 * np.trace(scatter) / len(scatter) + 1e-12)
        direction = scipy.linalg.solve(scatter, means[1] - means[0], assume_a="pos")
        below, scores = (np.einsum("ni,i->n", part[asked], direction) for part in parts)
        below = np.sort(below)
        # Correctly ordered pairs plus half of the ties (Mann and Whitney 1947).
        pairs = sum(np.searchsorted(below, scores, side=side).sum() for side in ("left", "right"))
        areas.append(pairs / (2 * len(below) * len(scores)))
    return float(np.mean(areas))


def spread(rows: int) -> float:
    """Standard deviation of `separability` by chance, with as many rows in each sample: that of
    Mann and Whitney's test for a half.

    Asking both halves does not narrow it: without a difference both areas come from the product of
    the same two directions.
    """
    half = rows // 2
    return float(np.sqrt((2 * half + 1) / (12 * half**2)))


def chance(test: str, statistic: float, size: float, freedom: int) -> float:
    """Asymptotic probability of so large a statistic; `size` is n m / (n + m) of two samples, of
    the classifier the rows of each.
    """
    from scipy import special

    match test:
        case "ks":
            return float(special.kolmogorov(statistic * size**0.5))
        case "psi":
            return float(special.chdtrc(freedom, statistic * size))
        case "chi-square":
            return float(special.chdtrc(freedom, statistic))
    return float(special.ndtr((0.5 - statistic) / spread(int(size))))


def critical(test: str, probability: float, size: float, freedom: int) -> float:
    """The statistic that `chance` gives this probability."""
    from scipy import special

    match test:
        case "ks":
            return float(special.kolmogi(probability) / size**0.5)
        case "psi":
            return float(special.chdtri(freedom, probability) / size)
        case "chi-square":
            return float(special.chdtri(freedom, probability))
    return float(0.5 - spread(int(size)) * special.ndtri(probability))
