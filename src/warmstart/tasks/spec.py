"""What a task is: its kind, its label names and how its examples are framed.

A :class:`TaskSpec` is saved beside the fine-tuned weights (``warmstart.json``), so that label names and limits travel with
the model. Nothing here is heavy: the command line and the recipe schema may import it.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from warmstart.base.errors import BadInput, unknown
from warmstart.base.settings import Settings
from warmstart.metrics.entities import scheme_of

Kind = Literal[
    "classification", "entailment", "similarity", "regression", "choice", "multilabel", "tagging", "span", "images",
    "seq2seq",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "classification", "entailment", "similarity", "regression", "choice", "multilabel", "tagging", "span", "images",
    "seq2seq",
)  # fmt: skip

Direction = Literal["forward", "backward", "both"]
TURNED: tuple[Kind, ...] = KINDS[:6]
"""The kinds whose texts are read as a whole, which may be from their end."""
SUMMED: tuple[Kind, ...] = ("classification", "entailment", "similarity", "regression", "multilabel")
"""The kinds that add the states of all readings of a text, which may be one from each end."""

Algorithm = Literal["causal", "masked", "pseudo-masked"]

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
    return "entities" if kind == "tagging" and scheme_of(label_names) else goal_of(kind, label_names)


class TagSettings(Settings):
    """What a tagging task remembers.

    Attributes:
        unread: the tag of a word that is read at no token: one that was cut away, or of which cleaning left nothing.
        column: of the tag in CoNLL files, counted from 1; ``None`` for the last, and for UPOS in CoNLL-U.
    """

    unread: str = "O"
    column: int | None = Field(None, ge=1)


class SpanSettings(Settings):
    """What a span task remembers.

    Attributes:
        stride: tokens between the beginnings of two windows on a long context.
        longest: the most tokens that an answer may have.
        threshold: an answer is given where its margin over "no answer" is this or more; ``None``: always (SQuAD 1.1).
    """

    stride: int = Field(128, ge=1)
    longest: int = Field(30, ge=1)
    threshold: float | None = None


class Seq2SeqSettings(Settings):
    """What only sequence-to-sequence tasks need (s2s-ft; Bao et al. 2021).

    Attributes:
        algorithm: ``causal``: each target token predicts the next; ``masked``: some target tokens are masked and
            predicted; ``pseudo-masked``: a mask beside every target token predicts it.
        source_limit: tokens of the source that are read, special ones included; ``None``: what the target leaves.
        target_limit: tokens of the target that are learned, its end included.
        long_target: what to do with a longer one: cut it at its end or refuse the file.
        target_noise: share of the target tokens that are noised (masked: the share that is predicted); ``None``: 0.5,
            and 0 for a model that has no mask token.
        source_noise: share of the source tokens that are noised.
        keep: share of the noised tokens that stay as they are.
        random: share of them that become a token drawn from the vocabulary; the others are masked.
        most_masked: the most tokens that are predicted of one target (``masked``); 0: any number.
        smoothing: share of the label that all other tokens have together (Szegedy et al. 2016).
        source_segment: row of the segment table for the source, where the model has one; ``None``: the one that its
            pre-training had for it (UniLM: 4).
        target_segment: the same for the target (UniLM: 5).
        cleanup: what is done to texts before they are scored (:mod:`warmstart.metrics.cleanup`).
    """

    algorithm: Algorithm = "pseudo-masked"
    source_limit: int | None = Field(None, ge=3)
    target_limit: int = Field(48, ge=2)
    long_target: Literal["cut", "refuse"] = "cut"
    target_noise: float | None = Field(None, ge=0, le=1)
    source_noise: float = Field(0.0, ge=0, le=1)
    keep: float = Field(0.1, ge=0, le=1)
    random: float = Field(0.1, ge=0, le=1)
    most_masked: int = Field(0, ge=0)
    smoothing: float = Field(0.1, ge=0, lt=1)
    source_segment: int | None = Field(None, ge=0)
    target_segment: int | None = Field(None, ge=0)
    cleanup: Literal["none", "cnndm", "xsum", "gigaword", "question"] = "none"

    def on(self, text_segments: tuple[int, int]) -> "Seq2SeqSettings":
        """The same for a model whose texts take these segments, where nothing else is said."""
        given = self.source_segment, self.target_segment
        source, target = (known if said is None else said for said, known in zip(given, text_segments, strict=True))
        return self.model_copy(update={"source_segment": source, "target_segment": target})

    @property
    def segments(self) -> tuple[int, int]:
        """The rows of source and target; BERT's where no model was asked (:meth:`on`)."""
        return self.source_segment or 0, 1 if self.target_segment is None else self.target_segment


class FrameSettings(Settings):
    """How the Examples of a task are made.

    Attributes:
        context: the most tokens that one Example may have, special tokens included.
        long_text: what to do with a text that does not fit: cut it by the one rule (:mod:`~warmstart.tasks.framing`)
            or refuse the file.
        sight: ``causal`` for a left-to-right backbone, ``full`` for a bidirectional one.
        lm: whether the auxiliary goal ``lm`` is asked too (GPT-1, section 3.2).
        clean: the rules (:data:`warmstart.text.clean.RULES`) that the pre-training text was cleaned with.
        between: delimiters between two texts (RoBERTa and XLM-R: 2).
        segment_limit: the most tokens of one text of several, before the one rule is applied (GPT-1's released code).
        reads: where a text's class is read: at its summary token; in training at every token, with weights that rise from 0
            to 1 (Dai and Le 2015, section 2: linear label gain); or at all, for a head that pools them.
        lm_frame: the auxiliary goal is the next token, or to write the text after it was read (joint training).
        direction: from which end a left-to-right backbone reads a text (``backward``: its extract token stands first);
            ``both``: from each, and the states of both readings are added.
        lm_weights: every token counts alike, or every sequence does (GPT-1's code averages per sequence first).
    """

    context: int = Field(ge=8)
    long_text: Literal["cut", "refuse"] = "cut"
    sight: Literal["causal", "full"] = "causal"
    lm: bool = True
    lm_weights: Literal["token", "sequence"] = "token"
    clean: tuple[str, ...] = ()
    between: int = Field(1, ge=1)
    segment_limit: int | None = Field(None, ge=1)
    reads: Literal["summary", "rising", "all"] = "summary"
    lm_frame: Literal["causal", "autoencoder"] = "causal"
    direction: Direction = "forward"

    @property
    def specials(self) -> int:
        """Special tokens of an Example of two texts."""
        return 2 + self.between

    def model_post_init(self, context: object) -> None:
        """A token that sees its successor cannot be asked to guess it."""
        if self.sight == "full" and self.lm:
            raise BadInput(
                "the auxiliary language model needs causal sight", where="sight", value=self.sight, allowed="causal",
                next_step="switch the auxiliary language model off or use causal sight",
            )  # fmt: skip


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
    tags: TagSettings = TagSettings()
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
                raise unknown("label of the model", own, self.label_names, "--label-map")
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
