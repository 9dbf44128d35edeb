"""The report of several trials: mean and standard deviation of each arm, the comparison, the best by dev."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warmstart.base.files import read_json
from warmstart.base.run_folder import PSEUDO_VALUES
from warmstart.metrics.comparison import Comparison, compare, mean_std
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.study.baselines import Baseline, best_of
from warmstart.study.examples import read_examples
from warmstart.study.factors import PRETRAINED, SCRATCH
from warmstart.study.paired import paired_tests
from warmstart.study.trial import Trial


def compare_trials(
    out: str, trials: list[Trial], reports: list[dict[str, Any]], metric: str, baselines: Mapping[str, Baseline]
) -> dict[str, Any]:
    """One report of all trials, on test where all have one, else on dev or, where nothing is held out, on train.

    Args:
        out: folder of the study.
        trials: the trials; the arm of the first is the main one.
        reports: of each.
        metric: that decides.
        baselines: what a person would use instead; empty where none was fitted.
    """
    split = split_of(reports)
    arms: dict[str, list[float]] = {}
    for trial, report in zip(trials, reports, strict=True):
        arms.setdefault(trial.arm, []).append(_value(report, split, metric))
    own = [report for trial, report in zip(trials, reports, strict=True) if trial.arm == trials[0].arm]
    choose = min if metric in LOWER_IS_BETTER else max
    best = choose(own, key=lambda report: _value(report, "dev", metric))
    result: dict[str, Any] = {key: best[key] for key in best if key in KEPT}
    result |= {"run": out, "best": best["run"], "metric": metric, "split": split}
    for arm, values in arms.items():
        arm_values = mean_std(values)
        result[arm] = {"mean": arm_values.mean, "std": arm_values.std, "values": values}
    result["runs"] = reports
    result["collapsed"] = [report["run"] for report in reports if report["collapsed"]]
    if SCRATCH in arms and PRETRAINED in arms:
        result["comparison"] = _comparison(trials, arms, metric, split, best.get("test", best)["examples"])
    return result | gain_over_best(trials, reports, metric, baselines)


KEPT = ("steps", "tokens", "seconds", "metrics", "intervals", "examples", "signatures", "confusion", "test")
"""What the report of several trials takes from that of the best one."""


def split_of(reports: Sequence[Mapping[str, Any]]) -> str:
    """The split that trials are compared on: test where all have one."""
    return "test" if all("test" in report for report in reports) else str(reports[0].get("split", "dev"))


def gain_over_best(
    trials: list[Trial], reports: Sequence[dict[str, Any]], metric: str, baselines: Mapping[str, Baseline]
) -> dict[str, Any]:
    """The part of a report about baselines: each of them, and what the main arm gains over the best; empty without any."""
    if not baselines:
        return {}
    split, arm = split_of(reports), trials[0].arm
    own = [(trial, report) for trial, report in zip(trials, reports, strict=True) if trial.arm == arm]
    best = best_of(baselines, metric)
    ours, theirs = _pseudo_values([trial for trial, _ in own], arm, split), baselines[best].pseudo_values
    found = compare(
        [_value(report, split, metric) for _, report in own], [baselines[best].metrics[metric]], metric,
        pseudo_values=None if ours is None or not theirs else (ours, [theirs]), split=split,
        examples=own[0][1].get("test", own[0][1])["examples"], sides=("Fine-tuning", f"{best}, the best baseline,"),
    )  # fmt: skip
    each = {name: one.to_dict() for name, one in baselines.items()}
    paired = paired_tests([_answers(trial, split) for trial, _ in own], [baselines[best]])
    compared = _as_dict(found) | {"paired": paired.to_dict()}
    return {"baselines": {"split": split, "each": each, "best": best} | compared}


def _value(report: dict[str, Any], split: str, metric: str) -> float:
    return float((report["test"] if split == "test" else report)["metrics"][metric])


def _comparison(
    trials: list[Trial], arms: dict[str, list[float]], metric: str, split: str, examples: int
) -> dict[str, Any]:
    sides = [[_answers(trial, split) for trial in trials if trial.arm == arm] for arm in (PRETRAINED, SCRATCH)]
    values = [_pseudo_values(trials, arm, split) for arm in (PRETRAINED, SCRATCH)]
    pairs = None if values[0] is None or values[1] is None else (values[0], values[1])
    found = compare(
        arms[PRETRAINED], arms[SCRATCH], metric, pseudo_values=pairs, split=split, examples=examples
    )  # fmt: skip
    return _as_dict(found) | {"paired": paired_tests(*sides).to_dict()}


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a trial did on each example, as :class:`~warmstart.study.paired.Answered` has it."""

    pseudo_values: list[float]
    right: str


def _answers(trial: Trial, split: str) -> _Answers:
    return _Answers(_own_pseudo_values(trial, split), read_examples(trial.folder).get(split, {}).get("right", ""))


def _as_dict(found: Comparison) -> dict[str, Any]:
    return {
        "gain": found.gain,
        "interval": None if math.isnan(found.low) else [found.low, found.high],
        "significant": found.significant,
        "sentence": found.sentence(),
    }


def _pseudo_values(trials: list[Trial], arm: str, split: str) -> list[list[float]] | None:
    """Of each seed of an arm what groups of examples add to its metric, [K]; ``None`` if a trial has none."""
    found = [_own_pseudo_values(trial, split) for trial in trials if trial.arm == arm]
    return found if all(found) else None


def _own_pseudo_values(trial: Trial, split: str) -> list[float]:
    path = trial.folder.path / PSEUDO_VALUES
    return list(read_json(path).get(split, [])) if path.is_file() else []
