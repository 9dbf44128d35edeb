"""How much of a text a vocabulary knows: tokens that stand for the unknown, and for single bytes of a character."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.text.byte_alphabet import byte_characters
from warmstart.text.tokenizer import Tokenizer

_BYTE = re.compile("<0x[0-9A-F]{2}>")
HIGH_BYTES = frozenset(byte_characters()[128:])
"""How byte-level BPE (GPT-2) writes the bytes from 128 on, of which characters beyond ASCII are made."""


class Coverage(NamedTuple):
    """Tokens of some texts: how many in all, unknown ones, and single bytes of characters that have no token."""

    tokens: int
    unknown: int
    bytes: int


def count_coverage(tokenizer: Tokenizer, rows: Iterable[Ints]) -> Coverage:
    """Counts in rows of ids.

    A word or character that is not in the vocabulary is one unknown token; with byte-level or byte-fallback BPE a character
    becomes several bytes instead.
    """
    pieces, unknown = tokenizer.pieces, _unknown_token(tokenizer.definition["model"])
    byte_level = "ByteLevel" in repr(tokenizer.definition["pre_tokenizer"])
    is_byte = np.array([bool(_BYTE.fullmatch(piece)) or (byte_level and piece in HIGH_BYTES) for piece in pieces])
    is_unknown = np.array([piece == unknown for piece in pieces])
    counts = np.zeros(len(pieces), np.int64)
    for row in rows:
        counts += np.bincount(row[row < len(pieces)], minlength=len(pieces))
    return Coverage(int(counts.sum()), int(counts[is_unknown].sum()), int(counts[is_byte].sum()))


def _unknown_token(model: dict[str, Any]) -> str | None:
    """What a text becomes that the vocabulary cannot write: of a Unigram the piece that its number names."""
    if model.get("unk_id") is not None:
        return str(model["vocab"][model["unk_id"]][0])
    return model.get("unk_token")


def describe_coverage(parts: dict[str, Coverage]) -> str:
    """``unknown 0.0 % of the tokens of train, 2.1 % of dev; single bytes …``."""

    def shares(field: str) -> str:
        return ", ".join(f"{getattr(c, field) / max(1, c.tokens):.1%} of {name}" for name, c in parts.items())

    return f"unknown tokens: {shares('unknown')}; single bytes of characters: {shares('bytes')}"
