"""The road of an LSTM: GPT-1's ablation with all four input transformations, a prompt, and a source to a target."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.models.files import read_tensors
from warmstart.models.presets import preset
from warmstart.objectives.causal import causal
from warmstart.run.loading import load_run

TASKS: dict[str, list[dict[str, Any]]] = {
    "classification": [{"text": f"a film {n}", "label": "xy"[n % 2]} for n in range(8)],
    "entailment": [{"premise": f"film {n}", "hypothesis": "a film", "label": "xy"[n % 2]} for n in range(8)],
    "similarity": [{"sentence1": f"film {n}", "sentence2": "a film", "score": n / 2} for n in range(8)],
    "choice": [{"context": "a", "question": "", "choices": [f"b {n}", "c"], "label": n % 2} for n in range(8)],
    "seq2seq": [{"source": f"a film {n}", "target": f"film {n}"} for n in range(8)],
}
SHORT: dict[str, Any] = {"length": "2 steps", "batch_size": 4, "precision": "fp32"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model ``lm`` of lstm-gpt1's form (projected cells, tied softmax), and a file for each task."""
    home = tmp_path_factory.mktemp("lstm")
    (home / "text.txt").write_text("\n\n".join(f"a film about number {n}." for n in range(60)))
    for name, rows in TASKS.items():
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sizes = ["model.width=16", "model.cells=24", "model.context=32"]
    assert preset("lstm-gpt1").cells > preset("lstm-gpt1").width and preset("lstm-gpt1").tied
    warmstart.pretrain(
        str(home / "lm"), corpus=str(home / "text.txt"), vocab_size=270, model="lstm-gpt1", sets=sizes, **SHORT
    )
    return home


@pytest.mark.parametrize("task", [name for name in TASKS if name != "seq2seq"])
def test_gpt1s_transformations_with_the_auxiliary_goal(home: Path, task: str) -> None:
    """Witness: Radford et al. 2018, table 5, last row: both losses in every line of the log, and all weights moved on."""
    files = {"train": str(home / f"{task}.jsonl"), "dev": str(home / f"{task}.jsonl")}
    recipe = str(Path(__file__).parents[2] / "recipes" / "finetune" / "gpt1_lstm.yaml")
    report = warmstart.finetune(str(home / task), recipe=recipe, start=str(home / "lm"), task=task, **files, **SHORT)
    lines = [json.loads(line) for line in (home / task / "metrics.jsonl").read_text().splitlines()]
    goal = {"similarity": "score", "choice": "choice"}.get(task, "label")
    steps = [line for line in lines if line["kind"] == "train"]
    assert len(steps) == 2
    for line in steps:
        assert set(line["losses"]) == {goal, "lm"}
        assert line["loss"] == pytest.approx(line["losses"][goal] + 0.5 * line["losses"]["lm"])
    start, tuned = (read_tensors(home / run / "model.safetensors") for run in ("lm", task))
    assert tuned.keys() - start.keys() == {f"heads.{goal}.linear.weight", f"heads.{goal}.linear.bias"}
    assert all(not (tuned[name][: len(old)] == old).all() for name, old in start.items())
    assert warmstart.evaluate(str(home / task), files["dev"], precision="fp32")["metrics"] == report["metrics"]


def test_a_source_becomes_a_target(home: Path) -> None:
    """Invariant: an LSTM learns a target left to right, remembers that, and writes one text for each source."""
    train = str(home / "seq2seq.jsonl")
    warmstart.finetune(
        str(home / "pairs"), start=str(home / "lm"), task="seq2seq", algorithm="causal", train=train, dev=train,
        target_limit=8, **SHORT,
    )  # fmt: skip
    warmstart.predict(str(home / "pairs"), train, str(home / "texts.jsonl"))
    assert len((home / "texts.jsonl").read_text().splitlines()) == 8
    assert warmstart.generate(str(home / "pairs"), ["a film 3"])[0]["source"] == "a film 3"


