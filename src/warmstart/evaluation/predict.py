"""Predictions as rows: label names, probabilities, and the row's own other columns."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from warmstart.evaluation.head_predictor import SoftPredictor
from warmstart.evaluation.predictor import Predictor
from warmstart.evaluation.progress import shown_outputs
from warmstart.example.record import Record
from warmstart.tasks.answer import Prediction
from warmstart.tasks.table import answer_of, kind_of

DIGITS = 6  # decimals in a row: what float32 can promise


def predict_records(predictor: Predictor, records: Iterable[Record]) -> Iterator[Prediction]:
    """One Prediction per Record, in input order, as they come.

    Raises:
        BadInput: from the Records' source, or a text too long where ``long_text`` is ``refuse``.
        DivergenceError: an output is not a finite number.
    """
    answer = answer_of(predictor.spec)
    return (answer.prediction(predictor.spec, output) for output in predictor.outputs(records))


def predict_rows(
    predictor: Predictor, records: Iterable[Record], texts: bool = True, title: str | None = None
) -> Iterator[dict[str, Any]]:
    """As :func:`predict_records`, but each as the row that is written for it.

    Args:
        predictor: the model, ready to answer.
        records: what is asked about.
        texts: as in :func:`to_row`.
        title: of the progress; ``None``: none is shown.
    """
    answer = answer_of(predictor.spec)
    for output in shown_outputs(predictor, records, title):
        yield to_row(output.record, answer.prediction(predictor.spec, output), texts)


def to_row(record: Record, prediction: Prediction, texts: bool = True) -> dict[str, Any]:
    """The row to write: the input's other columns, then ``label`` or ``labels``, ``score``, ``probabilities``.

    Kinds of task with a row of their own have other columns: tagging ``tokens``, ``tags`` and ``entities``, spans
    ``answer``, ``start``, ``end`` and ``score``, sequence-to-sequence tasks ``source``, ``prediction`` and ``score``. An
    input column of one of these names is kept as ``input_<name>``. Without ``texts`` an answer does not repeat the words or
    the source that it is about; texts among the other columns are the Record's matter.
    """
    ours = dict(prediction.row) or _output_row(prediction)
    if prediction.score is not None:
        ours["score"] = round(prediction.score, DIGITS)
    inputs = prediction.inputs if texts else {}
    extra = {f"input_{key}" if key in ours or key in inputs else key: _plain(v) for key, v in record.extra.items()}
    return inputs | extra | ours


def soft_rows(
    predictor: SoftPredictor, records: Iterable[Record], column: str, title: str | None = None
) -> Iterator[dict[str, Any]]:
    """Each Record as a row to learn from: its texts under the keys of its kind, its other columns, and its soft labels.

    Args:
        predictor: the teachers.
        records: whose labels are unread, so that they stand among the other columns.
        column: that of the soft labels; one of this name in the input is replaced.
        title: of the progress; ``None``: none is shown.
    """
    kind = kind_of(predictor.spec)
    for output in shown_outputs(predictor, records, title):
        extra = {key: _plain(value) for key, value in output.record.extra.items()}
        yield kind.row_texts(output.record) | extra | {column: _rounded(output.raw)}


def _rounded(value: Any) -> Any:
    """The same with as many decimals as a row has."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value if value is None else round(value, DIGITS)


def _output_row(prediction: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if prediction.label is not None:
        row["labels" if isinstance(prediction.label, list) else "label"] = prediction.label
    row |= prediction.details
    if prediction.score is not None:
        row["score"] = prediction.score
    if prediction.probabilities:
        row["probabilities"] = {name: round(share, DIGITS) for name, share in prediction.probabilities.items()}
    return row


def _plain(value: Any) -> Any:
    """A value that JSON can hold; what it cannot (dates and numbers that are none, as Parquet has them) becomes text."""
    if type(value) is str or type(value) is int:  # nearly all are, and these need no further question
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
