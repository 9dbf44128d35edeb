"""Where a fine-tuning begins: the model at step 0."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.predictor import Member
from warmstart.models.model import Model

ROWS = {
    "regression": [{"text": f"bottle {n} holds water", "score": 40.0 + n % 7} for n in range(24)],
    "similarity": [
        {"sentence1": f"bottle {n}", "sentence2": f"jar {n}", "score": -30 + n % 5} for n in range(24)
    ],
    "classification": [{"text": f"bottle {n}", "label": ("full", "empty")[n % 2]} for n in range(24)],
}  # fmt: skip


def begun(tmp_path: Path, task: str, **flags: Any) -> tuple[Model, Finetuning]:
    for part, rows in (("train", ROWS[task][:16]), ("dev", ROWS[task][16:])):
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"--start": "none", "--task": task, "--model": "lstm-tiny", "--vocab-size": 270} | flags
    given |= {f"--{part}": str(tmp_path / f"{part}.jsonl") for part in ("train", "dev")}
    recipe = compose(FinetuneRecipe, flags=given)
    built = build_finetuning(recipe)
    return built.fresh(recipe)[0], built


@pytest.mark.parametrize("flags", [{}, {"--model": "bert-tiny"}, {"--head-hidden": 8}])
@pytest.mark.parametrize("task", ["regression", "similarity"])
def test_the_loss_of_scores_begins_at_that_of_their_mean(tmp_path: Path, task: str, flags: dict[str, Any]) -> None:
    """Witness: NumPy's squared error on dev of the mean of the training scores, which no weight has learned."""
    model, built = begun(tmp_path, task, **flags)
    predictor = build_predictor([Member(model, built.tokenizer, built.task.spec)], GenerateSettings())
    found = evaluate_records(predictor, built.task.data.dev, seed=None)
    scores = [[row["score"] for row in part] for part in (ROWS[task][:16], ROWS[task][16:])]
    of_mean = float(np.mean((np.array(scores[1]) - np.mean(scores[0])) ** 2))
    assert found.metrics["mse"] == pytest.approx(of_mean, rel=0.2)
    assert np.mean(np.square(scores[1])) > 50 * of_mean  # what a bias of 0 would begin with


def test_other_heads_begin_at_zero(tmp_path: Path) -> None:
    """Invariant: no class is likelier than another before the first step."""
    model, _ = begun(tmp_path, "classification")
    assert not model.heads["label"].linear.bias.any()


WORDS = [f"w{number}" for number in range(40)]
LONG: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "classification": lambda words: {"text": " ".join(words), "label": len(words[0]) % 2},
    "tagging": lambda words: {"tokens": words, "tags": [("N", "V")[len(word) % 2] for word in words]},
    "seq2seq": lambda words: {"source": " ".join(words), "target": words[0]},
}


@pytest.mark.parametrize(("task", "most"), [("classification", 14), ("tagging", 34), ("seq2seq", 22)])
def test_a_training_holds_few_bytes_for_each_token(task: str, most: int, tmp_path: Path) -> None:
    """Witness: tracemalloc, for texts of one length and of twice that length: a token has 8 bytes of id and two of text.

    Words to be tagged have a place, a question, a target and a label beside; a source is kept for its sequence.
    """
    drawn = np.random.default_rng(0).integers(0, len(WORDS), (48, 200))
    held, tokens = [], []
    for length in (100, 100, 200):  # the first pays for what is made once
        rows = [LONG[task]([WORDS[place] for place in row[:length]]) for row in drawn]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        flags = {
            "--start": "none", "--model": "gpt1-tiny", "--vocab-size": "400", "--task": task,
            "--train": str(tmp_path / "rows.jsonl"), "--dev": str(tmp_path / "rows.jsonl"),
        }  # fmt: skip
        recipe = compose(FinetuneRecipe, flags=flags, sets=["model.context=512", "task.seq2seq.source_limit=480"])
        gc.collect()
        tracemalloc.start()
        built = build_finetuning(recipe)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        tokens.append(built.task.training.account.tokens)
    assert tokens[2] - tokens[1] > 48 * 90
    assert (held[2] - held[1]) / (tokens[2] - tokens[1]) < most
