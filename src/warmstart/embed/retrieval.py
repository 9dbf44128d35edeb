"""Retrieval of texts: does a query find the texts that people judged right for it, among all of a corpus?

The test is a folder as BEIR has it (Thakur et al. 2021): ``corpus.jsonl`` with ``_id``, ``title`` and ``text``,
``queries.jsonl`` with ``_id`` and ``text``, and ``qrels/test.tsv`` (or ``qrels.tsv``): a query, a text, how right it is.
Every query is compared with the whole corpus, exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.embed.space import Space, to_unit
from warmstart.metrics.retrieval import ndcg_at, rank_right, recall_at, reciprocal_rank
from warmstart.readers.rows import Row, read_rows

METRICS = ("ndcg@10", "mrr@10", "recall@10", "recall@100")
_JUDGEMENTS = ("qrels/test.tsv", "qrels.tsv")
_QUERY, _TEXT = ("query-id", "query_id"), ("corpus-id", "corpus_id")


@dataclass(frozen=True, slots=True)
class RetrievalTest:
    """Queries, texts, and which texts are right.

    Attributes:
        queries: texts.
        corpus: texts.
        right: of each query the numbers of the right texts.
        gains: how right each of these is.
    """

    queries: list[str]
    corpus: list[str]
    right: list[Ints]
    gains: list[Floats]


def read_retrieval(folder: str, encoding: str = "utf-8") -> RetrievalTest:
    """A folder as BEIR has it; queries without a right text are left out.

    Raises:
        BadInput: a file is missing, or names a query or a text that is not there; nothing is judged right.
    """
    home = Path(folder)
    judged = next((name for name in _JUDGEMENTS if (home / name).is_file()), _JUDGEMENTS[0])
    corpus, queries = (_texts(home / name, encoding) for name in ("corpus.jsonl", "queries.jsonl"))
    numbers = {name: number for number, name in enumerate(corpus)}
    found: dict[str, dict[int, float]] = {}
    for row in _rows(home / judged, encoding):
        query, text = (_named(row, columns) for columns in (_QUERY, _TEXT))
        if query not in queries or text not in numbers:
            raise BadInput(
                "a judgement of what is not there", where=row.where, value=query if query not in queries else text,
                allowed="the _id of a query and of a text", next_step="correct or remove this line",
            )  # fmt: skip
        if (gain := _gain(row)) > 0:
            found.setdefault(query, {})[numbers[text]] = gain
    if not found:
        raise BadInput("no text is judged right", where=str(home / judged), allowed="a score above 0")
    return RetrievalTest(
        [queries[name] for name in found], [*corpus.values()],
        [np.array([*right], np.int64) for right in found.values()],
        [np.array([*right.values()], np.float32) for right in found.values()],
    )  # fmt: skip


def _rows(path: Path, encoding: str) -> Iterator[Row]:
    if not path.is_file():
        raise BadInput(
            "a file of the test is missing", where=str(path), allowed=f"corpus.jsonl, queries.jsonl, {_JUDGEMENTS[0]}",
            next_step="name a folder as BEIR has it",
        )  # fmt: skip
    return read_rows(str(path), encoding)


def _texts(path: Path, encoding: str) -> dict[str, str]:
    """Name → text, after its title where it has one."""
    found: dict[str, str] = {}
    for row in _rows(path, encoding):
        title, text = (str(row.fields.get(column) or "") for column in ("title", "text"))
        found[_named(row, ("_id",))] = f"{title} {text}".strip()
    return found


def _named(row: Row, columns: tuple[str, ...]) -> str:
    name: Any = next((row.fields[column] for column in columns if row.fields.get(column) is not None), None)
    if name is None:
        raise BadInput(f"no {columns[0]}", where=row.where, value=", ".join(row.fields), allowed=columns[0])
    return str(name)


def _gain(row: Row) -> float:
    try:
        return float(row.fields.get("score", 1))
    except (TypeError, ValueError):
        raise BadInput("no score", where=row.where, value=row.fields["score"], allowed="a number") from None


def retrieval_scores(space: Space, test: RetrievalTest, steps: tuple[str, ...]) -> Floats:
    """[Q, 4] of each query the values of :data:`METRICS`; NaN of one whose words have no vectors."""
    queries = space.encode(test.queries, steps)
    ranks = rank_right(to_unit(queries), to_unit(space.encode(test.corpus, steps)), test.right)
    found = [
        (ndcg_at(own, gains, 10), reciprocal_rank(own, 10), recall_at(own, 10), recall_at(own, 100))
        for own, gains in zip(ranks, test.gains, strict=True)
    ]
    scores = np.array(found, np.float32)
    scores[np.abs(queries).max(axis=1) == 0] = np.nan
    return scores
