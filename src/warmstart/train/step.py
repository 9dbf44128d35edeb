"""One optimizer step, and the only place that calls ``backward``.

The weights of all micro-batches are counted first, from the data alone; then each micro-batch runs with its summed losses
over those totals. So the same examples give the same gradient however they are split (docs/architecture.md, law 2), also
over several processes, which tell each other the weights of their micro-batches first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from warmstart.base.errors import DivergenceError, WarmstartError
from warmstart.base.seeds import derive_seed
from warmstart.base.world import World
from warmstart.example.batch import Batch
from warmstart.models.head import DEFAULT_OPTIONS, LossOptions
from warmstart.models.model import Model, ModelOutput
from warmstart.models.terms import LossTerm, StepSeeds
from warmstart.train.average import EarlierWeights
from warmstart.train.optimizer import Optimizer
from warmstart.train.whole_step import whole_goals


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a training minimises: the sum over goals and further terms of coefficient · (Σ loss / Σ weight).

    Attributes:
        coefficients: name of a goal or term → how much it counts; what is not named is measured and not trained on.
        terms: name → a further term.
        options: how the softmax over the vocabulary learns.
        earlier: the weights that a term compares answers with, if one does; a training begins them anew.
    """

    coefficients: Mapping[str, float]
    terms: Mapping[str, LossTerm] = field(default_factory=dict)
    options: LossOptions = DEFAULT_OPTIONS
    earlier: EarlierWeights | None = None


class StepReport(NamedTuple):
    """What one step measured: mean loss per goal, gradient norm before clipping, tokens read."""

    losses: dict[str, float]
    grad_norm: float
    tokens: int


class StepOutput(NamedTuple):
    """A step that a device may still be at.

    Attributes:
        norm_and_losses: [1 + goals] gradient norm and mean losses, there.
        goals: their names.
        tokens: read by all processes.
        shortage: in words, where the memory of this process did not suffice; no process has changed a weight then.
    """

    norm_and_losses: torch.Tensor
    goals: tuple[str, ...]
    tokens: int
    shortage: str = ""

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


class StepOutOfMemory(WarmstartError):
    """Memory did not suffice for the gradient of a step; the weights are those from before it."""


def total_weights(batches: Sequence[Batch], terms: Mapping[str, LossTerm]) -> dict[str, float]:
    """Total weight of each term and each goal over all micro-batches."""
    totals: dict[str, float] = {}
    for batch in batches:
        weights = {name: term.weight(batch) for name, term in terms.items()}
        for name, weight in (weights | {name: goal.total_weight for name, goal in batch.goals.items()}).items():
            totals[name] = totals.get(name, 0.0) + weight
    return totals


class StepTotals(NamedTuple):
    """A step over all processes: the weight of each goal and term, tokens, and the most micro-batches that one has."""

    weights: dict[str, float]
    tokens: int
    most_batches: int


def sum_totals(world: World, batches: Sequence[Batch], terms: Mapping[str, LossTerm]) -> StepTotals:
    """The totals of a step, from the micro-batches of every process."""
    own = [total_weights(batches, terms), sum(batch.num_tokens for batch in batches), len(batches)]
    weights: dict[str, float] = {}
    tokens = most = 0
    for found, read, count in world.gather(own):
        weights |= {name: weights.get(name, 0.0) + weight for name, weight in found.items()}
        tokens, most = tokens + read, max(most, count)
    return StepTotals(weights, tokens, most)


def accumulate(
    model: Model, optimizer: Optimizer, batches: Sequence[Batch], criterion: Criterion, seed: int
) -> dict[str, torch.Tensor]:
    """Leaves the gradient of ``criterion`` in the optimizer's weights; returns the mean losses.

    Nothing here waits for the device.

    Args:
        model: in training mode.
        optimizer: whose weights are those of ``model``.
        batches: the micro-batches of this step, of this process.
        criterion: what is minimised.
        seed: names the dropout masks of this step, and the tokens that a sampled softmax learns from.
    """
    totals = sum_totals(optimizer.weights.world, batches, criterion.terms)
    return _reduce(optimizer, _accumulate_own(model, optimizer, batches, criterion, seed, totals), totals)


def _reduce(optimizer: Optimizer, sums: Mapping[str, torch.Tensor], totals: StepTotals) -> dict[str, torch.Tensor]:
    """Adds up gradient and losses over all processes; returns the mean losses."""
    optimizer.weights.reduce_gradients()
    return _means(optimizer.weights.world, sums, {name: total for name, total in totals.weights.items() if total > 0})


