"""A fine-tuning from a fine-tuned model: its head is kept, widened or begun anew, and the account says which."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.models.model import Model
from warmstart.run.loading import load_run
from warmstart.tasks.answer import RawOutput

MOODS = ("calm", "merry", "sad")


def rows_of(task: str, labels: tuple[str, ...] = MOODS[::2], count: int = 24) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for n in range(count):
        text, label = f"a walk by the sea on day {n}", labels[n % len(labels)]
        rows.append({
            "classification": {"text": text, "label": label},
            "entailment": {"premise": text, "hypothesis": f"day {n}", "label": label},
            "multilabel": {"text": text, "labels": [label]},
            "regression": {"text": text, "score": n % 5 + 10.0},
            "tagging": {"tokens": text.split(), "tags": [labels[(n + w) % len(labels)] for w in range(8)]},
            "choice": {"context": text, "choices": ["no", "yes"], "label": n % 2},
            "span": {"context": text, "question": "which day?", "answer": f"day {n}", "start": 21},
        }[task])  # fmt: skip
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def learned(folder: Path, task: str, **flags: Any) -> str:
    """A run that has learned a task for two steps."""
    given: dict[str, Any] = {
        "start": "none", "task": task, "train": write(folder / "first.jsonl", rows_of(task)), "model": "gpt1-tiny",
        "vocab_size": 270, "length": "2 steps", "lr": 0.02, "batch_size": 4, "precision": "fp32",
    }  # fmt: skip
    warmstart.finetune(str(folder / "first"), **given | flags)
    return str(folder / "first")


def begun(start: str, task: str, train: str, **flags: Any) -> tuple[Model, Finetuning, dict[str, Any]]:
    """The model at step 0 of a fine-tuning that starts there, and the account of its weights."""
    given = {"--start": start, "--task": task, "--train": train, "--dev": train} | flags
    recipe = compose(FinetuneRecipe, flags=given)
    built = build_finetuning(recipe)
    model, account = built.fresh(recipe)
    assert account is not None
    return model.eval(), built, account.to_dict()


def outputs(predictor: Predictor, built: Finetuning) -> list[RawOutput]:
    return list(predictor.outputs(built.task.data.dev))


def predictors(start: str, model: Model, built: Finetuning) -> tuple[Predictor, Predictor]:
    """Of the start, and of what begins there."""
    loaded = load_run(start)
    old = build_predictor([Member(loaded.model, loaded.tokenizer, loaded.task())], GenerateSettings())
    return old, build_predictor([Member(model, built.tokenizer, built.task.spec)], GenerateSettings())


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("classification", {}), ("classification", {"head_hidden": 8, "head_pool": "concat"}), ("multilabel", {}),
        ("regression", {}), ("tagging", {}), ("tagging", {"head_crf": True, "head_lstm": 4}), ("choice", {}), ("span", {}),
        ("entailment", {"model": "bert-tiny"}),
    ],
)  # fmt: skip
def test_more_examples_of_the_same_labels_go_on_with_the_head(tmp_path: Path, task: str, flags: dict[str, Any]) -> None:
    """Witness: the start's own answers, bit for bit, before the first step; no weight is initialised."""
    start = learned(tmp_path, task, **flags)
    model, built, account = begun(start, task, write(tmp_path / "more.jsonl", rows_of(task, count=9)))
    before, after = (outputs(one, built) for one in predictors(start, model, built))
    assert all(np.array_equal(one.raw, other.raw) for one, other in zip(before, after, strict=True))
    assert not [name for name in account["initialised"] if name.startswith("heads.")]
    assert built.task.head.sentence.startswith("kept from the start")


def test_a_new_label_gets_an_output_of_its_own(tmp_path: Path) -> None:
    """Witness: the start's logits of the labels that it knows, of which one now has another number."""
    start = learned(tmp_path, "classification")
    more = write(tmp_path / "more.jsonl", rows_of("classification", MOODS, 9))
    model, built, account = begun(start, "classification", more)
    before, after = (np.stack([one.raw for one in outputs(p, built)]) for p in predictors(start, model, built))
    assert built.task.spec.label_names == MOODS and np.array_equal(after[:, [0, 2]], before)
    assert built.task.head.to_dict() == {
        "kept": ["calm", "sad"], "new": ["merry"], "unused": [],
        "sentence": "kept from the start, for calm, sad; new outputs for merry",
    }  # fmt: skip
    assert "heads.label.linear.weight[2 rows]" in account["loaded"]
    assert "heads.label.linear.weight[1 rows]" in account["initialised"]


def test_pairs_of_tags_are_taken_for_both(tmp_path: Path) -> None:
    """Witness: the start's own table; a pair with a new tag in it begins at 0."""
    start = learned(tmp_path, "tagging", head_crf=True)
    model, built, account = begun(start, "tagging", write(tmp_path / "more.jsonl", rows_of("tagging", MOODS, 9)))
    ours, theirs = (one.heads["tags"].state_dict() for one in (model, load_run(start).model))
    assert built.task.head.kept == ("calm", "sad")
    assert torch.equal(ours["transitions"][::2, ::2], theirs["transitions"])
    assert torch.equal(ours["first"][[0, 2]], theirs["first"]) and not ours["transitions"][1].any()
    assert "heads.tags.transitions[4 rows]" in account["loaded"]
    assert "heads.tags.transitions[5 rows]" in account["initialised"]


