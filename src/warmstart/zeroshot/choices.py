"""Questions with choices: the likeliest is the answer, as a whole, per token, per byte, or against a bare context.

===========================  ==============================================================================
``accuracy``                 by log p(choice | context)
``accuracy_token``           by its mean per token (GPT-1, Figure 2)
``accuracy_byte``            by its mean per byte of the choice without the blank before it
``accuracy_unconditional``   by log p(choice | context) - log p(choice | bare context) (GPT-3, section 2.4)
===========================  ==============================================================================

Of equals the first is taken.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, tee
from typing import NamedTuple

import numpy as np

from warmstart.readers.rows import Row, read_rows
from warmstart.zeroshot.likelihood import Likelihood, Pair
from warmstart.zeroshot.outcome import Outcome, Terms
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.shots import with_shots
from warmstart.zeroshot.task import Item, Options, Reader


class Question(NamedTuple):
    """Choices, one of which is right.

    Attributes:
        pairs: each choice with the context that it continues; these may differ.
        label: the number of the right one.
        sizes: bytes of each choice; empty: of its continuation, without blanks around it.
    """

    pairs: tuple[Pair, ...]
    label: int
    sizes: tuple[int, ...] = ()

    @staticmethod
    def of(context: str, choices: Sequence[str], label: int, where: str, delimiter: str = " ") -> "Question":
        """All choices continue the same context."""
        pairs = tuple(Pair(context, delimiter + choice, where) for choice in choices)
        return Question(pairs, label, tuple(len(choice.encode()) for choice in choices))

    @property
    def solved(self) -> str:
        """The question with its answer, as an example for others."""
        context, continuation, _ = self.pairs[self.label]
        return context + continuation

    def behind(self, examples: str) -> "Question":
        """The same question behind solved ones."""
        return self._replace(pairs=tuple(pair._replace(context=examples + pair.context) for pair in self.pairs))

    def num_bytes(self, choice: int) -> int:
        """Bytes of a choice."""
        own = self.sizes[choice] if self.sizes else len(self.pairs[choice].continuation.strip().encode())
        return max(1, own)


class ChoiceTask:
    """A task of such questions: how a row becomes one."""

    text_metrics: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("shots", "shots_data", "unconditional", "long_text")

    def __init__(
        self, question: Callable[[Row], Question | None], rows: Reader = read_rows, main: str = "accuracy"
    ) -> None:
        self.question, self.rows, self.main = question, rows, main

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The questions of a file; a row of which none comes is left out."""
        alone, asked = tee(self._questions(path, options), 2)
        found: Iterator[Question] = asked
        if options.shots:
            examples = list(self._questions(options.shots_data or path, options))
            found = with_shots(found, examples, options.shots, options.seed, apart=bool(options.shots_data))
        for own, question in zip(alone, found, strict=True):
            yield Item(question, [own.solved], own.pairs[0].where)

    def _questions(self, path: str, options: Options) -> Iterator[Question]:
        for row in self.rows(path, options.encoding):
            question = self.question(row)
            if question is not None:
                yield question

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """As :class:`~warmstart.zeroshot.task.ZeroshotTask` has it."""
        ours, theirs = tee((item.asked for item in items), 2)
        bare = options.unconditional
        found = scorer.score(pair for question in theirs for pair in _pairs(question, bare))
        for question in ours:
            each = len(question.pairs)
            likelihoods = list(islice(found, each))
            against = None if bare is None else list(islice(found, each))
            yield outcome(question, likelihoods, against)


def _pairs(question: Question, bare: str | None) -> Iterator[Pair]:
    yield from question.pairs
    if bare is not None:
        yield from (pair._replace(context=bare) for pair in question.pairs)


def outcome(question: Question, found: Sequence[Likelihood], bare: Sequence[Likelihood] | None = None) -> Outcome:
    """What the likelihoods of its choices make of a question."""
    totals = np.array([one.total for one in found])
    scores = {
        "accuracy": totals,
        "accuracy_token": np.array([one.mean for one in found]),
        "accuracy_byte": totals / [question.num_bytes(choice) for choice in range(len(found))],
    }
    if bare is not None:
        scores["accuracy_unconditional"] = totals - [one.total for one in bare]
    terms = {name: Terms(float(each.argmax() == question.label)) for name, each in scores.items()}
    row = {
        "label": question.label, "prediction": int(totals.argmax()), "log_probs": [round(x, 6) for x in totals.tolist()],
        "spans_border": any(one.spans_border for one in found), "cut": max(one.cut for one in found),
    }  # fmt: skip
    return Outcome(terms, row, chance=1 / len(found))
