"""Predictions in words: label names, probabilities, and the row's own other columns."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.evaluation.answers import MARKED, RawOutput, Reading, raw_answers
from warmstart.evaluation.averaged import Member, mean_answers
from warmstart.evaluation.spans import find_answer
from warmstart.evaluation.tags import predict_tags, tagged
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

DIGITS = 6  # decimals in a row: what float32 can promise


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model says about one Record.

    Attributes:
        label: name of the likeliest class, index of the likeliest choice, names of the labels that hold, a tag for each
            word, the answer's text (empty for "no answer"), or ``None`` where the task is a score.
        score: the probability of the label or answer, or the score itself; ``None`` for multi-label and tags.
        probabilities: label name (or index of the choice) → probability; empty for scores, tags and answers.
        raw: the head's own numbers.
        row: what is written, where it is more than the fields above.
    """

    label: str | int | list[str] | None
    score: float | None
    probabilities: dict[str, float]
    raw: Floats = field(repr=False)
    row: dict[str, Any] = field(default_factory=dict, repr=False)


def predict_records(
    model: Model, tokenizer: Vocabulary, spec: TaskSpec, records: Iterable[Record], reading: Reading | None = None
) -> Iterator[Prediction]:
    """One Prediction per Record, in input order, as they come.

    Raises:
        BadInput: from the Records' source, or a text too long where ``long_text`` is ``refuse``.
        DivergenceError: an answer is not a finite number.
    """
    for said in raw_answers(model, tokenizer, spec, records, reading or Reading()):
        yield predicted(spec, said)


def predict_rows(
    model: Model, tokenizer: Vocabulary, spec: TaskSpec, records: Iterable[Record], reading: Reading | None = None
) -> Iterator[dict[str, Any]]:
    """As :func:`predict_records`, but each as the row that is written for it."""
    return member_rows([Member(model, tokenizer, spec)], records, reading or Reading())


def member_rows(members: Sequence[Member], records: Iterable[Record], reading: Reading) -> Iterator[dict[str, Any]]:
    """As :func:`predict_rows`, of the mean answer of several models."""
    for said in mean_answers(members, records, reading):
        yield to_row(said.record, predicted(members[0].spec, said))


def predicted(spec: TaskSpec, said: RawOutput) -> Prediction:
    """What a head says about one Record, in words."""
    if spec.goal == "tags":
        tags = predict_tags(spec, said)
        return Prediction(tags, None, {}, said.raw, tagged(spec, said.record, tags))
    if spec.goal == "span":
        found = find_answer(spec, said)
        row: dict[str, Any] = {"answer": found.text, "start": found.start, "end": found.end, "score": found.share}
        if not found.given(spec.span.threshold):
            row = {"answer": "", "start": None, "end": None, "score": found.none}
        return Prediction(row["answer"], row["score"], {}, said.raw, row)
    return prediction(spec, said.raw)


def prediction(spec: TaskSpec, raw: Floats) -> Prediction:
    """Raw answers about classes, choices, marks or a score, in words."""
    numbers = raw.astype(np.float64)
    if spec.goal == "score":
        return Prediction(None, float(numbers[0]), {}, raw)
    if spec.goal == "labels":
        shares = np.exp(-np.logaddexp(0, -numbers))
        given = [name for name, number in zip(spec.label_names, raw, strict=True) if number >= MARKED]
        return Prediction(given, None, dict(zip(spec.label_names, shares.tolist(), strict=True)), raw)
    shares = np.exp(numbers - numbers.max())
    shares /= shares.sum()
    best = int(raw.argmax())
    names = spec.label_names or tuple(map(str, range(len(shares))))
    label = spec.label_names[best] if spec.label_names else best
    return Prediction(label, float(shares[best]), dict(zip(names, shares.tolist(), strict=True)), raw)


def to_row(record: Record, found: Prediction) -> dict[str, Any]:
    """The row to write: the input's other columns, then ``label`` or ``labels``, ``score``, ``probabilities``.

    For tagging it is ``tokens``, ``tags`` and ``entities``, for spans ``answer``, ``start``, ``end`` and ``score``. An input
    column of one of these names is kept as ``input_<name>``.
    """
    ours = found.row or _labelled(found)
    if found.score is not None:
        ours = ours | {"score": round(found.score, DIGITS)}
    extra = {f"input_{key}" if key in ours else key: _plain(value) for key, value in record.extra.items()}
    return extra | ours


def _labelled(found: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if found.label is not None:
        row["labels" if isinstance(found.label, list) else "label"] = found.label
    if found.score is not None:
        row["score"] = found.score
    if found.probabilities:
        row["probabilities"] = {name: round(share, DIGITS) for name, share in found.probabilities.items()}
    return row


def _plain(value: Any) -> Any:
    """A value that JSON can hold; what it cannot (dates and numbers that are none, as Parquet has them) becomes text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
