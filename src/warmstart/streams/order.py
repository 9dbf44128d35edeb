"""Order as a function: example i of epoch e follows from (seed, e, i), with no table and no state.

A permutation of n numbers is a Feistel network over the next even power of two, applied until the result is below n. Any
element costs microseconds and no memory, so a stream over 10⁹ examples starts in the middle as fast as at the beginning.
"""

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.base.seeds import derive_seed

ROUNDS = 6

_MIX = np.uint64(0x9E3779B97F4A7C15)


def permute(indices: Ints, n: int, seed: int, *name: object) -> Ints:
    """Where the permutation of ``range(n)`` called ``name`` sends ``indices`` (each in [0, n))."""
    half = np.uint64(max(1, (max(n - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = [np.uint64(derive_seed(seed, *name, number)) for number in range(ROUNDS)]
    values = np.asarray(indices).astype(np.uint64)
    outside = np.ones(len(values), bool)
    while outside.any():
        left, right = values[outside] >> half, values[outside] & mask
        for key in keys:
            left, right = right, left ^ (_hash(right, key) & mask)
        values[outside] = (left << half) | right
        outside = values >= np.uint64(n)
    return values.astype(np.int64)


def _hash(x: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """A 64-bit mix (splitmix's finaliser) of ``x`` and the round's key; the arithmetic wraps around on purpose."""
    with np.errstate(over="ignore"):
        x = (x + key) * _MIX
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
