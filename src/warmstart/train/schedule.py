"""Learning-rate schedules: a factor between 0 and 1 as a function of the step, so that nothing has to be saved."""

import math

from warmstart.train.settings import ScheduleSettings


def factor(settings: ScheduleSettings, step: int, steps: int, warmup_steps: int) -> float:
    """The share of the peak rate that update ``step`` (from 0) of ``steps`` is taken with; never 0 within the run.

    Radford et al. 2018, section 4.1: linear warm-up, then cosine (pre-training) or linear (fine-tuning) to 0.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if settings.decay == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    left = 1 - progress if settings.decay == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    return settings.final_frac + (1 - settings.final_frac) * left
