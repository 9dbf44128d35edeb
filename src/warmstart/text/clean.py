"""Named cleaning rules: each takes a text and gives a text, and keeps line breaks where they carry meaning.

A rule is a name in :data:`CLEANING_RULES`; what a corpus was cleaned with is a list of names, applied in order.

=============  =====================================================================================
``ftfy``       repairs wrongly decoded text (``ftfy.fix_text``)
``gpt1``       GPT-1's standardisation of punctuation and blanks (Radford et al. 2018, released code)
``unwrap``     joins the lines of hard-wrapped paragraphs; leaves other texts as they are
``breaks``     HTML line breaks (IMDB's ``<br />``) to newlines
``spacy``      the tokens of spaCy's English tokenizer with single blanks between (extra ``gpt1``); lines stay lines
``lower``      small letters throughout, as GPT-1's tokens are
``whitespace`` runs of blanks to one, at most one empty line in a row, none at the ends
=============  =====================================================================================
"""

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from warmstart.base.errors import BadInput, unknown_name_error

WIDEST = 120
"""Columns: a text whose lines are commonly longer than this was not wrapped."""
FULL = 0.6
"""A line shorter than this share of the width stands alone when the next word had room: a heading, a verse, a list."""

_DASHES = str.maketrans({"\u2014": "-", "\u2013": "-", "\u2015": "-", "\u2026": "...", "\u00b4": "'"})
_PUNCTUATION = re.compile(r'([-~!";?+,)(\\/*\[\]}{|_])\1*')
_AROUND_NEWLINE = re.compile(r"\s*\n\s*")
_BLANKS = re.compile(r"[^\S\n]+")
_BLANKS_AT_NEWLINE = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ENDLESS = re.compile(r"\S{500}(?=\S)")  # spaCy's time grows with the square of such stretches
_SENTENCE_END = re.compile(r"""[.!?:;\u2026-][\s"'\u2019\u201d)\]_*]*$""")
_SENTENCE_START = re.compile(r"""[\s"'\u2018\u201c(\[_*-]*[^\Wa-z_]""")
_CLOSING, _OPENING = re.compile(r"""\S["'\u2019\u201d]$"""), re.compile(r"""["'\u2018\u201c]\S""")


def _ftfy(text: str) -> str:
    import ftfy

    return str(ftfy.fix_text(text))


def _gpt1(text: str) -> str:
    text = _PUNCTUATION.sub(r" \g<0> ", text.translate(_DASHES))
    return _BLANKS.sub(" ", _AROUND_NEWLINE.sub(" \n ", text)).strip()


def _spacy(text: str) -> str:
    tokens = _english()(_ENDLESS.sub(r"\g<0> ", text))
    words = (token.text.strip(" ") for token in tokens)  # what spaCy makes of " \n " is a token "\n "
    return " ".join(word for word in words if word)


@functools.cache
def _english() -> Any:
    _require_spacy()
    import spacy

    return spacy.blank("en").tokenizer


def _require_spacy() -> None:
    if find_spec("spacy") is None:
        raise BadInput("the cleaning rule spacy needs the spacy package", next_step="pip install 'warmstart[gpt1]'")


def _breaks(text: str) -> str:
    return _BREAK.sub("\n", text)


def _whitespace(text: str) -> str:
    text = _BLANKS_AT_NEWLINE.sub("\n", _BLANKS.sub(" ", text))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _unwrap(text: str) -> str:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    width = wrap_width(lines)
    if not width:
        return text
    filled = [line for line in lines if line]
    spaced = len(lines) - len(filled) > 0.05 * len(filled)  # are paragraphs set apart by empty lines?
    paragraphs = [lines[0]]
    for above, below in itertools.pairwise(lines):
        if above and below and _continues(above, below, width, spaced):
            paragraphs[-1] += " " + below.lstrip()
        else:
            paragraphs.append(below)
    return "\n".join(paragraphs)


def wrap_width(lines: Sequence[str]) -> int:
    """The column at which ``lines`` were wrapped, or 0 where they were not.

    Wrapped text crowds against its margin: the line that holds the middle character of the text is nearly as long as the
    longest lines. Where every line is a sentence, a caption or a paragraph of its own, lengths spread.
    """
    lengths = sorted(len(line) for line in lines if line.strip())
    if len(lengths) < 8:
        return 0
    longest = lengths[int(0.98 * len(lengths))]
    half, seen = sum(lengths) / 2, 0
    for length in lengths:
        seen += length
        if seen >= half:
            break
    return lengths[int(0.9 * len(lengths))] if longest <= WIDEST and length >= 0.8 * longest else 0


def _continues(above: str, below: str, width: int, spaced: bool) -> bool:
    """Whether the break between two lines was made by wrapping: was there no room for the next word?"""
    indent = len(below) - len(below.lstrip())
    if indent >= 2 and indent > len(above) - len(above.lstrip()):
        return False
    if not spaced and _CLOSING.search(above) and _OPENING.match(below):
        return False  # one speech ended, another begins
    room = width - len(above) - 1
    if len(below.split(maxsplit=1)[0]) > room:
        return True
    if len(above) < FULL * width:
        return False
    return spaced or not (_SENTENCE_END.search(above) and _SENTENCE_START.match(below))


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
    """Raises :class:`~warmstart.base.errors.BadInput` for a name that is no rule, or a rule whose package is missing."""
    for name in names:
        if name not in CLEANING_RULES:
            raise unknown_name_error("cleaning rule", name, CLEANING_RULES, where=where)
        if name == "spacy":
            _require_spacy()


def clean(text: str, names: Sequence[str]) -> str:
    r"""``text`` after the rules ``names``, one after the other.

    >>> clean("so\u2014he  said<br />yes", ["breaks", "gpt1"])
    'so - he said \n yes'
    """
    for name in names:
        text = CLEANING_RULES[name](text)
    return text
