"""Predictions and evaluation: one Record at a time as the witness of streaming, sorting and batching."""

import json

import numpy as np
import pytest
import torch
from sklearn import metrics

from warmstart.base import console
from warmstart.base.errors import BadInput, DivergenceError
from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.head_predictor import HeadPredictor
from warmstart.evaluation.predict import predict_records, predict_rows, to_row
from warmstart.evaluation.predictor import Member
from warmstart.example.batch import collate
from warmstart.example.record import Record
from warmstart.models.model import Model, ModelSettings
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings
from warmstart.tasks.answer import Prediction, RawOutput
from warmstart.tasks.frames import frame_records
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)


def task(kind, *names, **frame):
    return TaskSpec(kind=kind, label_names=names, frame=FrameSettings(**{"context": 64, **frame}))


def model_for(spec, tokenizer, seed=0):
    head = HeadSettings(kind=answer_of(spec).head, size=answer_of(spec).num_outputs(spec.label_names))
    settings = ModelSettings(
        backbone=preset("gpt1-tiny", vocab_size=tokenizer.vocab_size), heads={answer_of(spec).goal: head}
    )
    model = Model.fresh(settings, seed)
    with torch.no_grad():  # answers far enough apart for labels to be sure of themselves
        model.heads[answer_of(spec).goal].linear.weight.mul_(40)
    return model


def prediction(spec: TaskSpec, raw: np.ndarray) -> Prediction:
    return answer_of(spec).prediction(spec, RawOutput(Record({"choices": tuple("abcdef")}), Parts(()), raw))


def words(seed, most=12):
    rng = np.random.default_rng(seed)
    return "".join(chr(97 + n) for n in rng.integers(0, 26, rng.integers(1, most)))


def choices(n):
    return {"context": words(n), "question": words(n + 1), "choices": tuple(words(n + k + 2) for k in range(2 + n % 3))}


TASKS = {
    "classification": (task("classification", "bad", "fair", "good"), lambda n: Record({"text": words(n, 40)}, n % 3)),
    "entailment": (task("entailment", "n", "y"), lambda n: Record({"premise": words(n), "hypothesis": words(-~n)}, n % 2)),
    "similarity": (task("similarity"), lambda n: Record({"sentence1": words(n), "sentence2": words(n + 9)}, n / 10)),
    "regression": (task("regression"), lambda n: Record({"text": words(n)}, n / 10)),
    "choice": (task("choice"), lambda n: Record(choices(n), n % 2)),
    "multilabel": (task("multilabel", "a", "b", "c"), lambda n: Record({"text": words(n)}, (n % 3,))),
}  # fmt: skip


def alone(model, tokenizer, spec, record):
    """The head's answer to one Record in a Batch of its own."""
    examples = frame_records(spec.for_evaluation(), [record], tokenizer).examples
    model.eval()
    return model.answers(collate(examples))[answer_of(spec).goal].numpy().reshape(-1)


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_predictions_come_in_input_order_whatever_the_batches(kind, tokenizer):
    """Witness: each Record answered alone; small chunks, small Batches and one large Batch give the same."""
    spec, make = TASKS[kind]
    model = model_for(spec, tokenizer)
    records = [make(n) for n in range(30)]
    expected = [alone(model, tokenizer, spec, record) for record in records]
    for sizes in ({}, {"max_tokens": 50}, {"chunk": 7}, {"max_tokens": 1, "chunk": 3}):
        found = list(predict_records(HeadPredictor.of(model, tokenizer, spec, **sizes), iter(records)))
        assert [len(p.raw) for p in found] == [len(raw) for raw in expected]
        for ours, raw in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours.raw, raw, atol=2e-5)
            assert ours.label == prediction(spec, raw).label


def test_prediction_reads_no_further_than_one_chunk(tokenizer):
    """Invariant: memory is flat, because at most a chunk of the input has been taken when an answer comes out."""
    spec, make = TASKS["classification"]
    taken = []
    endless = (taken.append(n) or make(n % 50) for n in iter(lambda: len(taken), None))
    stream = predict_records(HeadPredictor.of(model_for(spec, tokenizer), tokenizer, spec, chunk=8), endless)
    for _ in range(20):
        next(stream)
    assert len(taken) == 24


