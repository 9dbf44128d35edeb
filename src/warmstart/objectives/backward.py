"""Language modelling from the end: read t, predict token t - 1 (Howard and Ruder 2018, section 3.3, their second model)."""

import numpy as np
from numpy.typing import NDArray

from warmstart.example.example import Example
from warmstart.objectives.causal import causal
from warmstart.objectives.objective import Objective


def backward(ids: NDArray[np.int64]) -> list[Example]:
    """The frame: T + 1 consecutive ids of one document → one Example of T tokens, whose turns and positions fall.

    >>> [example] = backward(np.array([5, 8, 2]))
    >>> example.ids.tolist(), example.turns.tolist(), example.goals["lm"].targets.tolist()
    ([8, 2], [1, 0], [8, 5])
    """
    return [example.reverse() for example in causal(ids[::-1])]


BACKWARD = Objective(
    name="backward",
    card="A language model that reads from the end",
    frame=backward,
    direction="backward",
    carries=True,
)
