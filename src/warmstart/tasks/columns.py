"""Columns to texts and labels: which keys a row may have for each kind of task, and what may stand in them.

Keys are looked up by name, never guessed; a row that lacks one is refused with the keys it has and those it needs.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput, suggest
from warmstart.example.record import Pixels
from warmstart.readers.rows import Row
from warmstart.tasks.spec import Kind

Texts = dict[str, str | tuple[str, ...]]

_ONE = (("text",), ("sentence",))
_PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("text_a", "text_b"), ("question", "sentence"))

# kind → the sets of text columns it accepts; the first set that is whole is read
TEXT_COLUMNS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "classification": _ONE,
    "entailment": _PAIRS,
    "similarity": (("sentence1", "sentence2"), ("text_a", "text_b")),
    "regression": (("text_a", "text_b"), ("sentence1", "sentence2"), *_ONE, ("text_a",)),
    "choice": (("context",), ("article",), ("sent1",)),
    "multilabel": _ONE,
    "tagging": (("tokens",), ("words",)),
    "span": (("context", "question"),),
    "images": (("image",),),
    "seq2seq": (("source",), ("src",), ("document",), ("article",), ("body",), ("context",), ("text",)),
}
LABEL_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "classification": ("label", "labels"),
    "entailment": ("label",),
    "similarity": ("label", "score"),
    "regression": ("score", "label"),
    "choice": ("label", "answer"),
    "multilabel": ("labels",),
    "tagging": ("tags", "ner_tags", "labels"),
    "span": ("answers", "answer"),
    "images": ("label",),
    "seq2seq": ("target", "tgt", "summary", "highlights", "subject", "heading", "question", "title"),
}
QUESTIONS, CHOICES, ENDING = ("question", "sent2"), ("choices", "options"), re.compile(r"ending(\d+)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A row whose texts are found and whose label is still as written.

    Attributes:
        texts: the named strings.
        label: the value in the label column (with ``answer``: that and the value of ``start``); ``None`` where it is not
            read.
        columns: the columns read, label last.
        extra: the other columns.
        where: file and line.
        image: in the place of texts.
    """

    texts: Texts
    label: Any
    columns: tuple[str, ...]
    extra: dict[str, Any]
    where: str
    image: Pixels | None = None


def draft(kind: Kind, row: Row, label_columns: Sequence[str] | None) -> Draft:
    """Finds a row's texts and, unless ``label_columns`` is ``None``, its label.

    Raises:
        BadInput: a key is missing, a text is not text, or the label is empty.
    """
    found = _present(row, TEXT_COLUMNS[kind])
    if found is None or (kind == "choice" and not _choice_columns(row)):
        raise _missing(kind, row, label_columns)
    texts: Texts
    if kind == "choice":
        found, texts = _choice_texts(row, found)
    elif kind == "tagging":
        texts = {"tokens": _tokens(row, found[0])}
    elif kind == "images":
        texts = {}
    elif kind == "seq2seq":
        texts = {"source": text_or_pieces(row.fields[found[0]], f"{row.where}, key {found[0]!r}")}
        texts |= _asked_about(row) if found == ("context",) else {}
    else:
        names = ("text",) if len(found) == 1 else TEXT_COLUMNS[kind][0]
        texts = {name: _text(row, column) for name, column in zip(names, found, strict=True)}
    label = None
    if label_columns is not None:
        column = next((c for c in label_columns if c in row.fields), None)
        if column is None:
            raise _missing(kind, row, label_columns)
        if kind == "span":
            label, read = _answers(row, column)
        else:
            label, read = _given(row, column), (column,)
        found = (*found, *read)
    extra = {key: value for key, value in row.fields.items() if key not in found}
    image = _pixels(row, found[0]) if kind == "images" else None
    return Draft(texts, label, found, extra, row.where, image)


