"""The rows of a kind of task: of a file, of standard input, or of a program's bare values."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.readers.rows import TABLE_EXTENSIONS, TABLE_FORMATS, Row, read_rows
from warmstart.readers.standard_input import read_standard_input
from warmstart.readers.text_io import STDIN, split_extensions
from warmstart.tasks.columns import first_present


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
    """

    encoding: str = "utf-8"
    part: str | None = None
    labelled: bool = True
    keeps_texts: bool = False
    options: Settings | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()


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
    own_endings: ClassVar[tuple[str, ...]] = ()
    own_formats: ClassVar[tuple[str, ...]] = ()

    def read_rows(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file, as its format or its ending says, or of standard input, as its first line says.

        Raises:
            BadInput: a format or an ending that this kind does not read, or a broken file.
        """
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
        if not self.own_endings:
            return read_rows(path, encoding=read.encoding)
        ending = split_extensions(path)[0]
        if ending in self.own_endings:
            return self.read_own_file(path, read)
        if ending not in TABLE_EXTENSIONS:
            raise BadInput(
                f"not a file for a {self.name} task by its ending", where=path,
                allowed=", ".join(f"{known}[.gz|.zst]" for known in sorted({*self.own_endings, *TABLE_EXTENSIONS})),
                next_step=f"name its format, as in --format {self.own_formats[0]}",
            )  # fmt: skip
        return read_rows(path, encoding=read.encoding)

    def read_format(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file whose format is named.

        Raises:
            BadInput: a format that this kind does not read, or a broken file.
        """
        if read.format in self.own_formats:
            return self.read_own_file(path, read)
        if read.format not in TABLE_FORMATS:
            raise BadInput(
                f"a {self.name} task does not read this format", where="--format", value=read.format,
                allowed=", ".join((*TABLE_FORMATS, *self.own_formats)),
            )  # fmt: skip
        return read_rows(path, encoding=read.encoding, extension=TABLE_FORMATS[read.format])

    def read_standard_input(self, read: ReadOptions) -> Iterator[Row]:
        """The rows of standard input: JSON lines, a table whose header has the columns of texts, or a text a line."""
        keys = {column: key for key, _, column in (pair.partition("=") for pair in read.columns)}

        def is_header(cells: list[str]) -> bool:
            return not self.missing_columns(Row({keys.get(cell, cell): "" for cell in cells}, STDIN))

        return read_standard_input(read.encoding, is_header, self.row_of)

    def split_sources(self, path: str, read: ReadOptions) -> list[str]:
        """The sources that ``path`` names with commas between them; itself, where there is one of this very name."""
        return [path] if os.path.exists(path) else path.split(",")

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The rows of a file with one of :attr:`own_endings` or :attr:`own_formats`."""
        raise NotImplementedError

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
            f"not a row of a {self.name} task", where="rows", value=value,
            allowed=f"a mapping with the keys {' or '.join('+'.join(columns) for columns in self.all_columns)}",
        )  # fmt: skip
