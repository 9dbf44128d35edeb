"""Settings of tasks: how their Examples are framed, and what some kinds need beside. Light to import."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting, Settings

Direction = Literal["forward", "backward", "both"]
Algorithm = Literal["causal", "masked", "pseudo-masked"]
LongText = Literal["cut", "refuse"]
LongTexts = Literal["cut", "refuse", "windows"]
WindowAnswers = Literal["mean", "max", "first"]
Postprocess = Annotated[
    Literal["none", "cnndm", "xsum", "gigaword", "question"],
    Setting(help="post-processing of texts before they are scored, as for a data set", flag="--postprocess"),
]


def _as_pairs(given: Any) -> Any:
    """A mapping, as a recipe or a program has it, as ``key=column`` pairs."""
    return tuple(f"{key}={column}" for key, column in given.items()) if isinstance(given, Mapping) else given


FileFormat = Annotated[
    Literal["csv", "tsv", "jsonl", "json", "parquet", "lines", "conll", "conllu", "squad", "text"] | None,
    Setting(
        help="format of the files (default: as their ending says); lines: a label, a blank, a text (TREC, fastText); conll, "
        "conllu: tagging; squad: span; text: seq2seq, and lines to predict",
        flag="--format",
    ),
]  # fmt: skip
BadRows = Annotated[
    Literal["refuse", "skip"],
    Setting(help="rows that cannot be used: refuse the file, or leave them out and say how many", flag="--bad-rows"),
]
MaxBadRows = Annotated[
    int,
    Setting(
        help="with --bad-rows skip: rows that may be left out before the data are refused all the same",
        flag="--max-bad-rows", metavar="N", ge=0,
    ),
]  # fmt: skip
UnseenLabels = Annotated[
    Literal["refuse", "count"],
    Setting(
        help="labels that were never seen in training: refuse the data, or count them as errors of the model",
        flag="--unseen-labels",
    ),
]  # fmt: skip
ColumnNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_pairs),
    Setting(
        help="the files' names for the task's columns: text=review,label=sentiment; text=title+body joins two; numbers "
        "where a table has no header line: text=2,label=1 (default: the task's own names; of a run those of its training)",
        flag="--columns", metavar="KEY=COLUMN",
    ),
]  # fmt: skip


class TaggingSettings(Settings):
    """What a tagging task remembers."""

    unread: str = Setting("O", "tag of a word that has no token: one that was cut away, or that cleaning left empty")
    column: int | None = Setting(
        None, "tagging: column of the tag in CoNLL files, from 1 (default: the last; UPOS in CoNLL-U)",
        flag="--tag-column", metavar="N", ge=1,
    )  # fmt: skip


class SpanSettings(Settings):
    """What a span task remembers."""

    stride: int | None = Setting(None, "tokens from one window to the next; default: those of the task, or 128", ge=1)
    max_answer: int = Setting(30, "span: maximum number of tokens of an answer", flag="--max-answer", metavar="N", ge=1)
    threshold: float | None = Setting(
        None, 'an answer is given where its margin over "no answer" reaches this; none: always (SQuAD 1.1)'
    )


class EmbeddingSettings(Settings):
    """What a sentence encoder learns by (:mod:`warmstart.models.embedding_losses` has the formulas)."""

    title = "Sentence encoder"

    loss: Literal["ranking", "triplet", "contrastive", "cosine", "cosent"] | None = Setting(
        None, "how vectors are compared (default: ranking, of marks 0 and 1 contrastive, of scores cosent)",
        flag="--embedding-loss",
    )  # fmt: skip
    scale: float = Setting(
        20.0, "ranking and cosent: what cosines are multiplied by", flag="--embedding-scale", metavar="S", gt=0
    )
    margin: float = Setting(
        0.5, "triplet and contrastive: how far apart texts are that do not belong together", flag="--embedding-margin",
        metavar="M", ge=0,
    )  # fmt: skip
    symmetric: bool = Setting(False, "ranking: find the query of each text among all queries, too", flag="--symmetric")
    sizes: tuple[int, ...] = Setting(
        (), "how many first numbers of a vector shall serve alone, such as 384,128,64 (Matryoshka; Kusupati et al. 2022)",
        flag="--matryoshka", metavar="SIZES",
    )  # fmt: skip
    most: float = Setting(1.0, "cosine: the score that counts as 1; the greatest of the training", gt=0)


class Seq2SeqTemplate(Settings):
    """Ids of the special tokens that an encoder-decoder reads around source and target.

    It reads ``before source after``; its decoder reads ``start first target`` and learns ``first target end``.
    """

    before: tuple[int, ...] = Setting((), "before the source")
    after: tuple[int, ...] = Setting((), "behind it")
    between: tuple[int, ...] = Setting((), "between two texts of a source")
    start: int = Setting(-1, "what the decoder reads first; always given")
    first: tuple[int, ...] = Setting((), "what every target begins with (BART's <s>, a language code)")
    forced: tuple[int, ...] = Setting((), "what every generated text begins with, whatever the model would write")
    end: int = Setting(-1, "what every target ends with; always given")

    def model_post_init(self, context: object) -> None:
        """A decoder has to begin and to end."""
        if min(self.start, self.end) < 0:
            raise BadInput(
                "special tokens of an encoder-decoder without the first or the last of its decoder",
                where="task.seq2seq.template", value=f"start {self.start}, end {self.end}", allowed="ids from 0 on",
            )  # fmt: skip


class Seq2SeqSettings(Settings):
    """What only sequence-to-sequence tasks need (s2s-ft; Bao et al. 2021).

    ``causal``: each target token predicts the next. ``masked``: some target tokens are masked and predicted.
    ``pseudo-masked``: a mask beside every target token predicts it.
    """

    title = "Sequence to sequence"

    algorithm: Algorithm | None = Setting(
        None, "how the target is learned (default: pseudo-masked; causal of a left-to-right model or without a mask token)",
        flag="--algorithm",
    )  # fmt: skip
    source_limit: int | None = Setting(
        None, "maximum number of tokens of the source, special ones included (default: what the target leaves)",
        flag="--source-limit", metavar="N", ge=3,
    )  # fmt: skip
    target_limit: int = Setting(
        48, "maximum number of tokens of the target, its end token included", flag="--target-limit", metavar="N", ge=2
    )
    long_target: LongText = Setting("cut", "cut a longer target at its end, or refuse the file", flag="--long-target")
    target_noise: float | None = Setting(
        None, "share of the target tokens that is masked or replaced (default: 0.5; 0 without a mask token)",
        flag="--target-noise", metavar="P", ge=0, le=1,
    )  # fmt: skip
    source_noise: float = Setting(
        0.0, "share of the source tokens that is masked or replaced", flag="--source-noise", metavar="P", ge=0, le=1
    )
    keep: float = Setting(0.1, "share of these tokens that stays as it is", ge=0, le=1)
    random: float = Setting(
        0.1, "share of these tokens that is replaced by random ones; the others are masked", ge=0, le=1
    )
    most_masked: int = Setting(
        0, "maximum number of tokens that are predicted of one target (masked); 0: no limit", ge=0
    )
    smoothing: float = Setting(
        0.1, "label smoothing: probability that all other tokens have together (Szegedy et al. 2016)",
        flag="--smoothing", metavar="P", ge=0, lt=1,
    )  # fmt: skip
    source_segment: int | None = Setting(
        None, "segment of the source, where the model has segments; default: as in its pre-training (UniLM: 4)", ge=0
    )
    target_segment: int | None = Setting(
        None, "segment of the target, where the model has segments; default: as in its pre-training (UniLM: 5)", ge=0
    )
    source_prefix: str = Setting(
        "", "text before every source, as the start has learned it (T5: 'summarize: ')", flag="--source-prefix",
        metavar="TEXT",
    )  # fmt: skip
    source_language: str = Setting(
        "", "language code of the sources, a token of an encoder-decoder's vocabulary (mBART: en_XX)",
        flag="--source-language", metavar="TOKEN",
    )  # fmt: skip
    target_language: str = Setting(
        "", "language code of the targets, likewise", flag="--target-language", metavar="TOKEN"
    )
    template: Seq2SeqTemplate | None = Setting(
        None, "special tokens of an encoder-decoder; default: those of its start, or of its vocabulary"
    )
    postprocess: Postprocess = "none"

    def with_segments(self, text_segments: tuple[int, int]) -> "Seq2SeqSettings":
        """The same for a model whose texts have these segments, where the settings name none."""
        source, target = text_segments
        source = source if self.source_segment is None else self.source_segment
        target = target if self.target_segment is None else self.target_segment
        return self.model_copy(update={"source_segment": source, "target_segment": target})

    @property
    def segments(self) -> tuple[int, int]:
        """Segments of source and target; BERT's before :meth:`with_segments`."""
        return self.source_segment or 0, 1 if self.target_segment is None else self.target_segment


