"""A head that begins as the best one on the start's own states: linear probing, then fine-tuning (Kumar et al. 2022).

A head that is drawn at random moves the backbone at first by what it does not know yet. One that fits the states as they are
begins where logistic regression on frozen features ends, and all that follows is gained over that.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from warmstart.base.console import track
from warmstart.example.batch import GoalBatch
from warmstart.example.example import Example
from warmstart.models.linear_heads import QuestionHead
from warmstart.models.model import Model
from warmstart.streams.stream import split_batches

MOST = 2048
"""Records that a head is fitted to at most; of more every second, third, … is taken."""


def can_fit(model: Model, goal: str) -> bool:
    """Whether the head of a goal is one linear, over what it makes of the states, with one answer for each question."""
    head = model.head(goal)
    return isinstance(head, QuestionHead) and head.settings.is_convex


def fit_head(model: Model, goal: str, items: Sequence[list[Example]], max_tokens: int) -> int:
    """Fits the head of ``goal``, in place; nothing else moves.

    Args:
        model: with its starting weights, in training mode.
        goal: what its head answers.
        items: what may be batched by itself, with targets.
        max_tokens: at most, in a Batch.

    Returns:
        How many items the head was fitted to.
    """
    head, device = model.head(goal), next(model.parameters()).device
    assert isinstance(head, QuestionHead)
    some = items[:: -(-len(items) // MOST)]
    rows, goals = [], []
    model.eval()
    with torch.no_grad():
        batches = split_batches(sorted(some, key=lambda item: sum(map(len, item))), 1, max_tokens)
        for batch in track(batches, "fitting the head", len(batches)):
            asked = batch.to(device)
            rows.append(head.read(model.run(asked, (goal,)).reads[goal], asked.goals[goal]).float())
            goals.append(asked.goals[goal])
    model.train()
    head.fit(torch.cat(rows), _together(goals))
    return len(some)


def _together(goals: Sequence[GoalBatch]) -> GoalBatch:
    """The questions of several Batches, each with one read."""
    number = torch.arange(sum(len(goal.weights) for goal in goals), device=goals[0].weights.device)
    return replace(
        goals[0], reads=number, question=number, targets=torch.cat([goal.targets for goal in goals]),
        weights=torch.cat([goal.weights for goal in goals]), total_weight=sum(goal.total_weight for goal in goals),
    )  # fmt: skip
