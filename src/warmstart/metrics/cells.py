"""Distinct examples and how often each occurs: of a million examples of few classes some thousand numbers."""

from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.metrics.metric import Array

CHUNK = 1 << 16
"""Examples sorted at a time: what is distinct in each chunk is put together, so memory grows with that alone."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Distinct examples.

    Attributes:
        columns: [G] or [G, K] the target and the prediction of each.
        counts: [G] how often each occurs.
        groups: [G] the group of each, where examples are dealt into groups; else all 0.
    """

    columns: list[Array]
    counts: Array
    groups: Ints


def count_cells(*columns: Array, num_groups: int = 1) -> Cells:
    """The distinct examples among ``columns`` of one shape, [n] or [n, K], in order.

    Args:
        columns: targets and predictions, or what a ratio is made of.
        num_groups: example i is of group i mod ``num_groups``; examples of two groups are distinct.
    """
    starts = range(0, len(columns[0]), CHUNK)
    parts = [_distinct(columns, np.arange(start, min(start + CHUNK, starts.stop)), num_groups) for start in starts]
    first = np.concatenate([place for place, _ in parts])
    counts = np.concatenate([count for _, count in parts])
    if len(parts) > 1:
        _, place, same = np.unique(_rows(columns, first, num_groups), axis=0, return_index=True, return_inverse=True)
        first, counts = first[place], np.bincount(same.ravel(), counts).astype(np.int64)
    return Cells([own[first] for own in columns], counts, first % num_groups)


def _distinct(columns: tuple[Array, ...], numbers: Ints, num_groups: int) -> tuple[Ints, Ints]:
    """The number of the first example of each kind among these, and how many there are."""
    _, first, counts = np.unique(_rows(columns, numbers, num_groups), axis=0, return_index=True, return_counts=True)
    return numbers[first], counts


def _rows(columns: tuple[Array, ...], numbers: Ints, num_groups: int) -> Array:
    """[n, …] what tells examples apart, side by side."""
    rows = np.stack([own[numbers] for own in columns], axis=-1).reshape(len(numbers), -1)
    return rows if num_groups == 1 else np.column_stack([rows, numbers % num_groups])
