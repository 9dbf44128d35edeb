"""What a training is said to cost, against trainings that run: their own processor time, logs and tokens."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.run_folder import RunFolder
from warmstart.build import cost
from warmstart.build.cost import count_evaluations, extrapolate, tokens_per_step
from warmstart.build.data_report import report_data
from warmstart.build.finetuning import Finetuning
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.again import run_trial
from warmstart.study.run import StudyPlan, describe_study, plan_study, run_study
from warmstart.study.trial import Setup, Trial, trial_cost
from warmstart.train.precision import compute_settings, default_device
from warmstart.verbs.api import explain

WORDS = ["a", "fine", "and", "a", "dull", "film", "that", "nobody", "liked", "but", "everyone", "saw"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost")
    texts = [" ".join(WORDS[(n * k) % 12] for k in range(3 + n % 17)) for n in range(200)]
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(texts)]
    pairs = [{"source": text, "target": text[:12]} for text in texts[:24]]
    for name, found in (("rows", rows), ("pairs", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return folder


def named(files: Path, out: str, **flags: Any) -> tuple[Trial, Finetuning]:
    given = {"start": "none", "task": "classification", "train": files / "rows.jsonl", "precision": "fp32"} | flags
    options = {f"--{name.replace('_', '-')}": value if value is True else str(value) for name, value in given.items()}
    plan = plan_study(compose(FinetuneRecipe, flags=options), RunFolder(str(files / out)))
    return plan.trials[0], next(iter(plan.built.values()))


def test_evaluations_are_counted(files: Path) -> None:
    """Witness: the rows about dev in the log of the run."""
    trial, built = named(
        files, "counted", model="gpt1-tiny", vocab_size=270, length="7 steps", evaluate_every="3 steps"
    )
    compute = compute_settings("fp32", default_device())
    lengths = trial_cost(trial.recipe, built, compute).lengths
    run_trial(trial, built, Setup(compute, {}), resume=False)
    rows = [json.loads(line) for line in (files / "counted" / "metrics.jsonl").read_text().splitlines()]
    assert count_evaluations(lengths) == sum(row["kind"] == "dev" for row in rows) == 3


@pytest.mark.parametrize("by_length", [False, True])
def test_tokens_of_a_step_are_the_mean(files: Path, by_length: bool) -> None:
    """Witness: every batch of an epoch, counted."""
    more = {"by_length": True} if by_length else {}
    trial, built = named(files, "tokens", model="lstm-tiny", vocab_size=270, batch_size=10, **more)
    stream = built.stream(trial.recipe)
    every = [sum(batch.num_tokens for batch in stream.batches(step)) for step in range(stream.steps_per_epoch)]
    assert tokens_per_step(stream) == pytest.approx(sum(every) / len(every))


def test_what_all_items_have_in_common_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a clock by hand: a fifth of a second for everything together and a millisecond for each item."""
    now_s = [0.0]

    def work(items: object) -> None:
        now_s[0] += 0.2 + 0.001 * len(items)  # type: ignore[arg-type]

    for name in ("perf_counter", "thread_time"):
        monkeypatch.setattr(cost.time, name, lambda: now_s[0])
    assert extrapolate(range(3), work) == pytest.approx(0.203)
    few = extrapolate(range(1000), work)
    assert 1.2 <= few < 51 * 1.2  # four items say little of the rest; each costs no more than their mean


@pytest.mark.parametrize("share", [1.0, 0.2])
@pytest.mark.parametrize("each_s", [1e-5, 1e-3, 0.02])
def test_what_many_items_take_is_found_from_some(each_s: float, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a clock by hand: 5 ms for all together and a little for each, with all of the processor or a fifth of it."""
    now_s = [0.0]

    def work(items: object) -> None:
        now_s[0] += (0.005 + each_s * len(items)) / share  # type: ignore[arg-type]

    monkeypatch.setattr(cost.time, "perf_counter", lambda: now_s[0])
    monkeypatch.setattr(cost.time, "thread_time", lambda: now_s[0] * share)
    assert extrapolate(range(20_000), work) == pytest.approx((0.005 + each_s * 20_000) / share, rel=0.3)
    assert now_s[0] < 8


@pytest.mark.parametrize("share", [1.0, 0.2])
@pytest.mark.parametrize(("first_s", "step_s", "token_s"), [(0.1, 0.02, 1e-6), (0.3, 0.0, 2e-4), (0.5, 0.0, 0.05)])
def test_a_step_is_measured_without_what_is_set_up_first(
    files: Path, first_s: float, step_s: float, token_s: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: a clock by hand: something for each number of rows that is new, for each step and for each token."""
    now_s, seen = [0.0], set[int]()
    real = cost.accumulate

    def accumulate(model: Any, optimizer: Any, batches: Any, *rest: Any) -> Any:
        rows = sum(len(batch.lengths) for batch in batches)
        now_s[0] += (first_s * (rows not in seen) + step_s + token_s * sum(b.num_tokens for b in batches)) / share
        seen.add(rows)
        return real(model, optimizer, batches, *rest)

    trial, built = named(files, "measured", model="gpt1-tiny", vocab_size=270, length="100 steps", batch_size=16)
    tokens = tokens_per_step(built.stream(trial.recipe))
    monkeypatch.setattr(cost, "accumulate", accumulate)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now_s[0])
    monkeypatch.setattr(cost.time, "thread_time", lambda: now_s[0] * share)
    said = trial_cost(trial.recipe, built, compute_settings("fp32", default_device())).seconds["training"]
    took = 100 * (step_s + token_s * tokens) / share
    assert took / 1.5 < said < 1.5 * took


