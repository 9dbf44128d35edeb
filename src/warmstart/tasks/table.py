"""The kinds of task, one line each. Nobody else asks which kind a task is."""

from typing import Any

from warmstart.base.errors import unknown_name_error
from warmstart.tasks.answer import Answer
from warmstart.tasks.choice import Choice
from warmstart.tasks.classification import Classification
from warmstart.tasks.entailment import Entailment
from warmstart.tasks.images import Images
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.multilabel import Multilabel
from warmstart.tasks.regression import Regression
from warmstart.tasks.seq2seq import Seq2Seq
from warmstart.tasks.similarity import Similarity
from warmstart.tasks.span import Span
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.tagging import Tagging

KINDS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        Classification(), Entailment(), Similarity(), Regression(), Choice(), Multilabel(), Tagging(), Span(), Images(),
        Seq2Seq(),
    )
}  # fmt: skip


def kind_named(name: str) -> TaskKind:
    """The kind of that name, or the error that suggests one."""
    if name not in KINDS:
        raise unknown_name_error("task", name, KINDS)
    return KINDS[name]


def kind_of(spec: TaskSpec) -> TaskKind:
    """The kind of a task."""
    return KINDS[spec.kind]


def answer_of(spec: TaskSpec) -> Answer:
    """What a task asks of its model."""
    return kind_of(spec).answer(spec.label_names)


def options_of(spec: TaskSpec) -> Any:
    """The options of a task, typed."""
    return kind_of(spec).options(spec)
