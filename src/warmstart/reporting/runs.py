"""A run folder, read into one frozen record.

The folder holds ``report.json`` (required), ``metrics.jsonl``, ``manifest.json``, ``account.json`` and ``config.yaml``; what
is missing of the others is empty. A run of several trainings keeps each in a folder of its own inside.
"""

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.old_names import WEIGHT_ACCOUNT_KEYS, rename_keys

Trained = tuple[Path, dict[str, Any]]  # the folder of one training, and its report


@dataclass(frozen=True, slots=True)
class TrainPoint:
    """One logged training step; ``tokens`` counts from the start of the run, ``losses`` holds each goal's loss."""

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
    """What one ``metrics.jsonl`` says, by rising step; a step that was run again after a resume counts once, the last."""

    train: tuple[TrainPoint, ...]
    dev: tuple[DevPoint, ...]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The final figures of one seed of a run."""

    seed: int
    metrics: dict[str, float]
    collapsed: bool


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that a report needs of a run; ``metrics`` is the mean where there are several seeds, ``spread`` is then filled."""

    folder: Path
    name: str
    steps: int
    tokens: int
    seconds: float
    metrics: dict[str, float]
    std: dict[str, float]
    seeds: tuple[SeedResult, ...]
    curves: tuple[Curves, ...]
    manifest: dict[str, Any]
    account: dict[str, Any]
    config: str


def read_runs(folder: Path) -> list[RunReport]:
    """Reads a run folder: one record, or one per arm where it holds several trainings (seeds, a control).

    Raises:
        BadInput: no finished run in ``folder``, or a file in it that cannot be read.
    """
    folder = Path(folder)
    path = folder / "report.json"
    if not path.is_file():
        raise BadInput(
            "no finished run here" if folder.is_dir() else "folder not found", where=str(folder),
            allowed="a run folder with report.json in it",
            next_step="let the run finish first (--resume continues it)" if folder.is_dir() else "check the path",
        )  # fmt: skip
    report = _read_object(path)
    try:
        if "runs" not in report:
            return [_record(folder, folder.resolve().name, [(folder, report)])]
        arms: dict[str, list[Trained]] = {}
        for run in report["runs"]:
            arms.setdefault(run["arm"], []).append((folder / Path(run["run"]).name, run))
        return [_record(folder, f"{folder.resolve().name}: {arm}", trained) for arm, trained in arms.items()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            "not the report of a run", where=str(path), value=str(error),
            allowed="an object with steps, tokens, seconds and metrics", next_step="write it again by running the command",
        ) from None  # fmt: skip


def _record(folder: Path, name: str, trained: list[Trained]) -> RunReport:
    """One arm: its trainings' figures (on test where there is one), their mean and spread, and all curves."""
    seeds = tuple(
        SeedResult(
            int(report.get("seed", 0)),
            _numbers(report.get("test", report)["metrics"]),
            bool(report.get("collapsed", False)),
        )
        for _, report in trained
    )
    measured = {metric: [seed.metrics[metric] for seed in seeds] for metric in seeds[0].metrics}
    several = len(seeds) > 1
    return RunReport(
        folder=folder,
        name=name,
        steps=sum(int(report["steps"]) for _, report in trained),
        tokens=sum(int(report["tokens"]) for _, report in trained),
        seconds=sum(float(report["seconds"]) for _, report in trained),
        metrics={metric: statistics.fmean(values) for metric, values in measured.items()},
        std={metric: statistics.stdev(values) for metric, values in measured.items()} if several else {},
        seeds=seeds if several else (),
        curves=tuple(
            read_curves(place / "metrics.jsonl") for place, _ in trained if (place / "metrics.jsonl").is_file()
        ),
        manifest=_read_object(folder / "manifest.json", missing_is_empty=True),
        account=_read_account(trained[0][0] / "account.json"),
        config=_read_words(folder / "config.yaml"),
    )


def _read_account(path: Path) -> dict[str, Any]:
    """What became of records and weights, under the names of today; empty where a run has no account."""
    account = _read_object(path, missing_is_empty=True)
    weights = account.get("weights")
    return account | {"weights": rename_keys(weights, WEIGHT_ACCOUNT_KEYS)} if isinstance(weights, dict) else account


def read_curves(path: Path) -> Curves:
    """Reads ``metrics.jsonl``; a last line that was cut while it was written is left out.

    Raises:
        BadInput: any other line that is not a training or dev record; file and line are named.
    """
    train: dict[int, TrainPoint] = {}
    dev: dict[int, DevPoint] = {}
    for line in _records(path):
        step = int(line["step"])
        if line["kind"] == "train":
            losses = _numbers(line.get("losses", {}))
            train[step] = TrainPoint(step, int(line.get("tokens", 0)), float(line["loss"]), losses)
        elif line["kind"] == "dev":
            dev[step] = DevPoint(step, _numbers(line["metrics"]))
    return Curves(tuple(train[step] for step in sorted(train)), tuple(dev[step] for step in sorted(dev)))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=_refuse)
            yield {"kind": record["kind"], "step": int(record["step"]), **record}
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # no line end after it: the run was killed while it wrote
                return
            raise BadInput(
                f"not a metrics record ({error})", where=f"{path}:{number}", value=line,
                allowed="an object with kind and step", next_step="remove the line",
            ) from None  # fmt: skip


def _read_object(path: Path, missing_is_empty: bool = False) -> dict[str, Any]:
    if missing_is_empty and not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise BadInput(
            "not a JSON object", where=str(path), value=value, next_step="write it again by running the command"
        )
    return value


def _read_words(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    """The metrics with a numeric value; what a run could not measure (null) is left out."""
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")
