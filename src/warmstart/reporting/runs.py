"""Reads a run folder as one frozen record.

The folder has ``report.json`` and may have ``metrics.jsonl``, ``manifest.json``, ``account.json`` and ``config.yaml``. In a
run of several trainings, each has a subfolder of its own.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.old_names import WEIGHT_ACCOUNT_KEYS, rename_keys
from warmstart.base.run_folder import ACCOUNT, CONFIG, EXAMPLES, MANIFEST, METRICS, REPORT, read_metrics
from warmstart.metrics.metric import Array

RERUN = "run the command again"

_Training = tuple[Path, dict[str, Any]]  # its folder, its report


@dataclass(frozen=True, slots=True)
class TrainPoint:
    """One logged training step: ``tokens`` since the start of the run, ``losses`` by goal."""

    step: int
    tokens: int
    loss: float
    losses: dict[str, float]


@dataclass(frozen=True, slots=True)
class DevPoint:
    """One evaluation during training."""

    step: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Curves:
    """The points of one ``metrics.jsonl`` in the order of steps; of a step that a resume repeated, the last point."""

    train: tuple[TrainPoint, ...]
    dev: tuple[DevPoint, ...]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The final metrics of one seed."""

    seed: int
    metrics: dict[str, float]
    collapsed: bool


@dataclass(frozen=True, slots=True)
class SplitResult:
    """The final metrics of one run on one split; with several seeds their means.

    Attributes:
        metrics: metric → value.
        std: metric → standard deviation over seeds; empty for one.
        intervals: metric → 95 % interval over examples; empty for several seeds.
        examples: how many there are; ``None`` where the report does not say.
        seeds: each seed, where there are several.
        confusion: the classes, and [true][predicted] counts over all seeds; empty where the report has none.
    """

    metrics: dict[str, float]
    std: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    examples: int | None
    seeds: tuple[SeedResult, ...]
    confusion: tuple[list[str], list[list[int]]]


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """How one training answered the examples of a split (``examples.json``).

    Attributes:
        examples: what identifies them.
        right: [n] 1 or 0.
        confidence: [n] the probability of each answer; empty where the model gives none.
        tokens: [n] as read.
        columns: name → value of each example.
        errors: the surest, with their texts.
    """

    examples: str
    right: Array
    confidence: Array
    tokens: Array
    columns: dict[str, list[str]]
    errors: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, or one arm of it.

    ``results`` are by split, ``dev`` and ``test``; a run that has one kind of figures only has them under the empty name.
    ``attempts`` are the reports of the trainings that collapsed and of those that were begun in their place.
    ``comparison`` is the sentence about the arms, with the first of them, and so are ``baselines``, the part of the report
    about what a person would use instead. ``answered`` has by split how each training answered each example.
    """

    folder: Path
    name: str
    steps: int
    tokens: int
    seconds: float
    results: dict[str, SplitResult]
    comparison: str
    attempts: tuple[dict[str, Any], ...]
    curves: tuple[Curves, ...]
    manifest: dict[str, Any]
    account: dict[str, Any]
    config: str
    baselines: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, tuple[Answered, ...]] = field(default_factory=dict)
    is_finished: bool = True

    @property
    def final(self) -> SplitResult:
        """The last split: test, if there is one."""
        return list(self.results.values())[-1]


def read_runs(folder: Path, *, unfinished: bool = False) -> list[RunReport]:
    """Reads a run folder: one record, or one for each arm if the run has several trainings (seeds, a control).

    Args:
        folder: of the run.
        unfinished: whether a run that has begun and not ended is read as far as it is.

    Raises:
        BadInput: no finished run in ``folder``, or a file in it that cannot be read.
    """
    folder = Path(folder)
    path = folder / REPORT
    if not path.is_file() and unfinished and (folder / CONFIG).is_file():
        return _so_far(folder)
    if not path.is_file():
        raise BadInput(
            "there is no finished run here" if folder.is_dir() else "folder not found", where=str(folder),
            allowed="a run folder with report.json",
            next_step="finish the run first (--resume continues it)" if folder.is_dir() else "check the path",
        )  # fmt: skip
    report = _read_object(path)
    try:
        if "runs" not in report:
            alone = _run_report(folder, folder.resolve().name, [(folder, report)])
            return [replace(alone, baselines=report.get("baselines", {}))]
        arms: dict[str, list[_Training]] = {}
        for run in report["runs"]:
            arms.setdefault(run["arm"], []).append((folder / Path(run["run"]).name, run))
        sentences = [str((report.get("comparison") or {}).get("sentence", "")), *[""] * len(arms)]
        first, *others = [
            _run_report(folder, f"{folder.resolve().name}: {arm}", trainings, sentence)
            for (arm, trainings), sentence in zip(arms.items(), sentences, strict=False)
        ]
        return [replace(first, baselines=report.get("baselines", {})), *others]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            "not the report of a run", where=str(path), value=str(error),
            allowed="an object with steps, tokens, seconds and metrics", next_step=RERUN,
        ) from None  # fmt: skip


def _run_report(folder: Path, name: str, trainings: list[_Training], comparison: str = "") -> RunReport:
    """The record of an arm."""
    reports = [report for _, report in trainings]
    has_test = all("test" in report for report in reports)
    first = str(reports[0].get("split", "dev" if has_test else ""))
    results = {first: _split_result(reports, reports)}
    if has_test:
        results["test"] = _split_result(reports, [report["test"] for report in reports])
    return RunReport(
        folder=folder,
        name=name,
        steps=sum(int(report["steps"]) for report in reports),
        tokens=sum(int(report["tokens"]) for report in reports),
        seconds=sum(float(report["seconds"]) for report in reports),
        results=results,
        comparison=comparison,
        attempts=tuple(attempt for report in reports for attempt in report.get("attempts", ())),
        curves=tuple(read_curves(path) for path in map(_metrics_path, trainings) if path.is_file()),
        manifest=_read_object(folder / MANIFEST, missing_is_empty=True),
        account=_read_account(trainings[0][0] / ACCOUNT),
        config=_read_text(folder / CONFIG),
        answered=_read_answered([place for place, _ in trainings]),
    )


def _so_far(folder: Path) -> list[RunReport]:
    """Each training that has begun, as far as it has logged: the run's own, or those in folders within it."""
    places = [folder] if (folder / METRICS).is_file() else sorted(path.parent for path in folder.glob(f"*/{METRICS}"))
    return [_unfinished(place, folder) for place in places or [folder]]


