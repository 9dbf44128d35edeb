"""What a fine-tuning learns and from which files. Light to import: no torch."""

from typing import Annotated, Literal

from warmstart.base.settings import Group, PathRule, Setting, Settings, copy_setting
from warmstart.tasks.settings import (
    BadRows,
    ColumnNames,
    EmbeddingSettings,
    FileFormat,
    FrameSettings,
    LongTexts,
    MaxBadRows,
    Seq2SeqSettings,
    SpanSettings,
    TaggingSettings,
    UnseenLabels,
    WindowAnswers,
)
from warmstart.tasks.table import KINDS
from warmstart.text.settings import Encoding

EXAMPLES = PathRule("any", remote=True)


class TaskRecipe(Settings):
    """What is learned, and from which files.

    ``name`` is a kind with ``train``, ``dev`` and ``test`` files or with ``data``, a data set of the hub; or a known data
    set with ``data``, the folder that holds it as distributed. A kind with options of its own has a group of its name.
    """

    title = "Task"

    name: Annotated[
        str,
        Setting(
            help=f"kind of task, with --train: {', '.join(KINDS)}; or the name of a known data set, with --data; or, "
            "repeated, several of these: NAME=DIR", flag="--task", metavar="KIND|NAME", many="joined",
        ),
    ]  # fmt: skip
    train: str | None = Setting(
        None, "labelled examples to train on: JSONL, CSV, TSV, Parquet; tagging also CoNLL; span also SQuAD; seq2seq also "
        "two text files: SOURCES,TARGETS; images a folder CLASS/NAME.png, a tar of it or .npz; several with commas",
        flag="--train", metavar="FILE", path=EXAMPLES,
    )  # fmt: skip
    dev: str | None = Setting(
        None, "labelled examples to choose the best weights by", flag="--dev", metavar="FILE", path=EXAMPLES
    )
    test: str | None = Setting(
        None, "labelled examples for the final evaluation", flag="--test", metavar="FILE", path=EXAMPLES
    )
    data: str | None = Setting(
        None, "folder of a known data set, as distributed; with a kind, a data set of the hub: hf:owner/name[:config]",
        flag="--data", metavar="DIR|ID", path=PathRule("folder", hub=True),
    )  # fmt: skip
    dev_frac: float | None = Setting(
        None, "share of the training examples held out as dev, where there is no dev (default: a tenth; of fewer than 200 "
        "none, and all are trained on)", flag="--dev-frac", metavar="SHARE", gt=0, lt=1,
    )  # fmt: skip
    train_frac: float = Setting(
        1.0, "share of the training examples that is used", flag="--train-frac", metavar="SHARE", gt=0, le=1
    )
    columns: ColumnNames = ()
    format: FileFormat = None
    encoding: Encoding = "utf-8"
    bad_rows: BadRows = "refuse"
    max_bad_rows: MaxBadRows = 1000
    unseen_labels: UnseenLabels = "refuse"
    long_text: LongTexts = Setting(
        "cut", "what to do with a text that is longer than the context: cut it, refuse the file, or read it in windows",
        flag="--long-text",
    )  # fmt: skip
    stride: int | None = copy_setting(FrameSettings, "stride")
    window_answers: WindowAnswers = copy_setting(FrameSettings, "window_answers", "mean")
    context: int | None = Setting(
        None, "maximum number of tokens of one example (default: what the model can read)", flag="--context",
        metavar="N", ge=8,
    )  # fmt: skip
    segment_limit: int | None = Setting(
        None, "maximum number of tokens of one text of several, before the whole is cut (GPT-1's released code)", ge=1
    )
    class_weights: Literal["none", "balanced"] = Setting(
        "none", "balanced: rare classes count more in the loss", flag="--class-weights"
    )
    soft_labels: str | None = Setting(
        None, "column with a teacher's probabilities of the classes, as predict writes them: learned beside the labels",
        flag="--soft-labels", metavar="COLUMN",
    )  # fmt: skip
    metric: str | None = Setting(
        None, "metric that chooses the best weights on dev (default: the task's)", flag="--metric", metavar="NAME"
    )
    tagging: TaggingSettings = Group(TaggingSettings)
    span: SpanSettings = Group(SpanSettings)
    embedding: EmbeddingSettings = Group(EmbeddingSettings)
    seq2seq: Seq2SeqSettings = Group(Seq2SeqSettings)
    decoded_dev: int = Setting(
        200, "seq2seq: dev examples that are decoded in each evaluation during training; 0: all", flag="--decoded-dev",
        metavar="N", ge=0,
    )  # fmt: skip
