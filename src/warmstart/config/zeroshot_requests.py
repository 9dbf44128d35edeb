"""What verbs need to know that judge a language model as it is; as in :mod:`~warmstart.config.requests`."""

from typing import Annotated, Literal

from warmstart.base.settings import PathRule, Setting, Settings
from warmstart.text.settings import Encoding
from warmstart.train.settings import Precision


class ZeroshotRequest(Settings):
    """``warmstart zeroshot``."""

    title = "What to judge"

    run: Annotated[
        str,
        Setting(
            help="language model: run, model folder or hub id", flag="--run", metavar="RUN", path=PathRule("model")
        ),
    ]
    task: Annotated[
        str,
        Setting(help="a known task (listed above), or the YAML file of one's own", flag="--task", metavar="NAME|FILE"),
    ]
    data: Annotated[
        str, Setting(help="the task's file as it is distributed", flag="--data", metavar="FILE", path=PathRule("files"))
    ]
    shots: int = Setting(0, "solved examples before each question", flag="--shots", metavar="K", ge=0)
    shots_data: str | None = Setting(
        None, "file that these are drawn from (default: --data, never the question itself)", flag="--shots-data",
        metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    seed: int = Setting(1, "seed of the draws", flag="--seed", metavar="N")
    unconditional: str | None = Setting(
        None, "also judge choices against this context without the question, such as 'Answer:'", flag="--unconditional",
        metavar="TEXT",
    )  # fmt: skip
    long_text: Literal["cut", "refuse"] = Setting(
        "cut", "what to do with a context that is longer than the model reads: cut its beginning, or refuse the file",
        flag="--long-text",
    )  # fmt: skip
    min_context: int | None = Setting(
        None, "tokens of a long text that each token is predicted after, at least (default: half of what the model reads; "
        "1: windows side by side)", flag="--min-context", metavar="N", ge=1,
    )  # fmt: skip
    curve: bool = Setting(
        False, "also judge the models that pretrain --snapshots has kept in the run, in the order of their steps",
        flag="--curve",
    )  # fmt: skip
    best: float | None = Setting(
        None, "score of the task's main metric that the curve's picture takes for 1, such as a published one (default: 1)",
        flag="--best", metavar="SCORE",
    )  # fmt: skip
    overlap: tuple[str, ...] = Setting(
        (), "training text (corpora, or files, folders, globs): also show the metrics of the examples of which no 8-gram "
        "stands there, and of the others", flag="--overlap", metavar="CORPUS|TEXT", many=True, path=PathRule("text"),
    )  # fmt: skip
    output: str | None = Setting(
        None, "also write a line of JSON for each example", flag="--output", metavar="FILE", path=PathRule("new")
    )
    encoding: Encoding = "utf-8"
    precision: Precision = "auto"


class OverlapRequest(Settings):
    """``warmstart overlap``."""

    title = "What to compare"

    corpus: Annotated[
        tuple[str, ...],
        Setting(
            help="what the model was trained on: corpora, or text files, folders, globs", flag="--corpus",
            metavar="CORPUS|TEXT", many=True, path=PathRule("text"), min_length=1,
        ),
    ]  # fmt: skip
    data: Annotated[
        tuple[str, ...],
        Setting(
            help="examples: all texts of each row of a table, each text of an archive, each line of another file",
            flag="--data", metavar="FILE",
            many=True, path=PathRule("file"), min_length=1,
        ),
    ]  # fmt: skip
    task: str | None = Setting(
        None,
        "zero-shot task whose files these are: what it reads of them is compared",
        flag="--task",
        metavar="NAME|FILE",
    )
    n: int = Setting(8, "words of an n-gram", flag="--n", metavar="N", ge=1, le=64)
    unit: Literal["words", "characters"] = Setting(
        "words", "characters: n-grams of letters and digits, for scripts without blanks", flag="--unit"
    )
    output: str | None = Setting(
        None, "also write a line of JSON for each example", flag="--output", metavar="FILE", path=PathRule("new")
    )
    encoding: Encoding = "utf-8"
