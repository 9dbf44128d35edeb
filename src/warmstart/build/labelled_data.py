"""From a recipe's ``task`` to Records: files of one's own, a data set of the hub, or a known one's folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.config.schema import FinetuneRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.example.record import Record
from warmstart.readers.hub import is_hub_id, read_hub_splits
from warmstart.readers.problems import SkippedRows, skipped_rows
from warmstart.readers.rows import Row
from warmstart.tasks.catalogue import CATALOGUE, KnownDataset, known_dataset
from warmstart.tasks.column_choice import choose_columns
from warmstart.tasks.columns import OpenLabels
from warmstart.tasks.dataset import TaskSet, read_task, task_of_rows
from warmstart.tasks.hold_out import hold_out
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.spec import LabelValue
from warmstart.tasks.table import KINDS, find_kind

FEW = 200
"""Training examples below which none is held out as dev: a few would say nothing, and each is worth more learned from."""
TRAINED_ON = (
    f"of fewer than {FEW} all are trained on and the last weights kept, and the figures on these examples say nothing of "
    "new texts: give --dev or --test for that"
)
HUB_DEV = ("validation", "dev", "valid", "val")


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The Records of one task by split, and how it is evaluated (``metric`` is ``None`` where the kind's default serves).

    ``name`` is that of a known data set, and empty for other data; ``label_values`` are as a TaskSet has them;
    ``dev_is_train``: the training Records stand for dev, since nothing is held out; ``open_labels`` are the label names of
    dev and test, where these may have more than the training; ``skipped``: why rows were left out → how many.
    """

    kind: str
    label_names: tuple[str, ...]
    train: Sequence[Record]
    dev: Sequence[Record]
    test: Sequence[Record] | None = None
    metric: str | None = None
    note: str = ""
    name: str = ""
    label_values: tuple[LabelValue, ...] = ()
    dev_is_train: bool = False
    open_labels: OpenLabels | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def task_set(self) -> TaskSet:
        """The training Records as a TaskSet."""
        return TaskSet(self.kind, self.train, self.label_names)


def read_tasks(recipe: FinetuneRecipe) -> dict[str, LabelledData]:
    """Reads what a recipe names: task → its Records; the only one has the empty name.

    Raises:
        BadInput: as :func:`read_labelled_data`; of several tasks it says of which.
    """
    found: dict[str, LabelledData] = {}
    for name, own in recipe.by_task().items():
        try:
            found[name] = read_labelled_data(own.task, recipe.train.seed)
        except BadInput as error:
            raise error.with_where(f"task {name}, {error.where}" if name else error.where) from None
        if name and not found[name].train:
            raise BadInput(
                "a task without training examples", where=f"task {name}", value=0, allowed="one at least",
                next_step="leave the task out, or name a file with examples",
            )  # fmt: skip
    return found


def read_labelled_data(task: TaskRecipe, seed: int) -> LabelledData:
    """Reads what ``task`` names.

    Raises:
        BadInput: an unknown name, a missing option, or whatever is wrong with the files.
    """
    if task.name in KINDS:
        found = _own_files(task, task.name) if task.data is None else _from_hub(task, task.name, task.data)
    elif task.name in CATALOGUE:
        found = _read_known(task, known_dataset(task.name))
    else:
        raise unknown_name_error("task", task.name, [*KINDS, *CATALOGUE], "--task")
    return _with_share(found, task.train_frac, seed)


def divide_rows(
    task: TaskRecipe, seed: int, train: TaskSet, dev: Sequence[Record] | None, skipped: SkippedRows | None = None,
    labels: OpenLabels | None = None,
) -> LabelledData:  # fmt: skip
    """Rows in memory as :func:`read_labelled_data` divides those of files: dev is held out where there is none.

    Args:
        task: shares of the rows.
        seed: of the drawing.
        train: the training rows.
        dev: others to choose the best weights by.
        skipped: the rows that were left out.
        labels: the label names of dev, where it may have more than the training.

    Raises:
        BadInput: too few rows to divide.
    """
    divided = _divide(train.kind, train.label_names, train.records, dev, task.dev_frac)
    note = _join_notes(divided.note, *_describe(skipped, labels))
    found = replace(divided, label_values=train.label_values, open_labels=labels, note=note, skipped=_counts(skipped))
    return _with_share(found, task.train_frac, seed)


