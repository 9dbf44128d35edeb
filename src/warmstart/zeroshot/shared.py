"""Runs that begin alike, such as the choices of a question: what they share is read once, and all that follows at once.

A group of runs becomes one Example: what they share, and the rest of each as a branch, unseen by the others
(:mod:`warmstart.example.sight`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import LM, Example, Goal
from warmstart.zeroshot.likelihood import TokenRun

FEWEST_SHARED = 8
"""Tokens that are worth being read once."""
MOST_TOKENS = 2048
"""Of a group: who sees whom in it is a table of their square."""


class Group(NamedTuple):
    """Adjacent runs that share their first tokens."""

    runs: Sequence[TokenRun]
    shared: int

    @property
    def size(self) -> int:
        """Tokens that are read."""
        return self.shared + sum(len(run.ids) - 1 - self.shared for run in self.runs)

    def example(self) -> Example:
        """All runs; their predicted tokens are its questions, run by run."""
        beginning = self.runs[0].ids[: self.shared]
        rests = [run.ids[self.shared : -1] for run in self.runs]
        starts = len(beginning) + np.cumsum([0, *map(len, rests[:-1])])
        reads = [self._reads(run, int(start)) for run, start in zip(self.runs, starts, strict=True)]
        targets = np.concatenate([run.ids[run.first :] for run in self.runs])
        goals = {LM: Goal.each(np.concatenate(reads), targets)}
        if len(rests) == 1:
            return Example.left_to_right(self.runs[0].ids[:-1], goals)
        return Example.branching(beginning, rests, goals)

    def _reads(self, run: TokenRun, start: int) -> Ints:
        """The places in the Example, where the run's rest begins at ``start``, of the states that predict its tokens."""
        places = np.arange(run.first - 1, len(run.ids) - 1)
        return np.where(places < self.shared, places, places - self.shared + start)


def groups_of(runs: Sequence[TokenRun]) -> list[Group]:
    """Cuts a row of runs into groups; a run that shares too little with its neighbours is one of its own."""
    groups: list[Group] = []
    for run in runs:
        if groups:
            last = groups[-1]
            shared = min(_shared(last.runs[0], run), last.shared)
            wider = Group([*last.runs, run], shared)
            if shared >= FEWEST_SHARED and 2 * shared >= last.shared and wider.size <= MOST_TOKENS:
                groups[-1] = wider
                continue
        groups.append(Group([run], run.first))
    return groups


def _shared(first: TokenRun, other: TokenRun) -> int:
    """Tokens that both begin with and that are predicted in neither."""
    most = min(first.first, other.first)
    differing = np.flatnonzero(first.ids[:most] != other.ids[:most])
    return int(differing[0]) if len(differing) else most