def test_cut_texts_are_told(tokenizer):
    """Invariant: the accounts of all chunks together count every Record."""
    spec = task("classification", "n", "y", context=8)
    records = [Record({"text": "x" * n}) for n in range(1, 11)]
    predictor = HeadPredictor.of(model_for(spec, tokenizer), tokenizer, spec, chunk=4)
    accounts = [(predictor.account.used, predictor.account.cut) for _ in predictor.outputs(records)]
    assert list(dict.fromkeys(accounts)) == [(4, 0), (8, 2), (10, 4)]


def test_probabilities_are_softmax_sigmoid_or_none(tokenizer):
    """Witness: torch's softmax and sigmoid."""
    raw = np.array([1.5, -0.5, 0.25], np.float32)
    likely = torch.tensor(raw).double()
    found = prediction(task("classification", "a", "b", "c"), raw)
    assert (found.label, found.score) == ("a", found.probabilities["a"])
    assert list(found.probabilities.values()) == pytest.approx(likely.softmax(0).tolist())
    found = prediction(task("multilabel", "a", "b", "c"), raw)
    assert (found.label, found.score) == (["a", "c"], None)
    assert list(found.probabilities.values()) == pytest.approx(likely.sigmoid().tolist())
    found = prediction(task("choice"), raw)
    assert found.label == 0 and list(found.probabilities) == ["0", "1", "2"]
    assert (prediction(task("regression"), raw[:1]).label, prediction(task("regression"), raw[:1]).score) == (None, 1.5)


def test_extreme_answers_make_no_warning():
    """Invariant: 0 and 1, where a naive sigmoid would overflow (warnings are errors here)."""
    raw = np.array([-3e4, 3e4], np.float32)
    assert list(prediction(task("multilabel", "a", "b"), raw).probabilities.values()) == [0.0, 1.0]
    assert list(prediction(task("classification", "a", "b"), raw).probabilities.values()) == [0.0, 1.0]


def test_a_row_keeps_its_other_columns():
    """Witness: written out by hand; columns of our own names are kept under another one."""
    spec = task("classification", "no", "yes")
    record = Record({"text": "a"}, None, {"id": 7, "label": "?", "n": float("nan"), "deep": {"a": (1, b"x")}})
    row = to_row(record, prediction(spec, np.array([0.0, np.log(3)], np.float32)))
    assert row == {
        "id": 7, "input_label": "?", "n": "nan", "deep": {"a": [1, "b'x'"]},
        "label": "yes", "score": 0.75, "probabilities": {"no": 0.25, "yes": 0.75},
    }  # fmt: skip
    json.dumps(row, allow_nan=False)
    assert to_row(Record({}), prediction(task("regression"), np.array([2.5], np.float32))) == {"score": 2.5}
    marks = to_row(Record({}), prediction(task("multilabel", "a"), np.array([-9.0], np.float32)))
    assert marks == {"labels": [], "probabilities": {"a": 0.000123}}


