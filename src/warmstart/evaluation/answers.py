"""Records to a model's raw answers: streamed, in input order, in memory that does not grow with the input.

A chunk of Records is framed, sorted by length so that Batches are even, answered and put back in order. Examples that
share a question are answered together. Labels do not depend on the batching; numbers agree to float32's accuracy.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch

from warmstart.base.allocator import FreedMemory
from warmstart.base.arrays import Floats
from warmstart.base.errors import DivergenceError
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.streams.stream import split
from warmstart.tasks.frames import frame_records, units
from warmstart.tasks.framing import Account, Parts
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary

MARKED = 0.0  # a multi-label mark is given from this logit on: probability 0.5
READ_BY_READ = ("choice", "span")  # goals that are answered at every read, not once per question
SPAN_CHUNK = 16  # a span question may make very many windows, so a chunk holds as many times fewer of them


@dataclass(frozen=True, slots=True)
class Reading:
    """How Records are read: at most so many tokens in a Batch, so many Records in a chunk.

    ``tell`` is called with the account of every chunk, so that the caller can say how many texts were cut.
    """

    max_tokens: int = 2048
    chunk: int = 1024
    tell: Callable[[Account], Any] | None = None


class RawOutput(NamedTuple):
    """What a head says about one Record.

    Attributes:
        record: the Record.
        parts: its texts as ids, as far as they were read.
        raw: [C] or [K] logits, [1] score, [choices] one logit each; [W, C] for the words that are read (tagging); [M, 2]
            start and end logits of all reads of all windows (span).
    """

    record: Record
    parts: Parts
    raw: Floats


@contextlib.contextmanager
def eval_mode(model: Model) -> Iterator[None]:
    """Dropout off, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def raw_answers(
    model: Model, tokenizer: Vocabulary, spec: TaskSpec, records: Iterable[Record], reading: Reading
) -> Iterator[RawOutput]:
    """Each Record with what its head says.

    Raises:
        BadInput: from the Records' source, or a text too long where ``long_text`` is ``refuse``.
        DivergenceError: an answer is not a finite number.
    """
    spec, remaining, memory = spec.as_judged(), iter(records), FreedMemory()
    size = max(1, reading.chunk // SPAN_CHUNK) if spec.kind == "span" else reading.chunk
    while chunk := list(islice(remaining, size)):
        framed = frame_records(spec, chunk, tokenizer)
        if reading.tell is not None:
            reading.tell(framed.account)
        found = _answer(model, spec.goal, units(spec.kind, framed.examples), reading.max_tokens)
        for record, parts, examples in zip(chunk, framed.parts, framed.examples, strict=True):
            raw = np.concatenate(list(islice(found, len(examples) if spec.kind == "span" else 1)))
            yield RawOutput(
                record, parts, _finite(raw if spec.kind in ("tagging", "span") else raw.reshape(-1), record)
            )
        memory.release()


def _answer(model: Model, goal: str, asked: list[list[Example]], max_tokens: int) -> Iterator[Floats]:
    """The head's numbers for each unit, in order; the Batches are of units of even length."""
    order = sorted(range(len(asked)), key=lambda i: sum(map(len, asked[i])))
    found: list[Floats] = []
    with eval_mode(model):
        for batch in split([asked[i] for i in order], 1, max_tokens):
            found.append(model.answers(batch.to(_device(model)))[goal].cpu().numpy())
    counts = [sum(_count(goal, example) for example in asked[i]) for i in order]
    parts = np.split(np.concatenate(found), np.cumsum(counts)[:-1])
    return iter([parts[place] for place in np.argsort(order).tolist()])


def _count(goal: str, example: Example) -> int:
    """How many answers an Example gets."""
    asked = example.goals[goal]
    return len(asked.reads if goal in READ_BY_READ else asked.targets)


def _device(model: Model) -> torch.device:
    return next(model.parameters()).device


def _finite(answer: Floats, record: Record) -> Floats:
    if not np.isfinite(answer).all():
        raise DivergenceError(f"{record.where}: the model's answer is not a finite number; its weights are not usable")
    return answer