def _present(row: Row, alternatives: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((columns for columns in alternatives if all(c in row.fields for c in columns)), None)


def _choice_columns(row: Row) -> tuple[str, ...]:
    """``choices`` (or its alias), or ``ending0``, ``ending1``, … in the order of their numbers."""
    whole = next(((c,) for c in CHOICES if c in row.fields), None)
    numbered = {int(match[1]): key for key in row.fields if (match := ENDING.fullmatch(key))}
    return whole or tuple(numbered[number] for number in sorted(numbered))


def _choice_texts(row: Row, found: tuple[str, ...]) -> tuple[tuple[str, ...], Texts]:
    """The columns read and the texts of a multiple-choice row: context, question (may be empty), choices."""
    question = next((q for q in QUESTIONS if row.fields.get(q) is not None), None)
    columns = _choice_columns(row)
    if columns[0] in CHOICES:
        choices = as_list(row.fields[columns[0]], columns[0], row.where)
    else:
        choices = [row.fields[column] for column in columns]
    if len(choices) < 2:
        raise BadInput(
            "a question needs choices", where=f"{row.where}, key {columns[0]!r}", value=choices,
            allowed="a list of 2 or more", next_step="add the missing choices or leave the row out",
        )  # fmt: skip
    if not all(isinstance(choice, str) for choice in choices):
        raise BadInput(
            "a choice is not text", where=f"{row.where}, key {columns[0]!r}", value=choices, allowed="strings"
        )
    texts: Texts = {"context": _text(row, found[0]), "question": _text(row, question) if question else ""}
    read = (*found, *([question] if question else []), *columns)
    return read, texts | {"choices": tuple(choices)}


def _text(row: Row, column: str) -> str:
    value = row.fields[column]
    if not isinstance(value, str):
        raise BadInput("not text", where=f"{row.where}, key {column!r}", value=value, allowed="a string")
    return value


def _pixels(row: Row, column: str) -> Pixels:
    value = row.fields[column]
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
        raise BadInput(
            "not an image", where=f"{row.where}, key {column!r}", value=getattr(value, "shape", value),
            allowed="an array uint8 [height, width, 3]",
        )  # fmt: skip
    return Pixels.of(value)


def text_or_pieces(value: Any, where: str) -> str | tuple[str, ...]:
    """A text, or the list of its sub-words.

    Raises:
        BadInput: neither, or nothing in it.
    """
    if isinstance(value, list | tuple) and value and all(isinstance(piece, str) for piece in value):
        return tuple(value)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(
            "not a text", where=where, value=value, allowed="a text that is not empty, or the list of its sub-words",
            next_step="mend the row or leave it out",
        )  # fmt: skip
    return value


def _tokens(row: Row, column: str) -> tuple[str, ...]:
    tokens = as_list(row.fields[column], column, row.where)
    if not all(isinstance(token, str) for token in tokens):
        raise BadInput(
            "a word is not text", where=f"{row.where}, key {column!r}", value=tokens, allowed="a list of strings"
        )
    return tuple(tokens)


def _asked_about(row: Row) -> Texts:
    """The first answer in a context, for the question that is to be generated; none where the row has none."""
    answers = row.fields.get("answers", row.fields.get("answer"))
    while isinstance(answers, Mapping | list | tuple) and answers:
        answers = answers.get("text") if isinstance(answers, Mapping) else answers[0]
    return {"answer": answers} if isinstance(answers, str) and answers.strip() else {}


def _answers(row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
    """What stands in the columns of the answer, and which these are."""
    if column != "answer":
        return _given(row, column), (column,)
    answer, start = row.fields["answer"], row.fields.get("start")
    if answer and start is None:
        raise BadInput(
            "missing key 'start' for a span task", where=row.where, value=list(row.fields),
            allowed="answer+start, or answers", next_step="add the number of the answer's first character in the context",
        )  # fmt: skip
    return (answer, start), ("start", "answer")


def _given(row: Row, column: str) -> Any:
    value = row.fields[column]
    if value is None or value == "":
        raise BadInput(
            "the label is empty", where=f"{row.where}, key {column!r}", value=value, allowed="a label in every row",
            next_step="label the row or leave it out",
        )  # fmt: skip
    return value


def _missing(kind: Kind, row: Row, label_columns: Sequence[str] | None) -> BadInput:
    """The error for a row that lacks a key: which, what it has, what is accepted, and the likely slip of the pen."""
    wanted = [*TEXT_COLUMNS[kind], *([CHOICES[:1], ("ending0", "ending1")] if kind == "choice" else [])]
    labels = [(column,) for column in label_columns or ()]
    groups = [TEXT_COLUMNS[kind], ([CHOICES[:1]] if kind == "choice" and not _choice_columns(row) else []), labels]
    lacking = next(group for group in groups if group and _present(row, group) is None)
    best = max(lacking, key=lambda columns: sum(c in row.fields for c in columns))
    missing = next(c for c in best if c not in row.fields)
    texts = " or ".join("+".join(columns) for columns in wanted)
    allowed = f"{texts}; with {' or '.join(label_columns)}" if label_columns else texts
    slips = [(key, suggest(missing, [key])) for key in row.fields]
    slip = next((f"rename {key!r} to {missing!r}" for key, hint in slips if hint), f"add the key {missing!r}")
    return BadInput(
        f"missing key {missing!r} for a {kind} task", where=row.where, value=list(row.fields), allowed=allowed,
        next_step=slip,
    )  # fmt: skip


def as_list(value: Any, column: str, where: str) -> list[Any]:
    """A list, or the JSON list that a CSV cell holds."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(json.JSONDecodeError):  # said below, with the value as it was written
            value = json.loads(value)
    if not isinstance(value, list | tuple):
        raise BadInput("not a list", where=f"{where}, key {column!r}", value=value, allowed='a list such as ["a", "b"]')
    return list(value)


def name_of(value: Any, where: str) -> str:
    """A label's name: strings, whole numbers and truth values, as :func:`str` writes them."""
    if not isinstance(value, str | int):
        raise BadInput(
            "not a label", where=where, value=value, allowed="a string, a whole number, true or false",
            next_step="for numbers on a scale use a key 'score' with regression or similarity",
        )  # fmt: skip
    return str(value)


def score_of(value: Any, where: str) -> float:
    """A finite number, also one written as text in a CSV cell."""
    try:
        score = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise BadInput(
            "the score is not a finite number", where=where, value=value, allowed="a number such as 3.75",
            next_step="correct the row or leave it out",
        )  # fmt: skip
    return score


def index_of(value: Any, choices: Sequence[str], column: str, where: str) -> int:
    """Index of the right choice: a number from 0; in ``answer`` also the choice's text or a letter from A."""
    index: int | None = None
    if column == "answer" and isinstance(value, str) and value in choices:
        index = choices.index(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        index = value
    elif isinstance(value, str) and value.strip().isdecimal():
        index = int(value)
    elif column == "answer" and isinstance(value, str) and re.fullmatch("[A-Z]", value):
        index = ord(value) - ord("A")
    if index is None or not 0 <= index < len(choices):
        allowed = f"0 to {len(choices) - 1}" + (", or the text of a choice" if column == "answer" else "")
        raise BadInput(
            "no such choice", where=f"{where}, key {column!r}", value=value, allowed=allowed,
            next_step="the first choice has index 0",
        )  # fmt: skip
    return index
