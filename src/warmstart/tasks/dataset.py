"""TaskSet: labelled rows of a file, or of a program, as Records.

Label names are learned from the training file (sorted, whole numbers by size) and then given for every later file, where
any other label is an error. Prediction files need no label; their label column, if any, is carried through unread. Rows that
cannot be used are named all at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.overflow import gather
from warmstart.base.settings import Settings
from warmstart.example.record import Record
from warmstart.readers.problems import RowProblems, SkippedRows
from warmstart.readers.rows import Row
from warmstart.tasks.column_choice import choose_columns
from warmstart.tasks.columns import Draft, LabelNumbers, check_names, missing_column, without_fraction
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.spec import LabelValue
from warmstart.tasks.stored import DRAFTS, RECORDS
from warmstart.tasks.table import find_kind

DEFAULTS = ReadOptions()


@dataclass(frozen=True, slots=True)
class TaskSet:
    """The examples of one file.

    Attributes:
        kind: name of the kind of task.
        records: the examples, in file order; what does not fit into memory lies in a temporary file.
        label_names: class or label number → name; empty for scores and choices.
        columns: the columns that were read in the first row, label last.
        label_values: class or label number → the label as the file has it; empty where all are texts, or were given.
    """

    kind: str
    records: Sequence[Record]
    label_names: tuple[str, ...]
    columns: tuple[str, ...] = ()
    label_values: tuple[LabelValue, ...] = ()


def read_task(
    kind: str, path: Path | str, labels: Sequence[str] | None = None, read: ReadOptions = DEFAULTS
) -> TaskSet:
    """All labelled examples of a file.

    Args:
        kind: one of :data:`~warmstart.tasks.table.KINDS`.
        path: JSONL, CSV, TSV or Parquet, also compressed, or another form that the kind reads; several with commas.
        labels: the label names of the training file, or ``None`` if this is the training file.
        read: encoding, part, options of the kind, format and columns.

    Raises:
        BadInput: unknown kind, missing or empty file, missing key, unseen label, impossible score or index, or (in a
            training file) all labels the same.
    """
    return task_of_rows(kind, _read_rows(kind, str(path), read), labels, str(path), read.skipped)


def task_from(
    kind: str, fields: Iterable[Mapping[str, Any]], labels: Sequence[str] | None = None, columns: Sequence[str] = (),
    skipped: SkippedRows | None = None,
) -> TaskSet:  # fmt: skip
    """All labelled examples of some dictionaries, whose names for the keys are ``columns``; else as :func:`read_task`."""
    return task_of_rows(kind, _number_rows(find_kind(kind), fields, columns), labels, "rows", skipped)


def read_records(kind: str, path: Path | str, labels: Sequence[str], read: ReadOptions = DEFAULTS) -> Iterator[Record]:
    """The examples of a file one by one, in flat memory.

    Args:
        kind: one of :data:`~warmstart.tasks.table.KINDS`.
        path: as for :func:`read_task`; ``-`` for standard input.
        labels: label names, as the model knows them; empty for scores, choices and spans. To
            :class:`~warmstart.tasks.columns.OpenLabels` those are added that only this file has.
        read: as for :func:`read_task`; unlabelled Records keep a label column in ``extra``.

    Raises:
        BadInput: as :func:`read_task`, when the row in question is reached.
    """
    rows = _read_rows(kind, str(path), read)
    return records_of_rows(
        kind, rows, labels, read.labelled, str(path), read.options, keeps_texts=read.keeps_texts, skipped=read.skipped
    )  # fmt: skip


def records_from(
    kind: str, fields: Iterable[Mapping[str, Any]], labels: Sequence[str], labelled: bool = True,
    options: Settings | None = None, columns: Sequence[str] = (),
) -> Iterator[Record]:  # fmt: skip
    """The examples of some dictionaries one by one; otherwise as :func:`read_records`."""
    rows = _number_rows(find_kind(kind).reading(options), fields, columns, labelled=labelled)
    return records_of_rows(kind, rows, labels, labelled, "rows", options)


def task_of_rows(
    kind: str, source: Iterable[Row], labels: Sequence[str] | None, name: str, skipped: SkippedRows | None = None
) -> TaskSet:
    """All labelled examples of some rows; ``name`` says in messages where they come from; else as :func:`read_task`."""
    one = find_kind(kind)
    columns = one.label_columns if labels is None else one.label_columns_of(labels)
    drafts = gather(_drafts(one, source, columns, RowProblems(name, skipped)), DRAFTS)
    if labels is None:
        names, drafts = _learn_labels(one, drafts, RowProblems(name, skipped))
        check_names(names, f"{name}, key {drafts[0].columns[-1]!r}")
    else:
        names = tuple(labels)
    numbers, problems = LabelNumbers(names if labels is None else labels), RowProblems(name, skipped)
    made = (problems.attempt(_record, one, found, numbers) for found in drafts)
    records = gather(filter(None, made), RECORDS)
    problems.raise_all()
    if not records:
        raise problems.none_left()
    if labels is None:
        _check_varied(one, drafts[0], records, name)
    values = () if labels is not None else _values_of(names, (v for found in drafts for v in one.label_values(found)))
    return TaskSet(kind, records, names, drafts[0].columns, values)


def records_of_rows(
    kind: str, source: Iterable[Row], labels: Sequence[str], labelled: bool, name: str,
    options: Settings | None = None, *, keeps_texts: bool = False, skipped: SkippedRows | None = None,
) -> Iterator[Record]:  # fmt: skip
    """The examples of some rows one by one.

    Args:
        kind: as for :func:`read_task`.
        source: the rows.
        labels: as for :func:`read_records`.
        labelled: whether every row has to have a label.
        name: says in messages where the rows come from.
        options: of the kind, as the model knows them.
        keeps_texts: whether unlabelled Records carry their texts along, in the columns that they came in.
        skipped: takes the rows that cannot be used; ``None``: they are refused.
    """
    one = find_kind(kind).reading(options)
    numbers = LabelNumbers(labels)
    columns = one.label_columns_of(labels) if labelled else None
    problems, is_empty = RowProblems(name, skipped), True
    for found in _drafts(one, source, columns, RowProblems(name, skipped), keeps_texts and not labelled):
        record = problems.attempt(_record, one, found, numbers)
        if record is not None:
            is_empty = False
            yield record
    problems.raise_all()
    if is_empty:
        raise problems.none_left()


def draft(kind: TaskKind, row: Row, label_columns: Sequence[str] | None, keeps_texts: bool = False) -> Draft:
    """Finds a row's texts and, unless ``label_columns`` is ``None``, its label.

    With ``keeps_texts`` the columns of texts that predictions repeat stay among the other columns.

    Raises:
        BadInput: a key is missing, a text is not text, or the label is empty.
    """
    found = kind.find_texts(row)
    if found is None:
        raise missing_column(
            kind.name, row, kind.missing_columns(row), kind.all_columns, label_columns, kind.guess_column
        )
    label, columns, place = None, found.names, ""
    if label_columns is not None:
        column = next((c for c in label_columns if c in row.fields), None)
        if column is None:
            raise missing_column(kind.name, row, [], kind.all_columns, label_columns, kind.guess_column)
        label, own = kind.find_label(row, column)
        columns, place = (*columns, *own), row.place(own[-1])
    kept = (columns if kind.kept_columns is None else kind.kept_columns) if keeps_texts else ()
    extra = {
        row.name_of(key) if key in columns else key: value
        for key, value in row.fields.items()
        if key not in columns or key in kept
    }
    return Draft(found.texts, label, columns, extra | dict(row.aside or {}), row.where, place, found.image)


def _drafts(
    kind: TaskKind,
    source: Iterable[Row],
    columns: Sequence[str] | None,
    problems: RowProblems,
    keeps_texts: bool = False,
) -> Iterator[Draft]:
    """Drafts of all rows; the first row settles which of the label columns is read."""
    is_empty = is_first = True
    for row in kind.gather(source):
        found = problems.attempt(draft, kind, row, columns, keeps_texts)
        if found is None:
            continue
        is_empty = False
        if is_first and columns is not None:
            columns = found.columns[-1:]
        is_first = False
        yield found
    problems.raise_all()
    if is_empty:
        raise problems.none_left()


def _learn_labels(
    kind: TaskKind, drafts: Sequence[Draft], problems: RowProblems
) -> tuple[tuple[str, ...], Sequence[Draft]]:
    """The label names of a training file, and the rows that are not skipped for their labels.

    Raises:
        BadInput: labels that are none, those of all rows at once where it shows in each row by itself.
    """
    try:
        return kind.learn_labels(drafts), drafts
    except BadInput as error:
        kept = gather((one for one in drafts if problems.attempt(kind.learn_labels, [one]) is not None), DRAFTS)
        if problems.includes(error):
            problems.raise_all()
        if not problems.skips or len(kept) in (0, len(drafts)):
            raise
        return kind.learn_labels(kept), kept


def _values_of(names: Sequence[str], values: Iterable[Any]) -> tuple[LabelValue, ...]:
    """Labels as they are written; a text where a label is written in two ways, and nothing where all are texts."""
    written: dict[str, LabelValue] = {}
    for value in map(without_fraction, values if names else ()):
        name = str(value).strip(" ")
        if not isinstance(value, str) and type(written.setdefault(name, value)) is type(value):
            continue
        written[name] = name  # of a text
    found = tuple(written.get(name, name) for name in names)
    return () if all(isinstance(value, str) for value in found) else found


def _record(kind: TaskKind, found: Draft, numbers: Mapping[str, int]) -> Record:
    label = None if found.label is None else kind.parse_label(found, numbers)
    return Record(found.texts, label, found.extra, found.where, found.image)


def _check_varied(kind: TaskKind, first: Draft, records: Sequence[Record], name: str) -> None:
    """Nothing can be learned where every label is the same."""
    labels = kind.varied_labels(records)
    others = iter(labels or ())
    if labels is not None and not any(label != found for found in islice(others, 1) for label in others):
        raise BadInput(
            "all labels are the same, so there is nothing to learn", where=f"{name}, key {first.columns[-1]!r}",
            value=first.label, allowed="at least two different labels", next_step="add examples of the other labels",
        )  # fmt: skip


def _checked_row(fields: Mapping[str, Any], where: str) -> Row:
    """A row of a program, whose texts are Unicode as those of files are.

    Raises:
        BadInput: half of a surrogate pair in one of them.
    """
    for key, value in fields.items():
        for text in value if isinstance(value, list | tuple) else (value,):
            try:
                _ = isinstance(text, str) and text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise BadInput(
                    f"a text with half of a character ({error.reason})", where=f"{where}, key {key!r}",
                    value=error.object[error.start : error.end], next_step="correct the text or leave the row out",
                ) from None  # fmt: skip
    return Row(dict(fields), where)


def _read_rows(kind: str, path: str, read: ReadOptions) -> Iterator[Row]:
    """The rows of all sources that ``path`` names, with the columns that are chosen."""
    one = find_kind(kind).reading(read.options)
    rows = chain.from_iterable(one.read_rows(source, read) for source in one.split_sources(path, read))
    return choose_columns(one, rows, read.columns, labelled=read.labelled)


def _number_rows(
    kind: TaskKind, fields: Iterable[Mapping[str, Any]], columns: Sequence[str], *, labelled: bool = True
) -> Iterator[Row]:
    rows = (_checked_row(row, f"row {number}") for number, row in enumerate(fields, start=1))
    return choose_columns(kind, rows, columns, labelled=labelled)
