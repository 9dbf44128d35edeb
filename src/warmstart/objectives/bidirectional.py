"""Bidirectional language modelling: predict each token from all others of its text (Baevski et al. 2019).

The text is seen as it is; the model hides from each prediction its own token.
"""

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import count_up
from warmstart.example.example import LM, Example, Goal
from warmstart.objectives.objective import Objective


def bidirectional(ids: NDArray[np.int64]) -> list[Example]:
    """The frame: T ids → one Example whose every place predicts its own token.

    >>> [example] = bidirectional(np.array([5, 8, 2]))
    >>> example.ids.tolist(), example.turns.tolist(), example.goals["lm"].targets.tolist()
    ([5, 8, 2], [0, 0, 0], [5, 8, 2])
    """
    return [Example.full_sight(ids, {LM: Goal.each(count_up(len(ids)), ids)})] if len(ids) else []


BIDIRECTIONAL = Objective(
    name="bidirectional", card="A bidirectional language model", frame=bidirectional, sight="cloze", lookahead=0
)
