"""Settings of tasks: how their Examples are made, and what some kinds need beside. Light to import."""

from typing import Literal

from pydantic import Field

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings

Direction = Literal["forward", "backward", "both"]
Algorithm = Literal["causal", "masked", "pseudo-masked"]

KIND_NAMES = (
    "classification", "entailment", "similarity", "regression", "choice", "multilabel", "tagging", "span", "images",
    "seq2seq",
)  # fmt: skip
"""The names in :data:`warmstart.tasks.table.KINDS`, for those who cannot wait for the kinds to be imported."""


class TaggingSettings(Settings):
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
        max_answer: the most tokens that an answer may have.
        threshold: an answer is given where its margin over "no answer" is this or more; ``None``: always (SQuAD 1.1).
    """

    stride: int = Field(128, ge=1)
    max_answer: int = Field(30, ge=1)
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
        cleanup: what is done to texts before they are scored (:mod:`warmstart.metrics.postprocess`).
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
        clean: the rules (:data:`warmstart.text.clean.CLEANING_RULES`) that the pre-training text was cleaned with.
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
