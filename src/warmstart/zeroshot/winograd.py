"""Winograd schemas: which of several nouns a pronoun means. Trinh and Le 2018, section 3.

Each candidate takes the pronoun's place. *Full* scoring judges the whole sentence, *partial* scoring only what follows the
candidate. GPT-1 takes partial scoring's mean per token.

A file has four lines a schema: the sentence, the pronoun (``[MASK]`` where the sentence has that in its place), the
candidates with commas between them, and the right one.
"""

import re
from collections.abc import Iterator

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines
from warmstart.zeroshot.choices import Question
from warmstart.zeroshot.likelihood import Pair
from warmstart.zeroshot.task import field

_FORM = "four lines a schema: sentence, pronoun, candidates with commas, the right candidate"
_LOWERED = {"A", "An", "The", "My", "His", "Her", "Their", "Our", "Your", "Its"}
_POSSESSIVE = {"his", "its", "their", "my", "our", "your"}
_CONNECTIVE = r"(?:because|since|but|and|so|as|although|though|when|while)"
_SPACES = re.compile(r"\s+")


def read_schemas(path: str, encoding: str) -> Iterator[Row]:
    """The schemas of a file, {"sentence", "pronoun", "candidates", "answer"}.

    Raises:
        BadInput: another form.
    """
    block: list[str] = []
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line.strip():
            block.append(line.strip())
        if block and (not line.strip() or len(block) == 4):
            yield _schema(block, f"{path}:{number - len(block) + 1}")
            block = []
    if block:
        yield _schema(block, f"{path}, last schema")


def _schema(block: list[str], where: str) -> Row:
    if len(block) != 4:
        raise BadInput(
            "not a Winograd schema", where=where, value=block[0], allowed=_FORM, next_step="check the task: --task"
        )
    sentence, pronoun, named, answer = block
    candidates = [_SPACES.sub(" ", one).strip() for one in named.split(",")]
    return Row({"sentence": sentence, "pronoun": pronoun, "candidates": candidates, "answer": answer}, where)


def substituted(row: Row) -> tuple[str, list[str], str, int]:
    """What stands before the pronoun, the candidates as they take its place, what follows, the right one's number.

    Raises:
        BadInput: the pronoun is not in the sentence, or the answer not among the candidates.
    """
    sentence, pronoun, answer = (field(row, key, "winograd") for key in ("sentence", "pronoun", "answer"))
    candidates = field(row, "candidates", "winograd", list)
    place = _place(_SPACES.sub(" ", sentence).strip(), pronoun)
    if place is None or answer not in candidates:
        raise BadInput(
            "the pronoun is not in the sentence" if place is None else "the answer is not a candidate",
            where=row.where, value=pronoun if place is None else answer, allowed=_FORM, next_step="correct the schema",
        )  # fmt: skip
    before, after = place.string[: place.start()], place.string[place.end() :]
    begins = not before.strip() or before.rstrip()[-1] in '.!?:"'
    forms = [_form(one, pronoun, begins=begins) for one in candidates]
    return before.rstrip(), forms, after, candidates.index(answer)


def _place(sentence: str, pronoun: str) -> re.Match[str] | None:
    """Where the pronoun stands: of several places the first behind a connective, as in Rahman and Ng's sentences."""
    word = rf"(?<!\w){re.escape(pronoun)}(?!\w)"
    behind = re.search(rf"\b{_CONNECTIVE}\s+({word})", sentence)
    if behind is not None:
        return re.compile(word).search(sentence, behind.start(1))
    return re.search(word, sentence)


def _form(candidate: str, pronoun: str, *, begins: bool) -> str:
    first, _, rest = candidate.partition(" ")
    if not begins and first in _LOWERED:
        candidate = f"{first.lower()} {rest}"
    elif begins:
        candidate = candidate[:1].upper() + candidate[1:]
    return f"{candidate}'s" if pronoun.lower() in _POSSESSIVE else candidate


def partial_question(row: Row) -> Question:
    """What follows is judged behind each candidate."""
    before, forms, after, label = substituted(row)
    pairs = tuple(Pair(f"{before} {form}".strip(), after, row.where) for form in forms)
    return Question(pairs, label)


def full_question(row: Row) -> Question:
    """The whole sentence is judged."""
    before, forms, after, label = substituted(row)
    return Question(tuple(Pair("", f"{before} {form}{after}".strip(), row.where) for form in forms), label)
