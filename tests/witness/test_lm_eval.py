"""Likelihoods, accuracies and perplexities are those of lm-evaluation-harness, over the same folder and the same rows.

Skipped where ``lm_eval`` is not installed (extra ``dev``).
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from warmstart.cli.main import main
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.text.tokenizer import Tokenizer

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.filterwarnings("ignore")

LINES = ["a heron stands in the reeds", "the reeds bend and the heron waits", "what waits in the reeds stands"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random GPT-2 of context 24, large enough in its weights that guesses differ."""
    found = tmp_path_factory.mktemp("harness") / "run"
    found.mkdir()
    tokenizer = Tokenizer.train(LINES * 5, 300)
    backbone = preset(
        "gpt2", vocab_size=tokenizer.vocab_size, layers=2, width=32, heads=2, hidden=64, context=24, init_std=0.4
    )
    model = Model.fresh(ModelSettings(backbone=backbone), 1)
    write_model(found, model, tokenizer, RunMetadata(), "A test.")
    return found


@pytest.fixture(scope="module")
def harness(folder: Path):
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=4)


def instances(kind: str, arguments: list[tuple[str, ...]]):
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, number) for number, one in enumerate(arguments)]


def judged(folder: Path, task: str, data: Path, tmp_path: Path, capsys, *more: str) -> tuple[dict, list[dict]]:
    rows = tmp_path / f"{task}.rows.jsonl"
    words = [
        "zeroshot",
        "--run",
        folder,
        "--task",
        task,
        "--data",
        data,
        "--output",
        rows,
        "--precision",
        "fp32",
        "--json",
    ]
    assert main([*map(str, words), *more]) == 0
    return json.loads(capsys.readouterr().out)["metrics"], [json.loads(line) for line in rows.read_text().splitlines()]


def test_multiple_choice(folder: Path, harness, tmp_path: Path, capsys) -> None:
    """Witness: HFLM.loglikelihood, and the harness's accuracies by total and by bytes."""
    rng = np.random.default_rng(0)
    words = " ".join(LINES).split()
    rows = [
        {
            "goal": " ".join(rng.choice(words, 5)), "label": int(rng.integers(2)),
            **{f"sol{n}": " ".join(rng.choice(words, int(rng.integers(1, 5)))) for n in (1, 2)},
        }
        for _ in range(24)
    ]  # fmt: skip
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics, found = judged(folder, "piqa", data, tmp_path, capsys)
    asked = [(f"Question: {row['goal']}\nAnswer:", f" {row[f'sol{n}']}") for row in rows for n in (1, 2)]
    theirs = np.array([one for one, _ in harness.loglikelihood(instances("loglikelihood", asked), True)]).reshape(-1, 2)
    assert np.array([row["log_probs"] for row in found]) == pytest.approx(theirs, abs=1e-4)
    labels = np.array([row["label"] for row in rows])
    sizes = np.array([[len(row["sol1"]), len(row["sol2"])] for row in rows])
    assert metrics["accuracy"] == np.mean(theirs.argmax(1) == labels)
    assert metrics["accuracy_byte"] == np.mean((theirs / sizes).argmax(1) == labels)


def test_last_word(folder: Path, harness, tmp_path: Path, capsys) -> None:
    """Witness: HFLM.loglikelihood of lambada_openai's pairs, its greedy flag, and the exponential of the mean."""
    data = tmp_path / "passages.jsonl"
    data.write_text("".join(json.dumps({"text": line}) + "\n" for line in LINES))
    metrics, found = judged(folder, "lambada", data, tmp_path, capsys)
    asked = [(line.rsplit(" ", 1)[0], " " + line.rsplit(" ", 1)[1]) for line in LINES]
    theirs = harness.loglikelihood(instances("loglikelihood", asked), True)
    assert [row["log_prob"] for row in found] == pytest.approx([one for one, _ in theirs], abs=1e-4)
    assert metrics["accuracy"] == np.mean([greedy for _, greedy in theirs])
    assert metrics["perplexity"] == pytest.approx(np.exp(-np.mean([one for one, _ in theirs])), rel=1e-4)


def test_rolling_perplexity(folder: Path, harness, tmp_path: Path, capsys) -> None:
    """Witness: HFLM.loglikelihood_rolling, whose windows stand side by side, over the harness's own de-tokenised page."""
    from lm_eval.tasks.wikitext.preprocess_wikitext import wikitext_detokenizer

    page = " = A heron = \n \n the reeds , which bend ( a lot ) , and 3 @.@ 5 herons ' reeds . \n" + "\n".join(
        LINES * 3
    )
    data = tmp_path / "wiki.tokens.txt"
    data.write_text(page)
    metrics, _ = judged(folder, "wikitext2", data, tmp_path, capsys, "--min-context", "1")
    text = wikitext_detokenizer({"page": page})
    [theirs] = harness.loglikelihood_rolling(instances("loglikelihood_rolling", [(text,)]), True)
    words = len([word for word in re.split(r"\s+", page) if word])
    assert metrics["word_perplexity"] == pytest.approx(np.exp(-theirs / words), rel=1e-5)
    assert metrics["byte_perplexity"] == pytest.approx(np.exp(-theirs / len(page.encode())), rel=1e-5)
    assert metrics["bits_per_byte"] == pytest.approx(-theirs / len(page.encode()) / np.log(2), rel=1e-5)
