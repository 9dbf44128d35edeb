"""One optimizer step, and the only place that calls ``backward``.

The weights of all micro-batches are counted first, from the data alone; then each micro-batch runs with its summed losses
over those totals. So the same examples give the same gradient however they are split (DESIGN, law 2).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from warmstart.base.errors import DivergenceError
from warmstart.base.seeds import named_seed
from warmstart.example.batch import Batch
from warmstart.models.activity import activity_weights
from warmstart.models.model import Model
from warmstart.train.optimizer import Optimizer


class StepReport(NamedTuple):
    """What one step measured: mean loss per goal, gradient norm before clipping, tokens read."""

    losses: dict[str, float]
    grad_norm: float
    tokens: int


class StepOutput(NamedTuple):
    """A step whose work is given to the device: what it measures, [1 + goals] gradient norm and mean losses, is there."""

    measured: torch.Tensor
    goals: tuple[str, ...]
    tokens: int

    def report(self) -> StepReport:
        """Waits until the step is done.

        Raises:
            DivergenceError: the gradient or a loss was not finite; the weights are left as they were before this step.
        """
        norm, *means = self.measured.tolist()
        losses = dict(zip(self.goals, means, strict=True))
        if not all(abs(value) < float("inf") for value in (norm, *means)):
            raise DivergenceError(
                f"the loss or its gradient is not finite (losses {losses}, gradient norm {norm}); the weights of the step "
                "before are kept: try a lower --lr, a longer --warmup or --precision fp32."
            )
        return StepReport(losses, norm, self.tokens)


def goal_totals(batches: Sequence[Batch]) -> dict[str, float]:
    """Total weight of each goal over all micro-batches, and of the terms that no goal asks for."""
    totals: dict[str, float] = {}
    for batch in batches:
        weights = {name: asked.total_weight for name, asked in batch.goals.items()}
        for name, weight in (weights | activity_weights(batch)).items():
            totals[name] = totals.get(name, 0.0) + weight
    return totals


def accumulate(
    model: Model, optimizer: Optimizer, batches: Sequence[Batch], coefficients: Mapping[str, float], seed: int
) -> dict[str, torch.Tensor]:
    """Leaves the gradient of Σ coefficient · (Σ loss / Σ weight) in the optimizer's weights; returns the mean losses.

    Nothing here waits for the device.

    Args:
        model: in training mode.
        optimizer: whose weights are those of ``model``.
        batches: the micro-batches of this step.
        coefficients: how much each goal counts; goals that are not named are not trained on.
        seed: names the dropout masks of this step, and what a sampled softmax learns from.
    """
    totals = goal_totals(batches)
    sums: dict[str, torch.Tensor] = {}
    optimizer.weights.clear()
    draw = named_seed(seed, "softmax")  # one for the whole step, so that it may be split in any way
    for number, batch in enumerate(batches):
        torch.manual_seed(named_seed(seed, number))
        objective: torch.Tensor | None = None
        for name, loss in model(batch, draw).items():
            if totals[name] > 0 and coefficients.get(name, 0.0) != 0:
                term = loss.sum * (coefficients[name] / totals[name])
                objective = term if objective is None else objective + term
            sums[name] = sums[name] + loss.sum.detach() if name in sums else loss.sum.detach()
        if objective is not None:
            objective.backward()  # type: ignore[no-untyped-call]
    return {name: total / totals[name] for name, total in sums.items() if totals[name] > 0}


def train_step(
    model: Model,
    optimizer: Optimizer,
    batches: Sequence[Batch],
    coefficients: Mapping[str, float],
    factor: float,
    seed: int,
) -> StepOutput:
    """Gradient, clipping, update; where the gradient or a loss is not finite, no update, now or in any later step."""
    losses = accumulate(model, optimizer, batches, coefficients, seed)
    norm = optimizer.gradient_norm()
    measured = torch.stack([norm, *losses.values()])
    optimizer.skip_updates_if_nonfinite(measured.isfinite().all())
    optimizer.update(factor, norm)
    return StepOutput(measured, tuple(losses), sum(b.num_tokens for b in batches))
