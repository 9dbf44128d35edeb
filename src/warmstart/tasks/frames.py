"""Records to Examples: the table of input transformations, and class weights.

Everything a fine-tuning run reads passes through :func:`frame_records`, which is a function of its arguments alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.choice import choice
from warmstart.tasks.classification import classification
from warmstart.tasks.dataset import TaskSet
from warmstart.tasks.entailment import entailment
from warmstart.tasks.framing import Account, Cut, Frame, Framed, Parts, encode
from warmstart.tasks.images import encode_images, images, uncut_image
from warmstart.tasks.multilabel import multilabel
from warmstart.tasks.regression import regression
from warmstart.tasks.seq2seq import cut_pair, encode_pairs, seq2seq
from warmstart.tasks.similarity import similarity
from warmstart.tasks.span import cut_question, encode_contexts, span
from warmstart.tasks.spec import Kind, TaskSpec, goal_of
from warmstart.tasks.tagging import encode_sentences, tagging, words_read

if TYPE_CHECKING:
    from warmstart.tasks.vocabulary import Vocabulary

FRAMES: dict[Kind, Callable[[Record, Parts, Frame], list[Example]]] = {
    "classification": classification,
    "entailment": entailment,
    "similarity": similarity,
    "regression": regression,
    "choice": choice,
    "multilabel": multilabel,
    "tagging": tagging,
    "span": span,
    "images": images,
    "seq2seq": seq2seq,
}
ENCODERS: dict[Kind, Callable[[Sequence[Record], Any, Sequence[str]], Iterator[Parts]]] = {
    "tagging": encode_sentences,
    "span": encode_contexts,
    "images": encode_images,
    "seq2seq": encode_pairs,
}
"""How the texts of a kind become ids (an image vectors), where that is not :func:`~warmstart.tasks.framing.encode`."""
CUTS: dict[Kind, Callable[[Record, Parts, Frame], Cut]] = {
    "span": cut_question, "images": uncut_image, "seq2seq": cut_pair
}  # fmt: skip
"""How a Record that is too long is cut, where that is not by the one rule."""

CHUNK = 1024  # Records encoded together: enough to keep all cores busy, few enough to stay small


def frame_records(
    spec: TaskSpec, records: Iterable[Record], tokenizer: "Vocabulary", class_weights: Sequence[float] | None = None
) -> Framed:
    """Frames all ``records`` as the task asks.

    Args:
        spec: kind, label names and frame settings.
        records: with or without labels; the question of an unlabelled one has weight 0.
        tokenizer: one that holds the task's special tokens.
        class_weights: one weight per class; only for tasks with classes.

    Raises:
        BadInput: a text is too long and ``long_text`` is ``refuse``.
    """
    frame, make = Frame.of(spec, tokenizer, class_weights), FRAMES[spec.kind]
    encoder = ENCODERS.get(spec.kind, encode)
    examples: list[list[Example]] = []
    kept: list[Parts] = []
    account = Account()
    remaining = iter(records)
    while chunk := list(islice(remaining, CHUNK)):
        for record, parts in zip(chunk, encoder(chunk, tokenizer, spec.frame.clean), strict=True):
            cut = CUTS[spec.kind](record, parts, frame) if spec.kind in CUTS else frame.cut(record, parts)
            made = make(record, cut.parts, frame)
            examples.append(made)
            kept.append(cut.parts)
            unread = _unread(record, cut.parts, made)
            tokens = sum(map(len, made))
            account += Account(1, int(cut.lost > 0), tokens, cut.lost, cut.needed, unread, cut.targets)
    return Framed(examples, kept, account)


def units(kind: Kind, examples: Sequence[list[Example]]) -> list[list[Example]]:
    """What may be batched by itself: all Examples of a Record, but of a span question each window."""
    if kind != "span":
        return list(examples)
    return [[_alone(example)] for record in examples for example in record]


def _alone(example: Example) -> Example:
    """An Example that shares no question with others, its questions numbered from 0."""
    goals = {name: replace(goal, question=goal.question - goal.question[:1]) for name, goal in example.goals.items()}
    return replace(example, goals=goals)


def _unread(record: Record, parts: Parts, made: Sequence[Example]) -> int:
    """How many of a Record's questions are read at no token."""
    if parts.words is not None:
        return len(parts.words) - len(words_read(parts))
    if parts.places is None or record.label is None:
        return 0
    return int(not any(goal.weights.any() for example in made for name, goal in example.goals.items() if name != "lm"))


def class_weights(task: TaskSet) -> tuple[float, ...]:
    """Balanced weights: examples / (classes x examples of the class), so that every class counts alike; 0 for absent ones.

    Raises:
        BadInput: the task has no classes.
    """
    if goal_of(task.kind, task.label_names) != "label":
        raise BadInput(
            "class weights need a task with classes", where="class weights", value=task.kind,
            allowed="classification, entailment, similarity with labels", next_step="leave class weights out",
        )  # fmt: skip
    labels = np.array([r.label for r in task.records if r.label is not None], np.int64)
    counts = np.bincount(labels, minlength=len(task.label_names))
    weights = np.divide(len(labels), len(counts) * counts, out=np.zeros(len(counts)), where=counts > 0)
    return tuple(float(w) for w in weights)
