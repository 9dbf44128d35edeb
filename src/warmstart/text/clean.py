"""Cleaning rules: functions from text to text that keep line breaks where these have a meaning.

A rule has a name in :data:`CLEANING_RULES`. A corpus is cleaned with a list of names, in order.

=============  =====================================================================================
``ftfy``       repairs wrongly decoded text (``ftfy.fix_text``)
``gpt1``       GPT-1's standardisation of punctuation and spaces (Radford et al. 2018, released code)
``unwrap``     joins the lines of hard-wrapped paragraphs; leaves other texts as they are
``breaks``     HTML line breaks (IMDB's ``<br />``) to newlines
``spacy``      the tokens of spaCy's English tokenizer, separated by single spaces (extra ``gpt1``); keeps lines
``lower``      lower case, as GPT-1's tokens are
``whitespace`` single spaces, at most one empty line in a row, none at the ends
=============  =====================================================================================
"""

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from warmstart.base.errors import BadInput, unknown_name_error

MAX_WRAP_WIDTH = 120
"""Columns: a text with longer lines is not wrapped."""
FULL_LINE_FRAC = 0.6
"""Of the width: a shorter line ends on purpose if the next word had room, as in a heading, a verse or a list."""

_DASHES = str.maketrans({"\u2014": "-", "\u2013": "-", "\u2015": "-", "\u2026": "...", "\u00b4": "'"})
_PUNCTUATION = re.compile(r'([-~!";?+,)(\\/*\[\]}{|_])\1*')
_AROUND_NEWLINE = re.compile(r"\s*\n\s*")
_SPACES = re.compile(r"[^\S\n]+")
_SPACES_AT_NEWLINE = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LONG_STRETCH = re.compile(r"\S{500}(?=\S)")  # spaCy's time grows with the square of its length
_SENTENCE_END = re.compile(r"""[.!?:;\u2026-][\s"'\u2019\u201d)\]_*]*$""")
_SENTENCE_START = re.compile(r"""[\s"'\u2018\u201c(\[_*-]*[^\Wa-z_]""")
_CLOSING, _OPENING = re.compile(r"""\S["'\u2019\u201d]$"""), re.compile(r"""["'\u2018\u201c]\S""")


def _ftfy(text: str) -> str:
    import ftfy

    return str(ftfy.fix_text(text))


def _gpt1(text: str) -> str:
    text = _PUNCTUATION.sub(r" \g<0> ", text.translate(_DASHES))
    return _SPACES.sub(" ", _AROUND_NEWLINE.sub(" \n ", text)).strip()


def _spacy(text: str) -> str:
    tokens = _english()(_LONG_STRETCH.sub(r"\g<0> ", text))
    words = (token.text.strip(" ") for token in tokens)  # spaCy makes one token "\n " of " \n "
    return " ".join(word for word in words if word)


@functools.cache
def _english() -> Any:
    _check_spacy()
    import spacy

    return spacy.blank("en").tokenizer


def _check_spacy() -> None:
    if find_spec("spacy") is None:
        raise BadInput("the cleaning rule spacy needs the spacy package", next_step="pip install 'warmstart[gpt1]'")


def _breaks(text: str) -> str:
    return _BREAK.sub("\n", text)


def _whitespace(text: str) -> str:
    text = _SPACES_AT_NEWLINE.sub("\n", _SPACES.sub(" ", text))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _unwrap(text: str) -> str:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    width = wrap_width(lines)
    if not width:
        return text
    num_filled = sum(map(bool, lines))
    has_empty_lines = len(lines) - num_filled > 0.05 * num_filled  # between paragraphs
    paragraphs = [lines[0]]
    for above, below in itertools.pairwise(lines):
        if above and below and _continues(above, below, width, has_empty_lines):
            paragraphs[-1] += " " + below.lstrip()
        else:
            paragraphs.append(below)
    return "\n".join(paragraphs)


def wrap_width(lines: Sequence[str]) -> int:
    """The column at which ``lines`` are wrapped, or 0 where they are not.

    Most lines of wrapped text are about as long as its longest lines: so is the line with the middle character of the text.
    Where each line is a sentence, a caption or a paragraph, the lengths vary more.
    """
    lengths = sorted(len(line) for line in lines if line.strip())
    if len(lengths) < 8:
        return 0
    longest = lengths[int(0.98 * len(lengths))]
    half, total = sum(lengths) / 2, 0
    for length in lengths:
        total += length
        if total >= half:
            break
    return lengths[int(0.9 * len(lengths))] if longest <= MAX_WRAP_WIDTH and length >= 0.8 * longest else 0


def _continues(above: str, below: str, width: int, has_empty_lines: bool) -> bool:
    """Whether wrapping made the break between two lines, since the next word had no room."""
    indent = len(below) - len(below.lstrip())
    if indent >= 2 and indent > len(above) - len(above.lstrip()):
        return False
    if not has_empty_lines and _CLOSING.search(above) and _OPENING.match(below):
        return False  # one speech ends, another begins
    room = width - len(above) - 1
    if len(below.split(maxsplit=1)[0]) > room:
        return True
    if len(above) < FULL_LINE_FRAC * width:
        return False
    return has_empty_lines or not (_SENTENCE_END.search(above) and _SENTENCE_START.match(below))


CLEANING_RULES: dict[str, Callable[[str], str]] = {
    "ftfy": _ftfy,
    "gpt1": _gpt1,
    "unwrap": _unwrap,
    "breaks": _breaks,
    "spacy": _spacy,
    "lower": str.lower,
    "whitespace": _whitespace,
}


def check_rules(names: Sequence[str], where: str = "--clean") -> None:
    """Raises :class:`~warmstart.base.errors.BadInput` for an unknown rule, or a rule whose package is not installed."""
    for name in names:
        if name not in CLEANING_RULES:
            raise unknown_name_error("cleaning rule", name, CLEANING_RULES, where=where)
        if name == "spacy":
            _check_spacy()


def clean(text: str, names: Sequence[str]) -> str:
    r"""``text`` after the rules ``names``, in order.

    >>> clean("so\u2014he  said<br />yes", ["breaks", "gpt1"])
    'so - he said \n yes'
    """
    for name in names:
        text = CLEANING_RULES[name](text)
    return text
