"""Finds near duplicates: different examples that look the same, or nearly, to a model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Distance of two outlines, each shifted to mean 0 and scaled to length 1; sqrt(2 - 2 r), r being
# their correlation. Saved anew as JPEG of quality 75, a digit of MNIST moves by 0.04 (at most
# 0.09); the closest two of its 70,000 are 0.09 apart, and these are different drawings.
NEAR = 0.08
FLATTEST = 2.0  # grey levels of standard deviation; below it, an example is mostly noise
PROJECTED = 12  # dimensions of the candidate search
NEIGHBOURS = 16  # candidates examined per example, at most
CHUNK = 4096  # outlines in memory at a time, as numbers
# If this share of a class is nearly the same, that is what the class looks like.
ALIKE = 0.25
FEW = 10  # so many may be nearly the same in any class


def groups(
    seen: NDArray[np.integer[Any]], outlines: NDArray[np.uint8], labels: NDArray[np.integer[Any]]
) -> NDArray[np.integer[Any]]:
    """A number for each example, [n]; the same where examples of a class are the same, or nearly.

    `seen` has one number for each thing that a model can tell apart, [n]; `outlines` are [n,
    values].
    """
    pairs = _near(outlines)
    pairs = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
    if not len(pairs):
        return seen
    return _joined(seen, pairs, labels)


def _joined(
    seen: NDArray[np.integer[Any]], pairs: NDArray[np.int64], labels: NDArray[np.integer[Any]]
) -> NDArray[np.integer[Any]]:
    """`seen`, with what near pairs lead to as one, unless that is too much of a class."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(seen.max()) + 1
    edges = coo_array(
        (np.ones(len(pairs)), (seen[pairs[:, 0]], seen[pairs[:, 1]])), shape=(size, size)
    )
    _, component = connected_components(edges, directed=False)
    joined = component[seen]
    _, first, number, members = np.unique(
        joined, return_index=True, return_inverse=True, return_counts=True
    )
    most = np.maximum(FEW, ALIKE * np.bincount(labels)[labels[first]])
    return np.where((members <= most)[number], joined, seen + size)


def _near(outlines: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs of rows that are nearly the same, [pairs, 2].

    They are looked for in a few dimensions, where none is farther apart than it is, and verified.
    """
    from scipy.spatial import cKDTree

    none = np.empty((0, 2), np.int64)
    if not outlines.size:
        return none
    clear = [part.std(axis=1) >= FLATTEST for part in _parts(outlines)]
    rows = np.flatnonzero(np.concatenate(clear))
    if len(rows) < 2:
        return none
    sample = _scaled(outlines[rows[:: -(-len(rows) // CHUNK)]])
    directions = np.linalg.eigh(sample.T @ sample)[1][:, -PROJECTED:]
    projected = np.concatenate([_scaled(outlines[part]) @ directions for part in _parts(rows)])
    # Of so many at most, or examples that are all alike would make a pair of any two.
    _, nearest = cKDTree(projected).query(projected, k=NEIGHBOURS + 1, distance_upper_bound=NEAR)
    one, place = np.nonzero(nearest < len(rows))
    pairs = np.unique(
        np.sort(np.stack([rows[one], rows[nearest[one, place]]], axis=1), axis=1), axis=0
    )
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    apart = [
        np.linalg.norm(_scaled(outlines[part[:, 0]]) - _scaled(outlines[part[:, 1]]), axis=1)
        for part in _parts(pairs)
    ]
    return pairs[np.concatenate(apart) <= NEAR] if apart else none


def _parts(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _scaled(outlines: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rows shifted to mean 0 and scaled to length 1."""
    centred = outlines - outlines.mean(axis=1, keepdims=True, dtype=np.float32)
    scaled: NDArray[np.float32] = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return scaled
