"""Answers to span questions: brute force over all pieces, windows and thresholds."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.head_predictor import HeadPredictor
from warmstart.evaluation.predict import predict_records, predict_rows
from warmstart.example.batch import collate
from warmstart.example.record import Answers, Record
from warmstart.metrics.spans import span_ratios
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.tasks.answer import RawOutput
from warmstart.tasks.frames import frame_records
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.span import SPAN
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.windows import Piece, best_span, best_threshold
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

TOKENIZER = Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)
SCORES = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 3)), min_size=1, max_size=9)


def spec(threshold: float | None = None, longest: int = 6, **frame: Any) -> TaskSpec:
    settings = FrameSettings(**{"context": 24, "lm": False, **frame})
    return TaskSpec(
        kind="span", frame=settings, options=SpanSettings(stride=5, max_answer=longest, threshold=threshold)
    )


def model(seed: int = 0) -> Model:
    head = HeadSettings(kind="span", size=2)
    made = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=260), heads={"span": head}), seed)
    with torch.no_grad():
        made.heads["span"].linear.weight.mul_(40)
    return made


def records(count: int) -> list[Record]:
    rng = np.random.default_rng(0)

    def words(most: int) -> str:
        return " ".join("".join(chr(97 + n) for n in rng.integers(0, 26, rng.integers(1, 6))) for _ in range(most))

    made = []
    for n in range(count):
        context = words(int(rng.integers(1, 14)))
        answer = context.split()[0]
        label = Answers() if n % 4 == 3 else Answers((answer,), (0,))
        made.append(Record({"context": context, "question": words(1)}, label, {"id": n}))
    return made


@settings(deadline=None)
@given(SCORES, st.integers(1, 8))
def test_the_best_piece_is_that_of_brute_force(scores: list[tuple[int, int, int]], longest: int) -> None:
    """Witness: all pairs of reads, one by one; some tokens between reads are not read."""
    starts, ends, steps = (np.array(column) for column in zip(*scores, strict=True))
    places = np.cumsum(steps)
    allowed = [
        (starts[i] + ends[j], i, j)
        for i, j in itertools.product(range(len(places)), repeat=2)
        if i <= j and places[j] - places[i] < longest
    ]
    first, last = best_span(starts, ends, places, longest)
    assert (starts[first] + ends[last], first, last) in allowed
    assert starts[first] + ends[last] == max(allowed)[0]
    best = [last - first for score, first, last in allowed if score == max(allowed)[0]]
    assert last - first == min(best)


def brute_force(task: TaskSpec, said: RawOutput) -> tuple[float, int, int]:
    """The greatest margin over "no answer", and its characters, from raw logits and one-token-a-byte arithmetic."""
    context = str(said.record.texts["context"])
    width = task.frame.context - 3 - len(said.parts.texts[0])
    rows = iter(said.raw.tolist())
    found = []
    for begin in range(0, max(1, len(context) - width + 5), 5):
        none = next(rows)
        read = [place for place in range(begin, min(begin + width, len(context))) if context[place] != " "]
        pairs = [(place, *next(rows)) for place in read]
        for (i, start, _), (j, _, end) in itertools.product(pairs, repeat=2):
            if i <= j < i + task.options["max_answer"]:
                found.append((start + end - none[0] - none[1], i, j + 1))
    assert next(rows, None) is None
    return max(found)


def test_the_answer_is_the_best_of_all_windows() -> None:
    """Witness: brute force over windows, starts and ends; the text is a piece of the context as it was given."""
    task, asked = spec(), records(40)
    several = 0
    for said in HeadPredictor.of(model(), TOKENIZER, task).outputs(asked):
        found = SPAN.predict(task, said)
        margin, start, end = brute_force(task, said)
        assert found.margin == pytest.approx(margin, abs=1e-4)
        assert (found.start, found.end) == (start, end)
        assert found.text == str(said.record.texts["context"])[found.start : found.end] != ""
        several += len(str(said.record.texts["context"])) > 24
    assert several > 10


def test_shares_are_the_softmax_of_the_window() -> None:
    """Witness: torch's softmax; one window, so that the share is that of the piece."""
    task = spec(context=64)
    (said,) = HeadPredictor.of(model(), TOKENIZER, task).outputs([Record({"context": "ab cd", "question": "q"})])
    found, shares = SPAN.predict(task, said), torch.tensor(said.raw).double().softmax(0)
    reads = [place for place, character in enumerate("ab cd") if character != " "]
    first, last = reads.index(found.start) + 1, reads.index(found.end - 1) + 1
    assert found.probability == pytest.approx(float(shares[first, 0] * shares[last, 1]))
    assert found.no_answer == pytest.approx(float(shares[0, 0] * shares[0, 1]))
    assert found.margin == pytest.approx(np.log(found.probability / found.no_answer))


