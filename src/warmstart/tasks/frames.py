"""From a task to its Frame, from Records to Examples, and class weights.

Everything a fine-tuning run reads passes through :func:`frame_records`, which is a function of its arguments alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.dataset import TaskSet
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Account, FramedRecords
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.special_tokens import NO_IDS, special_ids
from warmstart.tasks.table import answer_of, find_kind, kind_of
from warmstart.tasks.vocabulary import Vocabulary


def build_frame(
    spec: TaskSpec, vocabulary: Vocabulary, class_weights: Sequence[float] | None = None, soft: str | None = None
) -> Frame:
    """The Frame of a task; ``soft`` is the column of soft labels that are learned.

    Raises:
        KeyError: the vocabulary lacks one of its special tokens.
    """
    kind, answer = kind_of(spec), answer_of(spec)
    if class_weights is not None and (not answer.has_classes or len(class_weights) != len(spec.label_names)):
        raise ValueError(f"{len(class_weights)} class weights for {len(spec.label_names)} classes")
    options, weights = kind.options(spec), None if class_weights is None else tuple(class_weights)
    ids = NO_IDS if spec.frame.template is not None else special_ids(spec.frame.sight, vocabulary)
    ids = kind.own_ids(options, ids)
    noise = kind.noise(options, vocabulary)
    return Frame(spec.frame, options, answer, spec.label_names, *ids, weights, noise, soft=soft or "")


def frame_records(
    spec: TaskSpec, records: Iterable[Record], vocabulary: Vocabulary, class_weights: Sequence[float] | None = None
) -> FramedRecords:
    """Frames all ``records`` as the task asks.

    Args:
        spec: kind, label names and frame settings.
        records: with or without labels; the question of an unlabelled one has weight 0.
        vocabulary: one that holds the task's special tokens.
        class_weights: one weight per class; only for tasks with classes.

    Raises:
        BadInput: a text is too long and ``long_text`` is ``refuse``.
    """
    return kind_of(spec).frame_records(build_frame(spec, vocabulary, class_weights), records, vocabulary)


def items_of(spec: TaskSpec, examples: Sequence[list[Example]]) -> list[list[Example]]:
    """What may be batched by itself."""
    return kind_of(spec).items(examples)


def describe_account(spec: TaskSpec, account: Account) -> list[str]:
    """What was cut of texts and what could not be read, in words; nothing, where every text was read whole."""
    kind = kind_of(spec)
    return kind.describe_cut(spec, account) + kind.describe_unread(spec, account)


def class_weights(task: TaskSet) -> tuple[float, ...]:
    """Balanced weights: examples / (classes x examples of the class), so that every class counts alike; 0 for absent ones.

    Raises:
        BadInput: the task has no classes.
    """
    if not find_kind(task.kind).answer(task.label_names).has_classes:
        raise BadInput(
            "class weights need a task with classes", where="class weights", value=task.kind,
            allowed="classification, entailment, similarity with labels", next_step="leave class weights out",
        )  # fmt: skip
    labels = np.fromiter((r.label for r in task.records if r.label is not None), np.int64)
    counts = np.bincount(labels, minlength=len(task.label_names))
    weights = np.divide(len(labels), len(counts) * counts, out=np.zeros(len(counts)), where=counts > 0)
    return tuple(float(w) for w in weights)
