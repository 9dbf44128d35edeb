"""What a fine-tuned model is evaluated on: a labelled file, a data set of the hub, or a part of a known one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.build.labelled_data import HUB_DEV, check_own_files, read_hub_rows, rows_with_labels
from warmstart.example.record import Record
from warmstart.readers.hub import is_hub_id
from warmstart.tasks.catalogue import KnownDataset, known_dataset
from warmstart.tasks.dataset import DEFAULTS, read_records, records_of_rows
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import kind_of, options_of


def evaluation_records(
    spec: TaskSpec, data: str, read: ReadOptions = DEFAULTS, task: str | None = None, split: str | None = None,
    labels: Sequence[str] | None = None,
) -> Iterable[Record]:  # fmt: skip
    """Labelled Records to evaluate a fine-tuned model on.

    Args:
        spec: the model's task.
        data: a labelled file; a hub id; or the folder of a known data set.
        read: encoding and format of a file, and the names of its columns; by default those of the training.
        task: the known data set, where it is not the one that the model has learned.
        split: the part of a data set; without it ``test`` where there is one, else ``dev``. Of images of one's own that
            come in parts it is one of these; without it ``test``.
        labels: label names in the place of the task's own, to which those may be added that only the data have.

    Raises:
        BadInput: no such part, a data set of another kind, labels that the model does not know, or a broken file.
    """
    names = spec.label_names if labels is None else labels
    if Path(data).is_dir() and (task or spec.name):
        check_own_files(read)
        return _known_part(spec, known_dataset(task or spec.name), Path(data), split, names)
    read = replace(read, columns=read.columns or spec.columns)
    if is_hub_id(data):
        return _hub_part(spec, data, read, split, names)
    if task is not None or (split is not None and not kind_of(spec).has_parts):
        raise BadInput(
            "--task and --split are for the folder of a known data set", where="--data", value=data,
            allowed="a folder", next_step="leave --task and --split out, or name the folder",
        )  # fmt: skip
    read = replace(read, part=split or "test", options=options_of(spec))
    return read_records(spec.kind, data, names, read)


def prediction_records(
    spec: TaskSpec, source: str, read: ReadOptions, split: str | None, notes: dict[str, int]
) -> Iterator[Record]:
    """Records to predict, their labels unread: a file, ``-``, or of the data set that the run has learned a part or a file.

    Args:
        spec: the model's task.
        source: a path; a file of the run's own data set is read in that data set's form, others by their ending.
        read: how files are read; without names of columns by those of the training. A file of the run's own data set has
            neither such names nor a format: with one of these it is read as any other.
        split: the part of a folder; without it as for :func:`evaluation_records`.
        notes: takes what is done to the rows of a known data set, in words, and how often.

    Raises:
        BadInput: a part of something that has none, or a broken file.
    """
    path = Path(source)
    known = known_dataset(spec.name) if spec.name else None
    is_folder = known is not None and path.is_dir() and not kind_of(spec).has_parts
    if split is not None and not is_folder:
        raise BadInput(
            "--split is for the folder of the data set that the run has learned", where="--input", value=source,
            allowed="a folder", next_step="leave --split out, or name the folder",
        )  # fmt: skip
    rows = None
    if known is not None and is_folder:
        check_own_files(read)
        rows = known.part_rows(path, split, notes)
    elif (
        known is not None
        and path.is_file()
        and not (read.columns or read.format or read.skipped or kind_of(spec).has_parts)
    ):
        rows = known.file_rows(path, notes)
    if rows is None:
        read = replace(read, columns=read.columns or spec.columns)
        return read_records(spec.kind, source, spec.label_names, read)
    return records_of_rows(
        spec.kind, rows, spec.label_names, False, source, options_of(spec), keeps_texts=read.keeps_texts
    )  # fmt: skip


def _known_part(
    spec: TaskSpec, known: KnownDataset, folder: Path, split: str | None, names: Sequence[str]
) -> Sequence[Record]:
    if known.kind not in (spec.kind, *kind_of(spec).reading(options_of(spec)).evaluated_kinds):
        raise BadInput(
            "the data set is of another kind than the run's task", where="--task", value=f"{known.name} ({known.kind})",
            allowed=spec.kind, next_step="choose a run that was trained for such a task",
        )  # fmt: skip
    wanted = [split] if split is not None else [name for name in ("test", "dev") if name in known.splits]
    for name in wanted:
        found = known.load(folder, [name], names).records
        if name in found:
            return found[name]
    raise BadInput(
        "no such split in this folder", where="--split", value=split, allowed=", ".join(known.splits),
        next_step="name a split whose file is there",
    )  # fmt: skip


def _hub_part(
    spec: TaskSpec, data: str, read: ReadOptions, split: str | None, names: Sequence[str]
) -> Iterator[Record]:
    splits = read_hub_rows(spec.kind, data, read.columns, read.format)
    for name in ("test", *HUB_DEV) if split is None else (split,):
        rows = rows_with_labels(spec.kind, splits[name]) if name in splits else None
        if rows is not None:
            return records_of_rows(
                spec.kind, rows, names, True, f"{data}, {name}", options_of(spec), skipped=read.skipped
            )  # fmt: skip
    raise BadInput(
        "no such labelled split", where="--split", value=split, allowed=", ".join(splits),
        next_step="name a split that has labels",
    )  # fmt: skip