def test_predictions_do_not_depend_on_batches_and_come_in_order() -> None:
    """Witness: each question answered alone; small chunks, small Batches and one large Batch give the same."""
    task, made, asked = spec(threshold=0.0), model(), records(30)
    made.eval()
    expected = []
    for record in asked:
        framed = frame_records(task, [record], TOKENIZER)
        raw = made.answers(collate(framed.examples))["span"].numpy()
        expected.append(SPAN.predict(task, RawOutput(record, framed.parts[0], raw)))
    assert len({each.text for each in expected}) > 10
    for sizes in ({}, {"max_tokens": 50}, {"chunk": 64}, {"max_tokens": 1, "chunk": 16}):
        found = list(predict_records(HeadPredictor.of(made, TOKENIZER, task, **sizes), iter(asked)))
        assert [each.label for each in found] == [each.answer(0.0) for each in expected]
        assert [each.score for each in found] == pytest.approx(
            [each.probability if each.is_answer(0.0) else each.no_answer for each in expected], abs=1e-5
        )


def test_rows_hold_the_answer_and_its_place() -> None:
    """Invariant: ``answer`` is the context from ``start`` to ``end``; a withheld one is empty, without a place."""
    asked = [Record(r.texts, None, {"id": n, "answer": "x"}) for n, r in enumerate(records(9))]
    for threshold in (None, -1e9, 1e9):
        for record, row in zip(
            asked, predict_rows(HeadPredictor.of(model(), TOKENIZER, spec(threshold)), asked), strict=True
        ):
            assert list(row) == ["id", "input_answer", "answer", "start", "end", "score"]
            if threshold == 1e9:
                assert (row["answer"], row["start"], row["end"]) == ("", None, None)
            else:
                assert row["answer"] == str(record.texts["context"])[row["start"] : row["end"]] != ""
            assert 0 <= row["score"] <= 1 and row["score"] == round(row["score"], 6)
    empty = list(
        predict_rows(HeadPredictor.of(model(), TOKENIZER, spec()), [Record({"context": " ", "question": "q"})])
    )
    assert empty == [{"answer": "", "start": None, "end": None, "score": 1.0}]


def found(margin: float, text: str = "cat") -> Piece:
    return Piece(text, 0, 3, margin, 0.5, 0.5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.sampled_from(["cat", "dog"]), st.booleans()), min_size=1, max_size=8))
def test_the_threshold_is_the_best_there_is(questions: list[tuple[int, str, bool]]) -> None:
    """Witness: every threshold between, below and above the margins, tried out."""
    answers = [("cat",) if answered else () for _, _, answered in questions]
    told = [found(margin, text) for margin, text, _ in questions]

    def f1(threshold: float) -> float:
        return span_ratios(answers, [each.answer(threshold) for each in told])["f1"].value

    assert f1(best_threshold(told, answers)) == max(f1(place / 2) for place in range(-10, 11))


def test_evaluation_tunes_only_where_asked() -> None:
    """Invariant: without tuning the task's threshold holds; with it, F1 is no lower; a task that always answers stays so."""
    made, asked = model(), records(40)
    plain, tuned = (
        evaluate_records(HeadPredictor.of(made, TOKENIZER, spec(0.0)), asked, tune=tune) for tune in (False, True)
    )
    assert plain.spec == spec(0.0) and tuned.spec.options["threshold"] != 0.0
    assert tuned.metrics["f1"] >= plain.metrics["f1"]
    assert tuned.metrics == evaluate_records(HeadPredictor.of(made, TOKENIZER, tuned.spec), asked).metrics
    always = evaluate_records(HeadPredictor.of(made, TOKENIZER, spec()), asked, tune=True)
    assert always.spec == spec() and "" not in always.predictions
    told = [each.label for each in predict_records(HeadPredictor.of(made, TOKENIZER, tuned.spec), asked)]
    expected = span_ratios([r.label.texts for r in asked if isinstance(r.label, Answers)], [str(t) for t in told])
    assert tuned.metrics == {name: tally.value for name, tally in expected.items()}
    for name, (low, high) in tuned.intervals.items():
        assert low <= tuned.metrics[name] <= high
    assert tuned.examples == 40 and tuned.account.used == 40


def test_one_answer_for_everything_has_collapsed() -> None:
    """Witness: by hand; two alike among two are no evidence."""
    truths = [("a",), ()] * 4
    assert SPAN.evaluate(spec(), truths, [""] * 8, None).collapsed
    assert not SPAN.evaluate(spec(), truths, ["a", ""] * 4, None).collapsed
    assert not SPAN.evaluate(spec(), [()] * 8, [""] * 8, None).collapsed
    assert not SPAN.evaluate(spec(), truths[:2], ["", ""], None).collapsed
