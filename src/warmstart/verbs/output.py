"""Lines of text to a file that does not exist yet, or to standard output."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from warmstart.base.console import print_lines
from warmstart.base.errors import BadInput
from warmstart.base.files import sync_folder, write_atomic

STANDARD = "-"
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def check_not_there(*paths: str | None) -> None:
    """Refuses files that exist, and one file for two things."""
    named = [path for path in paths if path is not None]
    if len({path if path == STANDARD else os.path.realpath(path) for path in named}) < len(named):
        raise BadInput(
            "two outputs in one place", where="--output, --lattices", value=named[-1], next_step="name two files"
        )
    for path in filter(None, paths):
        if path != STANDARD and Path(path).exists():
            raise BadInput("the output file exists", where=path, next_step="name another file, or remove it first")


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line of JSON for each row; every character stands as itself.

    Raises:
        ValueError: a number that JSON does not have.
    """
    return (_ENCODER.encode(row) + "\n" for row in rows)


def write_lines(output: str, lines: Iterable[str], at_once: bool = False) -> None:
    """Lines to a file as a whole, or to standard output as they come; ``at_once``: none waits for the next."""
    if output == STANDARD:
        print_lines(lines, at_once)
    else:
        write_atomic(Path(output), lambda file: file.writelines(line.encode("utf-8") for line in lines))
        sync_folder(Path(output).parent)


def signature_lines(signatures: Mapping[str, str]) -> list[str]:
    """How the library of each metric computed it."""
    return [f"{name}: {signature}" for name, signature in signatures.items() if signature]
