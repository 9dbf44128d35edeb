"""One optimizer step, and the only place that calls ``backward``.

The weights of all micro-batches are counted first, from the data alone; then each micro-batch runs with its summed losses
over those totals. So the same examples give the same gradient however they are split (docs/architecture.md, law 2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from warmstart.base.errors import DivergenceError
from warmstart.base.seeds import derive_seed
from warmstart.example.batch import Batch
from warmstart.models.head import DEFAULT_OPTIONS, LossOptions
from warmstart.models.model import Model, ModelOutput
from warmstart.models.terms import LossTerm, StepSeeds
from warmstart.train.optimizer import Optimizer
from warmstart.train.whole_step import whole_goals


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a training minimises: the sum over goals and further terms of coefficient · (Σ loss / Σ weight).

    Attributes:
        coefficients: name of a goal or term → how much it counts; what is not named is measured and not trained on.
        terms: name → a further term.
        options: how the softmax over the vocabulary learns.
    """

    coefficients: Mapping[str, float]
    terms: Mapping[str, LossTerm] = field(default_factory=dict)
    options: LossOptions = DEFAULT_OPTIONS


class StepReport(NamedTuple):
    """What one step measured: mean loss per goal, gradient norm before clipping, tokens read."""

    losses: dict[str, float]
    grad_norm: float
    tokens: int


class StepOutput(NamedTuple):
    """A step that a device may still be at; ``norm_and_losses`` [1 + goals]: gradient norm and mean losses, there."""

    norm_and_losses: torch.Tensor
    goals: tuple[str, ...]
    tokens: int

    def report(self) -> StepReport:
        """Waits until the step is done.

        Raises:
            DivergenceError: the gradient or a loss was not finite; the weights are left as they were before this step.
        """
        norm, *means = self.norm_and_losses.tolist()
        losses = dict(zip(self.goals, means, strict=True))
        if not all(abs(value) < float("inf") for value in (norm, *means)):
            raise DivergenceError(
                f"the loss or its gradient is not finite (losses {losses}, gradient norm {norm}); the weights of the step "
                "before are kept: try a lower --lr, a longer --warmup or --precision fp32."
            )
        return StepReport(losses, norm, self.tokens)


def total_weights(batches: Sequence[Batch], terms: Mapping[str, LossTerm]) -> dict[str, float]:
    """Total weight of each goal and each term over all micro-batches."""
    totals: dict[str, float] = {}
    for batch in batches:
        weights = {name: goal.total_weight for name, goal in batch.goals.items()}
        for name, weight in (weights | {name: term.weight(batch) for name, term in terms.items()}).items():
            totals[name] = totals.get(name, 0.0) + weight
    return totals


def accumulate(
    model: Model, optimizer: Optimizer, batches: Sequence[Batch], criterion: Criterion, seed: int
) -> dict[str, torch.Tensor]:
    """Leaves the gradient of ``criterion`` in the optimizer's weights; returns the mean losses.

    Nothing here waits for the device.

    Args:
        model: in training mode.
        optimizer: whose weights are those of ``model``.
        batches: the micro-batches of this step.
        criterion: what is minimised.
        seed: names the dropout masks of this step, and the tokens that a sampled softmax learns from.
    """
    totals = total_weights(batches, criterion.terms)
    factors = {name: kept / totals[name] for name, kept in criterion.coefficients.items() if kept and totals.get(name)}
    all_states = any(term.needs_all_states for term in criterion.terms.values())
    # One seed for the whole step, so that it may be split in any way.
    options = criterion.options._replace(seed=derive_seed(seed, "softmax"))

    def read(number: int) -> ModelOutput:
        torch.manual_seed(derive_seed(seed, number))
        return model.run(batches[number], all_states=all_states)

    optimizer.weights.clear()
    whole = whole_goals(model, batches, read, options)
    sums = {name: goal.loss.sum for name, goal in whole.items()}
    for number, batch in enumerate(batches):
        output, seeds = read(number), StepSeeds(seed, derive_seed(seed, number))
        alone = output._replace(reads={name: states for name, states in output.reads.items() if name not in whole})
        losses = _losses(model, alone, batch, criterion.terms, options, seeds)
        for name, loss in losses.items():
            sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
        losses |= {name: goal.stand_in(output.reads, name, number) for name, goal in whole.items()}
        total = sum(loss * factors[name] for name, loss in losses.items() if name in factors)
        if isinstance(total, torch.Tensor) and total.requires_grad:  # a term may find nothing in a micro-batch
            total.backward()  # type: ignore[no-untyped-call]
    return {name: found / totals[name] for name, found in sums.items() if totals[name] > 0}


def _losses(
    model: Model,
    output: ModelOutput,
    batch: Batch,
    terms: Mapping[str, LossTerm],
    options: LossOptions,
    seeds: StepSeeds,
) -> dict[str, torch.Tensor]:
    """The sums of the losses of all terms and of the goals that are read."""
    losses = model.losses(output, batch, options)
    found = {name: term.loss(model, output, batch, seeds) for name, term in terms.items()}
    return found | {name: loss.sum for name, loss in losses.items()}


def train_step(
    model: Model, optimizer: Optimizer, batches: Sequence[Batch], criterion: Criterion, factor: float, seed: int
) -> StepOutput:
    """Gradient, clipping, update; where the gradient or a loss is not finite, no update, now or in any later step."""
    losses = accumulate(model, optimizer, batches, criterion, seed)
    norm = optimizer.gradient_norm()
    norm_and_losses = torch.stack([norm, *losses.values()])
    optimizer.skip_updates_if_nonfinite(norm_and_losses.isfinite().all())
    optimizer.update(factor, norm)
    return StepOutput(norm_and_losses, tuple(losses), sum(b.num_tokens for b in batches))
