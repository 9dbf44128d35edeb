"""Where words begin and end in a row of ids; each kind of vocabulary marks this in its pieces.

================  =======================================================
vocabulary        mark
================  =======================================================
WordPiece         pieces inside a word begin with ``##``
GPT-1's BPE       the last piece of a word ends in ``</w>``
byte-level BPE    the first piece of a word begins with the space before it
Unigram           the first piece of a word begins with ``▁``
words             none: each piece is a word or a punctuation mark
characters        a word begins with the blank or line end before it
================  =======================================================
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.text.tokenizer import Tokenizer

SPACES = (
    "Ġ",
    "Ċ",
    "ĉ",
    "č",
    "▁",
)  # of byte-level vocabularies: space, line feed, tab, carriage return; of Unigram: space


@dataclass(frozen=True, slots=True, eq=False)
class WordBoundaries:
    """[V] each: whether a token begins a word, and whether it ends one."""

    starts_word: NDArray[np.bool_]
    ends_word: NDArray[np.bool_]

    @staticmethod
    def from_tokenizer(tokenizer: Tokenizer) -> "WordBoundaries":
        """The boundaries of a vocabulary; each special token is a word."""
        model, pieces = tokenizer.definition["model"], tokenizer.pieces
        inside, last = model.get("continuing_subword_prefix"), model.get("end_of_word_suffix")
        if model["type"] == "WordPiece":
            begins = [not piece.startswith(inside) for piece in pieces]
        elif (
            model["type"] == "WordLevel" and tokenizer.definition["decoder"] is None
        ):  # blanks stand between its tokens
            begins = [True] * len(pieces)
        else:
            begins = [piece.startswith(SPACES) or piece.isspace() for piece in pieces]
        ends = [bool(last) and piece.endswith(last) for piece in pieces]
        special = np.zeros(len(pieces), bool)
        special[[token["id"] for token in tokenizer.definition["added_tokens"] if token["special"]]] = True
        return WordBoundaries(np.array(begins) | special, np.array(ends) | special)

    def split_words(self, ids: Ints) -> list[Ints]:
        """The positions of each word in a row of ids."""
        starts = self.starts_word[ids]
        starts[1:] |= self.ends_word[ids[:-1]]
        return np.split(np.arange(len(ids)), np.flatnonzero(starts[1:]) + 1)
