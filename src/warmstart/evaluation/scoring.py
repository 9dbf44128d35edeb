"""From right and told answers to metrics with intervals, for each goal in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from warmstart.evaluation.spans import Found, tuned_threshold
from warmstart.metrics.bootstrap import bootstrap_interval, bootstrap_ratio
from warmstart.metrics.comparison import is_collapsed
from warmstart.metrics.metric import METRICS, default_metrics
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.spans import span_ratios
from warmstart.metrics.tagging import entity_metrics, entity_ratios, tag_ratios
from warmstart.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Judged:
    """Measures, their intervals (empty where none were asked for), and whether one answer for everything does as well."""

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    collapsed: bool


def judge(spec: TaskSpec, targets: Sequence[Any], predictions: Sequence[Any], seed: int | None) -> Judged:
    """Judges answers.

    Args:
        spec: the task.
        targets: per Record a class, score or marks; the tags of its words; or the texts of its right answers.
        predictions: the same; for spans one text each.
        seed: of the intervals, which are drawn over Records; ``None``: no intervals.
    """
    if spec.goal == "tags":
        return _judge_tags(spec.measured, targets, predictions, seed)
    if spec.goal == "span":
        same = len(set(predictions)) == 1 < len(set(map(tuple, targets)))
        return _tallied(span_ratios(targets, predictions), seed, same)
    truth, told = np.array(targets), np.array(predictions)
    names = default_metrics(spec.goal, spec.outputs)
    bounds = [] if seed is None else [bootstrap_interval(name, truth, told, seed) for name in names]
    return Judged(
        {name: METRICS[name](truth, told) for name in names},
        {name: [found.low, found.high] for name, found in zip(names, bounds, strict=False)},
        is_collapsed(truth, told),
    )


def _judge_tags(measured: str, targets: Sequence[Any], predictions: Sequence[Any], seed: int | None) -> Judged:
    words = np.array(list(chain(*targets))), np.array(list(chain(*predictions)))
    if measured != "entities":
        return _tallied(tag_ratios(targets, predictions), seed, is_collapsed(*words))
    # Few words are part of an entity, so a tagger may be of use that gets fewer words right than "O" everywhere does.
    same = len(set(words[1])) == 1 < len(set(words[0]))
    found = _tallied(entity_ratios(targets, predictions), seed, same)
    return Judged(entity_metrics(targets, predictions), found.intervals, same)


def _tallied(tallies: dict[str, Ratio], seed: int | None, same: bool) -> Judged:
    bounds = {} if seed is None else {name: bootstrap_ratio(tally, seed) for name, tally in tallies.items()}
    return Judged(
        {name: tally.value for name, tally in tallies.items()},
        {name: [found.low, found.high] for name, found in bounds.items()},
        same,
    )


def with_threshold(spec: TaskSpec, found: Sequence[Found], answers: Sequence[Sequence[str]]) -> TaskSpec:
    """The task with the threshold that suits these questions best; as it is, where answers are always given."""
    if spec.span.threshold is None:
        return spec
    tuned = spec.span.model_copy(update={"threshold": tuned_threshold(found, answers)})
    return spec.model_copy(update={"span": tuned})
