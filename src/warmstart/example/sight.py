"""The law of sight: one signed integer per token, its *turn*, and a document number decide who sees whom.

A token of turn t >= 0 reads real tokens of turn <= t. A *pseudo* token of turn -t reads real tokens of turn < t and
pseudo tokens of its own turn. Nothing crosses documents; every token sees itself. Where pseudo tokens are used, targets
start at turn 1. That yields causal (0 1 2 …), bidirectional (all 0), prefix (0 0 0 1 2 …) and pseudo-masked attention,
and packing.

Where several continuations grow from one beginning, each is a *branch* with a number from 1 on, and the beginning, which
they share, is 0: a token reads only tokens of its own branch and of the beginning, as far as turns allow it.

Attention kernels choose a fast path by :class:`Pattern`; each is tested against :func:`sees`.
"""

from enum import Enum
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Table = TypeVar("Table", NDArray[np.int64], torch.Tensor)


class Pattern(Enum):
    """What the turns of a whole Batch have in common."""

    CAUSAL = "causal"
    FULL = "full"
    GENERAL = "general"


def sees(reader: Table, read: Table) -> Table:
    """Whether a token of turn ``reader`` reads *another* token of turn ``read`` of the same document (broadcasts)."""
    real = (reader >= 0) & (read >= 0) & (read <= reader)
    pseudo = (reader < 0) & (((read >= 0) & (read < -reader)) | (read == reader))
    return real | pseudo  # type: ignore[no-any-return]


def in_reach(reader: Table, read: Table) -> Table:
    """Whether a token of branch ``reader`` may read one of branch ``read`` (broadcasts)."""
    return (read == 0) | (read == reader)  # type: ignore[no-any-return]


def pattern_of(turns: NDArray[np.int64], starts: NDArray[np.int64]) -> Pattern:
    """The narrowest pattern that describes a batch.

    Args:
        turns: [N] of all tokens.
        starts: [N] for each token, the flat index at which its document starts.
    """
    if not turns.any():
        return Pattern.FULL
    if np.array_equal(turns, np.arange(len(turns)) - starts):
        return Pattern.CAUSAL
    return Pattern.GENERAL