def test_it_goes_on_with_a_prompt(home: Path) -> None:
    """Invariant: the same seed, the same text, of the length that was asked for."""
    found = [warmstart.generate(str(home / "lm"), "a film", max_new=5, top_k=9, seed=3)[0] for _ in range(2)]
    assert found[0] == found[1] and 1 <= found[0]["tokens"] <= 5


def test_two_directions_learn_apart_and_answer_together(home: Path) -> None:
    """Witness: the weights: both directions move in pre-training and again in fine-tuning; what does not go is refused."""
    sizes = ["model.directions=2", "model.width=16", "model.context=32"]
    warmstart.pretrain(
        str(home / "both"), corpus=str(home / "text.txt"), vocab_size=270, model="lstm-tiny", objective="both", sets=sizes,
        **SHORT,
    )  # fmt: skip
    files = {"train": str(home / "classification.jsonl"), "dev": str(home / "classification.jsonl")}
    asked: dict[str, Any] = {"start": str(home / "both"), "task": "classification", "lm_weight": 0, **files, **SHORT}
    report = warmstart.finetune(str(home / "two"), **asked)
    before, after = (read_tensors(home / run / "model.safetensors") for run in ("both", "two"))
    sides = {name: not (after[name] == old).all() for name, old in before.items() if "cells." in name}
    assert {name.split("cells.")[1][0] for name in sides} == {"0", "1"} and all(sides.values())
    assert warmstart.evaluate(str(home / "two"), files["dev"], precision="fp32")["metrics"] == report["metrics"]
    assert warmstart.evaluate(str(home / "both"), str(home / "text.txt"))["metrics"]["perplexity"] > 1
    with pytest.raises(BadInput, match="adds the readings from both ends"):
        warmstart.finetune(str(home / "no"), **asked, label_gain="linear")
    with pytest.raises(BadInput, match="allowed: causal, autoencoder;"):
        warmstart.pretrain(
            str(home / "no"), start=str(home / "lm"), corpus=str(home / "text.txt"), objective="both", **SHORT
        )
    with pytest.raises(BadInput, match="the auxiliary language model has weight 0"):
        warmstart.finetune(str(home / "no"), **asked | {"start": str(home / "lm")}, lm_frame="autoencoder")
    assert not (home / "no").exists()


def test_a_model_that_only_reads_has_no_softmax(home: Path, tmp_path: Path) -> None:
    """Witness: the tensors: the table stays behind, but not beside an auxiliary language model, and is made anew."""
    corpus, first = str(home / "text.txt"), str(tmp_path / "first")
    warmstart.pretrain(first, corpus=corpus, vocab_size=270, model="lstm-tiny", **SHORT)
    files = {"train": str(home / "classification.jsonl"), "dev": str(home / "classification.jsonl")}
    for name, weight in (("reads", 0.0), ("writes", 0.5)):
        asked: dict[str, Any] = {"start": first, "task": "classification", "lm_weight": weight, **files, **SHORT}
        warmstart.finetune(str(tmp_path / name), **asked)
    warmstart.pretrain(str(tmp_path / "again"), start=str(tmp_path / "reads"), corpus=corpus, **SHORT)
    tables = {
        run: "backbone.output.weight" in read_tensors(tmp_path / run / "model.safetensors")
        for run in ("first", "reads", "writes", "again")
    }
    assert tables == {"first": True, "reads": False, "writes": True, "again": True}
    account = json.loads((tmp_path / "reads" / "account.json").read_text())["weights"]
    assert account["unused"] == ["backbone.output.weight"]


