"""What the verbs that train nothing need to know: settings like any other, so that they are read and refused alike."""

from typing import Annotated, Literal

from warmstart.base.settings import Group, PathRule, Setting, Settings, copy_setting
from warmstart.config.embed_requests import EMBED_REQUESTS
from warmstart.config.zeroshot_requests import OverlapRequest, ZeroshotRequest
from warmstart.corpora.settings import PrepareSettings
from warmstart.decode.settings import GenerateSettings
from warmstart.metrics.names import GENERATION_METRICS
from warmstart.tasks.settings import (
    BadRows,
    ColumnNames,
    FileFormat,
    FrameSettings,
    LongTexts,
    MaxBadRows,
    Postprocess,
    UnseenLabels,
    WindowAnswers,
)
from warmstart.text.settings import Encoding
from warmstart.train.settings import Precision

MODEL = PathRule("model")
NEW = PathRule("new", words=("-",))
ROWS_OR_BASELINE = PathRule("file", words=("lead1", "lead3", "copy"))

Runs = Annotated[
    tuple[str, ...],
    Setting(
        help="finished run, model folder or hub id; the mean of several runs of one task is the answer", flag="--run",
        metavar="RUN", many=True, path=MODEL, min_length=1,
    ),
]  # fmt: skip
Output = Annotated[
    str,
    Setting(
        help="file to write, JSON lines, or a table where it ends in .csv or .tsv; - for standard output",
        flag="--output",
        metavar="FILE|-",
        path=NEW,
    ),
]
LabelMap = Annotated[
    tuple[str, ...],
    Setting(
        help="other names for the run's labels, separated by commas: negative=0,positive=1", flag="--label-map",
        metavar="OWN=OTHER",
    ),
]  # fmt: skip
MetricNames = Annotated[
    tuple[str, ...],
    Setting(
        help=f"metrics of texts, separated by commas: {', '.join(GENERATION_METRICS)}",
        flag="--metrics", metavar="NAMES",
    ),
]  # fmt: skip
REMEMBERED = "Generation of seq2seq (default: as the run was evaluated)"


class PrepareRequest(PrepareSettings):
    """``warmstart prepare``: text, and the training texts of a known data set ``task`` from its folder ``data``."""

    title = "Text"

    paths: tuple[str, ...] = Setting(
        (), "files, folders, globs, or - for standard input", flag="TEXT", many=True, path=PathRule("text", remote=True)
    )
    task: str | None = Setting(
        None, "a known data set, whose training texts are added, without their labels", flag="--task", metavar="NAME"
    )
    data: str | None = Setting(
        None, "folder of that data set, as distributed", flag="--data", metavar="DIR", path=PathRule("folder")
    )
    verify: bool = Setting(
        False, "make nothing: compare every byte of the corpus in --out with its checksums", flag="--verify"
    )


class EvaluateRequest(Settings):
    """``warmstart evaluate``; ``task`` and ``split`` are for data sets, ``metrics`` and ``search`` for seq2seq runs."""

    title = "What to evaluate"

    run: Runs
    data: str | None = Setting(
        None, "labelled examples: JSONL, CSV, TSV, Parquet (CoNLL, SQuAD; SOURCES,TARGETS); the folder of a known data set; "
        "hf:owner/name[:config]; for a language model text or a corpus (default: what a fine-tuned run was evaluated on)",
        flag="--data", metavar="FILE|DIR|ID", path=PathRule("any", hub=True, remote=True),
    )  # fmt: skip
    task: str | None = Setting(
        None, "known data set in that folder (default: the one that the run was trained on); of a run with several tasks, "
        "the one to evaluate (default: all)", flag="--task", metavar="NAME",
    )  # fmt: skip
    split: str | None = Setting(
        None, "part of a data set to evaluate on (default: test where it has labels, else dev)", flag="--split",
        metavar="PART",
    )  # fmt: skip
    context: int | None = Setting(
        None, "tokens of text that a language model reads at once (default: as it was trained; an LSTM can read any number)",
        flag="--context", metavar="N", ge=8,
    )  # fmt: skip
    label_map: LabelMap = ()
    columns: ColumnNames = ()
    format: FileFormat = None
    unseen_labels: UnseenLabels = "refuse"
    bad_rows: BadRows = "refuse"
    max_bad_rows: MaxBadRows = 1000
    encoding: Encoding = "utf-8"
    precision: Precision = "auto"
    metrics: MetricNames = ()
    search: GenerateSettings = Group(GenerateSettings, title=REMEMBERED, omit=("greedy",), remembered=True)


