"""Arrays that Examples share, and equal values of two rows."""

import numpy as np
import pytest

from warmstart.base import arrays
from warmstart.base.arrays import MIN_SHARED, count_up, find_in, find_repeats, shared_ones, shared_zeros


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


@pytest.mark.parametrize(
    ("count", "largest", "some"), [(0, 1, 4), (1, 1, 4), (500, 90, 1 << 19), (500, 90, 7), (300, 2**62, 7)]
)
def test_equal_values_are_found(monkeypatch: pytest.MonkeyPatch, count: int, largest: int, some: int) -> None:
    """Brute force: ``list.index``, whether the values are sorted at once or in many parts, negative ones among them."""
    monkeypatch.setattr(arrays, "SOME_VALUES", some)
    draw = np.random.default_rng(count)
    values, table = draw.integers(-largest, largest, count), draw.integers(-largest, largest, 2 * count)
    table[: count // 3] = values[: count // 3]
    row, first = values.tolist(), [values.tolist().index(value) for value in values.tolist()]
    repeats = find_repeats(values)
    assert repeats.numbers.tolist() == [n for n, own in enumerate(first) if own != n]
    assert repeats.first.tolist() == [own for n, own in enumerate(first) if own != n]
    assert repeats.distinct(count).tolist() == sorted(set(first))
    known = table.tolist()
    assert find_in(values, table).tolist() == [known.index(value) if value in known else -1 for value in row]
