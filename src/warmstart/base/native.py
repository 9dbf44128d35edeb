"""What the libraries below torch read once, when they are loaded or first used: set before that, unless the user has set it.

How long a thread of OpenMP spins at a barrier before it sleeps: the C library that comes with torch's wheels (libgomp) lets
a thread that waits for its partner spin for up to 20 ms. On a machine where something else runs too, the partner may be off
its core just then, and the spinning keeps it off: two threads on two cores beside one busy process train at a tenth of
their speed. A short spin keeps the speed of a quiet machine and gives the core away otherwise (docs/results/speed.md).

How many products oneDNN keeps ready: for each number of rows it writes machine code anew and keeps that of the last 1,024,
0.7 MB each for bfloat16. Texts of many lengths in flat rows have ever new numbers of rows: 600 MB that nobody asks for
again (docs/results/memory.md). A step asks for fewer than are kept here, so its layers still share theirs.

No result depends on any of it.
"""

import os
from collections.abc import MutableMapping

SPINS = "25000"
"""Turns of the spinning loop: 0.5 to 1.5 ms, longer than running threads wait for each other, shorter than a time slice."""

PRODUCTS = "128"
"""Products kept ready: those of a step of a Transformer are 12 and those of attention, of an LSTM two a number of rows."""

_SPIN_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""oneDNN's own, and that of the layer between torch and oneDNN: what either keeps is not freed."""


def set_native(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets in ``environment`` what the user has not: no effect on what is loaded already, so before torch is imported."""
    if not any(name in environment for name in _SPIN_SETTINGS):
        environment["GOMP_SPINCOUNT"] = SPINS
    for name in _CACHES:
        environment.setdefault(name, PRODUCTS)