class PredictRequest(Settings):
    """``warmstart predict``."""

    title = "What to predict"

    run: Runs
    input: Annotated[
        str,
        Setting(
            help="examples, or - for standard input (JSONL, CSV with a header, or a text a line); labels are not needed; "
            "images: also a folder; of a known data set also its folder or a file of its own", flag="--input",
            metavar="FILE|-", path=PathRule("any", words=("-",), remote=True),
        ),
    ]  # fmt: skip
    output: Output
    task: str | None = Setting(
        None, "of a run with several tasks, the one that is meant", flag="--task", metavar="NAME"
    )
    split: str | None = Setting(
        None, "part of that folder (default: test where it has labels, else dev)", flag="--split", metavar="PART"
    )
    soft: bool = Setting(
        False, "write the rows to learn from: as they are, labels too, and what the runs say in a column soft (finetune "
        "--soft-labels soft)", flag="--soft",
    )  # fmt: skip
    no_texts: bool = Setting(False, "leave the texts of the rows out of the predictions", flag="--no-texts")
    label_map: LabelMap = ()
    columns: ColumnNames = ()
    format: FileFormat = None
    bad_rows: BadRows = "refuse"
    max_bad_rows: MaxBadRows = 1000
    encoding: Encoding = "utf-8"
    long_text: LongTexts | None = Setting(
        None, "what to do with a text that is longer than the context (default: as in training)", flag="--long-text"
    )
    stride: int | None = copy_setting(FrameSettings, "stride")
    window_answers: WindowAnswers | None = copy_setting(FrameSettings, "window_answers")
    precision: Precision = "fp32"
    lattices: str | None = Setting(
        None,
        "also write all texts that the beam search kept, for warmstart rerank",
        flag="--lattices",
        metavar="FILE",
        path=NEW,
    )
    search: GenerateSettings = Group(GenerateSettings, title=REMEMBERED, omit=("greedy",), remembered=True)


class SubmitRequest(Settings):
    """``warmstart submit``."""

    title = "What to submit"

    runs: Annotated[
        tuple[str, ...],
        Setting(
            help="runs that were trained on GLUE's tasks, one for each", flag="RUN", many=True, path=PathRule("folder"),
            min_length=1,
        ),
    ]  # fmt: skip
    data: Annotated[
        str,
        Setting(
            help="folder that holds GLUE's own folders: CoLA, SST-2, …", flag="--data", metavar="GLUE_DIR",
            path=PathRule("folder"),
        ),
    ]  # fmt: skip
    out: Annotated[str, Setting(help="zip file to write", flag="--out", metavar="FILE.zip", path=NEW)]
    precision: Precision = "fp32"


class GenerateRequest(GenerateSettings):
    """``warmstart generate``: from ``prompts``, or from ``input``, a file with one prompt per line."""

    title = "What to continue"

    run: Annotated[
        tuple[str, ...],
        Setting(
            help="finished run, model folder or hub id; several of one vocabulary choose each token together", flag="--run",
            metavar="RUN", many=True, path=MODEL, min_length=1,
        ),
    ]  # fmt: skip
    prompts: tuple[str, ...] | None = Setting(
        None,
        "beginning of a text, which is continued; several may be given",
        flag="--prompt",
        metavar="TEXT",
        many=True,
    )
    input: str | None = Setting(
        None, "file with one prompt per line, or - for standard input", flag="--input", metavar="FILE|-",
        path=PathRule("file", words=("-",)),
    )  # fmt: skip
    stop: tuple[str, ...] = Setting(
        (), "text that ends a generated text, which is given up to there; several may be given", flag="--stop",
        metavar="TEXT", many=True,
    )  # fmt: skip
    encoding: Encoding = "utf-8"
    precision: Precision = "fp32"


class ScoreRequest(Settings):
    """``warmstart score``."""

    title = "What to score"

    data: Annotated[
        str,
        Setting(
            help="rows with source and target: JSONL, CSV, TSV, Parquet, or SOURCES,TARGETS", flag="--data", metavar="FILE",
            path=PathRule("files"),
        ),
    ]  # fmt: skip
    predictions: Annotated[
        str,
        Setting(
            help="texts in the same order: one per line, or a table with a column prediction; lead1, lead3: the "
            "first sentence or the first three of the source; copy: the source",
            flag="--predictions", metavar="FILE|lead1|lead3|copy", path=ROWS_OR_BASELINE,
        ),
    ]  # fmt: skip
    against: str | None = Setting(
        None, "texts of another system, for a paired test", flag="--against", metavar="FILE|lead1|lead3|copy",
        path=ROWS_OR_BASELINE,
    )  # fmt: skip
    metrics: MetricNames = ()
    postprocess: Postprocess = "none"
    grouped: bool = Setting(False, "all targets of one source are its references", flag="--grouped")
    columns: ColumnNames = ()
    format: FileFormat = None
    encoding: Encoding = "utf-8"


