"""Settings of the C library without which training on a CPU spends much of its time in page faults.

glibc gives every large tensor fresh pages from the kernel and hands them back at once. Keeping them makes elementwise
work on 32 MB tensors about ten times faster (docs/models.md). What is kept frays in time, since no two steps are of quite
the same size; so it is handed back when it has grown far beyond what one step needs. Off Linux and glibc all of this does
nothing.
"""

import ctypes
import functools
import os
import sys
from pathlib import Path
from typing import Any

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


@functools.cache
def _glibc() -> Any:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None


def keep_freed_memory() -> None:
    """Tells glibc to serve large blocks from its own heap and to keep what is freed."""
    if (glibc := _glibc()) is not None:
        glibc.mallopt(_M_MMAP_MAX, 0)
        glibc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        glibc.mallopt(_M_TOP_PAD, 64 << 20)


class FreedMemory:
    """Watches how far a process that works in steps has grown, and hands freed pages back when that is too far.

    Steps of one size grow once and are never trimmed, so they never pay for fresh pages again.
    """

    SLACK = 96 << 20

    def __init__(self) -> None:
        self._low = _resident()
        self._usual = 0
        self._trimmed = True

    def release(self) -> None:
        """Called between two steps; costs microseconds, and some milliseconds when pages go back."""
        if (glibc := _glibc()) is None:
            return
        grown = _resident() - self._low
        if self._trimmed:  # this was the first step since: what one step needs
            self._usual, self._trimmed = max(self._usual, grown), False
        if grown > 1.25 * self._usual + self.SLACK:
            glibc.malloc_trim(0)
            self._low, self._trimmed = _resident(), True


def _resident() -> int:
    """Bytes of this process in memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
