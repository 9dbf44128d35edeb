"""The kinds of task, one line each. Nobody else asks which kind a task is.

Light to import: a kind itself is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

from warmstart.base.errors import BadInput, suggest
from warmstart.base.lazy_table import LazyTable, TableEntry
from warmstart.tasks.known.names import DATASET_NAMES

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


ELSEWHERE = {
    **dict.fromkeys(("text-classification", "sequence-classification", "sentiment-analysis", "sentiment"), "classification"),
    **dict.fromkeys(("nli", "textual-entailment", "pair-classification", "text-pair-classification"), "entailment"),
    **dict.fromkeys(("sts", "sentence-similarity", "semantic-textual-similarity"), "similarity"),
    **dict.fromkeys(("multi-label", "multi-label-classification"), "multilabel"),
    **dict.fromkeys(("ner", "pos", "chunk", "chunking", "token-classification", "sequence-labeling"), "tagging"),
    **dict.fromkeys(("qa", "question-answering", "extractive-qa", "squad", "squad-v2"), "span"),
    **dict.fromkeys(("multiple-choice", "swag"), "choice"),
    **dict.fromkeys(("summarization", "translation", "seq-to-seq", "text2text-generation", "generation"), "seq2seq"),
    **dict.fromkeys(("sentence-transformers", "sentence-embedding", "feature-extraction"), "embedding"),
    **dict.fromkeys(("image-classification",), "images"),
}  # fmt: skip
"""What others call a task → ours. None of these words is accepted: one kind has one name, and the error says which."""


def unknown_task(name: str, where: str = "") -> BadInput:
    """The error for a name that is neither a kind of task nor a known data set."""
    ours = ELSEWHERE.get(name.strip().lower().replace("_", "-").replace(" ", "-"))
    step = f"here it is {ours!r}" if ours else suggest(name, (*KINDS, *DATASET_NAMES))
    allowed = f"a kind of task ({', '.join(KINDS)}), or a known data set ({', '.join(sorted(DATASET_NAMES))})"
    return BadInput("unknown task", where=where, value=name, allowed=allowed, next_step=step)


def find_kind(name: str) -> "TaskKind":
    """The kind of that name, or the error that suggests one."""
    if name not in KINDS:
        raise unknown_task(name)
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
