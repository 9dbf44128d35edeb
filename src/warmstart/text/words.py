"""Where words begin and end in a row of ids, told by the marks that each kind of vocabulary has for it.

================  =======================================================
vocabulary        mark
================  =======================================================
WordPiece         pieces inside a word begin with ``##``
GPT-1's BPE       the last piece of a word ends in ``</w>``
byte-level BPE    the first piece of a word holds the blank before it
Unigram           the first piece of a word begins with ``▁``
================  =======================================================
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmstart.text.tokenizer import Ints, Tokenizer

BLANKS = ("Ġ", "Ċ", "ĉ", "č", "▁")  # of byte-level vocabularies: blank, line feed, tab, carriage return; of Unigram's


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """[V] each: whether a token begins a word, and whether it ends one."""

    begins: NDArray[np.bool_]
    ends: NDArray[np.bool_]

    @staticmethod
    def of(tokenizer: Tokenizer) -> "Borders":
        """Those of a vocabulary; special tokens are words of their own."""
        model, pieces = tokenizer.description["model"], tokenizer.pieces
        inside, last = model.get("continuing_subword_prefix"), model.get("end_of_word_suffix")
        if model["type"] == "WordPiece":
            begins = [not piece.startswith(inside) for piece in pieces]
        else:
            begins = [piece.startswith(BLANKS) for piece in pieces]
        ends = [bool(last) and piece.endswith(last) for piece in pieces]
        special = np.zeros(len(pieces), bool)
        special[[token["id"] for token in tokenizer.description["added_tokens"] if token["special"]]] = True
        return Borders(np.array(begins) | special, np.array(ends) | special)

    def words(self, ids: Ints) -> list[Ints]:
        """The places of each word of a row of ids."""
        starts = self.begins[ids]
        starts[1:] |= self.ends[ids[:-1]]
        return np.split(np.arange(len(ids)), np.flatnonzero(starts[1:]) + 1)
