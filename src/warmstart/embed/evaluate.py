"""Sources against tests: values with intervals and coverage, and whether one source is better than another.

A source answers only what it has vectors for. So each value is given over the items that the source covers, over all items
(an item that is not covered is wrong) where the metric is a mean, and over those that every source covers: only the last
compare sources. Comparisons are of the main metric over these, corrected by Holm's method over all comparisons of a call.
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.embed.downstream import correlate
from warmstart.embed.probes import EmbeddingTest, Steps
from warmstart.embed.space import Space
from warmstart.metrics.bootstrap import ConfidenceInterval, bootstrap_interval, bootstrap_ratio
from warmstart.metrics.metric import METRICS
from warmstart.metrics.paired import PairedTest, compare_exchanged, compare_means, holm
from warmstart.metrics.ratio import Ratio

Kept = NDArray[np.bool_]
"""[Q] which items count."""
SPEARMAN = "spearman"
_SEED = 0


def evaluate_spaces(spaces: Sequence[Space], tests: Sequence[EmbeddingTest], steps: Steps) -> list[dict[str, Any]]:
    """The results of every test, in order.

    Each is {"test", "kind", "items", "matched_items", "sources": {source: {"covered", "metrics", "intervals", …}},
    "comparisons": [{"first", "second", "metric", "difference", "p_permutation", "p_holm", …}]}. A value of too few items
    is ``None``.

    Raises:
        BadInput: a test of which no source covers an item.
    """
    results = [_evaluate(spaces, test, steps) for test in tests]
    found = [comparison for result in results for comparison in result["comparisons"]]
    for comparison, corrected in zip(found, holm([one["p_permutation"] for one in found]), strict=True):
        comparison["p_holm"] = corrected
    return results


def correlations(tests: Sequence[EmbeddingTest], results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether the sources that are good at a test are good at a task that vectors serve, by the main metrics.

    Of each task with each other test of at least four sources {"downstream", "intrinsic", "sources", "pearson", "interval",
    "spearman", "p_permutation", "p_holm"}.
    """
    values = [
        np.array([own["matched"][main_metric(test)] for own in result["sources"].values()], np.float64)  # None: NaN
        for test, result in zip(tests, results, strict=True)
    ]
    tasks, others = ([n for n, test in enumerate(tests) if test.downstream is kept] for kept in (True, False))
    found = [
        {"downstream": tests[task].name, "intrinsic": tests[other].name} | asdict(correlation)
        for task, other in product(tasks, others)
        if (correlation := correlate(values[other], values[task])) is not None
    ]
    for one, corrected in zip(found, holm([one["p_permutation"] for one in found]), strict=True):
        one["p_holm"] = corrected
    return found


def _evaluate(spaces: Sequence[Space], test: EmbeddingTest, steps: Steps) -> dict[str, Any]:
    scores = {space.name: test.scores(space, steps) for space in spaces}
    covered = [is_covered(own) for own in scores.values()]
    if not np.any(covered):
        raise BadInput(
            "no source has the vectors that any item of this test needs", where=test.name, value=", ".join(scores),
            next_step="use sources for the language and the case of these words",
        )  # fmt: skip
    matched = np.all(covered, axis=0)
    return {
        "test": test.name,
        "kind": test.kind,
        "items": len(matched),
        "matched_items": int(matched.sum()),
        "sources": {name: _of_source(test, own, matched) for name, own in scores.items()},
        "comparisons": [
            {"first": first, "second": second, "metric": main_metric(test)}
            | asdict(_compare(test, scores[first], scores[second], matched))
            for first, second in combinations(scores, 2)
            if matched.sum() > 1
        ],
    }


def is_covered(scores: Floats) -> Kept:
    """[Q] whether each item has a score."""
    return np.asarray(~np.isnan(scores).reshape(len(scores), -1).any(axis=1))


def main_metric(test: EmbeddingTest) -> str:
    """The metric that compares sources."""
    return next(iter(test.means), SPEARMAN)


def _of_source(test: EmbeddingTest, scores: Floats, matched: Kept) -> dict[str, Any]:
    covered = is_covered(scores)
    bounds = {name: interval(test, name, scores, covered) for name in test.means or (SPEARMAN,)}
    found: dict[str, Any] = {
        "covered": int(covered.sum()),
        "metrics": {name: one and one.value for name, one in bounds.items()},
        "intervals": {name: one and [one.low, one.high] for name, one in bounds.items()},
        "matched": {name: (one := interval(test, name, scores, matched)) and one.value for name in bounds},
    }
    if test.means:
        found["all"] = {name: (value or 0.0) * float(covered.mean()) for name, value in found["metrics"].items()}
    if len(set(test.sections)) > 1:
        found["sections"] = _sections(test, scores, covered)
    return found


def interval(test: EmbeddingTest, metric: str, scores: Floats, kept: Kept) -> ConfidenceInterval | None:
    """The metric over the items that are kept, with its bootstrap interval; ``None`` where these are too few."""
    if kept.sum() < (2 if test.gold is not None else 1):
        return None
    if test.gold is not None:
        return bootstrap_interval(SPEARMAN, test.gold[kept], scores[kept], _SEED)
    values = np.asarray(test.means[metric](scores[kept]), np.float64)
    return bootstrap_ratio(Ratio(values, np.ones_like(values)), _SEED)


def _sections(test: EmbeddingTest, scores: Floats, covered: Kept) -> dict[str, Any]:
    """The main metric by section, with how many items it has and how many are covered."""
    names, main = np.array(test.sections), test.means[main_metric(test)]
    found = {}
    for name in dict.fromkeys(test.sections):
        kept = covered & (names == name)
        value = float(main(scores[kept]).mean()) if kept.any() else 0.0
        found[name] = {"items": int((names == name).sum()), "covered": int(kept.sum()), main_metric(test): value}
    return found


def _compare(test: EmbeddingTest, first: Floats, second: Floats, kept: Kept) -> PairedTest:
    if test.gold is not None:
        return compare_exchanged(METRICS[SPEARMAN], test.gold[kept], first[kept], second[kept], _SEED)
    main = test.means[main_metric(test)]
    return compare_means(main(first[kept]), main(second[kept]), _SEED)
