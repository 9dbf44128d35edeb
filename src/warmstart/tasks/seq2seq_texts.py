"""Sources and targets: from columns to texts and to ids, with the line ends that a vocabulary may not know."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.example.record import Record, Target
from warmstart.readers.rows import Row
from warmstart.tasks.columns import Draft, as_list
from warmstart.text.tokenizer import Tokenizer

SENTENCE_MARK = "[X_SEP]"
"""What s2s-ft writes between two sentences of a summary."""
_MARK = re.compile(r" ?\[ ?x ?_ ?sep ?\] ?", re.IGNORECASE)


def marks_line_ends(tokenizer: Tokenizer) -> bool:
    """Whether the end of a line is but a blank to a vocabulary, which can spell the mark in its place."""
    if "\n" in tokenizer.decode(tokenizer.encode("a\na")):
        return False
    return _MARK.fullmatch(tokenizer.decode(tokenizer.encode(SENTENCE_MARK)).strip()) is not None


def decode_text(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    """A text that was generated, with its line ends."""
    text = tokenizer.decode(ids).strip()
    return _MARK.sub("\n", text).strip() if marks_line_ends(tokenizer) else text


def look_up(pieces: Sequence[str], tokenizer: Tokenizer, where: str) -> Ints:
    """The ids of sub-words.

    Raises:
        BadInput: the vocabulary does not hold one.
    """
    missing = next((piece for piece in pieces if not tokenizer.has_token(piece)), None)
    if missing is not None:
        raise BadInput(
            "a sub-word that the vocabulary does not hold", where=where, value=missing,
            next_step="give the text instead of a list, or sub-words of this model's own tokenizer",
        )  # fmt: skip
    return np.array([tokenizer.token_to_id(piece) for piece in pieces], np.int64)


def text_sides(record: Record, marked: bool) -> list[str | tuple[str, ...]]:
    """Source, target and, where there is one, the answer that a question asks for; line ends as the mark if asked."""
    target = _target(record)
    if isinstance(target, str) and marked:
        target = f" {SENTENCE_MARK} ".join(filter(None, map(str.strip, target.split("\n"))))
    return [record.texts["source"], target, *(record.texts[key] for key in ("answer",) if key in record.texts)]


def source_text(record: Record) -> str:
    """The source; sub-words with a blank between them."""
    return _joined(record.texts["source"])


def target_text(record: Record) -> str:
    """The target; sub-words with a blank between them."""
    return _joined(_target(record))


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def add_prefix(record: Record, prefix: str) -> Record:
    """The Record with a text before its source.

    Raises:
        BadInput: the source is given as sub-words.
    """
    source = record.texts["source"]
    if not isinstance(source, str):
        raise BadInput(
            "a source of sub-words has no text to stand behind a prefix", where=record.where, value=list(source),
            allowed="a source that is a text", next_step="leave --source-prefix out, or give texts",
        )  # fmt: skip
    return replace(record, texts={**record.texts, "source": prefix + source})


def _target(record: Record) -> str | tuple[str, ...]:
    label = record.label if isinstance(record.label, Target) else Target()
    return label.text if label.pieces is None else label.pieces


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


def first_answer(row: Row) -> dict[str, str]:
    """The first answer in a context; none where the row has none."""
    answers = row.fields.get("answers", row.fields.get("answer"))
    while isinstance(answers, Mapping | list | tuple) and answers:
        answers = answers.get("text") if isinstance(answers, Mapping) else answers[0]
    return {"answer": answers} if isinstance(answers, str) and answers.strip() else {}


def parse_target(found: Draft) -> Target:
    """The target of a row, and the blocks that it may name for its sub-words.

    Raises:
        BadInput: neither a text nor its sub-words, or blocks that do not fit these.
    """
    given = text_or_pieces(found.label, found.label_place)
    spans = found.extra.get("spans")
    where = f"{found.where}, key 'spans'"
    if isinstance(given, str):
        if spans is not None:
            raise BadInput(
                "span ids need a target of sub-words", where=where, value=spans,
                allowed="a target that is a list of sub-words", next_step="give such a list, or leave spans out",
            )  # fmt: skip
        return Target(given)
    numbers = None if spans is None else as_list(spans, where)
    if numbers is not None and (len(numbers) != len(given) or not all(type(n) is int and n > 0 for n in numbers)):
        raise BadInput(
            "span ids are whole numbers from 1, one for each sub-word", where=where, value=numbers,
            allowed=f"{len(given)} numbers such as 1, 1, 2", next_step="mend the row or leave spans out",
        )  # fmt: skip
    return Target(pieces=given, spans=None if numbers is None else tuple(numbers))
