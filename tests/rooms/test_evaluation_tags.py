"""Tags told: each sentence alone as the witness of batching; seqeval and scikit-learn of the metrics."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score
from sklearn.metrics import accuracy_score

from warmstart.base.errors import BadInput
from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.head_predictor import HeadPredictor
from warmstart.evaluation.predict import predict_records, predict_rows
from warmstart.example.batch import collate
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.tasks.answer import Scores
from warmstart.tasks.dataset import task_from
from warmstart.tasks.frames import frame_records
from warmstart.tasks.settings import FrameSettings, TaggingSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.tasks.tagging import words_read
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

TOKENIZER = Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)
ENTITIES = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
SPEECH = ("ADJ", "NOUN", "VERB")


def spec(names: tuple[str, ...] = ENTITIES, unread: str = "O", **frame: Any) -> TaskSpec:
    settings = FrameSettings(**{"context": 24, "lm": False, **frame})
    return TaskSpec(kind="tagging", label_names=names, frame=settings, options=TaggingSettings(unread=unread))


def model(task: TaskSpec) -> Model:
    head = HeadSettings(kind="class", size=len(task.label_names))
    made = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=260), heads={"tags": head}), 0)
    with torch.no_grad():
        made.heads["tags"].linear.weight.mul_(40)
    return made


def records(count: int, tags: int) -> list[Record]:
    """Sentences of 0 to 11 words, some of them longer than the context, some words empty."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(count):
        size = int(rng.integers(0, 12))
        words = tuple("".join(chr(97 + n) for n in rng.integers(0, 26, rng.integers(0, 5))) for _ in range(size))
        made.append(Record({"tokens": words}, tuple(rng.integers(0, tags, size).tolist()), {"id": number}))
    return made


def alone(made: Model, task: TaskSpec, record: Record) -> list[str]:
    """Tags of one sentence in a Batch of its own."""
    framed = frame_records(task, [record], TOKENIZER)
    tags = ["unread"] * len(record.texts["tokens"])
    best = made.eval().answers(collate(framed.examples))["tags"].argmax(1).tolist()
    for word, place in zip(words_read(framed.parts[0]).tolist(), best, strict=True):
        tags[word] = task.label_names[place]
    return tags


@pytest.mark.parametrize("names", [ENTITIES, SPEECH])
def test_tags_do_not_depend_on_batches_and_every_word_has_one(names: tuple[str, ...]) -> None:
    """Witness: each sentence alone; words cut away or without a token have the tag that is kept for them."""
    task = spec(names, unread="unread")
    made, asked = model(task), records(50, len(names))
    expected = [alone(made, task, record) for record in asked]
    assert {tag for tags in expected for tag in tags} == {*names, "unread"}
    for sizes in ({}, {"max_tokens": 40}, {"chunk": 7}, {"max_tokens": 1, "chunk": 3}):
        assert [
            each.label for each in predict_records(HeadPredictor.of(made, TOKENIZER, task, **sizes), iter(asked))
        ] == expected


def test_evaluation_is_that_of_the_predictions() -> None:
    """Witness: seqeval and scikit-learn on the tags that are predicted, unread words counted like any other."""
    for names in (ENTITIES, SPEECH):
        task = spec(names, unread=names[-1])
        made, asked = model(task), records(60, len(names))
        found = evaluate_records(HeadPredictor.of(made, TOKENIZER, task), asked, seed=1)
        truth = [[names[number] for number in record.label] for record in asked if isinstance(record.label, tuple)]
        told = [each.label for each in predict_records(HeadPredictor.of(made, TOKENIZER, task), asked)]
        assert found.metrics["accuracy"] == accuracy_score(np.concatenate(truth), np.concatenate(told))
        if names is ENTITIES:
            assert list(found.metrics) == ["f1", "precision", "recall", "accuracy"]
            assert found.metrics["f1"] == f1_score(truth, told)
        assert found.account.unread > 0 and found.examples == 60
        assert found.metrics.keys() == found.intervals.keys()
        for name, (low, high) in found.intervals.items():
            assert low <= found.metrics[name] <= high


