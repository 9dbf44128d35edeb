"""Records to the outputs of a model's head: streamed, in input order, in memory that does not grow with the input.

A chunk of Records is framed, sorted by length so that Batches are even, answered and put back in order. Examples that
share a question are answered together. Labels do not depend on the batching; numbers agree to float32's accuracy.

Several models of one task may answer together, by the mean of their probabilities or scores: Howard and Ruder 2018 (section
3.3) average a model that reads from the beginning and one that reads from the end. They may differ in everything but the
task: backbone, vocabulary, direction, seed.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from warmstart.base.allocator import FreedMemory, frozen_heap
from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput, DivergenceError
from warmstart.evaluation.arrivals import next_chunk
from warmstart.evaluation.predictor import Advance, EvaluationRecords, Member, no_progress
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.streams.stream import split_batches
from warmstart.tasks.answer import Answer, RawOutput
from warmstart.tasks.frames import build_frame
from warmstart.tasks.parts import Account
from warmstart.tasks.soft import mean_values
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of, kind_of
from warmstart.tasks.vocabulary import Vocabulary

MAX_TOKENS, CHUNK = 4096, 1024
SLACK_BYTES = 8 << 20
"""Freed memory that is kept beyond what a chunk needs: a million rows take as much as ten thousand."""


class HeadPredictor:
    """One model, or several of one task whose mean output counts."""

    def __init__(self, members: Sequence[Member], max_tokens: int = MAX_TOKENS, chunk: int = CHUNK) -> None:
        """Nothing is read yet.

        Args:
            members: the models.
            max_tokens: at most, in a Batch.
            chunk: Records read together.
        """
        self.members, self.max_tokens, self.chunk = list(members), max_tokens, chunk
        self.spec, self.vocabulary = members[0].spec, members[0].vocabulary
        self.answer = answer_of(self.spec)
        self.account = Account()
        self.advance: Advance = no_progress

    @staticmethod
    def of(
        model: Model, vocabulary: Vocabulary, spec: TaskSpec, max_tokens: int = MAX_TOKENS, chunk: int = CHUNK
    ) -> "HeadPredictor":
        """Of one model."""
        return HeadPredictor([Member(model, vocabulary, spec)], max_tokens, chunk)

    def outputs(self, records: Iterable[Record]) -> Iterator[RawOutput]:
        """As :class:`~warmstart.evaluation.predictor.Predictor` has it; the account is of the first model's texts."""
        remaining, memory = iter(records), None
        size = max(1, self.chunk // kind_of(self.spec).num_examples(self.spec.frame))
        with frozen_heap():
            while chunk := next_chunk(remaining, size):
                yield from self._averaged_outputs(chunk)
                memory = memory or FreedMemory(SLACK_BYTES)  # what is made once, in the first chunk, is not counted
                memory.release()

    def _averaged_outputs(self, records: list[Record]) -> Iterator[RawOutput]:
        """The outputs for some Records, of several models their mean; the first one's account is kept."""
        found = [self._chunk_outputs(member, records) for member in self.members]
        self.account += found[0][1]
        for outputs in zip(*(own for own, _ in found), strict=True):
            yield outputs[0]._replace(raw=self.joined(outputs))

    def joined(self, outputs: Sequence[RawOutput]) -> Any:
        """What counts of the outputs of all models for one Record."""
        return self.answer.average([output.raw for output in outputs]) if len(outputs) > 1 else outputs[0].raw

    def _chunk_outputs(self, member: Member, records: list[Record]) -> tuple[list[RawOutput], Account]:
        """One model's outputs for some Records, and the account of these."""
        model, vocabulary, spec = member.model, member.vocabulary, member.spec.for_evaluation()
        kind = kind_of(spec)
        framed = kind.frame_records(build_frame(spec, vocabulary), records, vocabulary)
        items = [kind.items([own], [count]) for own, count in zip(framed.examples, framed.windows, strict=True)]
        asked = [item for own in items for item in own]
        share = len(records) / max(1, len(asked)) / len(self.members)
        found = _answers(model, self.answer, asked, self.max_tokens, lambda count: self.advance(count * share))
        outputs = []
        for record, parts, own in zip(records, framed.parts, items, strict=True):
            raw = self.answer.join(list(islice(found, len(own))), spec.frame.window_answers)
            outputs.append(RawOutput(record, parts, raw))
        _check_finite(outputs)
        return outputs, framed.account

    def begin_evaluation(self, records: Iterable[Record], metrics: tuple[str, ...], limit: int) -> EvaluationRecords:
        """All Records, as they come."""
        return EvaluationRecords(records, None, {})


class SoftPredictor(HeadPredictor):
    """The same; each output is the mean of what the models say as soft labels (:mod:`warmstart.tasks.soft`)."""

    def joined(self, outputs: Sequence[RawOutput]) -> Any:
        """The mean of the soft labels of all models, which may cut texts into other tokens."""
        said = [self.answer.soft_value(member.spec, one) for member, one in zip(self.members, outputs, strict=True)]
        return mean_values(said)


def check_averageable(members: Sequence[Member]) -> None:
    """Refuses several models whose answers have no mean.

    Raises:
        BadInput: they are of such a kind.
    """
    kind = members[0].spec.kind
    if len(members) > 1 and not answer_of(members[0].spec).averageable:
        raise BadInput(
            "answers of this kind cannot be averaged", where="--run", value=kind,
            allowed="one run, or several for classes, choices, scores or texts", next_step="name one run",
        )  # fmt: skip


def check_same_task(members: Sequence[Member], names: Sequence[str]) -> None:
    """Refuses models that do not answer the same question.

    Raises:
        BadInput: another kind of task or other labels; ``names`` says whose.
    """
    first = members[0].spec
    for member, name in zip(members[1:], names[1:], strict=True):
        if member.spec.kind != first.kind:
            raise BadInput(
                f"the runs have learned different kinds of task ({names[0]} another)", where=name,
                value=member.spec.kind, allowed=first.kind, next_step="name runs of one task",
            )  # fmt: skip
        if member.spec.label_names != first.label_names:
            raise BadInput(
                f"the runs have learned different labels ({names[0]} others)", where=name,
                value=", ".join(member.spec.label_names) or "none", allowed=", ".join(first.label_names) or "none",
                next_step="name runs of one task",
            )  # fmt: skip


@contextlib.contextmanager
def eval_mode(model: Model) -> Iterator[None]:
    """Dropout off, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _answers(
    model: Model, answer: Answer, items: list[list[Example]], max_tokens: int, advance: Advance
) -> Iterator[Floats]:
    """The head's output for each item, in order; the Batches are of items of even length."""
    order = sorted(range(len(items)), key=lambda i: sum(map(len, items[i])))
    found: list[Floats] = []
    device = next(model.parameters()).device
    num_examples = sum(map(len, items))
    with eval_mode(model):
        for batch in split_batches([items[i] for i in order], 1, max_tokens):
            found.append(model.answers(batch.to(device))[answer.goal].cpu().numpy())
            advance(len(batch.lengths) * len(items) / num_examples)
    counts = [sum(answer.num_rows(example.goals[answer.goal]) for example in items[i]) for i in order]
    every, stops = np.concatenate(found), np.cumsum(counts).tolist()
    return iter([every[stops[place] - counts[place] : stops[place]] for place in np.argsort(order).tolist()])


def _check_finite(outputs: Sequence[RawOutput]) -> None:
    if np.isfinite(np.concatenate([output.raw.ravel() for output in outputs])).all():
        return
    place = next(output.record.where for output in outputs if not np.isfinite(output.raw).all())
    raise DivergenceError(f"{place}: the model's answer is not a finite number; its weights are not usable")
