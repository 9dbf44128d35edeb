"""Taggers and span models as transformers sees them: its token and question answering classes, both ways."""

import json
import random
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from test_encoder_runs_transformers import pretrained

import warmstart

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

WORDS = ["ada", "rio", "saw", "left", "the", "river", "##s", "19", "##23", "##an", "in"]
NAMES = {0: "B-LOC", 1: "I-LOC", 2: "O"}
BERT = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32, "initializer_range": 0.5,
}  # fmt: skip
QUICK: dict[str, Any] = {"length": "3 steps", "lr": 1e-3, "precision": "fp32", "batch_size": 8}


def sentences(count: int) -> list[dict[str, Any]]:
    draw = random.Random(1)
    words = ["Ada", "Rios", "Rioan", "saw", "the", "rivers", "1923", "Éa", "left"]
    rows = [[draw.choice(words) for _ in range(draw.randint(1, 7))] for _ in range(count)]
    return [{"tokens": row, "tags": ["B-LOC" if word[:3] == "Rio" else "O" for word in row]} for row in rows]


def questions(count: int) -> list[dict[str, Any]]:
    draw = random.Random(2)
    rows = []
    for _ in range(count):
        words = [draw.choice(["Ada", "left", "the", "rivers", "Rioan"]) for _ in range(draw.randint(1, 6))]
        context = " ".join([*words, "in 1923"])
        answer = {"answer": "1923", "start": context.index("1923")}
        rows.append({"context": context, "question": draw.choice(["Ada left", "in the river"])} | answer)
    return rows


def vocabulary(folder: Path) -> Path:
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    return folder


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    folder = tmp_path / "bert"
    torch.manual_seed(0)
    transformers.BertForPreTraining(transformers.BertConfig(**BERT)).save_pretrained(folder)
    return vocabulary(folder)


def their_tags(folder: Path, rows: list[dict[str, Any]], *, joined: bool = False) -> list[list[str]]:
    """What their token classifier says at the first token of each word, by their own word numbers.

    ``joined``: on the words with blanks between them, by the characters of the tokens, as a byte-level vocabulary without a
    blank before a text needs it: of words one by one theirs takes the blanks away.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, told = transformers.AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    found = []
    for row in rows:
        given = " ".join(row["tokens"]) if joined else row["tokens"]
        encoded = tokenizer(given, is_split_into_words=not joined, return_tensors="pt")
        with torch.no_grad():
            best = model.eval()(**encoded).logits[0].argmax(-1).tolist()
        places = _words_of_tokens(encoded, given) if joined else encoded.word_ids(0)
        found.append([model.config.id2label[best[places.index(word)]] for word in range(len(row["tokens"]))])
    return found


def _words_of_tokens(encoded: Any, text: str) -> list[int | None]:
    """The word that each token of a text stands in; of its special tokens ``None``."""
    spans = [encoded.token_to_chars(0, place) for place in range(encoded.input_ids.shape[1])]
    return [None if span is None else text[: span.end].strip().count(" ") for span in spans]


def their_answer(folder: Path, row: dict[str, Any]) -> tuple[int, int, float]:
    """Best piece of the context by their logits and offsets, all pairs tried, and its probability."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, told = transformers.AutoModelForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    encoded = tokenizer(row["question"], row["context"], return_tensors="pt", return_offsets_mapping=True)
    places = encoded.pop("offset_mapping")[0].tolist()
    inside = [i for i, sequence in enumerate(encoded.sequence_ids(0)) if sequence == 1]
    with torch.no_grad():
        out = model.eval()(**encoded)
    none = 0 if model.config.model_type == "bert" else len(places) - 1
    read = [
        none,
        *inside,
    ]  # "no answer" is [CLS] or, left to right, the last token; question and marks are never pointed at
    begin, stop = out.start_logits[0, read].softmax(-1), out.end_logits[0, read].softmax(-1)
    pairs = [(float(begin[i] * stop[j]), i, j) for i, j in product(range(1, len(read)), repeat=2) if i <= j]
    share, i, j = max(pairs)
    start, end = places[read[i]][0], places[read[j]][1]
    return start + row["context"][start:].startswith(" "), end, share  # byte BPE counts the space before a word


def check_answers(folder: Path) -> None:
    rows = questions(10)
    out = folder.parent / "answers.jsonl"
    given = folder.parent / "given.jsonl"
    given.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    warmstart.predict(str(folder), str(given), str(out))
    for row, line in zip(rows, out.read_text().splitlines(), strict=True):
        told = json.loads(line)
        start, end, share = their_answer(folder, row)
        assert (told["start"], told["end"]) == (start, end) and told["answer"] == row["context"][start:end]
        assert told["score"] == pytest.approx(share, abs=1e-5)


