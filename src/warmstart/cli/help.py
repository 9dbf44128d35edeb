"""The help of a verb at once: kept as text, since the settings that it is made from take a while to import.

A kept help begins with a stamp of the package's files; after any change to them it is made again.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from warmstart.base.cache import cache_folder

PACKAGE = Path(__file__).parents[1]


def cached_help(name: str, make: Callable[[], str]) -> str:
    """The help of the verb ``name``: the kept one if it is of these files, else what ``make`` gives, which is then kept."""
    folder = cache_folder()
    if folder is None:
        return make()
    file, stamp = folder / f"help-{name.replace(' ', '-')}.txt", _stamp()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        kept, _, text = file.read_text(encoding="utf-8").partition("\n")
        if kept == stamp and text:
            return text
    text = make()
    _keep(file, f"{stamp}\n{text}")
    return text


def _stamp() -> str:
    """Where the package is, how many files it has, their bytes, and when the newest was written."""
    files = [file.stat() for file in _python_files(PACKAGE)]
    newest = max(file.st_mtime_ns for file in files)
    return f"{PACKAGE} {len(files)} {sum(file.st_size for file in files)} {newest} {sys.version_info[:3]}"


def _python_files(folder: str | Path) -> list[os.DirEntry[str]]:
    found: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found += _python_files(entry.path)
            elif entry.name.endswith(".py"):
                found.append(entry)
    return found


def _keep(file: Path, text: str) -> None:
    """Writes the file whole or not at all; a folder that takes none is no reason to fail."""
    from warmstart.base.errors import BadInput
    from warmstart.base.files import write_text

    with contextlib.suppress(OSError, BadInput):
        write_text(file, text)
