"""The right answers to a span question, from a row's columns, each checked against the context it is a piece of.

Accepted are ``answer`` with ``start`` (its first character), and ``answers`` as SQuAD has them: a list of ``{"text",
"answer_start"}``, or one object with a list of each. No answer is ``answer`` left empty, or no entry in ``answers``. A
column ``is_impossible`` has to say the same as the answers.
"""

from typing import Any

from warmstart.base.errors import BadInput
from warmstart.example.record import Answers
from warmstart.readers.squad import check_impossible
from warmstart.tasks.columns import as_list, without_fraction

IMPOSSIBLE = "is_impossible"
_FORMS = 'a list of {"text": …, "answer_start": …}'


def parse_answer(text: Any, start: Any, context: str, where: str) -> Answers:
    """The answers of a row with ``answer`` and ``start``."""
    if text is None or text == "":
        return Answers()
    return _check_answers([(text, start)], context, where)


def parse_answers(value: Any, context: str, where: str) -> Answers:
    """The answers of a row with ``answers``.

    Raises:
        BadInput: another form, an empty text, or a text that does not stand in the context where it should.
    """
    if isinstance(value, dict):
        texts, starts = (as_list(value.get(key), f"{where}, key 'answers.{key}'") for key in ("text", "answer_start"))
        if len(texts) != len(starts):
            raise _unlike(value, where)
        return _check_answers(list(zip(texts, starts, strict=True)), context, where)
    pairs = []
    for each in as_list(value, f"{where}, key 'answers'"):
        if not isinstance(each, dict) or not {"text", "answer_start"} <= each.keys():
            raise _unlike(each, where)
        pairs.append((each["text"], each["answer_start"]))
    return _check_answers(pairs, context, where)


def check_flag(value: Any, answers: Answers, where: str) -> None:
    """Refuses a cell of the column ``is_impossible`` that is no truth value or contradicts the answers."""
    words = {"true": True, "false": False}
    flag = words.get(value.strip().lower()) if isinstance(value, str) else value
    if value in (None, ""):
        return
    if not isinstance(flag, bool):
        raise BadInput(
            f"{IMPOSSIBLE!r} is no truth value", where=f"{where}, key {IMPOSSIBLE!r}", value=value,
            allowed="true or false", next_step="correct the row or leave it out",
        )  # fmt: skip
    check_impossible(flag, bool(answers.texts), where)


def _check_answers(pairs: list[tuple[Any, Any]], context: str, where: str) -> Answers:
    found = [_check_answer(text, _place(start, where), context, where) for text, start in pairs]
    return Answers(tuple(text for text, _ in found), tuple(start for _, start in found))


def _check_answer(text: Any, start: int, context: str, where: str) -> tuple[str, int]:
    """An answer and its first character; blanks around it, in the answer or in the context, are no part of it."""
    if not isinstance(text, str) or not text.strip():
        raise BadInput(
            "an answer without text", where=where, value=text, allowed="a piece of the context",
            next_step="correct it, or mark the question as one without an answer",
        )  # fmt: skip
    rest = context[start:]
    first, words = start + len(rest) - len(rest.lstrip()), text.strip()
    if not context.startswith(words, first):
        raise BadInput(
            f"the answer does not stand in its context at character {start}", where=where,
            value=context[start : start + len(text)], allowed=repr(text), next_step=_nearby(words, context),
        )  # fmt: skip
    return words, first


def _nearby(text: str, context: str) -> str:
    place = context.find(text)
    return "it stands nowhere in it" if place < 0 else f"it stands at character {place}"


def _place(value: Any, where: str) -> int:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    value = without_fraction(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(
            "not the place of an answer", where=where, value=value,
            allowed="the number of its first character, counted from 0",
        )  # fmt: skip
    return value


def _unlike(value: Any, where: str) -> BadInput:
    return BadInput("not the form of answers", where=where, value=value, allowed=_FORMS)
