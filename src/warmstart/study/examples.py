"""How each example of dev and test was answered: what a page shows of single examples, and what paired tests compare.

A trial keeps this beside its report, without the texts: only those of the surest errors.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from warmstart.base.files import read_json
from warmstart.base.run_folder import EXAMPLES, RunFolder
from warmstart.evaluation.evaluate import Evaluation
from warmstart.example.record import Record, digest_records

MOST_ERRORS, MOST_CHARS = 20, 300
"""Errors that are kept with their text, and characters of each text."""
MOST_VALUES, MOST_VALUE_CHARS = 20, 40
"""Values of a column by which examples are divided."""


def examples_of(found: Evaluation, records: Sequence[Record]) -> dict[str, Any]:
    """How ``records`` were answered, in their order; empty where nothing is known of each.

    Returns:
        {"examples": what identifies them, "right": a digit for each, "confidence", "tokens", "columns": name → value of
        each, "errors"}.
    """
    if len(found.tokens) != len(records) or not found.right:
        return {}
    return {
        "examples": digest_records(records),
        "right": digits(found.right),
        "confidence": [round(one, 4) for one in found.confidence],
        "tokens": list(found.tokens),
        "columns": columns_of(records),
        "errors": _surest_errors(found, records),
    }


def read_examples(folder: RunFolder) -> dict[str, Any]:
    """Split → what :func:`examples_of` gives, as a trial has kept it."""
    path = folder.path / EXAMPLES
    return dict(read_json(path)) if path.is_file() else {}


def digits(right: Sequence[bool]) -> str:
    """``1`` for each right answer, ``0`` for each wrong one: a file of them is short."""
    return "".join("01"[one] for one in right)


def columns_of(records: Sequence[Record]) -> dict[str, list[str]]:
    """The other columns of the rows that divide them into few parts, by name: the value of each row."""
    names = dict.fromkeys(name for record in records for name in record.extra)
    found = {name: _few_values(record.extra.get(name) for record in records) for name in names}
    return {name: values for name, values in found.items() if values}


def _few_values(column: Iterable[Any]) -> list[str]:
    """The values of a column, of which equal ones are one object; none where they divide nothing, or into too many parts."""
    known: dict[str, str] = {}
    values = []
    for value in map(_value, column):
        values.append(known.setdefault(value, value))
        if len(known) > MOST_VALUES:
            return []
    return values if len(known) > 1 else []


def _value(value: Any) -> str:
    return _cut("" if value is None else str(value), MOST_VALUE_CHARS)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _surest_errors(found: Evaluation, records: Sequence[Record]) -> list[dict[str, Any]]:
    """The wrong answers that the model was surest of, the surest first; without probabilities none is."""
    wrong = [place for place, right in enumerate(found.right) if not right and found.confidence]
    wrong.sort(key=lambda place: -found.confidence[place])
    names = dict(enumerate(found.label_names))
    return [
        {
            "texts": _texts(records[place]),
            "label": str(names.get(found.targets[place], found.targets[place])),
            "predicted": str(names.get(found.predictions[place], found.predictions[place])),
            "confidence": round(found.confidence[place], 4),
            "where": records[place].where,
        }
        for place in wrong[:MOST_ERRORS]
    ]


def _texts(record: Record) -> dict[str, str]:
    every = {name: text if isinstance(text, str) else " | ".join(text) for name, text in record.texts.items()}
    return {name: _cut(text, MOST_CHARS) for name, text in every.items()}
