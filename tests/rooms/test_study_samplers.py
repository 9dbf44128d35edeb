"""Searches: budgets by hand, Optuna's TPE, and what is said where that is missing."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import LabelledData
from warmstart.config.schema import TaskRecipe
from warmstart.config.study import StudyRecipe
from warmstart.example.record import Record
from warmstart.study.designs import DESIGNS
from warmstart.study.store import Result


def data(count: int) -> LabelledData:
    records = [Record({"text": f"{'glad' if n % 2 else 'sad'} {n}"}, n % 2) for n in range(count)]
    return LabelledData("classification", ("sad", "glad"), records, records[:10], records[:10])


def searched(recipe: StudyRecipe, dev: Callable[[float], float], seconds: float = 1.0) -> list[Any]:
    """The cells that a search tries, where dev is a function of the share of the rate, until the first to be confirmed."""
    rounds, tried = DESIGNS["search"].rounds(recipe, data(40)), []
    cells = next(rounds)
    while cells[0].tried:
        tried += cells
        shares = [cell.recipe.train.optimizer.peak / tried[0].recipe.train.optimizer.peak for cell in cells]
        cells = rounds.send([Result("x", 0.0, dev(share), [], seconds) for share in shares])
    return tried


def test_a_search_stops_where_its_minutes_are_spent():
    """Witness: trainings of 50 seconds by hand: two of them are past one minute, one is not."""
    recipe = StudyRecipe(design="search", start="none", task=TaskRecipe(name="classification"), trainings=9)
    for minutes, count in ((None, 9), (1.0, 2), (0.5, 1), (100.0, 9)):
        assert len(searched(recipe.model_copy(update={"minutes": minutes}), lambda _: 0.5, 50.0)) == count


def test_tpe_draws_near_what_did_well():
    """Witness: Optuna's own sampler; where a rate of a quarter is best it tries lower rates than chance does."""
    pytest.importorskip("optuna")
    recipe = StudyRecipe(design="search", start="none", task=TaskRecipe(name="classification"), trainings=24)

    def mean_log_rate(sampler: str) -> float:
        tried = searched(recipe.model_copy(update={"sampler": sampler}), lambda share: -abs(math.log(share / 0.25)))
        rates = [one.recipe.train.optimizer.peak for one in tried]
        assert len({one.row for one in tried}) == 24  # nothing is tried twice
        return float(np.mean(np.log(np.array(rates[12:]) / rates[0])))

    assert mean_log_rate("tpe") < mean_log_rate("random") - 0.3
    assert mean_log_rate("tpe") == mean_log_rate("tpe")  # and the same again


def test_without_optuna_a_search_by_tpe_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Invariant: one sentence with what to install."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    recipe = StudyRecipe(design="search", start="none", task=TaskRecipe(name="classification"), sampler="tpe")
    with pytest.raises(BadInput, match=r"--sampler.*'tpe'.*warmstart\[search\]"):
        next(DESIGNS["search"].rounds(recipe, data(40)))
