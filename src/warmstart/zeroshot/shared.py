"""Runs that begin alike, such as the choices of a question: what they share is read once, and all that follows at once.

The shared tokens are the sources of a cache, as in decoding (:mod:`warmstart.models.beam_cache`); the rest of each run
grows from its source, beside the others and unseen by them.

B groups, T tokens of the rests of a group end to end, D width of the states.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.models.model import Model
from warmstart.models.softmax import score_tokens
from warmstart.zeroshot.likelihood import TokenRun, TokenScores

FEWEST_SHARED = 8
"""Tokens that are worth a source of their own."""
MAX_TOKENS = 4096
"""Of the rests that are read together, and of their sources."""


class Group(NamedTuple):
    """Adjacent runs, by their place in the row, that share their first tokens."""

    start: int
    runs: Sequence[TokenRun]
    shared: int

    @property
    def size(self) -> int:
        """T."""
        return sum(len(run.ids) - 1 - self.shared for run in self.runs)


def groups_of(runs: Sequence[TokenRun]) -> list[Group]:
    """Cuts a row of runs into groups; a run that shares too little with its neighbours is one of its own."""
    groups: list[Group] = []
    for place, run in enumerate(runs):
        if groups:
            last = groups[-1]
            shared = min(_shared(last.runs[0], run), last.shared)
            if shared >= FEWEST_SHARED and 2 * shared >= last.shared:
                groups[-1] = Group(last.start, [*last.runs, run], shared)
                continue
        groups.append(Group(place, [run], run.first - 1))
    return groups


def _shared(first: TokenRun, other: TokenRun) -> int:
    """Tokens that both begin with and that predict nothing in either."""
    most = min(first.first, other.first) - 1
    differing = np.flatnonzero(first.ids[:most] != other.ids[:most])
    return int(differing[0]) if len(differing) else most


def answer_groups(model: Model, groups: Sequence[Group]) -> Iterator[tuple[Group, list[TokenScores]]]:
    """The scores of each group's runs; groups of similar lengths are read together and come in an order of their own."""
    waiting = sorted(groups, key=lambda group: (-(group.shared // FEWEST_SHARED), -group.size))
    while waiting:
        count, most, longest = 0, 0, max(1, waiting[0].shared)
        for group in waiting:
            most = max(most, group.size)
            if count and (count + 1) * max(most, longest) > MAX_TOKENS:
                break
            count += 1
        yield from zip(waiting[:count], _answer(model, waiting[:count]), strict=True)
        waiting = waiting[count:]


class _Rests(NamedTuple):
    """The rests of some groups in one rectangle.

    ``sees`` [B, T, T] says who sees whom, ``reads`` [M] are flat places of the states that predict ``targets`` [M].
    """

    ids: torch.Tensor
    positions: torch.Tensor
    sees: torch.Tensor
    reads: Ints
    targets: Ints
    counts: list[list[int]]


def _lay_out(groups: Sequence[Group]) -> _Rests:
    width = max(group.size for group in groups)
    ids, positions, owners = (np.zeros((len(groups), width), np.int64) for _ in range(3))
    reads, targets, counts = [], [], []
    for row, group in enumerate(groups):
        at = 0
        for number, run in enumerate(group.runs, start=1):
            rest = run.ids[group.shared : -1]
            place = slice(at, at + len(rest))
            ids[row, place], owners[row, place] = rest, number
            positions[row, place] = np.arange(group.shared, group.shared + len(rest))
            reads.append(row * width + at + np.arange(run.first - 1 - group.shared, len(rest)))
            targets.append(run.ids[run.first :])
            at += len(rest)
        counts.append([len(run.ids) - run.first for run in group.runs])
    same = owners[:, :, None] == owners[:, None, :]
    sees = same & (positions[:, None, :] <= positions[:, :, None])
    tensors = [torch.from_numpy(part) for part in (ids, positions, sees)]
    return _Rests(tensors[0], tensors[1], tensors[2], np.concatenate(reads), np.concatenate(targets), counts)


@torch.inference_mode()
def _answer(model: Model, groups: Sequence[Group]) -> Iterator[list[TokenScores]]:
    device, rests = next(model.parameters()).device, _lay_out(groups)
    cache = model.backbone.read_sources([group.runs[0].ids[: group.shared] for group in groups], 0).cache
    model.backbone.begin_texts(cache, rests.positions.to(device), rests.sees.to(device))
    states = model.backbone.forward_cached(rests.ids.to(device), 0, cache, answers=rests.ids.shape[1])
    chosen = states.flatten(0, 1)[torch.from_numpy(rests.reads).to(device)]
    softmax = model.token_head().softmax_table(model.backbone.tables()).softmax(chosen)
    found = score_tokens(softmax, torch.from_numpy(rests.targets).to(device))
    log_probs, right = -found.losses.cpu().numpy(), found.right.cpu().numpy()
    stops = np.cumsum([count for group in rests.counts for count in group])[:-1]
    parts = map(TokenScores, np.split(log_probs, stops), np.split(right, stops))
    yield from ([next(parts) for _ in group] for group in rests.counts)
