"""Arrays that Examples share."""

import numpy as np
import pytest

from warmstart.base.arrays import MIN_SHARED, count_up, shared_ones, shared_zeros


@pytest.mark.parametrize("count", [0, 1, 5, MIN_SHARED, MIN_SHARED + 1, 3])
def test_they_are_those_of_numpy(count: int) -> None:
    """Witness: NumPy's own arrays, in dtype and values, before and after the shared one has grown."""
    for found, own in (
        (count_up(count), np.arange(count)),
        (shared_ones(count), np.ones(count, np.float32)),
        (shared_zeros(count), np.zeros(count, np.int64)),
    ):
        assert found.dtype == own.dtype and np.array_equal(found, own)


def test_nobody_can_write_into_them_and_they_take_no_memory() -> None:
    """Invariant: a part of the shared array, read-only."""
    for make in (count_up, shared_ones, shared_zeros):
        one, other = make(7), make(9)
        assert np.shares_memory(one, other)
        with pytest.raises(ValueError, match="read-only"):
            one[0] = 1
