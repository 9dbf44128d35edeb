"""Words of any script, for metrics that otherwise know English letters only.

rouge-score's own words are of a to z and 0 to 9: nothing is left of a Chinese text, and a French word breaks at its accents.
Which words a text is measured by follows from the references alone, so that all systems are measured alike.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

NON_ENGLISH_FRAC = 0.01  # share of letters outside a to z above which references are not English
IDEOGRAPHIC_FRAC = 0.1  # share of letters that are words by themselves above which texts have no blanks between words
_ALONE = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")  # kana and Han


def has_non_english_letters(references: Sequence[Sequence[str]]) -> bool:
    """Whether the references have letters that rouge-score's own words would lose."""
    return _share(references, lambda letter: not letter.isascii()) > NON_ENGLISH_FRAC


def is_ideographic(references: Sequence[Sequence[str]]) -> bool:
    """Whether the references are written without blanks, in Han characters or kana."""
    return _share(references, lambda letter: _ALONE.match(letter) is not None) > IDEOGRAPHIC_FRAC


def separate_ideographs(text: str) -> str:
    """The text with blanks around each Han character and kana."""
    return _ALONE.sub(r" \1 ", text)


class UnicodeTokenizer:
    """Words as rouge-score asks a tokenizer for them: letters, marks and digits of any script, in lower case."""

    def tokenize(self, text: str) -> list[str]:
        """The words of ``text``; each Han character or kana is one."""
        kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text.lower())
        return separate_ideographs("".join(kept)).split()


def _share(references: Sequence[Sequence[str]], wanted: Callable[[str], bool]) -> float:
    letters = [c for several in references for one in several for c in one if c.isalpha()]
    return sum(map(wanted, letters)) / len(letters) if letters else 0.0
