"""SQuAD files (``data[].paragraphs[].qas[]``, 1.1 and 2.0) to one row per question.

A row has ``id``, ``title`` (where there is one), ``context``, ``question`` and, where the question is answered,
``answers``: a list of ``{"text", "answer_start"}``, empty for a question that is marked ``is_impossible``.
"""

import json
from collections.abc import Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_text_blocks

SQUAD_EXTENSIONS = (".json",)
"""Endings that :func:`read_questions` reads, each also packed."""


def read_questions(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """The questions of one file in order.

    Raises:
        BadInput: an unreadable file, other JSON than SQuAD's, or no question.
    """
    empty = True
    for number, (title, context, asked) in enumerate(_asked(_document(path, encoding), path), start=1):
        empty = False
        name = asked.get("id", number)
        where = f"{path}, question {name}"
        fields = {"id": name, "title": title, "context": context, "question": _part(asked, "question", str, where)}
        if not title:
            del fields["title"]
        if asked.get("is_impossible"):
            fields["answers"] = []
        elif asked.get("answers"):
            fields["answers"] = _part(asked, "answers", list, where)
        yield Row(fields, where)
    if empty:
        raise BadInput("the file holds no questions", where=path, next_step="check the path")


def _asked(document: Any, path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Title, context and question, as the file has them."""
    for a, article in enumerate(_part(document, "data", list, path)):
        inside = f"{path}, data[{a}]"
        for p, paragraph in enumerate(_part(article, "paragraphs", list, inside)):
            where = f"{inside}.paragraphs[{p}]"
            context = _part(paragraph, "context", str, where)
            for asked in _part(paragraph, "qas", list, where):
                if not isinstance(asked, dict):
                    raise _unlike(where, asked, "a question with 'question', 'id' and 'answers'")
                yield str(article.get("title") or ""), context, asked


def _document(path: str, encoding: str) -> Any:
    text = "".join(read_text_blocks(path, encoding))
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():  # half a pair of surrogates is no text
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"not complete JSON ({what})", where=path, next_step="fetch or make the file again") from None


def _part(owner: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(owner, dict) or not isinstance(owner.get(key), kind):
        found = list(owner) if isinstance(owner, dict) else owner
        raise _unlike(where, found, f"an object with {key!r}, {'text' if kind is str else 'a list'}")
    return owner[key]


def _unlike(where: str, found: Any, allowed: str) -> BadInput:
    return BadInput(
        "not a SQuAD file", where=where, value=found, allowed=allowed, next_step="rows of one's own go into JSONL"
    )
