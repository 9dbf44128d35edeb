"""Named seeds: every random choice is drawn from a generator whose name says what it is for.

``generator(seed, "noise", epoch, index)`` gives the same numbers on every machine, in any order of calls and for any
number of workers, which is what makes order a function and not a state (DESIGN, law 3).
"""

import hashlib

import numpy as np


def named_seed(seed: int, *name: object) -> int:
    """A 63-bit seed that follows from ``seed`` and ``name`` alone."""
    text = "\x1f".join([str(int(seed)), *map(str, name)])
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *name: object) -> np.random.Generator:
    """A fresh counter-based generator (Philox) for this name."""
    return np.random.Generator(np.random.Philox(key=named_seed(seed, *name)))
