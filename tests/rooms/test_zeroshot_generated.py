"""Tasks that are answered by going on: prompts and answers by hand, a greedy loop over single texts as witness."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.build.zeroshot import find_task
from warmstart.cli.main import main
from warmstart.decode.settings import GenerateSettings
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.causal import CausalModel
from warmstart.zeroshot.generated import Prompt, first_sentences
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.task import Options

LINES = ["Q: who waits\nA: the heron\n\n", "Q: what bends\nA: the reeds\n\n"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(LINES * 5, 290)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Model:
    backbone = preset("gpt1-tiny", vocab_size=tokenizer.vocab_size, context=48, init_std=0.4)
    return Model.fresh(ModelSettings(backbone=backbone), 1).eval()


@pytest.fixture(scope="module")
def run(tokenizer: Tokenizer, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated") / "run"
    folder.mkdir()
    write_model(folder, model, tokenizer, RunMetadata(), "A test.")
    return folder


def prompts(task: str, data: str, **options: Any) -> list[Prompt]:
    return [item.asked for item in find_task(task).items(data, Options(**options))]


def greedy(model: Model, tokenizer: Tokenizer, text: str, most: int) -> str:
    """The likeliest token, one after the other, up to the end of a line or of the text."""
    ids, start = tokenizer.encode(text).tolist(), len(tokenizer.encode(text))
    while len(ids) < start + most:
        goal = Goal.each(np.array([len(ids) - 1]), np.array([0]))
        batch = collate([[Example.left_to_right(np.array(ids), {"lm": goal})]])
        best = int(model.answers(batch)["lm"].argmax())
        if best == tokenizer.end_id or tokenizer.decode([best]).startswith("\n"):
            break
        ids.append(best)
    return tokenizer.decode_continuation(ids[:start], ids[start:])


def test_what_is_written_is_that_of_a_plain_loop(model: Model, tokenizer: Tokenizer) -> None:
    """Witness: the likeliest token of the whole text so far, one text at a time, up to the end of a line."""
    scorer = Scorer(CausalModel(model, tokenizer), tokenizer)
    texts = ["Q: who waits\nA:", "the reeds bend", "A: the", "heron heron"]
    settings = GenerateSettings(greedy=True, max_new=12)
    found = scorer.write([("", text) for text in texts], settings, 0, by_line=True)
    assert [one.text for one in found] == [greedy(model, tokenizer, text, 12) for text in texts]
    assert all("\n" not in one.text for one in found)


def test_an_article_loses_its_end(model: Model, tokenizer: Tokenizer) -> None:
    """Invariants: what is read fits with what will be written; the hint and the article's beginning stay."""
    scorer = Scorer(CausalModel(model, tokenizer), tokenizer)
    article, hint = "who waits in the reeds " * 10, "\nA:"
    ids = scorer._prompt(article, hint, 8)
    assert len(ids) == 40 and tokenizer.decode(ids).endswith(hint)
    assert article.startswith(tokenizer.decode(ids).removesuffix(hint))
    assert tokenizer.decode(scorer._prompt("who", hint, 8)) == "who\nA:"
    assert first_sentences("\n One. Two! Three? Four.").split("\n") == ["One.", "Two!", "Three?"]


def test_questions_with_solved_ones_before(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the prompt by hand; the exact match of the rows that are written, of all and of the likeliest."""
    data, shots, out = (tmp_path / name for name in ("dev.jsonl", "shots.jsonl", "out.jsonl"))
    rows = [{"question": f"who waits {n}", "answer": ["the heron", "herons"]} for n in range(5)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shots.write_text(json.dumps({"question": "what bends", "answer": ["the reeds"]}) + "\n")
    found = prompts("nq_open", str(data), shots=1, shots_data=str(shots))
    assert found[0].head + found[0].tail == "Q: what bends\nA: the reeds\n\nQ: who waits 0\nA:"
    words = ["zeroshot", "--run", run, "--task", "nq_open", "--data", data, "--output", out, "--json"]
    assert main(list(map(str, words))) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    texts = [json.loads(line)["prediction"] for line in out.read_text().splitlines()]
    right = [text.lower().replace("the ", "").strip(" .") in ("heron", "herons") for text in texts]
    assert metrics["exact_match"] == np.mean(right) and metrics["exact_match_confident"] in (0.0, 1.0)


def test_translation_by_example_pairs(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: GPT-2's form of a pair, by hand; BLEU of the written rows by sacrebleu."""
    sacrebleu = pytest.importorskip("sacrebleu")
    for name, text in (("en", "the heron\nthe reeds\nwho waits\n"), ("de", "der Reiher\ndas Schilf\nwer wartet\n")):
        (tmp_path / f"text.{name}").write_text(text)
    data = f"{tmp_path / 'text.en'},{tmp_path / 'text.de'}"
    found = prompts("translation", data, shots=2)
    assert sorted(found[2].tail.split("\n")) == ["the heron = der Reiher", "the reeds = das Schilf", "who waits ="]
    out = tmp_path / "out.jsonl"
    words = ["zeroshot", "--run", run, "--task", "translation", "--data", data, "--shots", 2, "--output", out, "--json"]
    assert main(list(map(str, words))) == 0
    told = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    expected = sacrebleu.corpus_bleu([row["prediction"] for row in rows], [[row["references"][0] for row in rows]])
    assert told["metrics"]["bleu"] == pytest.approx(expected.score) and told["examples"] == 3


def test_a_dialogue_tells_what_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path) -> None:
    """Witness: two questions of a story in CoQA's form, the prompts and all answers by hand."""
    story = {
        "story": "A heron waits.", "questions": [{"input_text": "Who waits?"}, {"input_text": "Where?"}],
        "answers": [{"input_text": "A heron"}, {"input_text": "unknown"}],
        "additional_answers": {"0": [{"input_text": "the heron"}, {"input_text": "no idea"}]},
    }  # fmt: skip
    data = tmp_path / "coqa.json"
    data.write_text(json.dumps({"data": [story]}))
    first, second = prompts("coqa", str(data))
    assert first == Prompt("A heron waits.", "\n\nQ: Who waits?\nA:", ("A heron", "the heron"), first.where)
    assert second.tail == "\n\nQ: Who waits?\nA: A heron\nQ: Where?\nA:" and second.answers == ("unknown", "no idea")
    data.write_text(json.dumps({"rows": []}))
    assert main(["zeroshot", "--run", str(run), "--task", "coqa", "--data", str(data)]) == 2
    assert "not a file of coqa ('data')" in capsys.readouterr().err


def test_summaries_behind_a_hint(tmp_path: Path) -> None:
    """Witness: the two prompts by hand."""
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps({"document": "Herons wait.", "summary": "Waiting."}) + "\n")
    [hinted], [bare] = prompts("tldr", str(data)), prompts("tldr_no_hint", str(data))
    assert (hinted.head, hinted.tail, hinted.answers) == ("Herons wait.", "\nTL;DR:", ("Waiting.",))
    assert bare.head + bare.tail == "Herons wait.\n"
    data.write_text(json.dumps({"source": ["herons", "wait"], "target": ["they", "wait"]}) + "\n")
    [pieces] = prompts("tldr", str(data))
    assert (pieces.head, pieces.answers) == ("herons wait", ("they wait",))
