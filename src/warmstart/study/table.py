"""What a study has found: its table, every comparison with how sure it is, and the answer in one sentence.

The first row of a table is asked about. In each column it is compared with every other row and with the best baseline, over
seeds and examples together (:mod:`~warmstart.metrics.comparison`), and Holm's correction covers the whole table: with twenty
comparisons one of them is "significant" by chance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from warmstart.metrics.comparison import Comparison, compare, in_points, mean_std, needs
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.metrics.names import GENERATION_METRICS
from warmstart.metrics.paired import holm
from warmstart.study.paired import PairedTests, paired_tests
from warmstart.study.store import Result

Results = Mapping[str, Mapping[str, Sequence[Result]]]
"""Column → row → results by seed."""
SURE = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """The first row of a column beside another.

    Attributes:
        column: where both stand.
        other: the other row, or the best baseline.
        found: the comparison over seeds and examples.
        paired: tests over the examples alone.
        p: of the comparison, after Holm's correction for the whole table.
        p_paired: of approximate randomisation, likewise; NaN where there is none.
        of_models: whether these very models are compared, not the recipes that another seed would follow: then the choice
            of the examples is all that is chance.
    """

    column: str
    other: str
    found: Comparison
    paired: PairedTests
    p: float = math.nan
    p_paired: float = math.nan
    of_models: bool = False


@dataclass(frozen=True, slots=True)
class StudyTable:
    """All results of a study so far.

    Attributes:
        metric: that decides.
        split: that all are compared on.
        examples: how many that has.
        trials: what was trained.
        baselines: what was not, in the same form; one result where the data are the same for all seeds.
        draws: whether each seed has drawn its own examples.
    """

    metric: str
    split: str
    examples: int
    trials: Results
    baselines: Results = field(default_factory=dict)
    draws: bool = False

    def comparisons(self) -> list[Compared]:
        """The first row of each column with all others."""
        found: list[Compared] = []
        for column, rows in self.trials.items():
            main, *others = rows
            sides = {row: rows[row] for row in others}
            if best := self.best_baseline(column):
                sides[best] = self.baselines[column][best]
            found += [
                Compared(column, row, self._compare(main, rows[main], row, side), paired_tests(rows[main], side))
                for row, side in sides.items()
            ]
        return corrected(found)

    def best_baseline(self, column: str) -> str:
        """The baseline that did best on the very examples; empty where there is none."""
        sign = -1 if self.metric in LOWER_IS_BETTER else 1
        found = self.baselines.get(column, {})
        return max(found, key=lambda name: sign * _mean(found[name]), default="")

    def _compare(self, main: str, ours: Sequence[Result], row: str, theirs: Sequence[Result]) -> Comparison:
        values = [[one.pseudo_values for one in side] for side in (ours, theirs)]
        pairs = None if not all(map(all, values)) else (values[0], values[1])
        return compare(
            [one.value for one in ours], [one.value for one in theirs], self.metric, pseudo_values=pairs,
            split=self.split, examples=self.examples, sides=(main, row), draws=self.draws,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """What stands in ``study.json``."""
        comparisons = self.comparisons()
        return {
            "metric": self.metric, "split": self.split, "examples": self.examples,
            "answer": answer(self, comparisons),
            "table": table_rows(self.trials), "baselines": table_rows(self.baselines),
            "comparisons": [comparison_to_dict(one) for one in comparisons],
        }  # fmt: skip


def corrected(found: Sequence[Compared]) -> list[Compared]:
    """The same with Holm's correction for all together."""
    sure = holm([one.found.p for one in found])
    paired = holm([math.nan if (p := one.paired.p_randomisation) is None else p for one in found])
    return [replace(one, p=p, p_paired=q) for one, p, q in zip(found, sure, paired, strict=True)]


def answer(table: StudyTable, comparisons: Sequence[Compared]) -> str:
    """The study in sentences, about its first and its last column.

    The first row stands beside the best baseline there, and beside the row that differs most from it.
    """
    columns = list(dict.fromkeys(one.column for one in comparisons))
    parts = []
    for column in dict.fromkeys([columns[0], columns[-1]] if columns else []):
        best, own = table.best_baseline(column), [one for one in comparisons if one.column == column]
        parts += [said(one) for one in own if one.other == best]
        others = [one for one in own if one.other != best]
        parts += [said(max(others, key=lambda one: abs(one.found.gain)))] if others else []
    return " ".join(parts)


def said(one: Compared) -> str:
    """One comparison as a sentence."""
    found, place = one.found, _place(one.column)
    size, is_gain = in_points(found.metric, abs(found.gain)), found.gain >= 0
    if found.metric in LOWER_IS_BETTER:
        change = f"{'lowers' if is_gain else 'raises'} {found.metric} by {size} against"
    else:
        change = f"{'gains' if is_gain else 'loses'} {size} points of {found.metric} {'over' if is_gain else 'against'}"
    head = f"{place}{found.subject} {change} {one.other}"
    if math.isnan(found.low):
        return f"{head}; one seed and no interval."
    low, high = (in_points(found.metric, bound) for bound in (found.low, found.high))
    return f"{head} (95 % interval {low} to {high}): {verdict(one)}."


def _place(column: str) -> str:
    """How a sentence about a column begins: how many labels there are, or of which task it is."""
    if column.endswith("%"):
        return f"With {column} of the labels, "
    return f"With {column} labels, " if column.isdigit() else f"{column}: " if column else ""


def verdict(one: Compared) -> str:
    """What may be claimed of a difference."""
    if one.found.seeds < 2 and not one.of_models:
        return "one seed says nothing about others"
    if one.p < SURE:
        return "significant"
    return "unsure beside the other comparisons" if one.found.p < SURE else "inside the noise"


def comparison_to_dict(one: Compared) -> dict[str, Any]:
    """What stands in ``study.json``."""
    found, p = one.found, one.p
    wanted = 1.0 if found.metric in GENERATION_METRICS else 0.01
    taken = None if found.metric in LOWER_IS_BETTER else needs(found, wanted)
    return {
        "column": one.column, "main": found.subject, "other": one.other, "gain": found.gain,
        "interval": None if math.isnan(found.low) else [found.low, found.high],
        "p": None if math.isnan(found.p) else found.p, "p_holm": None if math.isnan(p) else p,
        "paired": one.paired.to_dict() | {"p_holm": None if math.isnan(one.p_paired) else one.p_paired},
        "verdict": verdict(one), "sentence": said(one) if one.of_models else found.sentence(),
        "detectable": None if taken is None else taken.detectable,
        "examples_for_a_point": None if taken is None else taken.examples,
        "seeds_for_a_point": None if taken is None or one.of_models else taken.seeds,
    }  # fmt: skip


def table_rows(results: Results) -> list[dict[str, Any]]:
    """What stands in ``study.json`` of each row in each column."""
    return [_row(column, row, found) for column, rows in results.items() for row, found in rows.items()]


def _row(column: str, row: str, found: Sequence[Result]) -> dict[str, Any]:
    values = mean_std([one.value for one in found])
    return {
        "column": column, "row": row, "mean": values.mean, "std": values.std, "values": list(values.values),
        "dev": [one.dev for one in found], "seconds": sum(one.seconds for one in found),
        "collapsed": sum(one.collapsed for one in found), "trials": [one.name for one in found], "what": found[0].what,
    }  # fmt: skip


def _mean(found: Sequence[Result]) -> float:
    return float(np.mean([one.value for one in found]))
