"""Several runs that choose each token together, from the command line and from Python."""

import json
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.verbs.api import evaluate, generate, predict

SMALL = ["--set", "model.width=24", "--context", "24", "--precision", "fp32"]
TASK = ["--start", "none", "--task", "seq2seq", "--source-limit", "12", "--target-limit", "8", "--batch-size", "16"]
MODELS = {"pair": ["encoder-decoder-tiny"], "lstm": ["lstm-encoder-decoder-tiny"], "stack": ["gpt1-tiny"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two vocabularies, language models with both, and three runs of one task with the first."""
    folder = tmp_path_factory.mktemp("ensembles")
    texts = [f"{('red', 'green', 'blue')[n % 3]} {('fox', 'hen')[n % 2]} runs" for n in range(24)]
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    rows = [{"source": text, "target": text.split()[1]} for text in texts]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*words: str) -> None:
        assert main([*words, "--quiet"]) == 0

    for name, size in (("one", "264"), ("two", "260")):
        run("prepare", str(folder / "texts.jsonl"), "--vocab-size", size, "--out", str(folder / name))
        words = ["--corpus", str(folder / name), "--model", "gpt1-tiny", *SMALL, "--length", "2 steps"]
        run("pretrain", *words, "--out", str(folder / f"lm-{name}"))
    for name, [model] in MODELS.items():
        data = ["--train", str(folder / "rows.jsonl"), "--dev", str(folder / "rows.jsonl")]
        words = ["--tokenizer", str(folder / "one"), "--model", model, *SMALL, "--length", "3 steps", "--retries", "0"]
        run("finetune", *TASK, *data, *words, "--lr", "1e-2", "--out", str(folder / name))
    return folder


def test_runs_of_two_kinds_answer_together(home: Path, tmp_path: Path) -> None:
    """Invariants: the loss of a mean of probabilities is at most the mean of the losses; a run beside itself is that run."""
    runs, data = [str(home / name) for name in ("pair", "lstm")], str(home / "rows.jsonl")
    each = [evaluate(run, data)["metrics"]["loss"] for run in runs]
    together = evaluate(runs, data)["metrics"]["loss"]
    assert min(each) - 1e-6 <= together <= sum(each) / 2
    assert evaluate([runs[0], runs[0]], data)["metrics"] == pytest.approx(evaluate(runs[0], data)["metrics"], abs=1e-5)
    words = [word for run in runs for word in ("--run", run)]
    out = tmp_path / "out.jsonl"
    assert main(["predict", *words, "--input", data, "--output", str(out), "--beam", "2", "--quiet"]) == 0
    predicted = [json.loads(line)["prediction"] for line in out.read_text().splitlines()]
    assert predicted == [one["text"] for one in generate(runs, [row["source"] for row in rows_of(home)], beam=2)]


def rows_of(home: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (home / "rows.jsonl").read_text().splitlines()]


def test_language_models_continue_a_prompt_together(home: Path) -> None:
    """Invariant: a model beside itself is that model."""
    run = str(home / "lm-one")
    alone, twice = (generate(runs, "red fox", max_new=6, beam=2) for runs in (run, [run, run]))
    assert [one["text"] for one in twice] == [one["text"] for one in alone]
    assert twice[0]["log_prob"] == pytest.approx(alone[0]["log_prob"], abs=2e-4)


def test_a_source_longer_than_the_positions(home: Path, tmp_path: Path) -> None:
    """Invariants: it is cut and counted, or refused as asked, with nothing written."""
    (tmp_path / "long.jsonl").write_text(json.dumps({"source": " ".join(["red fox runs"] * 30)}) + "\n")
    for run in ("pair", "lstm"):
        found = predict(str(home / run), str(tmp_path / "long.jsonl"), str(tmp_path / f"{run}.jsonl"))
        assert (found["examples"], found["cut"]) == (1, 1)
        with pytest.raises(BadInput, match="more tokens than"):
            predict(str(home / run), str(tmp_path / "long.jsonl"), str(tmp_path / "none.jsonl"), long_text="refuse")
        assert not (tmp_path / "none.jsonl").exists()


def test_bad_input(home: Path) -> None:
    """Bad input: other vocabularies, in tasks (a one-stack model has tokens of its own) and in language models."""
    with pytest.raises(BadInput, match=r"lm-two: the runs have different vocabularies"):
        generate([str(home / "lm-one"), str(home / "lm-two")], "red fox")
    with pytest.raises(BadInput, match=r"stack: the runs have different vocabularies .*name runs of one vocabulary"):
        predict([str(home / "pair"), str(home / "stack")], str(home / "rows.jsonl"), str(home / "none.jsonl"))
    assert not (home / "none.jsonl").exists()
