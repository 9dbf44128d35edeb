"""The demo's budget: what follows from a speed, and that a demo that goes on keeps to it."""

from pathlib import Path

import pytest

from warmstart.demo import budget as module
from warmstart.demo.budget import (
    LEAST_TOKENS,
    MOST_TOKENS,
    TIME_S,
    TUNING_TOKENS,
    Budget,
    choose_budget,
    read_or_choose_budget,
)
from warmstart.demo.run import pretraining


@pytest.mark.parametrize("speed", [300.0, 1500.0, 2500.0, 3800.0, 7500.0, 40_000.0])
def test_the_budget_fits_into_the_time(speed: float) -> None:
    """Invariant: never longer than the time, unless it is the least of all; never much shorter, unless it is the most."""
    chosen = choose_budget(speed)
    if chosen.seconds > TIME_S:
        assert (chosen.tokens, chosen.epochs) == (LEAST_TOKENS, min(TUNING_TOKENS))
    elif chosen.tokens < MOST_TOKENS:
        assert (chosen.seconds + 100_000 / speed) >= TIME_S or chosen.epochs == min(TUNING_TOKENS)
    assert LEAST_TOKENS <= chosen.tokens <= MOST_TOKENS


def test_a_faster_machine_never_gets_less() -> None:
    """Invariant: over a range of speeds, tokens and epochs together grow."""
    costs = [choose_budget(float(s)) for s in range(200, 20_000, 50)]
    sums = [c.tokens + TUNING_TOKENS[c.epochs] for c in costs]
    assert sums == sorted(sums) and sums[0] < sums[-1]


def test_a_demo_that_goes_on_keeps_its_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: another speed at the second start, which must not change the recipe that the run began with."""
    speeds = iter([3000.0, 9000.0])
    monkeypatch.setattr(module, "measure_speed", lambda recipe: next(speeds))
    file, recipe = tmp_path / "demo" / "budget.json", pretraining(tmp_path, LEAST_TOKENS)
    first = read_or_choose_budget(file, recipe)
    assert first == choose_budget(3000.0) and read_or_choose_budget(file, recipe) == first


def test_the_sentence() -> None:
    """Witness: written here by hand."""
    assert Budget(3812.4, 900_000, 3).sentence() == (
        "This machine trains 3,812 tokens/s: 0.9M tokens of pre-training and 3 epochs of fine-tuning, in about 5m46s."
    )
