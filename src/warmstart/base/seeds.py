"""Named seeds: each random choice has a generator of its own, and its name says what it is for.

``generator(seed, "noise", epoch, index)`` gives the same numbers on every machine, in any order of calls and for any
number of workers. So the order of examples is a function of the seed, and there is no random state to save.
"""

import hashlib

import numpy as np


def derive_seed(seed: int, *name: object) -> int:
    """A 63-bit seed, a function of ``seed`` and ``name``."""
    text = "\x1f".join([str(int(seed)), *map(str, name)])
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *name: object) -> np.random.Generator:
    """A new generator (Philox) for this seed and name."""
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, *name)))
