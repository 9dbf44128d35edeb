"""Lengths in steps and rates by step."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.schedule import Lengths, factor, num_unfrozen_layers, plan_lengths
from warmstart.train.settings import ScheduleSettings, TrainSettings


def planned(length: str, **schedule: Any) -> Lengths:
    """For an epoch of 7 steps."""
    stream = Stream(ListSource([causal(np.arange(5)) for _ in range(28)]), 4, 1)
    return plan_lengths(TrainSettings(length=length, batch_size=4, schedule=ScheduleSettings(**schedule)), stream)


def test_wsd_is_three_straight_lines() -> None:
    """Witness: the three pieces by NumPy's interpolation through their ends."""
    settings = ScheduleSettings(decay="wsd", warmup="10 steps", cooldown="0.25 run", final_frac=0.1)
    plan = planned("100 steps", **settings.model_dump())
    assert plan[:3] == (100, 10, 25)
    found = [factor(settings, step, plan) for step in range(100)]
    assert found == pytest.approx(np.interp(np.arange(100), [-1, 10, 75, 100], [0, 1, 1, 0.1]))


def test_wsd_without_cooldown_is_constant() -> None:
    """Witness: the constant schedule."""
    settings = ScheduleSettings(decay="wsd", warmup="3 steps", cooldown="0 steps")
    plan = planned("20 steps", **settings.model_dump())
    constant = settings.model_copy(update={"decay": "constant"})
    assert [factor(settings, s, plan) for s in range(20)] == [factor(constant, s, plan) for s in range(20)]


def test_steps_down_are_torchs_after_a_while() -> None:
    """Witness: torch's StepLR, begun after 40 steps at the peak; Ramachandran et al. 2016 have 0.8 every 50,000."""
    settings = ScheduleSettings(decay="step", warmup="0 steps", step_after="40 steps", step_every="15 steps")
    plan = planned("100 steps", **settings.model_dump())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.8)
    wanted = [1.0] * 40
    for _ in range(60):
        wanted += theirs.get_last_lr()
        optimizer.step()
        theirs.step()
    assert [factor(settings, step, plan) for step in range(100)] == pytest.approx(wanted)


def test_warm_up_and_cooldown_have_to_fit() -> None:
    """Invariant: refused with both lengths; the other schedules do not care how long a cooldown would be."""
    with pytest.raises(BadInput, match=r"--cooldown: .*got '15 and 6 steps'; allowed: 20 steps"):
        planned("20 steps", decay="wsd", warmup="15 steps", cooldown="0.3 run")
    assert planned("20 steps", decay="linear", warmup="15 steps", cooldown="0.3 run").cooldown_steps == 0


@pytest.mark.parametrize("warmup", [0.0, 0.002, 0.25, 0.37])
@pytest.mark.parametrize("decay", ["linear-2018", "cosine-2018"])
def test_schedules_of_2018(decay: str, warmup: float) -> None:
    """Witness: the two formulas of the released code, as the paper's supplement has them, in one line each."""
    settings = ScheduleSettings(decay=decay, warmup=f"{warmup} run")  # type: ignore[arg-type]
    plan = planned("3 epochs", **settings.model_dump())
    x = np.arange(plan.steps) / plan.steps
    with np.errstate(invalid="ignore"):
        rising = np.where(x <= warmup, x / np.float64(warmup), 1) if warmup else np.ones(len(x))
    after = 1 - x if decay == "linear-2018" else 0.5 * (1 + np.cos(np.pi * x))
    wanted = rising * after if decay == "linear-2018" else np.where((x <= warmup) & (warmup > 0), rising, after)
    assert [factor(settings, step, plan) for step in range(plan.steps)] == pytest.approx(wanted, abs=1e-12)
    assert (factor(settings, 0, plan) == 0) == (warmup > 0)


def test_the_slanted_triangle() -> None:
    """Witness: equation 3 of Howard and Ruder 2018, symbol by symbol."""
    settings = ScheduleSettings(decay="slanted", warmup="0.1 run")
    plan = planned("87 steps", **settings.model_dump())
    total, cut_frac, ratio = 87, 0.1, 32
    cut = int(total * cut_frac)
    for t in range(total):
        p = t / cut if t < cut else 1 - (t - cut) / (total - cut)
        assert factor(settings, t, plan) == pytest.approx((1 + p * (ratio - 1)) / ratio)


def test_one_more_layer_thaws_after_each_length() -> None:
    """Invariant: the heads alone at first, all in the end; without a length all at once."""
    stream = Stream(ListSource([causal(np.arange(5)) for _ in range(28)]), 4, 1)
    plan = plan_lengths(TrainSettings(length="3 epochs", batch_size=4, unfreeze="1 epoch"), stream)
    assert [num_unfrozen_layers(step, plan) for step in (0, 6, 7, 13, 14)] == [1, 1, 2, 2, 3]
    assert num_unfrozen_layers(0, planned("3 epochs")) is None
