"""From the paths that the user names (files, folders, globs, ``-``) to a sorted list of files."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from warmstart.base.errors import BadInput, suggest
from warmstart.readers.remote import is_remote, list_remote
from warmstart.readers.text_io import STDIN, split_extensions


def expand_paths(paths: Sequence[str], extensions: Sequence[str]) -> list[str]:
    """Files in sorted order, each once. Folders are searched recursively, without hidden files and other extensions.

    Args:
        paths: files, folders, globs (``**`` too), addresses of these, or ``-``.
        extensions: those that the caller can read, such as ``.txt``; a file may also be compressed (``.txt.gz``).

    Raises:
        BadInput: no file, an empty file, or a file with another extension.
    """
    found: dict[str, str] = {}
    for path in map(str, paths):
        for file in _expand(path, extensions):
            found.setdefault(STDIN if file == STDIN else os.path.realpath(file), file)
    if not found:
        raise BadInput("no input is named", allowed="files, folders, globs or - for standard input")
    return sorted(found.values(), key=lambda file: Path(file).parts)


def _expand(path: str, extensions: Sequence[str]) -> list[str]:
    if path == STDIN:
        return [path]
    if is_remote(path):
        return _check_any(list_remote(path), path, extensions)
    if os.path.isdir(path):
        return _check_any(_walk(path), path, extensions)
    if os.path.exists(path):
        _check_file(path, extensions)
        return [path]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        return _check_any((f for m in matches for f in (_walk(m) if os.path.isdir(m) else [m])), path, extensions)
    folder = os.path.dirname(path) or "."
    names = os.listdir(folder) if os.path.isdir(folder) else []
    raise BadInput("file not found", where=path, next_step=suggest(os.path.basename(path), names) or "check the path")


def _walk(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(here, name) for name in files if not name.startswith("."))


def _check_any(files: Iterator[str] | Sequence[str], path: str, extensions: Sequence[str]) -> list[str]:
    readable = [file for file in files if split_extensions(file)[0] in extensions and _is_file(file)]
    if not readable:
        raise BadInput(
            "there is no file to read", where=path, allowed=_extension_list(extensions), next_step="check the path"
        )
    return readable


def _is_file(path: str) -> bool:
    return is_remote(path) or os.path.isfile(path)


def _check_file(path: str, extensions: Sequence[str]) -> None:
    if split_extensions(path)[0] not in extensions:
        raise BadInput(
            "unknown file extension", where=path, value="".join(split_extensions(path)), allowed=_extension_list(extensions),
            next_step="rename it, or pipe it to standard input and name -",
        )  # fmt: skip
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise BadInput("the file is empty", where=path, next_step="check the path")


def _extension_list(extensions: Sequence[str]) -> str:
    return ", ".join(extensions) + " (each also .gz, .zst)"
