"""Reads SQuAD files (``data[].paragraphs[].qas[]``, 1.1 and 2.0): one row per question.

A row has ``id``, ``title`` (where the article has one), ``context``, ``question`` and, where the file has them,
``answers``: a list of ``{"text", "answer_start"}``, empty for a question with ``is_impossible``.
"""

import json
from collections.abc import Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import RESTORE, read_text_blocks

SQUAD_EXTENSIONS = (".json",)
"""Extensions that :func:`read_questions` reads."""


def read_questions(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """The questions of one file in order.

    Raises:
        BadInput: a file that cannot be read, JSON of another form, or no question.
    """
    is_empty = True
    for number, (title, context, question) in enumerate(_questions(_read_json(path, encoding), path), start=1):
        is_empty = False
        name = question.get("id", number)
        where = f"{path}, question {name}"
        text = _field(question, "question", str, where)
        fields = {"id": name, "title": title, "context": context, "question": text}
        if not title:
            del fields["title"]
        if question.get("is_impossible"):
            fields["answers"] = []
        elif question.get("answers"):
            fields["answers"] = _field(question, "answers", list, where)
        yield Row(fields, where)
    if is_empty:
        raise BadInput("the file has no questions", where=path, next_step="check the path")


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
        value = json.loads(text)
        if "\\ud" in text.lower():  # half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
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
