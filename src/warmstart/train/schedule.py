"""Lengths of a run in steps, and its learning rate as a function of the step, so that nothing has to be saved."""

import math
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.base.settings import resolved
from warmstart.base.units import Length
from warmstart.streams.stream import BatchStream, typical_tokens
from warmstart.train.settings import ScheduleSettings, TrainSettings

SLANT = 32  # the peak over the lowest rate of a slanted triangle


class Lengths(NamedTuple):
    """Lengths in steps: of the run, its warm-up and cooldown, between two evaluations and between two layers that thaw.

    The warm-up is whole but for slanted triangles and the schedules of 2018, where it is an exact share of the run. Where
    all layers move from the start, ``unfreeze_steps`` is 0.
    """

    steps: int
    warmup_steps: float
    cooldown_steps: int
    evaluate_steps: int
    unfreeze_steps: int = 0
    step_after: int = 0
    step_every: int = 1


def plan_lengths(settings: TrainSettings, stream: BatchStream) -> Lengths:
    """Turns the lengths in ``settings`` into steps of ``stream``; an item's tokens are estimated from a typical step.

    Raises:
        BadInput: a length without its unit, or a warm-up and a cooldown that do not fit into the run together.
    """
    schedule = settings.schedule
    sizes: dict[str, Any] = {"steps_per_epoch": stream.steps_per_epoch, "tokens_per_step": typical_tokens(stream)}
    steps = max(1, Length.parse(resolved(settings.length), "length").to_steps(**sizes))
    sizes["run_steps"] = steps
    rise = Length.parse(schedule.warmup, "schedule.warmup")
    exact = schedule.decay.endswith("-2018") or schedule.decay == "slanted"
    warmup = rise.to_exact_steps(**sizes) if exact else rise.to_steps(**sizes)
    fall = Length.parse(schedule.cooldown, "schedule.cooldown")
    cooldown = fall.to_exact_steps(**sizes) if schedule.decay == "wsd" else 0
    evaluate = Length.parse(resolved(settings.evaluate_every), "evaluate_every").to_steps(**sizes)
    if cooldown and rise.to_exact_steps(**sizes) + cooldown > steps + 1e-6:
        raise BadInput(
            "warm-up and cooldown do not fit into the run together", where="--cooldown",
            value=f"{warmup:,} and {math.ceil(cooldown):,} steps", allowed=f"{steps:,} steps in all",
            next_step="shorten one of them",
        )  # fmt: skip
    thaw = 0 if settings.unfreeze is None else max(1, Length.parse(settings.unfreeze, "unfreeze").to_steps(**sizes))
    cooldown_steps = min(math.ceil(cooldown), steps - math.ceil(warmup))  # of a few steps both are rounded up
    after, every = (
        Length.parse(text, f"schedule.{name}").to_steps(**sizes)
        for name, text in (("step_after", schedule.step_after), ("step_every", schedule.step_every))
    )
    return Lengths(steps, warmup, cooldown_steps, max(1, evaluate), thaw, after, max(1, every))


def num_unfrozen_layers(step: int, plan: Lengths) -> int | None:
    """How many layers, counted from the heads, move in update ``step``; ``None``: all."""
    return 1 + step // plan.unfreeze_steps if plan.unfreeze_steps else None


def factor(settings: ScheduleSettings, step: int, plan: Lengths) -> float:
    """The share of the peak rate that update ``step`` (from 0) is taken with.

    Radford et al. 2018, section 4.1: linear warm-up, then cosine (pre-training) or linear (fine-tuning) to 0. It is never
    0 within the run, except for the schedules of 2018: the released code reads its schedule before it counts the update.
    """
    if settings.decay.endswith("-2018"):
        return _released_factor(settings.decay, step, plan)
    if settings.decay == "slanted":
        cut = math.floor(plan.warmup_steps)
        share = step / cut if step < cut else 1 - (step - cut) / (plan.steps - cut)
        return (1 + share * (SLANT - 1)) / SLANT
    if step < plan.warmup_steps:
        return (step + 1) / (plan.warmup_steps + 1)
    if settings.decay == "constant":
        return 1.0
    if settings.decay == "step":
        return float(settings.step_factor ** (max(0, step - plan.step_after) // plan.step_every))
    flat = plan.steps - plan.cooldown_steps if settings.decay == "wsd" else plan.warmup_steps
    progress = max(0, step - flat) / max(1, plan.steps - flat)
    left = 0.5 * (1 + math.cos(math.pi * progress)) if settings.decay == "cosine" else 1 - progress
    return settings.final_frac + (1 - settings.final_frac) * left


def _released_factor(decay: str, step: int, plan: Lengths) -> float:
    """The schedules of GPT-1's released code: x is the share of the run that is over, w the warm-up's share.

    Linear: (x / w up to w, then 1) · (1 - x). Cosine: x / w up to w, then ½ (1 + cos πx). Neither starts anew after the
    warm-up, so the linear one never reaches the peak and the cosine one jumps by a hair.
    """
    over = step / plan.steps
    rising = plan.warmup_steps > 0 and step <= plan.warmup_steps
    rise = step / plan.warmup_steps if rising else 1.0
    if decay == "linear-2018":
        return rise * (1 - over)
    return rise if rising else 0.5 * (1 + math.cos(math.pi * over))