def _accumulate_own(
    model: Model, optimizer: Optimizer, batches: Sequence[Batch], criterion: Criterion, seed: int, totals: StepTotals
) -> dict[str, torch.Tensor]:
    """Leaves the gradient of this process's micro-batches in the optimizer's weights; returns the sums of their losses."""
    weights, world = optimizer.weights, optimizer.weights.world
    factors = {
        name: criterion.coefficients.get(name, 0.0) / total for name, total in totals.weights.items() if total > 0
    }
    all_states = any(term.needs_all_states for term in criterion.terms.values())
    # One seed for the whole step, so that it may be split in any way.
    options = criterion.options._replace(seed=derive_seed(seed, "softmax"))
    own = weights.padded(batches, totals.most_batches)
    seeds = [StepSeeds(seed, derive_seed(seed, number * world.size + world.rank)) for number in range(len(own))]

    def read(number: int) -> ModelOutput:
        torch.manual_seed(seeds[number].masks)
        return model.run(own[number], all_states=all_states)

    weights.clear(len(own))
    whole = whole_goals(model, batches, read, options)
    sums = {name: goal.loss.sum for name, goal in whole.items()}
    for number, batch in enumerate(own):
        output, is_real = read(number), number < len(batches)
        alone = output._replace(reads={name: states for name, states in output.reads.items() if name not in whole})
        losses = _losses(model, alone, batch, criterion.terms, options, seeds[number])
        for name, loss in losses.items() if is_real else ():
            sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
        losses |= {name: goal.stand_in(output.reads, name, number) for name, goal in whole.items()}
        total = _weigh(losses, {name: factor * is_real for name, factor in factors.items()}, weights.always_backward)
        if total is not None and total.requires_grad:  # a term may find nothing in a micro-batch
            total.backward()  # type: ignore[no-untyped-call]
    return sums


def _weigh(losses: Mapping[str, torch.Tensor], factors: Mapping[str, float], always: bool) -> torch.Tensor | None:
    """Σ factor · loss; ``always``: also where all factors are 0, so that a gradient of zeros is computed."""
    total: torch.Tensor | None = None
    for name, loss in losses.items():
        factor = factors.get(name, 0.0)
        if factor != 0 or always:
            part = loss * factor
            total = part if total is None else total + part
    return total


def _means(world: World, sums: Mapping[str, torch.Tensor], totals: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """The mean loss of each goal and term over all processes."""
    if world.size == 1:
        return {name: found / totals[name] for name, found in sums.items() if name in totals}
    zero = torch.zeros((), device=world.device)
    every = world.sum_(torch.stack([sums.get(name, zero).float() for name in totals]))
    return {name: found / totals[name] for name, found in zip(totals, every.unbind(), strict=True)}


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
    """Gradient, clipping, update; where the gradient or a loss is not finite, no update, now or in any later step.

    Of several processes with all weights each the others learn of a want of memory by a gradient that is no number, so that
    they need not ask in every step.

    Raises:
        StepOutOfMemory: before the update, of one process, or of one with a part of the weights, which the others wait for.
    """
    weights, shortage = optimizer.weights, ""
    totals = sum_totals(weights.world, batches, criterion.terms)
    try:
        sums = _accumulate_own(model, optimizer, batches, criterion, seed, totals)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        shortage = (
            f"out of memory with {len(batches)} micro-batch(es) of at most {max(b.num_tokens for b in batches):,} tokens: "
            "try a smaller model, shorter texts (--context) or more memory; --resume goes on from the last checkpoint."
        )
        if weights.world.size == 1 or weights.world.shards:
            raise StepOutOfMemory(shortage) from None
        sums = {}
    if shortage:  # outside of the block whose error holds on to the tensors of the step
        weights.spoil_gradients()
    losses = _reduce(optimizer, sums, totals)
    norm = optimizer.gradient_norm()
    norm_and_losses = torch.stack([norm, *losses.values()])
    optimizer.skip_updates_if_nonfinite(norm_and_losses.isfinite().all())
    optimizer.update(factor, norm)
    return StepOutput(norm_and_losses, tuple(losses), totals.tokens, shortage)


def _is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """On a CPU torch has no class of its own for it."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
