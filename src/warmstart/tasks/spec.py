"""What a task is: its kind, its label names and how its examples are framed.

A :class:`TaskSpec` is saved beside the fine-tuned weights (``warmstart.json``), so that label names and limits travel with
the model. Nothing here is heavy: the command line and the recipe schema may import it.
"""

from collections.abc import Sequence
from typing import Literal

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.settings import Settings
from warmstart.metrics.entities import tag_scheme
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings, SpanSettings, TaggingSettings

Kind = Literal[
    "classification", "entailment", "similarity", "regression", "choice", "multilabel", "tagging", "span", "images",
    "seq2seq",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "classification", "entailment", "similarity", "regression", "choice", "multilabel", "tagging", "span", "images",
    "seq2seq",
)  # fmt: skip

TURNED: tuple[Kind, ...] = KINDS[:6]
"""The kinds whose texts are read as a whole, which may be from their end."""
SUMMED: tuple[Kind, ...] = ("classification", "entailment", "similarity", "regression", "multilabel")
"""The kinds that add the states of all readings of a text, which may be one from each end."""

# the goal of a task, which is also the name of its head → the kind of that head; seq2seq's goal ``lm`` needs none
HEAD_KINDS: dict[str, Literal["class", "multilabel", "score", "choice", "span"]] = {
    "label": "class",
    "labels": "multilabel",
    "score": "score",
    "choice": "choice",
    "tags": "class",
    "span": "span",
}


def goal_of(kind: Kind, label_names: tuple[str, ...]) -> str:
    """The goal that a task of this kind asks: a similarity task has classes or, without label names, a score."""
    fixed = {"regression": "score", "choice": "choice", "multilabel": "labels", "tagging": "tags", "span": "span"}
    fixed["seq2seq"] = "lm"
    return fixed.get(kind) or ("score" if kind == "similarity" and not label_names else "label")


def measured_as(kind: Kind, label_names: tuple[str, ...]) -> str:
    """What the metrics of a task are called by: its goal, but ``entities`` where tags mark entities."""
    return "entities" if kind == "tagging" and tag_scheme(label_names) else goal_of(kind, label_names)


class TaskSpec(Settings):
    """A task as a model remembers it.

    Attributes:
        kind: what kind of task it is.
        name: the known data set that it was learned from; empty for files of one's own.
        label_names: class number → name; empty for scores, choices and spans.
        frame: how its Examples are made.
        tags: what only tagging needs.
        span: what only spans need.
        seq2seq: what only sequence-to-sequence tasks need.
    """

    kind: Kind
    name: str = ""
    label_names: tuple[str, ...] = ()
    frame: FrameSettings
    tags: TaggingSettings = TaggingSettings()
    span: SpanSettings = SpanSettings()
    seq2seq: Seq2SeqSettings = Seq2SeqSettings()

    @property
    def goal(self) -> str:
        """Name of the goal, and so of the head: one of :data:`HEAD_KINDS`."""
        return goal_of(self.kind, self.label_names)

    @property
    def measured(self) -> str:
        """What its metrics are called by: the goal, or ``entities``."""
        return measured_as(self.kind, self.label_names)

    @property
    def outputs(self) -> int:
        """Size of the head: the number of classes or labels; 2 for spans (start and end); 1 for scores and choices."""
        return len(self.label_names) or (2 if self.kind == "span" else 1)

    def relabelled(self, pairs: Sequence[str]) -> "TaskSpec":
        """The same task under other label names; ``pairs`` are ``own=other``.

        Raises:
            BadInput: a pair is none, names no label of the task, or two labels would have one name.
        """
        names = dict(zip(self.label_names, self.label_names, strict=True))
        for pair in pairs:
            own, equals, other = pair.partition("=")
            if not equals or not other:
                raise BadInput(
                    "not a pair of labels", where="--label-map", value=pair, allowed="the model's=the data's",
                    next_step="for example --label-map negative=0,positive=1",
                )  # fmt: skip
            if own not in names:
                raise unknown_name_error("label of the model", own, self.label_names, "--label-map")
            names[own] = other
        if len(set(names.values())) < len(names):
            raise BadInput(
                "two labels of one name", where="--label-map", value=", ".join(pairs), allowed="different names"
            )
        return self.model_copy(update={"label_names": tuple(names.values())})

    def as_judged(self) -> "TaskSpec":
        """The same task for evaluation and prediction: no auxiliary goal, and no class asked for before the end."""
        reads = "summary" if self.frame.reads == "rising" else self.frame.reads
        return self.model_copy(update={"frame": self.frame.model_copy(update={"lm": False, "reads": reads})})
