"""Children's Book Test (Hill et al. 2016): which of ten words is missing in the sentence after twenty others.

As GPT-2 has it (section 3.2): the probability of the candidate and the rest of its sentence, behind all before. A file has
21 numbered lines a question and an empty one; the last holds the sentence with ``XXXXX``, the answer and the candidates.
"""

import re
from collections.abc import Iterator

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.readers.text_io import read_lines
from warmstart.tasks.known.detokenize import detokenize
from warmstart.zeroshot.choices import Question
from warmstart.zeroshot.likelihood import Pair
from warmstart.zeroshot.task import field

BLANK = "XXXXX"
_NUMBER = re.compile(r"^\d+ ")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_BRACKET = re.compile("|".join(_BRACKETS))
_FORM = "numbered lines, the last with XXXXX, a tab, the answer, two tabs and the candidates with | between them"


def read_questions(path: str, encoding: str) -> Iterator[Row]:
    """The questions of a file, {"context", "query", "answer", "candidates"}.

    Raises:
        BadInput: another form.
    """
    before: list[str] = []
    for number, line in enumerate(read_lines(path, encoding), start=1):
        text = _NUMBER.sub("", line.rstrip("\n"))
        if BLANK in text and "\t" in text:
            yield _row(before, text, f"{path}:{number}")
            before = []
        elif text.strip():
            before.append(text.strip())
    if before:
        raise BadInput(
            "sentences without a question",
            where=path,
            value=before[0],
            allowed=_FORM,
            next_step="check the task: --task",
        )


def _row(before: list[str], text: str, where: str) -> Row:
    query, answer, named = [*(part.strip() for part in text.split("\t") if part.strip()), "", ""][:3]
    candidates = named.split("|") if named else []
    if answer not in candidates:
        raise BadInput(
            "the answer is no candidate", where=where, value=answer, allowed=_FORM, next_step="correct the line"
        )
    fields = {"context": " ".join(before), "query": query, "answer": answer, "candidates": candidates}
    return Row(fields, where)


def cbt(row: Row) -> Question:
    """What a row asks; the sentence is de-tokenised with each candidate in it."""
    context, query, answer = (field(row, key, "cbt") for key in ("context", "query", "answer"))
    candidates = field(row, "candidates", "cbt", list)
    told, pairs = _plain(context), []
    for candidate in candidates:
        begin, whole = (
            _plain(query.split(BLANK)[0] + word) for word in (candidate, candidate + query.split(BLANK, 1)[1])
        )
        begin = begin[: len(begin) - len(candidate)].rstrip()
        pairs.append(Pair(f"{told} {begin}".rstrip(), whole[len(begin) :] if begin else f" {whole}", row.where))
    return Question(tuple(pairs), candidates.index(answer))


def _plain(text: str) -> str:
    return detokenize(_BRACKET.sub(lambda found: _BRACKETS[found[0]], text))