@pytest.mark.parametrize(("task", "last"), [("classification", "final evaluation"), ("seq2seq", "final decoding")])
def test_the_time_names_what_it_covers(files: Path, task: str, last: str) -> None:
    """Witness: what a training does, from reading to the last evaluation, for both arms and all seeds."""
    train = str(files / ("rows.jsonl" if task == "classification" else "pairs.jsonl"))
    words = explain(
        "finetune", start="none", model="gpt1-tiny", vocab_size=270, task=task, train=train, dev=train, seeds=2,
        target_limit=8, source_limit=40, length="2 steps", precision="fp32",
    )["words"]  # fmt: skip
    assert words[-1].startswith("time ")
    places = [
        words[-1].index(part) for part in (" for 2 trainings", "preparing", "training ", "evaluations on dev", last)
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(("head", "retries"), [("fitted", 1), ("random", 0), ("random", 2)])
def test_the_time_covers_a_fitted_head_and_names_a_second_attempt(files: Path, head: str, retries: int) -> None:
    """Witness: what the recipe asks for: a head that is fitted first, and trainings that are begun again."""
    *lines, last = explain(
        "finetune", start="none", model="gpt1-tiny", vocab_size=270, task="classification",
        train=str(files / "rows.jsonl"), length="200 steps", precision="fp32", head_init=head, retries=retries,
    )["words"]  # fmt: skip
    assert ("fitting the head" in last) == (head == "fitted")
    said = [line for line in lines if line.startswith("collapse ")]
    assert [re.search(r"once more|up to 2 times more", line)[0] for line in said] == {  # type: ignore[index]
        0: [], 1: ["once more"], 2: ["up to 2 times more"],
    }[retries]  # fmt: skip


def test_the_start_of_the_work_counts(files: Path) -> None:
    """Witness: a clock by hand: what began a hundred seconds ago has taken as long already."""
    trial, built = named(files, "began", model="gpt1-tiny", vocab_size=270, length="2 steps")
    reports = {"": report_data(built.task.data, built.task.lengths)}
    plan = StudyPlan([trial], {trial.arm: built}, {trial.arm: ()}, reports, compares=False)
    compute = compute_settings("fp32", default_device())
    words = describe_study(trial.recipe, plan, compute, time.monotonic() - 100)
    said = re.search(r"preparing 1m(\d\d)s", words[-1])
    assert said is not None and 40 <= int(said[1]) < 59
    assert "preparing" not in describe_study(trial.recipe, plan, compute)[-1]


def test_a_run_folder_takes_no_more_than_was_said(files: Path) -> None:
    """Witness: the files of a finished study of two seeds, and the checkpoints that it had, by the numbers in them."""
    recipe = compose(
        FinetuneRecipe,
        flags={
            "--start": "none", "--model": "gpt1-tiny", "--vocab-size": "270", "--task": "classification", "--seeds": "2",
            "--train": str(files / "rows.jsonl"), "--length": "2 steps", "--precision": "fp32",
        },
    )  # fmt: skip
    out = files / "disk"
    plan = plan_study(recipe, RunFolder(str(out)))
    words = describe_study(recipe, plan, compute_settings("fp32", default_device()))
    said = re.search(r"disk +at most ([\d,.]+) MB", words[-2])
    run_study(recipe, str(out), resume=False, data=None)
    took = sum(path.stat().st_size for path in out.rglob("*") if path.suffix == ".safetensors") / 1e6
    assert said is not None and 0 < took <= float(said[1]) < 8 * took
