"""Freed memory: kept between steps of one size, handed back when a process has grown far beyond one step."""

import sys

import pytest
import torch

from warmstart.base.allocator import FreedMemory, _resident, keep_freed_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc")
STEP = 32 << 20


def take(count: int) -> None:
    """Uses and frees ``count`` bytes."""
    torch.ones(count, dtype=torch.uint8)


def test_only_growth_beyond_a_step_goes_back() -> None:
    """Witness: the kernel's own count of resident pages."""
    keep_freed_memory()
    memory = FreedMemory()
    take(STEP)
    memory.release()  # what one step needs
    kept = _resident()
    for _ in range(4):
        take(STEP)
        memory.release()
    assert _resident() - kept < FreedMemory.SLACK + 2 * STEP
    memory.release()  # had the loop been handed back, the next step would count as usual
    take(20 * STEP)
    grown = _resident()
    assert grown - kept > 10 * STEP
    memory.release()
    assert grown - _resident() > 10 * STEP
