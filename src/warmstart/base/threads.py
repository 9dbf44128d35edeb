"""How long a thread of OpenMP spins at a barrier before it sleeps, set before torch is loaded.

The C library that comes with torch's wheels (libgomp) lets a thread that waits for its partner spin for up to 20 ms. On a
machine where something else runs too, the partner may be off its core just then, and the spinning keeps it off: two
threads on two cores beside one busy process train at a tenth of their speed. A short spin keeps the speed of a quiet
machine and gives the core away otherwise (docs/results/speed.md). No result depends on it.
"""

import os
from collections.abc import MutableMapping

SPINS = "25000"
"""Turns of the spinning loop: 0.5 to 1.5 ms, longer than running threads wait for each other, shorter than a time slice."""

_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def spin_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets the spin count in ``environment``, unless the user's own setting stands there.

    libgomp reads it when it is loaded, so this has no effect once torch is imported.
    """
    if not any(name in environment for name in _SETTINGS):
        environment["GOMP_SPINCOUNT"] = SPINS