class RerankRequest(Settings):
    """``warmstart rerank``."""

    title = "What to rank again"

    run: Annotated[
        str, Setting(help="run whose vocabulary the texts are written in", flag="--run", metavar="RUN", path=MODEL)
    ]
    lattices: Annotated[
        str,
        Setting(help="file that predict --lattices wrote", flag="--lattices", metavar="FILE", path=PathRule("file")),
    ]
    output: Output
    length_penalty: float = copy_setting(GenerateSettings, "length_penalty", 0.0)
    per_token: float = Setting(
        0.0, "added for each token; with --expected subtracted for each token of difference from it", flag="--per-token",
        metavar="X",
    )  # fmt: skip
    expected: int | None = Setting(None, "expected length of a text, in tokens", flag="--expected", metavar="N", ge=1)
    min_new: int = copy_setting(GenerateSettings, "min_new", 0)


class ReportRequest(Settings):
    """``warmstart report``."""

    title = "What to report"

    runs: Annotated[
        tuple[str, ...],
        Setting(
            help="folders of finished runs and studies, and files that zeroshot --curve --json has written",
            flag="RUN",
            many=True,
            path=PathRule("any"),
            min_length=1,
        ),
    ]
    out: Annotated[str, Setting(help="HTML page to write", flag="--out", metavar="FILE.html", path=NEW)]
    export: str | None = Setting(
        None, "folder for the same as Markdown, a CSV for each table and an SVG for each figure", flag="--export",
        metavar="DIR", path=PathRule("new"),
    )  # fmt: skip
    watch: bool = Setting(
        False, "take runs that have not ended too, and write the page again until they have; a browser follows it",
        flag="--watch",
    )  # fmt: skip


class ConvertRequest(Settings):
    """``warmstart convert``."""

    title = "What to convert"

    source: Annotated[
        str,
        Setting(help="run, model folder, hub id, or the folder of GPT-1's 2018 release", flag="SOURCE", path=MODEL),
    ]
    out: Annotated[str, Setting(help="folder to create", flag="--out", metavar="DEST", path=NEW)]
    task: str | None = Setting(
        None, "of a run with several tasks, the one that is meant", flag="--task", metavar="NAME"
    )
    to: Literal["hf", "warmstart", "onnx", "peft", "ctranslate2"] = Setting(
        "hf", "hf: the folder that transformers loads; warmstart: our own names; onnx: one file; peft: what LoRA has "
        "trained, as an adapter; ctranslate2: for that engine", flag="--to",
    )  # fmt: skip
    quantize: Literal["int8"] | None = Setting(
        None, "onnx: int8: weights in 8 bits; says what that costs on --data, or on the run's dev", flag="--quantize"
    )
    data: str | None = Setting(
        None, "labelled examples to measure that by", flag="--data", metavar="FILE", path=PathRule("any", hub=True)
    )
    base_model: str | None = Setting(
        None, "the model that an adapter belongs to (default: the one that it names, or the run's start)", flag="--base",
        metavar="MODEL", path=MODEL,
    )  # fmt: skip


class DemoRequest(Settings):
    """``warmstart demo``."""

    title = "Output"

    out: str = Setting("runs/demo", "folder for everything that the demo makes", flag="--out", metavar="DIR", path=NEW)


class CompletionRequest(Settings):
    """``warmstart completion``."""

    title = "Shell"

    shell: Annotated[Literal["bash", "zsh", "fish"], Setting(help="the shell that completes", flag="SHELL")]


REQUESTS: dict[str, type[Settings]] = {
    "demo": DemoRequest,
    "prepare": PrepareRequest,
    "evaluate": EvaluateRequest,
    "predict": PredictRequest,
    "submit": SubmitRequest,
    "generate": GenerateRequest,
    "score": ScoreRequest,
    "rerank": RerankRequest,
    "zeroshot": ZeroshotRequest,
    "overlap": OverlapRequest,
    "report": ReportRequest,
    "convert": ConvertRequest,
    "completion": CompletionRequest,
    **EMBED_REQUESTS,
}
"""Verb that trains nothing → its settings."""
