"""What the user names (files, folders, globs, ``-``) to the list of files that are read, in an order that never changes."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from warmstart.base.errors import BadInput, suggest
from warmstart.readers.text_io import STDIN, split_extensions


def expand_paths(paths: Sequence[str], endings: Sequence[str]) -> list[str]:
    """Files in sorted order, each once; folders are searched to the bottom, hidden files and other endings passed over.

    Args:
        paths: files, folders, globs (``**`` too) or ``-``.
        endings: kinds that can be read, e.g. ``.txt``; each may be packed (``.txt.gz``).

    Raises:
        BadInput: nothing found, an empty file, or a file of another kind.
    """
    found: dict[str, str] = {}
    for path in map(str, paths):
        for file in _expand(path, endings):
            found.setdefault(STDIN if file == STDIN else os.path.realpath(file), file)
    if not found:
        raise BadInput("no input named", allowed="files, folders, globs or - for standard input")
    return sorted(found.values(), key=lambda file: Path(file).parts)


def _expand(path: str, endings: Sequence[str]) -> list[str]:
    if path == STDIN:
        return [path]
    if os.path.isdir(path):
        return _some(_walk(path), path, endings)
    if os.path.exists(path):
        _check_file(path, endings)
        return [path]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        return _some((f for m in matches for f in (_walk(m) if os.path.isdir(m) else [m])), path, endings)
    folder = os.path.dirname(path) or "."
    beside = os.listdir(folder) if os.path.isdir(folder) else []
    raise BadInput("file not found", where=path, next_step=suggest(os.path.basename(path), beside) or "check the path")


def _walk(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(here, name) for name in files if not name.startswith("."))


def _some(files: Iterator[str] | Sequence[str], path: str, endings: Sequence[str]) -> list[str]:
    known = [file for file in files if split_extensions(file)[0] in endings and os.path.isfile(file)]
    if not known:
        raise BadInput("nothing to read here", where=path, allowed=_allowed(endings), next_step="check the path")
    return known


def _check_file(path: str, endings: Sequence[str]) -> None:
    if split_extensions(path)[0] not in endings:
        raise BadInput(
            "unknown file extension", where=path, value="".join(split_extensions(path)), allowed=_allowed(endings),
            next_step="rename it, or give it on standard input as -",
        )  # fmt: skip
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise BadInput("the file is empty", where=path, next_step="check the path")


def _allowed(endings: Sequence[str]) -> str:
    return ", ".join(endings) + " (each also .gz, .zst)"
