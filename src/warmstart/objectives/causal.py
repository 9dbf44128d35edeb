"""Causal language modelling: read t, predict token t + 1 (Radford et al. 2018, section 3.1, equation 1)."""

from typing import Any

from numpy.typing import NDArray

from warmstart.base.arrays import count_up
from warmstart.example.example import Example, Goal, next_goal
from warmstart.objectives.objective import Objective


def causal(ids: NDArray[Any]) -> list[Example]:
    """The frame: T + 1 consecutive ids of one document → one Example of T tokens; vectors alike.

    >>> [example] = causal(np.array([5, 8, 2]))
    >>> example.ids.tolist(), example.turns.tolist(), example.goals["lm"].targets.tolist()
    ([5, 8], [0, 1], [8, 2])
    """
    reads = count_up(len(ids) - 1)
    return [Example.left_to_right(ids[:-1], {next_goal(ids): Goal.each(reads, ids[1:])})]


CAUSAL = Objective(name="causal", card="A causal language model", frame=causal, carries=True, reads_images=True)