class TemplateSettings(Settings):
    """Ids of the special tokens that another library's tokenizer puts around texts; a text's class is read before padding.

    A left-to-right model of ``transformers`` is read at its last token that is no padding.
    """

    one: tuple[tuple[int, ...], tuple[int, ...]] = Setting(((), ()), "before and behind a text")
    pair: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] = Setting(
        ((), (), ()), "before, between and behind two texts"
    )
    pad: int | None = Setting(None, "the token that is padding, which no text is read at")
    start: int | None = Setting(None, "what a decoder reads before the text that its encoder has read")


class FrameSettings(Settings):
    """How the Examples of a task are framed."""

    context: Annotated[int, Setting(help="maximum number of tokens of one Example, special tokens included", ge=8)]
    long_text: LongTexts = Setting("cut", "cut a text that does not fit, refuse the file, or read it in windows")
    stride: int | None = Setting(
        None, "tokens from one window to the next, where a text is read in windows (default: half of a window; span: 128)",
        flag="--stride", metavar="N", ge=1,
    )  # fmt: skip
    window_answers: WindowAnswers = Setting(
        "mean", "with --long-text windows: the answer of a text is the mean of its windows' answers, the greatest, or that "
        "of the first", flag="--window-answers",
    )  # fmt: skip
    sight: Literal["causal", "full", "prefix"] = Setting(
        "causal", "causal for a left-to-right backbone, full for a bidirectional one, prefix for an encoder-decoder"
    )
    lm: bool = Setting(True, "whether the Examples have the auxiliary goal lm too (GPT-1, section 3.2)")
    lm_weights: Literal["token", "sequence"] = Setting(
        "token",
        "what counts alike in that goal: every token, or every sequence (GPT-1's code averages per sequence first)",
    )
    clean: tuple[str, ...] = Setting((), "cleaning rules of the pre-training text")
    between: int = Setting(1, "delimiters between two texts (RoBERTa and XLM-R: 2)", ge=1)
    segment_limit: int | None = Setting(
        None, "maximum number of tokens of one text of several, before the whole is cut (GPT-1's released code)", ge=1
    )
    reads: Literal["summary", "rising", "all", "texts"] = Setting(
        "summary", "where a text's class is read: at its summary token; in training at every token, with weights from 0 to "
        "1 (Dai and Le 2015, section 2: linear label gain); at all tokens, for a head that pools them; or at all tokens of "
        "each of two texts, for a head that compares them",
    )  # fmt: skip
    lm_frame: Literal["causal", "autoencoder"] = Setting(
        "causal", "the auxiliary goal: the next token, or the text once more after it was read (joint training)"
    )
    direction: Direction = Setting(
        "forward", "how a left-to-right backbone reads a text; backward: from right to left, its extract token first; both: "
        "in both directions, and the states are added",
    )  # fmt: skip

    template: TemplateSettings | None = Setting(
        None, "special tokens of another library's tokenizer, where the model was trained with these"
    )

    apart: bool = Setting(False, "whether each of two texts is a sequence of its own (a bi-encoder)")

    typed: bool = Setting(True, "whether the second of two texts has the second segment, where the model has segments")

    @property
    def specials(self) -> int:
        """Special tokens of an Example of two texts, or of one where they are read apart."""
        if self.apart:
            return self.specials_of_one
        if self.template is not None:
            return sum(map(len, self.template.pair))
        return 2 + self.between

    @property
    def specials_of_one(self) -> int:
        """Special tokens of an Example of one text."""
        return 2 if self.template is None else sum(map(len, self.template.one))

    def model_post_init(self, context: object) -> None:
        """A token that attends to its successor cannot learn to predict it."""
        if self.sight != "causal" and self.lm:
            raise BadInput(
                "the auxiliary language model needs causal sight", where="sight", value=self.sight, allowed="causal",
                next_step="switch the auxiliary language model off or use causal sight",
            )  # fmt: skip
