"""Pairs of words or sentences with a score of people: does the cosine of their vectors rank them alike (Spearman's ρ)?"""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, find_terms, to_unit
from warmstart.embed.word_lines import finite, read_word_lines
from warmstart.readers.rows import Row, read_rows
from warmstart.readers.text_io import read_lines, split_extensions

_STSB = ("genre", "file", "year", "index", "score", "sentence1", "sentence2", "*")
_FIRST, _SECOND, _SCORE = ("sentence1", "text_a"), ("sentence2", "text_b"), ("score", "label")


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
    for where, text, parts in read_word_lines(path, encoding):
        try:
            first, second, score = parts
            found.append(ScoredPair(first, second, finite(score)))
        except ValueError:
            raise BadInput(
                "not a pair of words with a score", where=where, value=text,
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


def read_sentence_pairs(path: str, encoding: str = "utf-8") -> list[ScoredPair]:
    """Rows with ``sentence1``, ``sentence2`` and ``score``: JSONL, CSV, TSV, Parquet; STS-B's own files have no header.

    Raises:
        BadInput: other columns, a score that is no number, or no row.
    """
    is_stsb = split_extensions(path)[0] == ".tsv" and _is_stsb(path, encoding)
    found = [_sentence_pair(row) for row in read_rows(path, encoding, columns=_STSB if is_stsb else None)]
    if not found:
        raise BadInput("a file without pairs of sentences", where=path, allowed="sentence1, sentence2 and score")
    return found


def _is_stsb(path: str, encoding: str) -> bool:
    """Whether the first line is a row of STS-B's distribution."""
    fields = next(iter(islice(read_lines(path, encoding), 1)), "").rstrip("\n").split("\t")
    return len(fields) >= len(_STSB) - 1 and _SECOND[0] not in fields


def _sentence_pair(row: Row) -> ScoredPair:
    named = [next((name for name in names if name in row.fields), "") for names in (_FIRST, _SECOND, _SCORE)]
    if not all(named):
        raise BadInput(
            "not a pair of sentences with a score", where=row.where, value=", ".join(row.fields),
            allowed=f"the columns {_FIRST[0]}, {_SECOND[0]} and {_SCORE[0]}",
        )  # fmt: skip
    first, second, score = (row.fields[name] for name in named)
    try:
        return ScoredPair(str(first), str(second), finite(score))
    except (TypeError, ValueError):
        raise BadInput("no score", where=row.where, value=score, allowed="a number") from None


def sentence_cosines(space: Space, pairs: list[ScoredPair], steps: tuple[str, ...]) -> Floats:
    """[Q] the cosine of each pair of sentences; NaN where a sentence has no word with a vector."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
    vectors = space.encode(texts, steps)
    units, rows = to_unit(vectors), {text: row for row, text in enumerate(texts)}
    first, second = ([rows[text] for text in side] for side in zip(*((p.first, p.second) for p in pairs), strict=True))
    cosines = np.einsum("qd,qd->q", units[first], units[second])
    empty: NDArray[np.bool_] = np.asarray(~vectors.any(axis=1))
    return np.where(empty[first] | empty[second], np.nan, cosines).astype(np.float32)
