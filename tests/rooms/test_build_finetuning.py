"""Where a fine-tuning begins: the model at step 0."""

import json
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
    predictor = build_predictor([Member(model, built.tokenizer, built.spec)], GenerateSettings())
    found = evaluate_records(predictor, built.data.dev, seed=None)
    scores = [[row["score"] for row in part] for part in (ROWS[task][:16], ROWS[task][16:])]
    of_mean = float(np.mean((np.array(scores[1]) - np.mean(scores[0])) ** 2))
    assert found.metrics["mse"] == pytest.approx(of_mean, rel=0.2)
    assert np.mean(np.square(scores[1])) > 50 * of_mean  # what a bias of 0 would begin with


def test_other_heads_begin_at_zero(tmp_path: Path) -> None:
    """Invariant: no class is likelier than another before the first step."""
    model, _ = begun(tmp_path, "classification")
    assert not model.heads["label"].linear.bias.any()
