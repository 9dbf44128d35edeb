"""Texts whose vectors are compared, each read by itself: ``[start] text [extract]`` (Reimers and Gurevych 2019).

A row is a query, a text that belongs to it and perhaps hard negatives (``anchor``, ``positive``, ``negative``), or two texts
with a score or with 1 where they belong together and 0 where not. Each file may have either form.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Label, Record
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer
from warmstart.tasks.columns import Columns, Draft, as_list, first_present, parse_score, text_at
from warmstart.tasks.embedding_answer import EMBEDDING, FIRST, SECOND, is_ranked
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import EmbeddingSettings

RANKED = (("anchor", "positive"), ("query", "positive"), ("query", "document"), ("question", "answer"))
SCORED = (("sentence1", "sentence2"), ("text_a", "text_b"))
NEGATIVES = ("negative", "negatives")
NUMBERED = re.compile(r"negative_\d+")
"""Columns of hard negatives: a text, a list of texts, or columns with numbers."""
OF_SCORES, OF_RANKS = ("cosent", "cosine", "contrastive"), ("ranking", "triplet")
"""Losses for each form of rows; the first one serves where none is named."""


class Embedding(TaskKind):
    """Texts that belong together, or are alike by a score."""

    name = "embedding"
    text_columns = (*SCORED, *RANKED)
    label_columns = ("score", "label", "positive", "document", "answer")
    other_columns = (NEGATIVES, *((f"negative_{number}",) for number in range(1, 11)))
    options_class = EmbeddingSettings
    has_label_names = False
    evaluated_kinds = ("similarity",)
    pools_states = True
    has_auxiliary_lm = rewrites = False
    example_share = 2
    rate_factor = 4.0

    def answer(self, label_names: Sequence[str]) -> Answer:
        """Vectors."""
        return EMBEDDING

    def find_texts(self, row: Row) -> Columns | None:
        """Two texts and, of a query with its text, hard negatives; cells that are empty are none."""
        columns = first_present(row, self.text_columns)
        if columns is None:
            return None
        names = (FIRST, SECOND) if columns in RANKED else SCORED[0]
        texts = {name: text_at(row, column) for name, column in zip(names, columns, strict=True)}
        found = _negative_columns(row) if columns in RANKED else ()
        negatives = [text for column in found for text in _negatives(row, column)]
        texts |= {f"negative {number}": text for number, text in enumerate(negatives, start=1)}
        return Columns(texts, (*found, *columns))

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """A score; of a query with its text nothing that has to be said."""
        if column in (found := first_present(row, self.text_columns) or ()):
            return 1, (column,)
        if found in RANKED:
            raise BadInput(
                "a query and its text have no score", where=row.place(column), value=row.fields[column],
                allowed="sentence1, sentence2 and a score or a label; or anchor and positive alone",
                next_step=f"leave the column {column!r} out, or rename the columns: --columns sentence1={found[0]},"
                f"sentence2={found[1]}",
            )  # fmt: skip
        return super().find_label(row, column)

    def label_column_for(self, label: Any) -> str:
        """A score."""
        return "score"

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Scores have no names."""
        return ()

    def parse_label(self, found: Draft, numbers: Any) -> Label:
        """The score; truth values are 1 and 0. Of a query with its text 1, which is no score."""
        if is_ranked(found.texts):
            return 1
        value = float(found.label) if isinstance(found.label, bool) else found.label
        return parse_score(value, found.label_place)

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """Scores have to differ; a query and its text are learned from those of others."""
        scores = [record.label for record in records if not is_ranked(record.texts)]
        return scores or None

    def content(self, record: Record) -> tuple[object, ...]:
        """The query, which may have many texts; else two texts in either order."""
        if is_ranked(record.texts):
            return (record.texts[FIRST],)
        return tuple(sorted(map(str, record.content), key=str.casefold))

    def stratum(self, record: Record) -> Label:
        """There are no classes."""
        return None

    def learn_options(
        self, options: EmbeddingSettings, records: Sequence[Record], label_names: Sequence[str],
        text_segments: tuple[int, int],
    ) -> EmbeddingSettings:  # fmt: skip
        """The loss for rows of this form, and the greatest score.

        Raises:
            BadInput: a loss for rows of another form; a triplet without a negative; sizes that are none.
        """
        ranked = is_ranked(records[0].texts)
        scores = [] if ranked else [float(record.label) for record in records]  # type: ignore[arg-type]
        marked = not ranked and {*scores} <= {0.0, 1.0}
        fitting = OF_RANKS if ranked else OF_SCORES if marked else OF_SCORES[:2]
        default = "contrastive" if marked else fitting[0]
        loss = options.loss or default
        if loss not in fitting:
            form = "queries with their texts" if ranked else "marks" if marked else "scores"
            raise BadInput(
                f"this loss does not learn from {form}", where="--embedding-loss", value=loss, allowed=", ".join(fitting),
                next_step="choose one of these, or leave it out",
            )  # fmt: skip
        without = next((record for record in records if loss == "triplet" and len(record.texts) < 3), None)
        if without is not None:
            raise BadInput(
                "a triplet without a negative", where=without.where, allowed="anchor, positive and negative",
                next_step="add one, or use --embedding-loss ranking",
            )  # fmt: skip
        if min(scores, default=0.0) < 0 and loss == "cosine":
            raise BadInput(
                "a score below 0", where="--embedding-loss cosine", value=min(scores), allowed="0 and above",
                next_step="use cosent, which only asks for the order of scores",
            )  # fmt: skip
        return options.model_copy(update={"loss": loss, "most": max([1.0, *scores])})

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One question to all texts of a row, each of them a sequence of its own.

        Worked example, with one word a token: ``{"anchor": "who sings", "positive": "she does"}`` gives::

            ids        start  who  sings  extract
            embedding  read 3, question 0 → names of both texts, by which equal ones are known
            ids        start  she  does  extract
            embedding  read 3, question 0 (the same question; its target stands above)
        """
        sequences = [frame.sequence([text]) for text in parts.texts]
        options = frame.options
        assert isinstance(options, EmbeddingSettings)
        target, loss = _target(record, options.most), options.loss or ""
        found = []
        for example in frame.question(record, sequences):
            goal = example.goals[frame.answer.goal]
            goal = replace(goal, targets=target[: len(goal.targets)], answer=loss)
            found.append(replace(example, goals={**example.goals, frame.answer.goal: goal}))
        return found


def _target(record: Record, most: float) -> NDArray[Any]:
    """[1] the share of a score in the greatest, or [1, 2] a number for each of the two texts, the same for equal ones."""
    if not is_ranked(record.texts):
        return np.array([record.label or 0.0], np.float32) / np.float32(most)
    return np.array([[_number(str(record.texts[name])) for name in (FIRST, SECOND)]], np.int64)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def _negative_columns(row: Row) -> tuple[str, ...]:
    """The columns of hard negatives."""
    return tuple(name for name in row.fields if name in NEGATIVES or NUMBERED.fullmatch(name))


def _negatives(row: Row, column: str) -> list[str]:
    """The texts in one of them; an empty cell holds none."""
    value = row.fields[column]
    if not value:
        return []
    if column == NEGATIVES[1] or isinstance(value, list | tuple):
        texts = as_list(value, row.place(column))
        if not all(isinstance(text, str) for text in texts):
            raise BadInput("not texts", where=row.place(column), value=texts, allowed="a list of strings")
        return texts
    return [text_at(row, column)]
