"""A question and candidates of which one or several are right: ``[start] query [delimiter] candidate [extract]`` for each.

Every candidate is scored by itself and one softmax runs across those of a question (Liu et al. 2019, equation 8, as they
have QNLI); where several are right, each has an equal part of the target. Rows are questions with their candidates, or
pairs with a label each, which are gathered by their query or by a key (QNLI, WNLI, passages).
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.example.example import SEVERAL, Example
from warmstart.example.record import Label, Record
from warmstart.metrics.ranking import ranking_ratios
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores, ratio_scores
from warmstart.tasks.choice import ChoiceAnswer
from warmstart.tasks.columns import TWO_TEXTS, Columns, Draft, as_list, first_present, text_at, without_fraction
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts
from warmstart.tasks.spec import TaskSpec

GATHERED = ("query", "candidates")
PAIRS = (("query", "candidate"), ("query", "passage"), *TWO_TEXTS)
KEY = "group"
LABEL, LABELS = "label", "labels"
RIGHT = {
    "1": True, "true": True, "yes": True, "entailment": True, "0": False, "false": False, "no": False,
    "not_entailment": False,
}  # fmt: skip
"""What a label says of a candidate."""


class RankingAnswer(ChoiceAnswer):
    """The order of the candidates; the output is one logit for each."""

    plain_form = "order of candidates"

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Mean average precision, mean reciprocal rank, and how often the first is right."""
        return ("map", "mrr", "accuracy")

    def target(self, label: Label, label_names: Sequence[str]) -> NDArray[Any]:
        """[1] the first right candidate."""
        return np.array([label[0] if isinstance(label, tuple) else 0], np.int64)

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The score of each candidate."""
        return output.raw.reshape(-1)

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Means over questions; intervals are drawn over questions."""
        found = ranking_ratios(truths, predictions)
        collapsed = all(float(scores.max()) == float(scores.min()) for scores in predictions)
        return ratio_scores({name: found[name] for name in metrics or found}, seed, collapsed)

    def rights(self, truths: Sequence[Any], predictions: Sequence[Any]) -> list[bool]:
        """Whether the best candidate is a right one."""
        return [int(np.argmax(scores)) in right for right, scores in zip(truths, predictions, strict=True)]

    def confidence(self, spec: TaskSpec, output: RawOutput) -> float | None:
        """An order has no probability."""
        return None

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The best candidate, the probabilities of all, and their numbers in order."""
        found = super().prediction(spec, output)
        order = np.argsort(-output.raw.reshape(-1), kind="stable").tolist()
        return replace(found, details=found.details | {"ranking": order})


RANKING = RankingAnswer()


class Ranking(TaskKind):
    """A question, and the right ones of its candidates."""

    name = "ranking"
    text_columns = (GATHERED, *PAIRS)
    label_columns = (LABELS, LABEL)
    other_columns = ((KEY,),)
    has_label_names = False
    content_noun = "query"
    reads_backward = True

    def answer(self, label_names: Sequence[str]) -> Answer:
        """An order."""
        return RANKING

    def row_texts(self, record: Record) -> dict[str, Any]:
        """The query and its candidates."""
        return dict(zip(GATHERED, super().row_texts(record).values(), strict=True))

    def gather(self, rows: Iterable[Row]) -> Iterator[Row]:
        """A row for each question; pairs of one question may stand anywhere in a file, so all are read first."""
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            if first_present(row, [GATHERED]) or not first_present(row, PAIRS):
                yield row
            else:
                groups.setdefault(_key(row), []).append(row)
        yield from map(_question, groups.values())

    def find_texts(self, row: Row) -> Columns | None:
        """The query and its candidates.

        Raises:
            BadInput: a text is not text, or there are fewer than two candidates.
        """
        if first_present(row, [GATHERED]) is None:
            return None
        query, candidates = text_at(row, GATHERED[0]), as_list(row.fields[GATHERED[1]], row.place(GATHERED[1]))
        if len(candidates) < 2 or not all(isinstance(candidate, str) for candidate in candidates):
            raise BadInput(
                "a question is asked about two candidates or more", where=row.place(GATHERED[1]), value=candidates,
                allowed="two texts or more",
                next_step="add candidates, leave the question out, or have all such rows left out: --bad-rows skip",
            )  # fmt: skip
        return Columns({"query": query, "choices": tuple(map(str, candidates))}, GATHERED)

    def find_label(self, row: Row, column: str) -> tuple[Any, tuple[str, ...]]:
        """The labels of the candidates, or the number of the right one."""
        return row.fields[column], (column,)

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """Candidates have no names that they share."""
        return ()

    def label_values(self, found: Draft) -> Sequence[Any]:
        """Nothing that is a class."""
        return ()

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The numbers of the right candidates.

        Raises:
            BadInput: not a label for each, labels that do not say whether a candidate is right, or none that is.
        """
        count, place = len(found.texts["choices"]), found.label_place
        value = without_fraction(found.label)
        if found.columns[-1] == LABEL and isinstance(value, int) and 0 <= value < count:
            return (value,)
        labels = as_list(value, place)
        if len(labels) != count:
            raise BadInput(
                f"{len(labels)} labels for {count} candidates", where=place, value=labels, allowed="one for each",
                next_step="mend the row or leave it out",
            )  # fmt: skip
        right = tuple(number for number, label in enumerate(labels) if _is_right(label, place))
        if not right:
            raise BadInput(
                "a question without a right candidate", where=place, value=labels, allowed="one right candidate or more",
                next_step="leave the question out, or have all such rows left out: --bad-rows skip",
            )  # fmt: skip
        return right

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """The right candidate may always stand first."""
        return None

    def content(self, record: Record) -> tuple[object, ...]:
        """The query: its candidates stay together."""
        return (record.texts["query"],)

    def stratum(self, record: Record) -> Label:
        """Candidates are no classes."""
        return None

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One question with one read per candidate, each at its own extract token, which the right ones share.

        Worked example, with one word a token: ``{"query": "who sings", "candidates": ["he", "she"], "labels": [1, 0]}``
        gives::

            ids     start  who  sings  delimiter  he  extract
            choice  read 5, question 0: 1
            ids     start  who  sings  delimiter  she  extract
            choice  read 5, question 0: 0
        """
        found = frame.question(record, [frame.sequence(parts.texts, choice) for choice in parts.choices])
        right = record.label if isinstance(record.label, tuple) else ()
        examples = []
        for number, example in enumerate(found):
            share = np.full((1, 1), (number in right) / max(1, len(right)), np.float32)
            goal = replace(example.goals[RANKING.goal], shares=share, answer=SEVERAL)
            examples.append(replace(example, goals={**example.goals, RANKING.goal: goal}))
        return examples


def _key(row: Row) -> Any:
    """What the pairs of one question have in common.

    Raises:
        BadInput: a query that is no text, or a list or an object as the key.
    """
    columns = first_present(row, PAIRS)
    assert columns is not None
    query, key = text_at(row, columns[0]), row.fields.get(KEY)
    if not isinstance(key, Hashable):
        raise BadInput(
            "not a key", where=row.place(KEY), value=key, allowed="a text or a number", next_step="correct it"
        )
    return query if key is None else key


def _question(rows: Sequence[Row]) -> Row:
    """Pairs as one row: what differs from pair to pair is a list.

    Raises:
        BadInput: pairs of one key that ask different questions.
    """
    columns = [first_present(row, PAIRS) or () for row in rows]
    queries = list(dict.fromkeys(row.fields[own[0]] for row, own in zip(rows, columns, strict=True)))
    if len(queries) > 1:
        raise BadInput(
            "pairs of one key with different queries", where=rows[0].where, value=queries[:2],
            allowed="one query for each key", next_step="correct the keys, or leave the column out",
        )  # fmt: skip
    fields: dict[str, Any] = {
        GATHERED[0]: queries[0],
        GATHERED[1]: [row.fields[own[1]] for row, own in zip(rows, columns, strict=True)],
    }
    if all(LABEL in row.fields for row in rows):
        fields[LABELS] = [row.fields[LABEL] for row in rows]
    read = {LABEL, *(name for own in columns for name in own)}
    for name in dict.fromkeys(name for row in rows for name in row.fields):
        if name not in read and name not in fields:
            fields[name] = [row.fields.get(name) for row in rows]
    return Row(fields, rows[0].where)


def _is_right(label: Any, place: str) -> bool:
    """What a label says of a candidate.

    Raises:
        BadInput: neither that it is right nor that it is not.
    """
    found = RIGHT.get(str(without_fraction(label)).strip().lower())
    if found is None:
        raise BadInput(
            "not whether a candidate is right", where=place, value=label, allowed=", ".join(RIGHT),
            next_step="write 1 or 0",
        )  # fmt: skip
    return found