def _with_share(found: LabelledData, train_frac: float, seed: int) -> LabelledData:
    """With a share of the training Records alone."""
    if train_frac == 1:
        return found
    train, _ = hold_out(KINDS[found.kind], found.train, 1 - train_frac, seed, "fewer labels")
    return replace(found, train=train, dev=train if found.dev_is_train else found.dev)


def _read_known(task: TaskRecipe, known: KnownDataset) -> LabelledData:
    if task.data is None or is_hub_id(task.data):
        raise BadInput(
            f"the folder of {known.name!r} is not given", where="--data", value=task.data,
            next_step=f"with a hub id goes the kind: --task {known.kind}" if task.data else "add --data DIR with its files",
        )  # fmt: skip
    check_own_files(ReadOptions(format=task.format, columns=task.columns, skipped=_skipped_rows(task)))
    if task.unseen_labels == "count":
        raise BadInput(
            "the labels of a known data set are known", where="--unseen-labels", value="count", next_step="leave it out"
        )
    if "train" not in known.splits:
        raise BadInput(
            f"{known.name!r} has no training examples", where="--task", value=known.name,
            allowed="data sets with a training split",
            next_step=f"learn from another and evaluate with: warmstart evaluate --task {known.name}",
        )  # fmt: skip
    splits = known.load(Path(task.data), [name for name in ("train", "dev", "test") if name in known.splits])
    found = splits.records
    note = _join_notes(known.note, splits.note)
    made = _divide(known.kind, known.label_names, found["train"], found.get("dev"), task.dev_frac)
    return replace(
        made, test=found.get("test"), metric=known.metrics[0], name=known.name,
        note=_join_notes(note, made.note),
    )  # fmt: skip


def _own_files(task: TaskRecipe, kind: str) -> LabelledData:
    if task.train is None:
        raise BadInput("no training file", where="--train", next_step=f"add --train FILE with examples for {kind}")

    skipped = _skipped_rows(task)

    def read(part: str) -> ReadOptions:
        options = getattr(task, kind, None)
        return ReadOptions(
            task.encoding, part, options=options, format=task.format, columns=task.columns, skipped=skipped
        )

    def more(path: str | None, part: str) -> Sequence[Record] | None:
        return None if path is None else read_task(kind, path, labels or train.label_names, read(part)).records

    train = read_task(kind, task.train, None, read("train"))
    labels = _open_labels(task, train.label_names)
    dev, test = more(task.dev, "dev"), more(task.test, "test")
    found = _divide(kind, train.label_names, train.records, dev, task.dev_frac)
    note = _join_notes(found.note, *_describe(skipped, labels))
    return replace(
        found, test=test, label_values=train.label_values, open_labels=labels, note=note, skipped=_counts(skipped)
    )


def _open_labels(task: TaskRecipe, names: tuple[str, ...]) -> OpenLabels | None:
    """The label names that dev and test are read with, where they may have others than the training."""
    return OpenLabels(names) if task.unseen_labels == "count" and names else None


def _skipped_rows(task: TaskRecipe) -> SkippedRows | None:
    return skipped_rows(task.bad_rows, task.max_bad_rows)


def _counts(skipped: SkippedRows | None) -> dict[str, int]:
    return {} if skipped is None else skipped.counts


def _describe(skipped: SkippedRows | None, labels: OpenLabels | None) -> list[str]:
    """What was left out, and what no model can get right, in words."""
    return [line for found in (skipped, labels) if found is not None for line in found.describe()]