def test_a_state_is_carried_from_row_to_row(home: Path, tmp_path: Path) -> None:
    """Invariant: the same again, other weights than of rows that begin anew or from the end; no lane is in the file."""
    text = tmp_path / "long.txt"
    text.write_text(" ".join(f"chapter {n} of {n * n % 7}" for n in range(400)))
    asked: dict[str, Any] = {"corpus": str(text), "vocab_size": 270, "model": "lstm-tiny", "batch_size": 3}
    asked |= {"precision": "fp32", "sets": ["model.context=16"], "dev_frac": 0.05}

    def weights(name: str, length: str, **changes: Any) -> bytes:
        warmstart.pretrain(str(tmp_path / name), **asked, length=length, **changes)
        return (tmp_path / name / "model.safetensors").read_bytes()

    whole = weights("whole", "2 epochs", carry=True)
    assert whole == weights("again", "2 epochs", carry=True) != weights("anew", "2 epochs")
    assert whole != weights("backward", "2 epochs", carry=True, objective="backward")
    evaluated = [
        warmstart.evaluate(str(tmp_path / name), str(text), precision="fp32")["tokens"] for name in ("whole", "anew")
    ]
    assert evaluated[0] == evaluated[1]
    assert "lanes" not in "".join(read_tensors(tmp_path / "whole" / "model.safetensors"))
    words = warmstart.explain("pretrain", **asked, carry=True)["words"]
    assert any("in the order of the text" in line for line in words)


def test_a_language_model_is_judged_in_rows_of_any_length(home: Path, tmp_path: Path) -> None:
    """Witness: the mean of the losses of the whole text in one pass."""
    text = tmp_path / "long.txt"
    text.write_text(" ".join(f"a film about number {n}" for n in range(300)))
    short, whole = (warmstart.evaluate(str(home / "lm"), str(text), precision="fp32", context=n) for n in (16, 100_000))
    loaded = load_run(str(home / "lm"), "fp32")
    ids = np.append(loaded.text.encode(text.read_text()), loaded.text.end_id)
    losses = loaded.model.score_tokens(collate([causal(ids)])).losses
    assert whole["metrics"]["loss"] == pytest.approx(float(losses.mean()), rel=1e-6)
    assert whole["metrics"] != short["metrics"] and whole["tokens"] == short["tokens"] == len(ids) - 1
    warmstart.pretrain(str(tmp_path / "gpt"), corpus=str(text), vocab_size=270, model="gpt1-tiny", **SHORT)
    files = {"train": str(home / "classification.jsonl"), "dev": str(home / "classification.jsonl")}
    warmstart.finetune(str(tmp_path / "task"), start=str(tmp_path / "gpt"), task="classification", **files, **SHORT)
    with pytest.raises(BadInput, match="longer than the model can read; got 4096; allowed: 8 to"):
        warmstart.evaluate(str(tmp_path / "gpt"), str(text), context=4096)
    with pytest.raises(BadInput, match="allowed: with a language model"):
        warmstart.evaluate(str(tmp_path / "task"), files["dev"], context=16)
    with pytest.raises(BadInput, match="language model without a task"):
        warmstart.evaluate(str(tmp_path / "gpt"), str(text), metrics="bleu")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "gpt1-tiny"}, "has no state to carry from row to row"),
        ({"objective": "both"}, "allowed: causal, backward"),
        ({"objective": "autoencoder"}, "allowed: causal, backward"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused(home: Path, tmp_path: Path, changes: dict[str, str], sentence: str) -> None:
    """Invariant: one sentence, nothing written."""
    asked: dict[str, Any] = {"corpus": str(home / "text.txt"), "vocab_size": 270, "model": "lstm-tiny", "carry": True}
    with pytest.raises(BadInput, match=sentence):
        warmstart.pretrain(str(tmp_path / "run"), **(asked | changes), **SHORT)
    assert not (tmp_path / "run").exists()


def test_an_autoencoder_is_judged_by_what_it_has_learned(home: Path, tmp_path: Path) -> None:
    """Witness: how many tokens are asked for: all n of a document, where the next token has n - 1."""
    texts = str(tmp_path / "few.jsonl")
    Path(texts).write_text("".join(json.dumps({"text": f"a film {n}"}) + "\n" for n in range(40)))
    asked = {}
    for objective in ("causal", "autoencoder"):
        run = str(tmp_path / objective)
        warmstart.pretrain(run, corpus=texts, objective=objective, model="lstm-tiny", vocab_size=270, **SHORT)
        asked[objective] = warmstart.evaluate(run, texts, precision="fp32")["tokens"]
    assert asked["autoencoder"] == asked["causal"] + 40
