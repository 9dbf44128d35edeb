"""Tokens that are read as the unknown word in training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.text.tokenizer import Tokenizer

ROWS = [{"text": f"the sea on day {n % 4} is calm and the wind is low", "label": "ab"[n % 2]} for n in range(40)]


def flags(folder: Path, model: str, rate: float) -> dict[str, Any]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return {
        "--start": "none", "--model": model, "--vocab-size": "290", "--task": "classification", "--lr": "1e-3",
        "--vocabulary": "words" if model == "bert-tiny" else "bpe",
        "--train": str(folder / "rows.jsonl"), "--batch-size": "40", "--length": "2 steps", "--word-dropout": str(rate),
    }  # fmt: skip


def built(folder: Path, rate: float) -> tuple[Finetuning, FinetuneRecipe]:
    recipe = compose(FinetuneRecipe, flags=flags(folder, "bert-tiny", rate))
    return build_finetuning(recipe), recipe


def ids_of(found: Finetuning, recipe: FinetuneRecipe, epoch: int) -> np.ndarray:
    [(_, stream)] = found.stream(recipe).parts
    items = stream.source.take(epoch, np.arange(40))
    return np.concatenate([example.ids for item in items for example in item])


def test_some_words_are_unknown_and_others_in_the_next_epoch(tmp_path: Path) -> None:
    """Witness: counting, beside the same texts with all their words: special tokens stay, and so do the labels."""
    (plain, asked), (found, recipe) = built(tmp_path, 0.0), built(tmp_path, 0.3)
    assert isinstance(found.tokenizer, Tokenizer)
    unknown, special = found.tokenizer.special_token_id("unk"), [*found.tokenizer.special_ids]
    whole, first, second = ids_of(plain, asked, 0), ids_of(found, recipe, 0), ids_of(found, recipe, 1)
    assert len(special) > 2 and np.isin(special, whole).sum() == 2
    for ids in (first, second):
        changed = ids != whole
        assert (ids[changed] == unknown).all() and not np.isin(whole[changed], special).any()
        assert changed.sum() / (~np.isin(whole, special)).sum() == pytest.approx(0.3, abs=0.06)
    assert not np.array_equal(first, second) and np.array_equal(first, ids_of(found, recipe, 0))
    [(_, stream)] = found.stream(recipe).parts
    labels = [item[0].goals["label"].targets.tolist() for item in stream.source.take(0, np.arange(40))]
    assert labels == [[n % 2] for n in range(40)]


def test_a_vocabulary_that_knows_everything_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: one sentence, exit code 2, nothing written."""
    words = [word for pair in flags(tmp_path, "gpt1-tiny", 0.1).items() for word in pair]
    assert main(["finetune", *words, "--out", str(tmp_path / "run")]) == 2
    assert "no token for an unknown word" in capsys.readouterr().err and not (tmp_path / "run").exists()