def test_labels_that_are_gone_are_left_behind(tmp_path: Path) -> None:
    """Witness: the start's logits of the one label that both have."""
    start = learned(tmp_path, "classification", train=write(tmp_path / "all.jsonl", rows_of("classification", MOODS)))
    fewer = write(tmp_path / "fewer.jsonl", rows_of("classification", ("sad", "wild")))
    model, built, account = begun(start, "classification", fewer)
    before, after = (np.stack([one.raw for one in outputs(p, built)]) for p in predictors(start, model, built))
    assert np.array_equal(after[:, 0], before[:, 2]) and built.task.head.left == ("calm", "merry")
    assert "heads.label.linear.weight[2 rows]" in account["unused"]


@pytest.mark.parametrize(
    ("task", "labels", "flags", "reason"),
    [
        ("classification", MOODS[::2], {"--new-head": True}, "--new-head"),
        ("entailment", MOODS[::2], {}, "another kind of task, classification"),
        ("regression", MOODS[::2], {}, "another kind of task, classification"),
        ("classification", ("up", "down"), {}, "none of these labels"),
        ("classification", MOODS[::2], {"--head-hidden": 4}, "another form"),
        ("classification", MOODS[::2], {"--transfer-layers": 1}, "is not taken"),
    ],
)
def test_a_head_that_does_not_fit_begins_anew(
    tmp_path: Path, task: str, labels: tuple[str, ...], flags: dict[str, Any], reason: str
) -> None:
    """Witness: the head of the same fine-tuning from random weights, drawn by the same seed."""
    start = learned(tmp_path, "classification")
    more = write(tmp_path / "more.jsonl", rows_of(task, labels))
    model, built, account = begun(start, task, more, **flags)
    assert reason in built.task.head.sentence and built.task.head.sentence.startswith("begun anew: ")
    goal = next(iter(model.settings.heads))
    assert [name for name in account["initialised"] if name.startswith(f"heads.{goal}.linear")]
    fresh = Model.fresh(model.settings, 1).head(goal).linear.weight
    assert float(model.head(goal).linear.weight.detach().std()) == pytest.approx(float(fresh.detach().std()), rel=0.6)


def test_the_dry_run_and_the_account_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariant: the same sentence in both; the control has a head of the same form, and nothing to keep."""
    start = learned(tmp_path, "classification", head_hidden=8)
    more = write(tmp_path / "more.jsonl", rows_of("classification", MOODS, 12))
    flags = {"start": start, "task": "classification", "train": more, "dev": more, "length": "1 step"}
    lines = warmstart.explain("finetune", control=True, **flags)["words"]
    said = [line for line in lines if line.strip().startswith("head ")]
    assert said == ["head       kept from the start, for calm, sad; new outputs for merry"]
    warmstart.finetune(str(tmp_path / "second"), control=True, **flags)
    arms = [tmp_path / "second" / name for name in ("pretrained-seed1", "scratch-seed1")]
    accounts = [json.loads((arm / "account.json").read_text()) for arm in arms]
    assert accounts[0]["head"]["sentence"] in said[0] and "head" not in accounts[1]
    heads = [load_run(arm).model.head("label") for arm in arms]
    assert [tuple(head.hidden.weight.shape) for head in heads] == [(8, 32)] * 2


def test_a_new_head_needs_a_start(tmp_path: Path) -> None:
    """Invariant: a sentence, and no folder."""
    train = write(tmp_path / "rows.jsonl", rows_of("classification"))
    with pytest.raises(BadInput, match="--new-head: no start whose head could be begun anew"):
        warmstart.finetune(str(tmp_path / "run"), start="none", task="classification", train=train, new_head=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["gpt1-tiny", "bert-tiny"])
def test_a_start_decides_how_targets_are_learned(tmp_path: Path, model: str) -> None:
    """Witness: s2s-ft's algorithms: a left-to-right model has no masks, a bidirectional one is asked pseudo-masked."""
    text = tmp_path / "text.txt"
    text.write_text("a walk by the sea\n" * 30)
    objective = {"gpt1-tiny": "causal", "bert-tiny": "masked"}[model]
    warmstart.pretrain(
        str(tmp_path / "lm"), corpus=str(text), model=model, objective=objective, vocab_size=270, length="1 step",
        precision="fp32",
    )  # fmt: skip
    rows = [{"source": f"the sea on day {n}", "target": f"day {n}"} for n in range(12)]
    recipe = compose(
        FinetuneRecipe,
        flags={"--start": str(tmp_path / "lm"), "--task": "seq2seq", "--train": write(tmp_path / "rows.jsonl", rows)},
    )
    built = build_finetuning(recipe)
    assert built.task.spec.options["algorithm"] == {"gpt1-tiny": "causal", "bert-tiny": "pseudo-masked"}[model]
