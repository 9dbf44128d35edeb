"""The rows of a kind of task: of a file, of standard input, or of a program's bare values."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from warmstart.base.errors import BadInput
from warmstart.base.formatting import with_article
from warmstart.base.settings import Settings
from warmstart.readers.parallel import LABEL_ENDINGS, read_with_labels, split_label_file
from warmstart.readers.problems import SkippedRows
from warmstart.readers.rows import NUMBERS, TABLE_EXTENSIONS, TABLE_FORMATS, UNREADABLE, Row, read_rows
from warmstart.readers.standard_input import read_standard_input, read_text_rows
from warmstart.readers.text_io import STDIN, read_lines, split_extensions
from warmstart.tasks.columns import JOIN, first_present, similar_column

TEXT_FORMAT = "text"
"""A text a line: what standard input may be, and files without labels."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file of examples is read.

    Attributes:
        encoding: of text files.
        part: of sources that come in several: ``train``, ``dev`` or ``test``; ``None``: all of them.
        labelled: whether every example has to have a label.
        keeps_texts: whether an unlabelled Record carries its texts along, in the columns that they came in.
        options: of the kind; ``None``: its defaults.
        format: of the file, a table's or one of the kind's own; ``None``: as its ending says.
        columns: the file's names for the keys that are read, ``key=column`` each.
        skipped: takes the rows that cannot be used; ``None``: they are refused.
    """

    encoding: str = "utf-8"
    part: str | None = None
    labelled: bool = True
    keeps_texts: bool = False
    options: Settings | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()
    skipped: SkippedRows | None = None

    @property
    def numbered_columns(self) -> list[str] | None:
        """The numbers of columns, where :attr:`columns` names all by numbers: the file's columns have no names then."""
        named = [part for pair in self.columns for part in pair.partition("=")[2].split(JOIN)]
        return named if named and all(map(str.isdecimal, named)) else None


