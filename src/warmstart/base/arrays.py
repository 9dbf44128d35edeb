"""Types of arrays that several rooms name, their fingerprint, and arrays that thousands of Examples share."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
"""[H, W, 3] red, green and blue of each pixel."""
MIN_SHARED = 4096

_counting, _ones, _zeros = np.arange(0), np.ones(0, np.float32), np.zeros(0, np.int64)


def count_up(count: int) -> Ints:
    """[count] 0 1 2 …: a part of one array that all callers share, so it cannot be written to."""
    global _counting
    if count > len(_counting):
        _counting = _read_only(np.arange(max(count, 2 * len(_counting), MIN_SHARED)))
    return _counting[:count]


def shared_ones(count: int) -> Floats:
    """[count] ones, shared likewise."""
    global _ones
    if count > len(_ones):
        _ones = _read_only(np.ones(max(count, 2 * len(_ones), MIN_SHARED), np.float32))
    return _ones[:count]


def shared_zeros(count: int) -> Ints:
    """[count] zeros, shared likewise."""
    global _zeros
    if count > len(_zeros):
        _zeros = _read_only(np.zeros(max(count, 2 * len(_zeros), MIN_SHARED), np.int64))
    return _zeros[:count]


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def digest_arrays(arrays: Mapping[int, NDArray[Any]]) -> str:
    """SHA-256 of numbered arrays, in whatever order they are."""
    digest = hashlib.sha256()
    for number in sorted(arrays):
        digest.update(f"{number} {arrays[number].dtype} {arrays[number].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[number]).data)
    return digest.hexdigest()
