"""Freed memory: the process keeps it between steps of one size and gives it back when it has grown far beyond one step.

And the garbage collector: it passes over what was there before.
"""

import gc
import sys

import pytest
import torch

from warmstart.base.allocator import FreedMemory, _resident_bytes, frozen_heap, keep_freed_memory

STEP = 32 << 20


def take(count: int) -> None:
    """Uses and frees ``count`` bytes."""
    torch.ones(count, dtype=torch.uint8)


@pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc")
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


def test_old_objects_are_passed_over_and_new_ones_are_collected() -> None:
    """Witness: Python's own counts; a heap that the caller has frozen is left as it is."""
    ring: list[object] = []
    ring.append(ring)
    with frozen_heap():
        assert gc.get_freeze_count() > 0
        assert not any(found is ring for found in gc.get_objects())
        new: list[object] = []
        new.append(new)
        assert any(found is new for found in gc.get_objects())
        del new
        assert gc.collect() >= 1
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        with frozen_heap():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
