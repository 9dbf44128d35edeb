"""Two language models side by side: read t, predict token t + 1, and from the end predict token t - 1.

With an LSTM of two directions each has layers of its own, over one token table and one softmax (Peters et al. 2018, section
3.1); one of one direction, and a Transformer, learn both with the same weights.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warmstart.example.example import Example
from warmstart.objectives.causal import causal
from warmstart.objectives.objective import Objective


def both(ids: NDArray[np.int64]) -> list[Example]:
    """The frame: T + 1 consecutive ids of one document → an Example of T tokens for each direction.

    >>> to_right, to_left = both(np.array([5, 8, 2]))
    >>> to_right.ids.tolist(), to_right.goals["lm"].targets.tolist()
    ([5, 8], [8, 2])
    >>> to_left.ids.tolist(), to_left.goals["lm"].targets.tolist()
    ([8, 2], [8, 5])
    """
    [to_right], [to_left] = causal(ids), causal(ids[::-1])
    to_left = to_left.reverse()  # as objectives/backward.py does it
    goals = {name: replace(goal, question=goal.question + len(to_right)) for name, goal in to_left.goals.items()}
    return [to_right, replace(to_left, goals=goals)]


BOTH = Objective(name="both", card="A language model that reads from both ends", frame=both, direction="both")