class RowSource:
    """What a kind of task knows about its rows.

    Attributes:
        name: what ``--task`` takes.
        text_columns: sets of columns that may hold the texts; the first set that a row has is read.
        own_endings: endings of files that it reads besides tables.
        own_formats: names of the formats of these files.
    """

    name: ClassVar[str]
    text_columns: ClassVar[tuple[tuple[str, ...], ...]]
    label_columns: ClassVar[tuple[str, ...]]
    own_endings: ClassVar[tuple[str, ...]] = ()
    own_formats: ClassVar[tuple[str, ...]] = ()

    def read_rows(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file, as its format or its ending says, or of standard input, as its first line says.

        Raises:
            BadInput: a format or an ending that this kind does not read, or a broken file.
        """
        if (pair := split_label_file(path)) is not None:
            # A row that is left out would shift the labels of all that follow, so a broken one is refused.
            rows = self.read_rows(pair[0], replace(read, skipped=None))
            return read_with_labels(rows, pair[1], self.label_columns[0], read.encoding)
        if read.format is not None:
            return self.read_format(path, read)
        if path == STDIN:
            return self.read_standard_input(read)
        return self.read_by_ending(path, read)

    def read_by_ending(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file, as its ending says.

        Raises:
            BadInput: an ending that this kind does not read, or a broken file.
        """
        ending = split_extensions(path)[0]
        if ending in self.own_endings:
            return self.read_own_file(path, read)
        if ending not in TABLE_EXTENSIONS:
            if Path(path).is_dir():
                raise BadInput("a folder, where a file is needed", where=path, next_step="name a file in it")
            formats = (*self.own_formats, *TABLE_FORMATS, *([] if read.labelled else [TEXT_FORMAT]))
            raise BadInput(
                f"not a file for {with_article(self.name)} task by its ending", where=path,
                allowed=", ".join(f"{known}[.gz|.zst]" for known in sorted({*self.own_endings, *TABLE_EXTENSIONS})),
                next_step=f"export it as {UNREADABLE[ending]}" if ending in UNREADABLE
                else f"name its format, as in --format {formats[0]} (or {', '.join(formats[1:])})",
            )  # fmt: skip
        return self.read_table(path, read, ending)

    def read_format(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file whose format is named.

        Raises:
            BadInput: a format that this kind does not read, or a broken file.
        """
        if read.format in self.own_formats:
            return self.read_own_file(path, read)
        if read.format == TEXT_FORMAT and not read.labelled:
            return read_text_rows(path, read_lines(path, read.encoding), self.row_of)
        if read.format not in TABLE_FORMATS:
            raise BadInput(
                f"{with_article(self.name)} task does not read this format", where="--format", value=read.format,
                allowed=", ".join((*TABLE_FORMATS, *self.own_formats)),
                next_step="lines of text have no labels" if read.format == TEXT_FORMAT else "",
            )  # fmt: skip
        return self.read_table(path, read, TABLE_FORMATS[str(read.format)])

    def read_table(self, path: str, read: ReadOptions, extension: str) -> Iterator[Row]:
        """The rows of a table; one whose columns are named by numbers has no line with their names."""
        numbers = read.numbered_columns if extension in (".csv", ".tsv") else None
        columns = None if numbers is None else (NUMBERS, *numbers)
        return read_rows(path, read.encoding, columns, extension=extension, skipped=read.skipped)

    def read_standard_input(self, read: ReadOptions) -> Iterator[Row]:
        """The rows of standard input: JSON lines, a table whose header has the columns of texts, or a text a line."""
        pairs = [pair.partition("=") for pair in read.columns]

        def is_header(cells: list[str]) -> bool:
            named = [key for key, _, columns in pairs if {*columns.split(JOIN)} <= {*cells}]
            return not self.missing_columns(Row(dict.fromkeys([*cells, *named], ""), STDIN))

        return read_standard_input(read.encoding, is_header, self.row_of, read.skipped)

    def split_sources(self, path: str, read: ReadOptions) -> list[str]:
        """The sources that ``path`` names with commas between them; itself, where there is one of this very name."""
        sources: list[str] = []
        for source in [path] if os.path.exists(path) else path.split(","):
            if sources and source.endswith(LABEL_ENDINGS):  # of the rows in the file before it
                source = f"{sources.pop()},{source}"
            sources.append(source)
        return sources

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file with one of :attr:`own_endings` or :attr:`own_formats`."""
        raise NotImplementedError

    def join_columns(self, key: str, values: Mapping[str, Any], place: str) -> Any:
        """What several columns of a row are together, where they are named as one key: a text, with blanks between them.

        Raises:
            BadInput: they are no texts.
        """
        if not all(isinstance(value, str) for value in values.values()):
            raise BadInput("not texts that can be joined", where=place, value=list(values.values()), allowed="strings")
        return " ".join(values.values())

    def guess_column(self, key: str, row: Row) -> str | None:
        """What ``--columns`` probably has to say of a key that a row lacks: a column whose name looks like it."""
        return similar_column(key, row)

    def missing_columns(self, row: Row) -> list[Sequence[tuple[str, ...]]]:
        """Groups of sets of columns, of each of which a row needs one and has none."""
        return [] if first_present(row, self.text_columns) else [self.text_columns]

    @property
    def all_columns(self) -> Sequence[tuple[str, ...]]:
        """The sets of columns that an error names."""
        return self.text_columns

    def row_of(self, value: Any) -> Mapping[str, Any]:
        """The row that a bare value (a text, a pair of texts, a list of words) stands for."""
        names = self.text_columns[0]
        if isinstance(value, str):
            return {"text": value}
        if isinstance(value, list | tuple) and 1 < len(names) == len(value):
            return dict(zip(names, value, strict=True))
        raise BadInput(
            f"not a row of {with_article(self.name)} task", where="rows", value=value,
            allowed=f"a mapping with the keys {' or '.join('+'.join(columns) for columns in self.all_columns)}",
        )  # fmt: skip