def test_a_tagger_of_ours_is_theirs_and_says_the_same(bert: Path, tmp_path: Path) -> None:
    """Witness: AutoModelForTokenClassification on words that its own tokenizer splits."""
    run = tmp_path / "run"
    warmstart.Classifier(str(bert), task="tagging", **QUICK).fit(sentences(40)).save(run)
    assert warmstart.load(run).predict(sentences(12)) == their_tags(run, sentences(12))


def test_a_tagger_of_another_family_is_theirs_too(tmp_path: Path) -> None:
    """Witness: DebertaV2ForTokenClassification on words that its vocabulary has."""
    (tmp_path / "start").mkdir()
    start, run, draw = pretrained("deberta-v2", tmp_path / "start"), tmp_path / "run", random.Random(3)
    words = [[draw.choice(("film", "people", "sad", "the")) for _ in range(draw.randint(1, 9))] for _ in range(40)]
    rows = [{"tokens": row, "tags": ["B-X" if word == "film" else "O" for word in row]} for row in words]
    warmstart.Classifier(str(start), task="tagging", **QUICK | {"lr": 1e-2}).fit(rows).save(run)
    assert warmstart.load(run).predict(rows[:12]) == their_tags(run, rows[:12])


@pytest.mark.parametrize("preset", ["gpt1-micro", "modern-mini"])
def test_a_left_to_right_tagger_is_theirs_too(preset: str, tmp_path: Path) -> None:
    """Witness: GPT2ForTokenClassification and Qwen3ForTokenClassification, found by name."""
    warmstart.Classifier("none", task="tagging", model=preset, **QUICK).fit(sentences(40)).save(tmp_path / "run")
    assert warmstart.load(tmp_path / "run").predict(sentences(12)) == their_tags(
        tmp_path / "run", sentences(12), joined=True
    )


def test_a_tagger_of_theirs_answers_here(tmp_path: Path) -> None:
    """Witness: the same, from a folder that transformers wrote; its label names are ours."""
    torch.manual_seed(1)
    config = transformers.BertConfig(**BERT, id2label=NAMES, label2id={v: k for k, v in NAMES.items()})
    transformers.BertForTokenClassification(config).save_pretrained(tmp_path)
    vocabulary(tmp_path)
    told = warmstart.load(tmp_path).predict(sentences(12))
    assert told == their_tags(tmp_path, sentences(12)) and len({tag for tags in told for tag in tags}) > 1
    found = warmstart.load(tmp_path).evaluate(sentences(12))
    assert list(found["metrics"]) == ["f1", "precision", "recall", "accuracy"]
    right = np.concatenate([np.array(row["tags"]) == tags for row, tags in zip(sentences(12), told, strict=True)])
    assert found["metrics"]["accuracy"] == pytest.approx(right.mean())


def test_a_tagger_of_inside_tags_is_evaluated_as_its_tags_are(tmp_path: Path) -> None:
    """Witness: their tags and seqeval, on the tags as the file has them; the model knows no ``B-``."""
    torch.manual_seed(1)
    names = {0: "I-LOC", 1: "I-PER", 2: "O"}
    config = transformers.BertConfig(**BERT, id2label=names, label2id={v: k for k, v in names.items()})
    transformers.BertForTokenClassification(config).save_pretrained(tmp_path)
    vocabulary(tmp_path)
    draw, rows = random.Random(3), sentences(30)
    predicted = their_tags(tmp_path, rows)
    truth = [[tag if draw.random() < 0.8 else draw.choice(list(names.values())) for tag in tags] for tags in predicted]
    rows = [row | {"tags": tags} for row, tags in zip(rows, truth, strict=True)]
    found = warmstart.load(tmp_path).evaluate(rows)["metrics"]
    assert warmstart.load(tmp_path).predict(rows) == predicted
    for name, theirs in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert found[name] == pytest.approx(theirs(truth, predicted)) and 0.2 < found[name] < 1
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted))


def test_a_span_model_of_ours_is_theirs_and_says_the_same(bert: Path, tmp_path: Path) -> None:
    """Witness: AutoModelForQuestionAnswering, the best of all pieces by its logits and its tokenizer's offsets."""
    run = tmp_path / "run"
    warmstart.Classifier(str(bert), task="span", **QUICK).fit(questions(40)).save(run)
    check_answers(run)


def test_a_left_to_right_span_model_is_theirs_too(tmp_path: Path) -> None:
    """Witness: GPT2ForQuestionAnswering, the same way."""
    run = tmp_path / "run"
    warmstart.Classifier("none", task="span", model="gpt1-micro", **QUICK).fit(questions(40)).save(run)
    check_answers(run)


def test_a_span_model_of_theirs_answers_here(tmp_path: Path) -> None:
    """Witness: the same, from a folder that transformers wrote."""
    folder = tmp_path / "theirs"
    torch.manual_seed(3)
    transformers.BertForQuestionAnswering(transformers.BertConfig(**BERT)).save_pretrained(folder)
    vocabulary(folder)
    check_answers(folder)
