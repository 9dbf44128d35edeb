"""The files of a known data set: found by their names in a folder, read by what their first line shows.

A *part* (train, dev, …) is a function from a :class:`Folder` to rows, or to ``None`` where the folder does not have it.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.rows import EXTRA_COLUMNS, Row, read_rows
from warmstart.readers.text_io import decode_blocks, read_lines, read_text_blocks

PACKED = ("", ".gz", ".zst")
TEXTS = frozenset({"text", "premise", "hypothesis", "sentence1", "sentence2"})
SAMPLES = (
    "train_18k.tsv", "train_5k.csv", "test_5k.csv", "imdb_train.tar", "imdb_test.tar", "20news_train.tar", "20news_test.tar",
    "train_20k.tar", "test_4k.tar",
)  # fmt: skip
"""Names of cut-down copies of the official files."""
NO_GOLD = "-"  # the label of SNLI's pairs on which the annotators could not agree


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is being read.

    Attributes:
        path: where it is.
        notes: what was done to its files, in words → how often; 0 where that is not counted.
    """

    path: Path
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, words: str) -> None:
        """Remembers what was done to the files."""
        self.notes.setdefault(words, 0)

    def count(self, words: str) -> None:
        """Remembers one more of what was done to a row."""
        self.notes[words] = self.notes.get(words, 0) + 1

    def subfolder(self, *names: str) -> "Folder":
        """The first of these folders in it that is there, else itself: the data set's own top folder may be named or not."""
        return next((Folder(self.path / n, self.notes) for n in names if (self.path / n).is_dir()), self)

    def has(self, *names: str) -> bool:
        """Whether one of these files is there."""
        return self.find(*names) is not None

    def find(self, *names: str) -> Path | None:
        """The first of these files that is there, plain or packed."""
        for name in names:
            for ending in PACKED:
                path = self.path / f"{name}{ending}"
                if path.is_file():
                    if name in SAMPLES:
                        self.note(f"{path.name} is a sample of the official file")
                    return path
        return None

    def file(self, *names: str) -> Path:
        """The first of these files that is there, plain or packed.

        Raises:
            BadInput: none is.
        """
        found = self.find(*names)
        if found is None:
            raise self.missing(*names)
        return found

    def missing(self, *names: str, folders: tuple[str, ...] = ()) -> BadInput:
        """The error that says which files, or folders in their place, are missing here."""
        allowed = f"{' or '.join(names)} (also .gz or .zst)" + "".join(f", or the folder {name}" for name in folders)
        return BadInput(
            "a file of this data set is missing", where=str(self.path / names[0]), allowed=allowed,
            next_step="give the folder that holds it with --data",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OneFile(Folder):
    """A folder of which only one file is looked at, which is ``path``."""

    def subfolder(self, *names: str) -> Folder:
        """The file stands where it stands."""
        return self

    def find(self, *names: str) -> Path | None:
        """The file, if it has one of these names."""
        return self.path if self.path.name in {f"{name}{ending}" for name in names for ending in PACKED} else None


SplitReader = Callable[[Folder], Iterator[Row] | None]


@dataclass(frozen=True, slots=True)
class Table:
    """The tables of one data set: JSON lines or tab-separated without quotes, with a header line or without.

    Attributes:
        header: our key → the file's own name for it.
        columns: the keys of a file without a header line, in order: empty for a column that is not read, and
            :data:`~warmstart.readers.rows.EXTRA_COLUMNS` at the end where there may be more.
        labels: label as written → its name, where the two differ.
        text: what is done to each text.
        skips_broken: lines with a wrong number of columns are left out and counted, not refused.
    """

    header: Mapping[str, str]
    columns: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    text: Callable[[str], str] = str
    skips_broken: bool = False

    def split(self, *names: str) -> SplitReader:
        """The part that stands in the first of these files that is there."""
        return lambda folder: self.rows(folder.file(*names), folder)

    def split_if_labelled(self, *names: str) -> SplitReader:
        """The part that stands in one of these files, or none where there is none or where it has no labels."""

        def part(folder: Folder) -> Iterator[Row] | None:
            path = folder.find(*names)
            return self.rows(path, folder) if path is not None and self.has_labels(path) else None

        return part

    def has_labels(self, path: Path) -> bool:
        """Whether the file has labels: its header line names them, or it has none and so the columns of training files."""
        cells = first_line(path).split("\t")
        texts = {name for key, name in self.header.items() if key in TEXTS}
        return not texts & set(cells) or all(name in cells for name in self.header.values())

    def has_column_names(self, path: Path) -> bool:
        """Whether the file names its columns: JSON, or a header line."""
        first = first_line(path)
        names = set(self.header.values())
        return bool(names) and (first.startswith("{") or names <= set(first.split("\t")))

    def rows(self, path: Path, folder: Folder) -> Iterator[Row]:
        """The rows with our keys and label names; pairs without a gold label are left out and counted.

        Raises:
            BadInput: another header than this data set has, or a broken line.
        """
        source = self._json(path) if first_line(path).startswith("{") else self._cells(path, folder)
        for row in source:
            label = row.fields.get("label")
            if label == NO_GOLD:
                folder.count("pairs without a gold label left out")
                continue
            fields = {key: self.text(value) if key in TEXTS else value for key, value in row.fields.items()}
            if label is not None:  # an unknown one stays as it is, to be refused by its name
                fields["label"] = self.labels.get(label, label)
            yield Row(fields, row.where)

    def _json(self, path: Path) -> Iterator[Row]:
        for row in read_rows(str(path), extension=".jsonl"):
            for name in self.header.values():
                if name not in row.fields:
                    raise self._unlike(row.where, list(row.fields))
            yield Row({key: row.fields[name] for key, name in self.header.items()}, row.where)

    def _cells(self, path: Path, folder: Folder) -> Iterator[Row]:
        head = first_line(path).split("\t")
        named = self.has_column_names(path)
        if not named and not self.columns:
            raise self._unlike(f"{path}:1", head)
        columns = tuple(key for key in self.columns if key != EXTRA_COLUMNS)
        places = {key: head.index(name) for key, name in self.header.items()} if named else _places(columns)
        least = max(places.values()) + 1 if named else len(columns)
        most = len(head) if named or EXTRA_COLUMNS in self.columns else len(columns)
        for number, line in enumerate(read_lines(str(path)), start=1):
            cells = line.rstrip("\n").split("\t")
            if (named and number == 1) or cells == [""]:
                continue
            if least <= len(cells) and (len(cells) <= most or EXTRA_COLUMNS in self.columns):
                yield Row({key: cells[place] for key, place in places.items()}, f"{path}:{number}")
            elif self.skips_broken:
                folder.count("broken lines left out")
            else:
                raise BadInput(
                    "wrong number of columns", where=f"{path}:{number}", value=len(cells), allowed=f"{least} to {most}",
                    next_step="fetch the file again, or mend this line",
                )  # fmt: skip

    def _unlike(self, where: str, found: list[str]) -> BadInput:
        return BadInput(
            "not the columns of this data set", where=where, value=found, allowed=", ".join(self.header.values()),
            next_step="check that this is the file you meant",
        )  # fmt: skip


def _places(columns: tuple[str, ...]) -> dict[str, int]:
    return {key: place for place, key in enumerate(columns) if key}


def first_line(path: Path) -> str:
    """The first line of a text file, without its end."""
    with contextlib.closing(read_lines(str(path))) as found:  # type: ignore[type-var]
        return next(found, "").rstrip("\n")


def concatenate(first: SplitReader, second: SplitReader) -> SplitReader:
    """The rows of two parts, one after the other."""

    def part(folder: Folder) -> Iterator[Row]:
        yield from first(folder) or ()
        yield from second(folder) or ()

    return part


def in_subfolder(part: SplitReader, *names: str) -> SplitReader:
    """The part as it stands in the first of these folders that is there; its missing files are said for the first."""

    def moved(folder: Folder) -> Iterator[Row] | None:
        inner = folder.subfolder(*names)
        return part(inner if inner is not folder else Folder(folder.path / names[0], folder.notes))

    return moved


@dataclass(frozen=True, slots=True)
class Document:
    """A text file: the groups of the pattern that its name matches, its text, and where it is."""

    named: tuple[str, ...]
    text: str
    where: str


def read_documents(
    folder: Folder, folders: tuple[str, ...], archives: tuple[str, ...], pattern: str, encoding: str
) -> list[Document]:
    """The text files in one of ``folders``, or in one of the tar ``archives``, whose names end as ``pattern`` says.

    They are in the order of the pattern's groups, so that the form in which they came does not matter.

    Raises:
        BadInput: neither is there, or no file has such a name.
    """
    ends = re.compile(rf"(?:^|/){pattern}$")
    root = next((folder.path / name for name in folders if (folder.path / name).is_dir()), None)
    archive = folder.find(*archives) if root is None else None
    found = []
    if root is not None:
        for path in root.rglob("*"):
            match = ends.search(path.as_posix())
            if match and path.is_file():
                found.append(Document(match.groups(), "".join(read_text_blocks(str(path), encoding)), str(path)))
    elif archive is not None:
        for name, blocks in read_members(str(archive), extension=""):
            match = ends.search(name)
            if match:
                where = f"{archive}:{name}"
                found.append(Document(match.groups(), "".join(decode_blocks(blocks, encoding, where)), where))
    if not found:
        raise folder.missing(*archives, folders=folders)
    return sorted(found, key=lambda document: [int(p) if p.isdecimal() else p for p in document.named])
