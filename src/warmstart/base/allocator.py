"""Memory that is used again: settings of the C library's allocator, and of Python's garbage collector.

Without the first, page faults take much of the time of a training on a CPU; without the second, a stream of rows pays for
the libraries that are loaded (:func:`frozen_heap`).

glibc gets the pages of every large tensor from the kernel and gives them back at once. Keeping freed pages makes
elementwise work on 32 MB tensors about ten times faster (docs/models.md). The heap then fragments, since no two steps have
quite the same sizes, so :class:`FreedMemory` gives pages back when the process has grown far beyond what one step needs.
Where there is no glibc, nothing here has an effect.
"""

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


@functools.cache
def _glibc() -> Any:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None


def keep_freed_memory() -> None:
    """Makes glibc serve large blocks from its own heap and keep what is freed."""
    if (glibc := _glibc()) is not None:
        glibc.mallopt(_M_MMAP_MAX, 0)
        glibc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        glibc.mallopt(_M_TOP_PAD, 64 << 20)


@contextlib.contextmanager
def frozen_heap() -> Iterator[None]:
    """Inside, the garbage collector passes over the objects that are there already.

    The libraries of a model have some 200,000 of them. They outlive the work, yet rows that come and go make the collector
    look through all of them again and again. Who has frozen the heap already keeps it so.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class FreedMemory:
    """The freed pages of a process that works in steps; :meth:`release` gives them back when there are too many.

    Where all steps have the same sizes, the process grows once and nothing is given back: no step pays for fresh pages.
    """

    SLACK_BYTES = 96 << 20

    def __init__(self, slack_bytes: int = SLACK_BYTES) -> None:
        """``slack_bytes``: how far beyond what a step needs the process may grow."""
        self._slack_bytes = slack_bytes
        self._start_bytes = _resident_bytes()
        self._step_bytes = 0
        self._is_first_step = True

    def release(self) -> None:
        """Call it between two steps: it takes microseconds, and some milliseconds when it gives pages back."""
        if (glibc := _glibc()) is None:
            return
        grown_bytes = _resident_bytes() - self._start_bytes
        if self._is_first_step:  # since the start or the last release: this much is what one step needs
            self._step_bytes, self._is_first_step = max(self._step_bytes, grown_bytes), False
        if grown_bytes > 1.25 * self._step_bytes + self._slack_bytes:
            glibc.malloc_trim(0)
            self._start_bytes, self._is_first_step = _resident_bytes(), True


def _resident_bytes() -> int:
    """Resident memory of this process."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
