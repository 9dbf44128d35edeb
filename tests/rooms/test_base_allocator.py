"""Freed memory: the process keeps it between steps of one size and gives it back when it has grown far beyond one step."""

import sys

import pytest
import torch

from warmstart.base.allocator import FreedMemory, _resident_bytes, keep_freed_memory

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
    after_step = _resident_bytes()
    for _ in range(4):
        take(STEP)
        memory.release()
    assert _resident_bytes() - after_step < FreedMemory.SLACK_BYTES + 2 * STEP
    memory.release()  # had the loop above released memory, the next step would count as the first
    take(20 * STEP)
    grown = _resident_bytes()
    assert grown - after_step > 10 * STEP
    memory.release()
    assert grown - _resident_bytes() > 10 * STEP