def test_rows_are_predictions_with_their_records(tokenizer):
    """Invariant: the rows of a stream are :func:`to_row` of its parts."""
    spec, make = TASKS["choice"]
    model = model_for(spec, tokenizer)
    records = [make(n) for n in range(5)]
    found = predict_records(HeadPredictor.of(model, tokenizer, spec), records)
    assert list(predict_rows(HeadPredictor.of(model, tokenizer, spec), records)) == [
        to_row(record, said) for record, said in zip(records, found, strict=True)
    ]


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_evaluation_is_that_of_the_predictions(kind, tokenizer):
    """Witness: scikit-learn and NumPy on answers given one by one."""
    spec, make = TASKS[kind]
    model = model_for(spec, tokenizer)
    records = [make(n) for n in range(40)]
    found = evaluate_records(HeadPredictor.of(model, tokenizer, spec), records, seed=1)
    raw = [alone(model, tokenizer, spec, record) for record in records]
    labels = [record.label for record in records]
    main = next(iter(found.metrics))
    if answer_of(spec).goal in ("label", "choice"):
        assert found.metrics[main] == metrics.accuracy_score(labels, [r.argmax() for r in raw])
    elif answer_of(spec).goal == "score":
        expected = np.corrcoef(labels, np.concatenate(raw))[0, 1]
        assert found.metrics[main] == pytest.approx(expected, abs=1e-4)
    else:
        marks = np.array([[k in label for k in range(3)] for label in labels])
        assert found.metrics[main] == metrics.f1_score(marks, np.array(raw) >= 0, average="micro")
    assert found.examples == found.account.used == 40
    written = found.to_dict()
    if answer_of(spec).has_classes:
        expected = metrics.confusion_matrix(labels, [r.argmax() for r in raw], labels=range(len(spec.label_names)))
        assert written.pop("confusion") == {"labels": list(spec.label_names), "counts": expected.tolist()}
    assert list(written) == ["metrics", "intervals", "examples"]
    for name, (low, high) in found.intervals.items():
        assert low <= found.metrics[name] <= high
    assert evaluate_records(HeadPredictor.of(model, tokenizer, spec), records, seed=None).intervals == {}


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_progress_reaches_the_number_of_records(kind, tokenizer, capsys, monkeypatch):
    """Witness: the Records counted: the lines rise batch by batch, one model's or two models', and end at all of them."""
    spec, make = TASKS[kind]
    monkeypatch.setattr(console, "INTERVAL_S", 0.0)
    monkeypatch.setattr(console, "_quiet", False)
    for count in (1, 2):
        members = [Member(model_for(spec, tokenizer, seed), tokenizer, spec) for seed in range(count)]
        evaluate_records(HeadPredictor(members, max_tokens=200, chunk=9), [make(n) for n in range(20)], title="dev")
        shown = [int(line.split()[1].removesuffix("/20")) for line in capsys.readouterr().err.splitlines()]
        assert shown == sorted(shown) and shown[-1] == 20 and len(set(shown)) >= 3


def test_dropout_is_off_while_judging_and_back_on_afterwards(tokenizer):
    """Invariant: the same answers twice, and a training model stays one."""
    spec, make = TASKS["classification"]
    model = model_for(spec, tokenizer).train()
    assert model.settings.backbone.residual_dropout > 0
    first, second = (
        next(iter(predict_records(HeadPredictor.of(model, tokenizer, spec), [make(1)]))).raw for _ in range(2)
    )
    assert (first == second).all() and model.training


def test_a_model_that_says_one_thing_has_collapsed(tokenizer):
    """Witness: a head whose bias drowns everything."""
    spec, make = TASKS["classification"]
    model = model_for(spec, tokenizer)
    records = [make(n) for n in range(9)]
    with torch.no_grad():
        model.heads["label"].linear.bias[2] = 1e4
    assert evaluate_records(HeadPredictor.of(model, tokenizer, spec), records).collapsed


def test_weights_that_are_not_finite_are_said_so(tokenizer):
    """Invariant: no prediction is made of NaN."""
    spec, _ = TASKS["classification"]
    model = model_for(spec, tokenizer)
    with torch.no_grad():
        model.heads["label"].linear.weight.fill_(float("nan"))
    with pytest.raises(DivergenceError, match=r"a.jsonl:1: the model's answer is not a finite number"):
        list(predict_records(HeadPredictor.of(model, tokenizer, spec), [Record({"text": "a"}, where="a.jsonl:1")]))


def test_evaluation_needs_labels(tokenizer):
    """Witness: the parts of both sentences."""
    spec, _ = TASKS["classification"]
    model = model_for(spec, tokenizer)
    with pytest.raises(BadInput, match=r"a.jsonl:1: no label to evaluate on; evaluate on labelled examples\."):
        evaluate_records(HeadPredictor.of(model, tokenizer, spec), [Record({"text": "a"}, where="a.jsonl:1")])
    with pytest.raises(BadInput, match=r"records: nothing to evaluate; got 0; allowed: at least one"):
        evaluate_records(HeadPredictor.of(model, tokenizer, spec), [])