def test_rows_hold_words_tags_and_entities() -> None:
    """Witness: entities by hand, from their first word to the one behind their last; what is written can be read again."""
    task = spec()
    asked = Record({"tokens": ("Ada", "Byron", "sang", "東", "京")}, None, {"id": 7, "tags": ["?"]})
    (said,) = predict_records(HeadPredictor.of(model(task), TOKENIZER, task), [asked])
    (row,) = predict_rows(HeadPredictor.of(model(task), TOKENIZER, task), [asked])
    assert list(row) == ["tokens", "id", "input_tags", "tags", "entities"]
    assert row["tags"] == said.label and row["tokens"] == list(asked.texts["tokens"])
    assert task_from("tagging", [row], ENTITIES).records[0].texts == asked.texts
    assert answer_of(task).row(asked.texts["tokens"], ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"])["entities"] == [
        {"type": "PER", "start": 0, "end": 2, "text": "Ada Byron"},
        {"type": "LOC", "start": 3, "end": 5, "text": "東京"},
    ]
    speech = spec(SPEECH)
    assert list(next(predict_rows(HeadPredictor.of(model(speech), TOKENIZER, speech), [asked]))) == [
        "tokens",
        "id",
        "input_tags",
        "tags",
    ]


def evaluate(task: TaskSpec, truth: list[list[str]], tags: list[list[str]]) -> Scores:
    return answer_of(task).evaluate(task, truth, tags, None)


def test_one_tag_for_everything_has_collapsed() -> None:
    """Witness: by hand: a tagger that finds an entity has not, though "O" everywhere gets more words right."""
    truth = [["O", "O", "O", "B-LOC"]] * 8
    assert evaluate(spec(), truth, [["O"] * 4] * 8).collapsed
    assert not evaluate(spec(), truth, [["B-PER", "B-PER", "O", "B-LOC"]] * 8).collapsed
    assert not evaluate(spec(), truth[:1], [["O"] * 4]).collapsed  # as a tagger may be that has learned
    assert evaluate(spec(SPEECH), [["NOUN", "NOUN", "ADJ"]] * 16, [["NOUN", "ADJ", "NOUN"]] * 16).collapsed
    # as often wrong as one answer would be, but its answers go with the words'
    assert not evaluate(spec(SPEECH), [["NOUN", "NOUN", "ADJ"]] * 16, [["NOUN", "ADJ", "ADJ"]] * 16).collapsed
    assert not evaluate(spec(SPEECH), [["NOUN", "NOUN", "ADJ"]], [["NOUN", "NOUN", "ADJ"]]).collapsed


@pytest.mark.parametrize("names", [ENTITIES, SPEECH])
def test_sentences_without_a_word_have_no_metrics(names: tuple[str, ...]) -> None:
    """Witness: seqeval's accuracy of no words is a division by zero; one word among them is enough."""
    with pytest.raises(BadInput, match="no word to evaluate on"):
        evaluate(spec(names), [[], []], [[], []])
    assert evaluate(spec(names), [[], [names[-1]]], [[], [names[-1]]]).metrics["accuracy"] == 1.0


def test_entities_need_seqeval_and_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the parts of both sentences."""
    task = spec()
    with pytest.raises(BadInput, match=r"a\.conll:1: no label to evaluate on"):
        evaluate_records(
            HeadPredictor.of(model(task), TOKENIZER, task), [Record({"tokens": ("a",)}, where="a.conll:1")]
        )
    monkeypatch.setitem(sys.modules, "seqeval", None)
    with pytest.raises(BadInput, match="seqeval"):
        evaluate_records(HeadPredictor.of(model(task), TOKENIZER, task), records(3, 5))
    speech = spec(SPEECH)
    assert evaluate_records(HeadPredictor.of(model(speech), TOKENIZER, speech), records(9, 3)).metrics
