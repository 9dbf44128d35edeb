"""Sizes and SHA-256 of the files of a folder, and what of them is no longer so.

``checksums.json`` is written last and read first: a flipped bit in weights, which their own format loads silently, is found
before anything is made of it. A card (``README.md``) may be edited; a folder of another library has no such file, and
nothing is checked. 2 GB are read a second.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, sha256, sync, sync_folder, write_json

FILE = "checksums.json"
EDITABLE = ("README.md",)
MODEL_FILES = (
    "config.json", "modules.json", "warmstart.json", "generation_config.json", "tokenizer*", "image*", "*.safetensors"
)  # fmt: skip
"""Patterns of files that a copy of a model needs; the others tell how it was made, and a copy may do without."""
PART_FILES = ("config.json", "model.safetensors")
UNFINISHED = ("resume", "best")
"""Folders of a run that has not ended."""
RECIPE = "config.yaml"  # a folder that has one is a run of its own

Entries = Mapping[str, Mapping[str, Any]]
"""Name of a file in its folder → {"bytes", "sha256"}."""


def entry(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def entry_of_bytes(data: bytes) -> dict[str, Any]:
    """Size and SHA-256 of what a file will hold."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def damaged_file(folder: Path, entries: Entries, needed: Sequence[str] = ("*",)) -> str | None:
    """The first file that is not as ``entries`` say, or ``None``.

    Args:
        folder: of the files.
        entries: what they were.
        needed: patterns of those that may not be missing.

    Raises:
        AttributeError, KeyError, TypeError: the entries themselves are damaged.
    """
    for name, expected in entries.items():
        path, size, digest = folder / name, expected["bytes"], expected["sha256"]
        if not path.is_file():
            if any(path.match(pattern) for pattern in needed):
                return name
        elif path.stat().st_size != size or sha256(path) != digest:
            return name
    return None


def write_checksums(folder: Path, later: Mapping[str, bytes] | None = None) -> None:
    """Brings the files of a folder to the disk and then writes ``checksums.json`` of them.

    Args:
        folder: of a model or a run.
        later: files that will be written after it, and what they will hold.
    """
    found = {}
    for path in sorted(_files(folder)):
        sync(path)
        found[path.relative_to(folder).as_posix()] = entry(path)
    write_json(folder / FILE, found | {name: entry_of_bytes(data) for name, data in (later or {}).items()})
    sync_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuses a folder with a file that is not what was written, or without one that its model needs.

    Raises:
        BadInput: a damaged file, by its name.
    """
    path = folder / FILE
    if not path.is_file():
        return
    files = [path, *_files(folder)]
    damaged = _check(folder, tuple((str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in files))
    if damaged is not None:
        raise BadInput(
            "this file is missing, or not what was written: its size or SHA-256 differs", where=str(folder / damaged),
            next_step=f"restore it from a copy; where you have changed it yourself, remove {FILE} beside it",
        )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _check(folder: Path, states: tuple[tuple[str, int, int], ...]) -> str | None:
    """The damaged file of a folder; what has not changed since is not read again."""
    entries = read_json(folder / FILE)
    try:
        return damaged_file(folder, entries, MODEL_FILES)
    except (AttributeError, KeyError, TypeError):
        return FILE


def _files(folder: Path) -> Iterator[Path]:
    """The files of a model and of its parts, which stand in folders of their own as sentence-transformers has them."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith(".") and path.name not in (FILE, *EDITABLE):
            yield path
        elif path.is_dir() and path.name not in UNFINISHED and not (path / RECIPE).is_file():
            yield from (path / name for name in PART_FILES if (path / name).is_file())
