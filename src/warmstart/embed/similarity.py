"""Pairs of words with a score of people: does the cosine of their vectors rank them alike (Spearman's ρ)?"""

from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, find_terms, to_unit
from warmstart.readers.text_io import read_lines


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two words and how alike people find them."""

    first: str
    second: str
    score: float


def read_scored_pairs(path: str, encoding: str = "utf-8") -> list[ScoredPair]:
    """Two words and a number a line, separated by tabs, or by blanks.

    Raises:
        BadInput: a line of another form, or none.
    """
    found = []
    for number, line in enumerate(read_lines(path, encoding), start=1):
        text = line.strip()
        parts = [part.strip() for part in (text.split("\t") if "\t" in text else text.split())]
        if not text or text.startswith("#"):
            continue
        try:
            first, second, score = parts
            found.append(ScoredPair(first, second, float(score)))
        except ValueError:
            raise BadInput(
                "not a pair of words with a score", where=f"{path}:{number}", value=text,
                allowed="two words and a number, separated by tabs", next_step="correct or remove this line",
            ) from None  # fmt: skip
    if not found:
        raise BadInput("a file without pairs of words", where=path, allowed="lines of two words and a number")
    return found


def pair_cosines(space: Space, pairs: list[ScoredPair], steps: tuple[str, ...]) -> Floats:
    """[Q] the cosine of each pair; NaN where a word has no vector."""
    terms = find_terms(space, (word for pair in pairs for word in (pair.first, pair.second)), steps)
    units = to_unit(terms.vectors_TD)
    rows = [(terms.rows.get(pair.first, -1), terms.rows.get(pair.second, -1)) for pair in pairs]
    found = [float(units[a] @ units[b]) if min(a, b) >= 0 else np.nan for a, b in rows]
    return np.array(found, np.float32)
