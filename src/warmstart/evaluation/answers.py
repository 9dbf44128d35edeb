"""Records to a model's raw answers: streamed, in input order, in memory that does not grow with the input.

A chunk of Records is framed, sorted by length so that Batches are even, answered and put back in order. The Examples of
one Record are always answered together. Labels do not depend on the batching; numbers agree to float32's accuracy.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import Diverged
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.streams.stream import split
from warmstart.tasks.frames import frame_records
from warmstart.tasks.framing import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import Tokenizer

Floats = NDArray[np.float32]

MARKED = 0.0  # a multi-label mark is given from this logit on: probability 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """How Records are read: at most so many tokens in a Batch, so many Records in a chunk.

    ``tell`` is called with the account of every chunk, so that the caller can say how many texts were cut.
    """

    max_tokens: int = 8192
    chunk: int = 1024
    tell: Callable[[Account], Any] | None = None


@contextlib.contextmanager
def judging(model: Model) -> Iterator[None]:
    """Dropout off, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def raw_answers(
    model: Model, tokenizer: Tokenizer, spec: TaskSpec, records: Iterable[Record], reading: Reading
) -> Iterator[tuple[Record, Floats]]:
    """Each Record with what its head says: [C] or [K] logits, [1] score, or one logit per choice.

    Raises:
        BadInput: from the Records' source, or a text too long where ``long_text`` is ``refuse``.
        Diverged: an answer is not a finite number.
    """
    spec, remaining = spec.without_lm(), iter(records)
    while chunk := list(islice(remaining, reading.chunk)):
        framed = frame_records(spec, chunk, tokenizer)
        if reading.tell is not None:
            reading.tell(framed.account)
        order = sorted(range(len(chunk)), key=lambda i: sum(map(len, framed.examples[i])))
        found: list[Floats] = []
        with judging(model):
            for batch in split([framed.examples[i] for i in order], 1, reading.max_tokens):
                asked = batch.goals[spec.goal]
                answers = model.answers(batch.to(_device(model)))[spec.goal].cpu().numpy()
                reads = asked.question.bincount() if spec.goal == "choice" else torch.ones(len(asked.weights))
                found += np.split(answers, reads.cumsum(0).int().tolist()[:-1])
        back = np.argsort(order)
        for record, place in zip(chunk, back.tolist(), strict=True):
            yield record, _finite(found[place].reshape(-1), record)


def _device(model: Model) -> torch.device:
    return next(model.parameters()).device


def _finite(answer: Floats, record: Record) -> Floats:
    if not np.isfinite(answer).all():
        raise Diverged(f"{record.where}: the model's answer is not a finite number; its weights are not usable")
    return answer
