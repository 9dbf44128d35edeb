"""Reads SQuAD files (``data[].paragraphs[].qas[]``, 1.1 and 2.0): one row per question.

A row has ``id``, ``title`` (where the article has one), ``context``, ``question`` and, where the file has them,
``answers``: a list of ``{"text", "answer_start"}``, empty for a question that its context does not answer, with
``is_impossible`` or without. A flag that contradicts the answers is refused. Files that list such rows themselves, without
articles and paragraphs, are read as they are.
"""

import json
from collections.abc import Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import RESTORE, read_text_blocks

SQUAD_EXTENSIONS = (".json",)
"""Extensions that :func:`read_questions` reads."""


def read_questions(path: str, encoding: str = "utf-8", *, labelled: bool = True) -> Iterator[Row]:
    """The questions of one file in order.

    Args:
        path: a ``.json``.
        encoding: of the file.
        labelled: whether answers are read; a file to be predicted may have anything in their place.

    Raises:
        BadInput: a file that cannot be read, JSON of another form, no question, or a flag that is no truth value or says
            something else than the answers.
    """
    document = _read_json(path, encoding)
    if (rows := _flat_rows(document)) is not None:
        yield from _read_flat(rows, path)
        return
    is_empty = True
    for number, (title, context, question) in enumerate(_questions(document, path), start=1):
        is_empty = False
        name = question.get("id", number)
        where = f"{path}, question {name}"
        text = _field(question, "question", str, where)
        fields = {"id": name, "title": title, "context": context, "question": text}
        if not title:
            del fields["title"]
        _check_unicode(f"{name} {title} {context} {text}", where)
        answers = _answers(question, where) if labelled else question.get("answers")
        if answers is not None:
            fields["answers"] = answers
        yield Row(fields, where)
    if is_empty:
        raise BadInput("the file has no questions", where=path, next_step="check the path")


def _flat_rows(document: Any) -> list[Any] | None:
    """The rows of a file that has the questions without articles and paragraphs, as a list or as its ``data``."""
    rows = document.get("data") if isinstance(document, dict) else document
    first = rows[0] if isinstance(rows, list) and rows else None
    return rows if isinstance(first, dict) and first.keys() >= {"context", "question"} else None


def _read_flat(rows: list[Any], path: str) -> Iterator[Row]:
    for number, fields in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        if not isinstance(fields, dict):
            raise _format_error(where, fields, "an object with 'context' and 'question'")
        _check_unicode(json.dumps(fields, ensure_ascii=False), where)
        yield Row(fields, where)


def _answers(question: dict[str, Any], where: str) -> list[Any] | None:
    """The answers of a question, none of them where it is impossible; ``None`` where it says neither."""
    impossible = question.get("is_impossible")
    if not isinstance(impossible, bool | None):
        raise BadInput(
            "'is_impossible' is no truth value", where=where, value=impossible, allowed="true or false",
            next_step="write it without quotation marks",
        )  # fmt: skip
    if question.get("answers") is None:
        if "answers" in question and not impossible:
            raise BadInput(
                "'answers' is null", where=where, allowed='a list of {"text": …, "answer_start": …}',
                next_step="write [] where the context does not answer the question",
            )  # fmt: skip
        return [] if impossible else None
    answers: list[Any] = _field(question, "answers", list, where)
    if impossible and not any(isinstance(answer, dict) and answer.get("text") for answer in answers):
        return []  # some sets write an answer without text
    check_impossible(impossible, bool(answers), where)
    return answers


def check_impossible(impossible: bool | None, has_answer: bool, where: str) -> None:
    """Raises :class:`BadInput` where the flag says something else than the answers; ``None`` says nothing."""
    if impossible is not None and impossible == has_answer:
        raise BadInput(
            f"'is_impossible' is {str(impossible).lower()}, yet the question has {'an' if has_answer else 'no'} answer",
            where=where, next_step="correct the flag or the answers, or leave the question out",
        )  # fmt: skip


def _check_unicode(texts: str, where: str) -> None:
    try:
        texts.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"a text with half of a character ({error.reason})", where=where.encode("utf-8", "backslashreplace").decode(),
            value=texts[error.start : error.end], next_step="correct the text or leave the question out",
        ) from None  # fmt: skip


def _questions(document: Any, path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Title, context and entry of each question."""
    for a, article in enumerate(_field(document, "data", list, path)):
        inside = f"{path}, data[{a}]"
        for p, paragraph in enumerate(_field(article, "paragraphs", list, inside)):
            where = f"{inside}.paragraphs[{p}]"
            context = _field(paragraph, "context", str, where)
            for question in _field(paragraph, "qas", list, where):
                if not isinstance(question, dict):
                    raise _format_error(where, question, "a question with 'question', 'id' and 'answers'")
                yield str(article.get("title") or ""), context, question


def _read_json(path: str, encoding: str) -> Any:
    text = "".join(read_text_blocks(path, encoding))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"not complete JSON ({what})", where=path, next_step=RESTORE) from None


def _field(owner: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(owner, dict) or not isinstance(owner.get(key), kind):
        value = list(owner) if isinstance(owner, dict) else owner
        raise _format_error(where, value, f"an object with {key!r}, {'text' if kind is str else 'a list'}")
    return owner[key]


def _format_error(where: str, value: Any, allowed: str) -> BadInput:
    return BadInput(
        "not a file in SQuAD's format", where=where, value=value, allowed=allowed,
        next_step="put rows of your own into a JSONL file",
    )  # fmt: skip
