"""TaskSet: labelled rows of a file, or of a program, as Records.

Label names are learned from the training file (sorted, whole numbers by size) and then given for every later file, where
any other label is an error. Prediction files need no label; their label column, if any, is carried through unread.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput, suggest, unknown_name_error
from warmstart.example.record import Label, Record, Target
from warmstart.metrics.entities import convert_tags, tag_scheme
from warmstart.readers.conll import CONLL_EXTENSIONS, read_sentences
from warmstart.readers.images import read_image_rows
from warmstart.readers.parallel import read_parallel_rows, read_source_lines, split_parallel_paths
from warmstart.readers.rows import TABLE_EXTENSIONS, Row, read_rows
from warmstart.readers.squad import SQUAD_EXTENSIONS, read_questions
from warmstart.readers.text_io import STDIN, split_extensions
from warmstart.tasks.answers import listed_answers, one_answer
from warmstart.tasks.columns import LABEL_COLUMNS, Draft, as_list, draft, index_of, name_of, score_of, text_or_pieces
from warmstart.tasks.spec import KINDS, Kind, goal_of

OWN_FORMS: dict[Kind, tuple[str, ...]] = {"tagging": CONLL_EXTENSIONS, "span": SQUAD_EXTENSIONS}
"""Endings of the files that a kind reads besides tables; CoNLL's ``.tsv`` goes before the table's."""


@dataclass(frozen=True, slots=True)
class TaskSet:
    """The examples of one file.

    Attributes:
        kind: what kind of task it is.
        records: the examples, in file order.
        label_names: class or label number → name; empty for scores and choices.
        columns: the columns that were read in the first row, label last.
    """

    kind: Kind
    records: list[Record]
    label_names: tuple[str, ...]
    columns: tuple[str, ...] = ()


def read_task(
    kind: Kind,
    path: Path | str,
    labels: Sequence[str] | None = None,
    encoding: str = "utf-8",
    tag_column: int | None = None,
    part: str | None = None,
) -> TaskSet:
    """All labelled examples of a file.

    Args:
        kind: one of :data:`~warmstart.tasks.spec.KINDS`.
        path: JSONL, CSV, TSV or Parquet, also compressed; for tagging also CoNLL, for span also SQuAD's JSON, for seq2seq
            two text files of equally many lines, with a comma between; images as :mod:`warmstart.readers.images` reads them.
        labels: the label names of the training file, or ``None`` if this is the training file.
        encoding: of text files.
        tag_column: of a CoNLL file, counted from 1.
        part: of images that come in several: ``train``, ``dev`` or ``test``; ``None``: all of them.

    Raises:
        BadInput: unknown kind, missing or empty file, missing key, unseen label, impossible score or index, or (in a
            training file) all labels the same.
    """
    return task_of(kind, _rows(_known(kind), str(path), encoding, tag_column, part), labels, str(path))


def task_from(kind: Kind, fields: Iterable[Mapping[str, Any]], labels: Sequence[str] | None = None) -> TaskSet:
    """All labelled examples of some dictionaries; otherwise as :func:`read_task`."""
    return task_of(kind, _numbered(fields), labels, "rows")


def read_records(
    kind: Kind,
    path: Path | str,
    labels: Sequence[str],
    encoding: str = "utf-8",
    require_label: bool = True,
    tag_column: int | None = None,
    part: str | None = None,
) -> Iterator[Record]:
    """The examples of a file one by one, in flat memory.

    Args:
        kind: one of :data:`~warmstart.tasks.spec.KINDS`.
        path: as for :func:`read_task`; ``-`` for JSONL on standard input.
        labels: label names, as the model knows them; empty for scores, choices and spans.
        encoding: of text files.
        require_label: whether labels are read; if not, Records have none and the label column stays in ``extra``.
        tag_column: of a CoNLL file, counted from 1.
        part: as for :func:`read_task`.

    Raises:
        BadInput: as :func:`read_task`, when the row in question is reached.
    """
    source = _rows(_known(kind), str(path), encoding, tag_column, part, require_label)
    return records_of(kind, source, labels, require_label, str(path))


def records_from(
    kind: Kind, fields: Iterable[Mapping[str, Any]], labels: Sequence[str], require_label: bool = True
) -> Iterator[Record]:
    """The examples of some dictionaries one by one; otherwise as :func:`read_records`."""
    return records_of(_known(kind), _numbered(fields), labels, require_label, "rows")


def _rows(
    kind: Kind, path: str, encoding: str, tag_column: int | None, part: str | None, require_label: bool = True
) -> Iterator[Row]:
    """The rows of a file as its ending and the kind of the task say."""
    if kind == "images":
        return read_image_rows(path, part, classes=require_label)
    ending, own = split_extensions(path)[0], OWN_FORMS.get(kind, ())
    if kind == "seq2seq" and ending == ".json":  # s2s-ft's own files: an object a line
        return read_rows(path, encoding=encoding, extension=".jsonl")
    if kind == "seq2seq" and path != STDIN and ending not in TABLE_EXTENSIONS:
        return read_parallel_rows(path, encoding) if split_parallel_paths(path) else read_source_lines(path, encoding)
    if own and path != STDIN and ending not in (*own, *TABLE_EXTENSIONS):
        raise BadInput(
            f"not a file for a {kind} task by its ending", where=path,
            allowed=", ".join(f"{known}[.gz|.zst]" for known in sorted({*own, *TABLE_EXTENSIONS})),
        )  # fmt: skip
    if ending not in own:
        return read_rows(path, encoding=encoding)
    return read_sentences(path, encoding, tag_column) if kind == "tagging" else read_questions(path, encoding)


def task_of(kind: Kind, source: Iterable[Row], labels: Sequence[str] | None, name: str) -> TaskSet:
    """All labelled examples of some rows; ``name`` says in messages where they come from; otherwise as :func:`read_task`."""
    columns = LABEL_COLUMNS[_known(kind)] if labels is None else _label_columns(kind, labels)
    drafts = list(_drafts(kind, source, columns, name))
    names = _learn(kind, drafts) if labels is None else tuple(labels)
    numbers = {name: number for number, name in enumerate(names)}
    records = [_record(kind, found, numbers) for found in drafts]
    if labels is None:
        _check_varied(kind, drafts, records, name)
    return TaskSet(kind, records, names, drafts[0].columns)


def records_of(
    kind: Kind, source: Iterable[Row], labels: Sequence[str], require_label: bool, name: str
) -> Iterator[Record]:
    """The examples of some rows one by one; ``name`` says in messages where the rows come from."""
    numbers = {label: number for number, label in enumerate(labels)}
    columns = _label_columns(kind, labels) if require_label else None
    for found in _drafts(kind, source, columns, name):
        yield _record(kind, found, numbers)


def _drafts(kind: Kind, source: Iterable[Row], columns: Sequence[str] | None, name: str) -> Iterator[Draft]:
    """Drafts of all rows; the first row settles which of the label columns is read."""
    empty = True
    for row in source:
        found = draft(kind, row, columns)
        if empty and columns is not None:
            columns = found.columns[-1:]
        empty = False
        yield found
    if empty:
        raise BadInput(
            "no examples", where=name, allowed="at least one row", next_step="check that this is the file you meant"
        )


def _record(kind: Kind, found: Draft, numbers: Mapping[str, int]) -> Record:
    return Record(found.texts, _label(kind, found, numbers), found.extra, found.where, found.image)


def _label(kind: Kind, found: Draft, numbers: Mapping[str, int]) -> Label:
    if found.label is None:
        return None
    column = found.columns[-1]
    where = f"{found.where}, key {column!r}"
    if kind == "choice":
        choices = found.texts["choices"]
        assert isinstance(choices, tuple)
        return index_of(found.label, choices, column, found.where)
    if kind == "span":
        context = str(found.texts["context"])
        if column == "answer":
            answer, start = found.label
            return one_answer(answer, start, context, found.where)
        return listed_answers(found.label, context, found.where)
    if kind == "seq2seq":
        return _target(found, where)
    if goal_of(kind, tuple(numbers)) == "score":
        return score_of(found.label, where)
    if kind == "tagging":
        tags = convert_tags(_tags(found), tag_scheme(tuple(numbers)))
        return tuple(_number(tag, numbers, f"{where}, word {n}") for n, tag in enumerate(tags, start=1))
    if kind != "multilabel":
        return _number(name_of(found.label, where), numbers, where)
    names = _names(found)
    if len(set(names)) < len(names):
        raise BadInput(
            "a label is named twice", where=where, value=names, allowed="each label once",
            next_step="list the names of the labels that hold, not a row of zeros and ones",
        )  # fmt: skip
    return tuple(sorted(_number(name, numbers, where) for name in names))


def _target(found: Draft, where: str) -> Target:
    """The target of a row, and the blocks that it may name for sub-words."""
    given = text_or_pieces(found.label, where)
    spans = found.extra.get("spans")
    if isinstance(given, str):
        if spans is not None:
            raise BadInput(
                "span ids need a target of sub-words", where=f"{found.where}, key 'spans'", value=spans,
                allowed="a target that is a list of sub-words", next_step="give such a list, or leave spans out",
            )  # fmt: skip
        return Target(given)
    numbers = None if spans is None else as_list(spans, "spans", found.where)
    if numbers is not None and (len(numbers) != len(given) or not all(type(n) is int and n > 0 for n in numbers)):
        raise BadInput(
            "span ids are whole numbers from 1, one for each sub-word", where=f"{found.where}, key 'spans'", value=numbers,
            allowed=f"{len(given)} numbers such as 1, 1, 2", next_step="mend the row or leave spans out",
        )  # fmt: skip
    return Target(pieces=given, spans=None if numbers is None else tuple(numbers))


def _number(name: str, numbers: Mapping[str, int], where: str) -> int:
    if name not in numbers:
        raise BadInput(
            "label unseen in training", where=where, value=name, allowed=", ".join(numbers),
            next_step=suggest(name, numbers) or "correct the row, or train again on data that has this label",
        )  # fmt: skip
    return numbers[name]


def _names(found: Draft) -> list[str]:
    column = found.columns[-1]
    where = f"{found.where}, key {column!r}"
    return [name_of(value, where) for value in as_list(found.label, column, found.where)]


def _tags(found: Draft) -> list[str]:
    """The tags of a sentence as they are written, as many as it has words."""
    tags, words = _names(found), found.texts["tokens"]
    if len(tags) != len(words):
        raise BadInput(
            f"{len(tags)} tags for {len(words)} words", where=f"{found.where}, key {found.columns[-1]!r}",
            allowed="one tag for each word", next_step="mend the row or leave it out",
        )  # fmt: skip
    return tags


def _learn(kind: Kind, drafts: Sequence[Draft]) -> tuple[str, ...]:
    """The label names in a training file: sorted, whole numbers by size."""
    column = drafts[0].columns[-1]
    if kind in ("choice", "regression", "span", "seq2seq") or (kind == "similarity" and column == "score"):
        return ()
    if kind == "multilabel":
        names = {name for found in drafts for name in _names(found)}
    elif kind == "tagging":
        written = [_tags(found) for found in drafts]
        scheme = tag_scheme(tuple(sorted({tag for tags in written for tag in tags})))
        names = {tag for tags in written for tag in convert_tags(tags, scheme)}
    else:
        names = {name_of(found.label, f"{found.where}, key {column!r}") for found in drafts}
    try:
        return tuple(sorted(names, key=int))
    except ValueError:
        return tuple(sorted(names))


def _check_varied(kind: Kind, drafts: Sequence[Draft], records: Sequence[Record], name: str) -> None:
    """Nothing can be learned where every label is the same; a right choice's index or an answer is no such label."""
    if kind in ("choice", "span", "seq2seq"):
        return
    labels = (record.label for record in records)
    if kind == "tagging":
        labels = (tag for tags in labels if isinstance(tags, tuple) for tag in tags)
    if len(set(labels)) < 2:
        raise BadInput(
            "all labels are the same, so there is nothing to learn", where=f"{name}, key {drafts[0].columns[-1]!r}",
            value=drafts[0].label, allowed="at least two different labels", next_step="add examples of the other labels",
        )  # fmt: skip


def _label_columns(kind: Kind, labels: Sequence[str]) -> tuple[str, ...]:
    """Columns that may hold the label; a similarity task with classes has ``label``, one without ``score``."""
    if kind == "similarity":
        return ("label",) if labels else ("score",)
    return LABEL_COLUMNS[kind]


def _numbered(fields: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, row in enumerate(fields, start=1):
        yield Row(dict(row), f"row {number}")


def _known(kind: str) -> Kind:
    for known in KINDS:
        if kind == known:
            return known
    raise unknown_name_error("task", kind, KINDS)
