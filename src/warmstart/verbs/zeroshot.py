"""``warmstart zeroshot``: what a language model knows of a task that it was never trained on."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.console import progress_bar, say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.base.run_folder import RunFolder
from warmstart.build.zeroshot import find_task, scorer_of
from warmstart.config.zeroshot_requests import ZeroshotRequest
from warmstart.decode.packed import packed_softmax
from warmstart.metrics.generation import TextStatistics
from warmstart.models.softmax import SCORED
from warmstart.run.loading import load_run
from warmstart.verbs.output import check_output, row_lines, write_lines
from warmstart.zeroshot.outcome import (
    Outcome,
    chance_of,
    gain_of,
    metrics_of,
    part_of,
    statistics_of,
    text_statistics,
)
from warmstart.zeroshot.overlap import Grams, read_grams
from warmstart.zeroshot.task import OPTIONAL, Item, Options, ZeroshotTask


def zeroshot(request: ZeroshotRequest) -> dict[str, Any]:
    """Judges a file of a task.

    Returns:
        {"metrics", "intervals", "examples", "task"}; with training text also "parts", the same of the examples without and
        with overlap; with ``curve`` also what :func:`_curve` says.

    Raises:
        BadInput: no such run or task, a model that gives texts no likelihood, or a file of another task.
    """
    check_output(request.output)
    task, snapshots = find_task(request.task), _snapshots(request)
    _check_used(request, task)
    options = Options(request.encoding, request.shots, request.shots_data or "", request.seed, request.unconditional)
    judged = _judge(request.run, task, options, request)
    _check_best(request, chance_of(judged.outcomes), task)
    for line in _account(judged.outcomes):
        say(line)
    parts = _parts(judged.statistics, task.items(request.data, options), request) if request.overlap else {}
    curve = _curve(snapshots, task, options, request) if snapshots else {}
    if request.output is not None:
        write_lines(request.output, row_lines(request.output, (outcome.row for outcome in judged.outcomes)))
    return metrics_of(judged.statistics) | {"task": request.task} | parts | curve


class _Judged(NamedTuple):
    outcomes: list[Outcome]
    statistics: dict[str, TextStatistics]


def _judge(run: str, task: ZeroshotTask, options: Options, request: ZeroshotRequest) -> _Judged:
    scorer = scorer_of(load_run(run, request.precision), request.long_text, request.min_context)
    with packed_softmax(scorer.model.model, SCORED):
        outcomes = list(_shown(task.outcomes(task.items(request.data, options), scorer, options)))
    return _Judged(outcomes, statistics_of(outcomes) | text_statistics(outcomes, task.text_metrics))


def _snapshots(request: ZeroshotRequest) -> dict[int, Path]:
    """The models of the run on its way, where a curve is asked for.

    Raises:
        BadInput: none was kept, or a best score without a curve.
    """
    if not request.curve:
        if request.best is not None:
            raise BadInput(
                "only a curve has a best score",
                where="--best",
                value=request.best,
                next_step="add --curve, or leave it out",
            )
        return {}
    found = RunFolder(request.run).snapshots()
    if not found:
        raise BadInput(
            "no model was kept on the way of this run", where="--curve", value=request.run,
            next_step="pre-train with --snapshots, or leave --curve out",
        )  # fmt: skip
    return found


def _curve(
    snapshots: Mapping[int, Path], task: ZeroshotTask, options: Options, request: ZeroshotRequest
) -> dict[str, Any]:
    """What the models on the way of a pre-training know, and what the last one gained over the first.

    Returns:
        {"run", "curve", "main", "chance", "best", "gain"}: "curve" has the metrics and intervals by step; "main" is the
        metric of the picture, "chance" what a guess is worth by it, or ``None``, "best" the score that counts as 1, and
        "gain" the value and the interval of the last model's gain over the first one.
    """
    judged = {step: _judge(str(folder), task, options, request) for step, folder in snapshots.items()}
    points = []
    for step, one in judged.items():
        found = metrics_of(one.statistics)
        points.append({"step": step, "metrics": found["metrics"], "intervals": found["intervals"]})
    every = list(judged.values())
    gain = gain_of(every[0].statistics[task.main], every[-1].statistics[task.main])
    return {
        "run": request.run, "curve": points, "main": task.main, "chance": chance_of(every[-1].outcomes),
        "best": 1.0 if request.best is None else request.best,
        "gain": {"value": gain.value, "low": gain.low, "high": gain.high},
    }  # fmt: skip


def _check_used(request: ZeroshotRequest, task: ZeroshotTask) -> None:
    """Refuses options that would change nothing.

    Raises:
        BadInput: this task has no use for one of them, or examples are named and none is shown.
    """
    given = [name for name in OPTIONAL if getattr(request, name) != ZeroshotRequest.model_fields[name].default]
    for name in given:
        if name not in task.uses:
            raise BadInput(
                "this task has no use for it", where=f"--{name.replace('_', '-')}", value=getattr(request, name),
                allowed="tasks that docs/zeroshot.md names", next_step="leave it out",
            )  # fmt: skip
    if request.shots_data is not None and not request.shots:
        raise BadInput(
            "examples to draw from, and none is shown", where="--shots-data", value=request.shots_data,
            next_step="add --shots K, or leave it out",
        )  # fmt: skip


def _check_best(request: ZeroshotRequest, chance: float | None, task: ZeroshotTask) -> None:
    """Refuses a best score that guesses reach.

    Raises:
        BadInput: ``best`` is no more than ``chance``.
    """
    best = 1.0 if request.best is None else request.best
    if request.curve and chance is not None and best <= chance:
        raise BadInput(
            "the best score is not above chance", where="--best", value=best, allowed=f"more than {chance:.4g}",
            next_step=f"name a published {task.main} of {request.task}, as a share of 1",
        )  # fmt: skip


def _parts(statistics: Mapping[str, TextStatistics], items: Iterable[Item], request: ZeroshotRequest) -> dict[str, Any]:
    """{"parts"}: the metrics of the examples of which no n-gram stands in the training text, and of the others."""
    corpus = read_grams(request.overlap, Grams(), request.encoding)
    seen = np.array([one.found > 0 for one in corpus.overlaps(item.text for item in items)])
    chosen = {"without overlap": ~seen, "with overlap": seen}
    return {"parts": {name: metrics_of(part_of(statistics, rows)) for name, rows in chosen.items() if rows.any()}}


def _shown(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    with progress_bar("judging", None) as bar:
        for outcome in outcomes:
            yield outcome
            bar.advance(1)


def _account(outcomes: list[Outcome]) -> Iterator[str]:
    """What a person should know of how the texts were read."""
    cut = sum(bool(outcome.row.get("cut")) for outcome in outcomes)
    spans = sum(bool(outcome.row.get("spans_border")) for outcome in outcomes)
    if cut:
        yield f"{format_count(cut, 'example')} did not fit: the beginning of the context was not read"
    if spans:
        yield f"{format_count(spans, 'example')} with a token over the border: it counts as the continuation's"
