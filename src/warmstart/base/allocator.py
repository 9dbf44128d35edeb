"""Settings of the C library without which training on a CPU spends much of its time in page faults.

glibc gives every large tensor fresh pages from the kernel and hands them back at once. Keeping them makes elementwise
work on 32 MB tensors about ten times faster (docs/models.md). What is kept frays in time, since no two steps are of quite
the same size; so it is handed back now and then. Off Linux and glibc all of this does nothing.
"""

import ctypes
import functools
import sys
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


def hand_back_freed_memory() -> None:
    """Gives the kernel every page that holds nothing; costs some milliseconds."""
    if (glibc := _glibc()) is not None:
        glibc.malloc_trim(0)