def _unfinished(place: Path, folder: Path) -> RunReport:
    rows = list(read_metrics(place / METRICS)) if (place / METRICS).is_file() else []
    logged = [row for row in rows if row["kind"] == "train"]
    last: dict[str, Any] = logged[-1] if logged else {"step": 0}
    name = place.resolve().name if place == folder else f"{folder.resolve().name}/{place.name}"
    curves = (read_curves(place / METRICS),) if rows else ()
    return RunReport(
        folder=place, name=name, steps=int(last["step"]), tokens=int(last.get("tokens", 0)),
        seconds=float(last.get("elapsed_s", 0.0)), results={}, comparison="", attempts=(), curves=curves,
        manifest=_read_object(place / MANIFEST, missing_is_empty=True), account=_read_account(place / ACCOUNT),
        config=_read_text(place / CONFIG), is_finished=(place / REPORT).is_file(),
    )  # fmt: skip


def _read_answered(places: Sequence[Path]) -> dict[str, tuple[Answered, ...]]:
    """By split, where every training has kept how it answered."""
    each = [_read_object(place / EXAMPLES, missing_is_empty=True) for place in places]
    splits = [split for split in each[0] if all(one.get(split) for one in each)]
    return {split: tuple(_answered(one[split]) for one in each) for split in splits}


def _answered(found: dict[str, Any]) -> Answered:
    right = np.frombuffer(found["right"].encode(), np.uint8) - ord("0")
    confidence, tokens = (np.array(found[name], np.float64) for name in ("confidence", "tokens"))
    return Answered(found["examples"], right, confidence, tokens, found["columns"], found["errors"])


def _metrics_path(training: _Training) -> Path:
    """What was logged of a training; where it was begun again, of the attempt that is its result."""
    place, report = training
    return place / str(report.get("attempt", ".")) / METRICS


def _split_result(reports: list[dict[str, Any]], found: list[dict[str, Any]]) -> SplitResult:
    """What the trainings of an arm found on one split; ``found`` has the metrics of each."""
    seeds = tuple(
        SeedResult(int(report.get("seed", 0)), _numbers(one["metrics"]), bool(report.get("collapsed", False)))
        for report, one in zip(reports, found, strict=True)
    )
    values = {metric: [seed.metrics[metric] for seed in seeds] for metric in seeds[0].metrics}
    several = len(seeds) > 1
    intervals = {} if several else {name: (low, high) for name, (low, high) in found[0].get("intervals", {}).items()}
    return SplitResult(
        metrics={metric: statistics.fmean(of_seeds) for metric, of_seeds in values.items()},
        std={metric: statistics.stdev(of_seeds) for metric, of_seeds in values.items()} if several else {},
        intervals=intervals,
        examples=found[0].get("examples"),
        seeds=seeds if several else (),
        confusion=_confusion(found),
    )


def _confusion(found: list[dict[str, Any]]) -> tuple[list[str], list[list[int]]]:
    """The counts of all trainings together."""
    tables = [one["confusion"] for one in found if one.get("confusion")]
    if not tables or len(tables) < len(found):
        return [], []
    rows = zip(*(table["counts"] for table in tables), strict=True)
    return list(tables[0]["labels"]), [[sum(cells) for cells in zip(*same, strict=True)] for same in rows]


def _read_account(path: Path) -> dict[str, Any]:
    """The account of records and weights, with the names of today; empty if the run has none."""
    account = _read_object(path, missing_is_empty=True)
    weights = account.get("weights")
    return account | {"weights": rename_keys(weights, WEIGHT_ACCOUNT_KEYS)} if isinstance(weights, dict) else account


def read_curves(path: Path) -> Curves:
    """Reads ``metrics.jsonl``, without a last line that a kill cut.

    Raises:
        BadInput: another line is not a record of training or dev.
    """
    train: dict[int, TrainPoint] = {}
    dev: dict[int, DevPoint] = {}
    for line in read_metrics(path):
        step = int(line["step"])
        if line["kind"] == "train":
            losses = _numbers(line.get("losses", {}))
            train[step] = TrainPoint(step, int(line.get("tokens", 0)), float(line["loss"]), losses)
        elif line["kind"] == "dev":
            dev[step] = DevPoint(step, _numbers(line["metrics"]))
    return Curves(tuple(train[step] for step in sorted(train)), tuple(dev[step] for step in sorted(dev)))


def _read_object(path: Path, missing_is_empty: bool = False) -> dict[str, Any]:
    if missing_is_empty and not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput("not a JSON object", where=str(path), value=value, next_step=RERUN)
    return value


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    """The metrics that are numbers, without null."""
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
