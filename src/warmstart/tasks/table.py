"""The kinds of task, one line each. Nobody else asks which kind a task is.

Light to import: a kind itself is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

from warmstart.base.errors import unknown_name_error
from warmstart.base.lazy_table import LazyTable, TableEntry

if TYPE_CHECKING:
    from warmstart.tasks.answer import Answer
    from warmstart.tasks.kind import TaskKind
    from warmstart.tasks.spec import TaskSpec

KINDS: "LazyTable[TaskKind]" = LazyTable({
    "classification": TableEntry("warmstart.tasks.classification:Classification"),
    "entailment": TableEntry("warmstart.tasks.entailment:Entailment"),
    "similarity": TableEntry("warmstart.tasks.similarity:Similarity"),
    "regression": TableEntry("warmstart.tasks.regression:Regression"),
    "ranking": TableEntry("warmstart.tasks.ranking:Ranking"),
    "choice": TableEntry("warmstart.tasks.choice:Choice"),
    "multilabel": TableEntry("warmstart.tasks.multilabel:Multilabel"),
    "tagging": TableEntry("warmstart.tasks.tagging:Tagging"),
    "span": TableEntry("warmstart.tasks.span:Span"),
    "images": TableEntry("warmstart.tasks.images:Images"),
    "embedding": TableEntry("warmstart.tasks.embedding:Embedding"),
    "seq2seq": TableEntry("warmstart.tasks.seq2seq:Seq2Seq"),
}, make=lambda kind: kind())  # fmt: skip


def find_kind(name: str) -> "TaskKind":
    """The kind of that name, or the error that suggests one."""
    if name not in KINDS:
        raise unknown_name_error("task", name, KINDS)
    return KINDS[name]


def kind_of(spec: "TaskSpec") -> "TaskKind":
    """The kind of a task."""
    return KINDS[spec.kind]


def answer_of(spec: "TaskSpec") -> "Answer":
    """What a task asks of its model."""
    return kind_of(spec).answer(spec.label_names)


def options_of(spec: "TaskSpec") -> Any:
    """The options of a task, typed."""
    return kind_of(spec).options(spec)
