"""Losses that compare all texts of a step, of a step that is split: gradients of the vectors first, then of the weights.

Every micro-batch is read twice. First without a gradient, for the states of its questions; the loss of all these together
gives the gradient of each state. Then as always, and what is minimised is the product of the states with that gradient,
which has the same derivative. So the step's batch, and its negatives, may be as large as wanted in the memory of a
micro-batch (Gao et al. 2021, section 3), and a split changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from warmstart.example.batch import Batch, join_goals
from warmstart.models.head import LossOptions
from warmstart.models.losses import Loss
from warmstart.models.model import Model, ModelOutput


class WholeGoal(NamedTuple):
    """A goal over a whole step: its loss, and the gradient of that sum for the states of each micro-batch that has it."""

    loss: Loss
    gradients: dict[int, torch.Tensor]

    def stand_in(self, reads: Mapping[str, torch.Tensor], name: str, number: int) -> torch.Tensor:
        """What has the derivative of the loss by the states of one micro-batch; 0 of one without this goal."""
        if number not in self.gradients:
            return torch.zeros((), device=self.loss.sum.device)
        return (reads[name].float() * self.gradients[number]).sum()


def whole_goals(
    model: Model, batches: Sequence[Batch], read: Callable[[int], ModelOutput], options: LossOptions
) -> dict[str, WholeGoal]:
    """The goals of a split step whose losses compare all its questions; none where it is not split.

    Args:
        model: in training mode.
        batches: the micro-batches.
        read: reads the micro-batch of a number, with the masks of dropout that it will have again.
        options: of the losses.
    """
    found: dict[str, list[int]] = {}
    for number, batch in enumerate(batches):
        for name, goal in batch.goals.items():
            if goal.answer in model.head(goal.head).whole_losses:
                found.setdefault(name, []).append(number)
    found = {name: numbers for name, numbers in found.items() if len(numbers) > 1}
    if not found:
        return {}
    with torch.no_grad():
        states = [read(number).reads for number in range(len(batches))]
    return {name: _whole(model, name, batches, states, numbers, options) for name, numbers in found.items()}


def _whole(
    model: Model, name: str, batches: Sequence[Batch], states: Sequence[dict[str, torch.Tensor]],
    numbers: Sequence[int], options: LossOptions,
) -> WholeGoal:  # fmt: skip
    leaves = [states[number][name].float().requires_grad_() for number in numbers]
    goal = join_goals([batches[number].goals[name] for number in numbers])
    loss = model.head(goal.head).loss(torch.cat(leaves), goal, None, options)
    gradients = torch.autograd.grad(loss.sum, leaves)
    return WholeGoal(loss._replace(sum=loss.sum.detach()), dict(zip(numbers, gradients, strict=True)))