def _join_notes(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _from_hub(task: TaskRecipe, kind: str, data: str) -> LabelledData:
    if not is_hub_id(data):
        raise BadInput(
            "a folder does not go with a kind of task", where="--data", value=data, allowed="hf:owner/name",
            next_step=f"name the files with --train FILE --dev FILE, or a known data set with --task NAME instead of {kind}",
        )  # fmt: skip
    if task.train or task.dev or task.test:
        raise BadInput(
            "a data set of the hub brings its own splits", where="--data", value=data,
            next_step="leave --train, --dev and --test out, or leave --data out",
        )  # fmt: skip
    splits = read_hub_rows(kind, data, task.columns, task.format)
    if "train" not in splits:
        raise BadInput("no training split", where="--data", value=list(splits), allowed="a split named train")
    skipped = _skipped_rows(task)
    train = task_of_rows(kind, splits.pop("train"), None, data, skipped)
    labels = _open_labels(task, train.label_names)

    def more(*names: str) -> Sequence[Record] | None:
        name = next((name for name in names if name in splits), "")
        rows = rows_with_labels(kind, splits[name]) if name else None
        if rows is None:
            return None
        del splits[name]
        return task_of_rows(kind, rows, labels or train.label_names, f"{data}, {name}", skipped).records

    found = _divide(kind, train.label_names, train.records, more(*HUB_DEV), task.dev_frac)
    found = replace(found, test=more("test"), label_values=train.label_values, open_labels=labels)
    left = [f"not read, of another name or without labels: {', '.join(splits)}"] if splits else []
    note = _join_notes(found.note, *left, *_describe(skipped, labels))
    return replace(found, note=note, skipped=_counts(skipped))


def _divide(
    kind: str, names: tuple[str, ...], train: Sequence[Record], dev: Sequence[Record] | None, dev_frac: float | None
) -> LabelledData:
    """Training and dev Records; where there are none for dev, a share of the training Records, or of few all of them."""
    if dev is not None:
        return LabelledData(kind, names, train, dev)
    if dev_frac is None and len(train) < FEW:
        note = f"0 of {len(train):,} training examples held out as dev: {TRAINED_ON}"
        return LabelledData(kind, names, train, train, note=note, dev_is_train=True)
    rest, dev = hold_out(KINDS[kind], train, 0.1 if dev_frac is None else dev_frac, 0)
    return LabelledData(
        kind, names, rest, dev, note=f"{len(dev):,} of {len(train):,} training examples held out as dev"
    )


def check_own_files(read: ReadOptions) -> None:
    """Refuses names of columns, a format, and rows to skip for a known data set, whose files are known too."""
    given = {
        "--columns": ", ".join(read.columns),
        "--format": read.format,
        "--bad-rows": "skip" if read.skipped else None,
    }
    for flag, value in given.items():
        if value:
            raise BadInput(
                "a known data set has columns and formats of its own", where=flag, value=value,
                next_step="leave it out, or name your own files and the kind of task",
            )  # fmt: skip


def read_hub_rows(kind: str, data: str, columns: Sequence[str], file_format: str | None) -> dict[str, Iterator[Row]]:
    """The rows of each split of a data set of the hub, with the columns that are chosen."""
    if file_format is not None:
        raise BadInput(
            "a data set of the hub has no format to name", where="--format", value=file_format, next_step="leave it out"
        )
    splits = read_hub_splits(data)
    return {name: choose_columns(find_kind(kind), rows, columns) for name, rows in splits.items()}


def rows_with_labels(kind: str, rows: Iterator[Row]) -> Iterator[Row] | None:
    """The same rows, or ``None`` if the first has no label, as in the test parts of competitions."""
    first = next(rows, None)
    if first is None or all(first.fields.get(column) is None for column in find_kind(kind).label_columns):
        return None
    return chain([first], rows)
