"""The report of several trials: mean and standard deviation of each arm, the comparison, the best by dev."""

from typing import Any

from warmstart.metrics.comparison import compare, mean_std
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.study.factors import PRETRAINED, SCRATCH
from warmstart.study.trial import Trial


def compare_trials(out: str, trials: list[Trial], reports: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    """One report of all trials, on test where all have one, else on dev.

    Args:
        out: folder of the study.
        trials: the trials; the arm of the first is the main one.
        reports: of each.
        metric: that decides.
    """
    split = "test" if all("test" in report for report in reports) else "dev"
    arms: dict[str, list[float]] = {}
    for trial, report in zip(trials, reports, strict=True):
        arms.setdefault(trial.arm, []).append(_value(report, split, metric))
    own = [report for trial, report in zip(trials, reports, strict=True) if trial.arm == trials[0].arm]
    choose = min if metric in LOWER_IS_BETTER else max
    best = choose(own, key=lambda report: _value(report, "dev", metric))
    result: dict[str, Any] = {key: best[key] for key in ("steps", "tokens", "seconds", "metrics", "intervals")}
    result |= {"run": out, "best": best["run"], "metric": metric, "split": split}
    for arm, values in arms.items():
        arm_values = mean_std(values)
        result[arm] = {"mean": arm_values.mean, "std": arm_values.std, "values": values}
    result["runs"] = reports
    result["collapsed"] = [report["run"] for report in reports if report["collapsed"]]
    if SCRATCH in arms and PRETRAINED in arms:
        result["comparison"] = _comparison(arms[PRETRAINED], arms[SCRATCH], metric)
    return result


def _value(report: dict[str, Any], split: str, metric: str) -> float:
    return float((report["test"] if split == "test" else report)["metrics"][metric])


def _comparison(pretrained: list[float], scratch: list[float], metric: str) -> dict[str, Any]:
    found = compare(pretrained, scratch, metric)
    several = min(len(pretrained), len(scratch)) > 1
    return {
        "gain": found.gain,
        "interval": [found.low, found.high] if several else None,
        "significant": found.significant,
        "sentence": found.sentence(),
    }
