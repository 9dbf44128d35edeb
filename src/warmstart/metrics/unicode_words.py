"""Words of any script, for metrics whose libraries know English letters only.

rouge-score's own words have the characters a to z and 0 to 9: a Chinese text has no words, and a French word breaks at its
accents. Only the references decide which words a metric uses, so it uses the same words for all systems.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

NON_ENGLISH_FRAC = 0.01  # of letters outside a to z; above it references are not English
IDEOGRAPHIC_FRAC = 0.1  # of Han characters and kana; above it texts have no spaces between words
_IDEOGRAPH = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")  # kana, Han


def has_non_english_letters(references: Sequence[Sequence[str]]) -> bool:
    """Whether the references have many letters that rouge-score's own tokenizer drops."""
    return _letter_frac(references, lambda letter: not letter.isascii()) > NON_ENGLISH_FRAC


def is_ideographic(references: Sequence[Sequence[str]]) -> bool:
    """Whether the references have no spaces between words: Han characters or kana."""
    return _letter_frac(references, lambda letter: _IDEOGRAPH.match(letter) is not None) > IDEOGRAPHIC_FRAC


def separate_ideographs(text: str) -> str:
    """The text with a space on both sides of each Han character and kana."""
    return _IDEOGRAPH.sub(r" \1 ", text)


class UnicodeTokenizer:
    """A tokenizer for rouge-score: words of letters, combining marks and digits of any script, in lower case."""

    def tokenize(self, text: str) -> list[str]:
        """The words of ``text``; each Han character or kana is a word."""
        chars = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text.lower())
        return separate_ideographs("".join(chars)).split()


def _letter_frac(references: Sequence[Sequence[str]], includes: Callable[[str], bool]) -> float:
    letters = [c for several in references for one in several for c in one if c.isalpha()]
    return sum(map(includes, letters)) / len(letters) if letters else 0.0
