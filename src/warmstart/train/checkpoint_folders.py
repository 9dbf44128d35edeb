"""Checkpoints of a folder by their names: ``step-000000120`` has all weights, ``sharded-000000120`` parts of them.

A run may change its form whenever it goes on, so which checkpoint is the newest, and which go, is one question for both.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from warmstart.base.console import say
from warmstart.base.errors import BadInput

T = TypeVar("T")
FLAT, SHARDED = "step", "sharded"
_WHOLE = re.compile(rf"({FLAT}|{SHARDED})-(\d{{9}})")
_REPLACED = re.compile(rf"\.({FLAT}|{SHARDED})-(\d{{9}})\.old")  # by another of the same step, when the process died
_PARTIAL = re.compile(rf"\.({FLAT}|{SHARDED})-\d{{9}}\..*")


class DamagedFile(Exception):
    """A checkpoint cannot be read: the file that it names is not what was written."""


def checkpoint_folder(folder: Path, form: str, step: int) -> Path:
    """Where the checkpoint of ``step`` stands."""
    return folder / f"{form}-{step:09d}"


def form_of(checkpoint: Path) -> str:
    """Whether it has all weights or parts of them."""
    return SHARDED if SHARDED in checkpoint.name else FLAT


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints of a folder; one that was about to be replaced comes after that of its own step."""
    matches = {path: _WHOLE.fullmatch(path.name) or _REPLACED.fullmatch(path.name) for path in _folders(folder)}
    steps = {path: int(match[2]) for path, match in matches.items() if match}
    return sorted(steps, key=lambda path: (steps[path], not path.name.startswith("."), path.name), reverse=True)


def drop_others(written: Path, keep: int) -> None:
    """Removes what is beside a checkpoint that has just been written: all but the newest ``keep`` with it.

    Later ones go first: they are of a way that the run has left by going on from an older one.
    """
    every = [path for path in newest_first(written.parent) if _WHOLE.fullmatch(path.name)]
    step = _step(written)
    others = [path for path in every if _step(path) <= step and path != written][: keep - 1]
    partial = [path for path in _folders(written.parent) if _PARTIAL.fullmatch(path.name)]
    for path in [path for path in every if path not in (written, *others)] + partial:
        shutil.rmtree(path)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def first_whole(candidates: Sequence[Path], load: Callable[[Path], T], *, strict: bool) -> T | None:
    """What ``load`` makes of the first of some checkpoints of a folder that is whole; ``None`` where there are none.

    Args:
        candidates: the newest first.
        load: raises :class:`DamagedFile` for one that is not whole.
        strict: whether a damaged first one is refused, rather than said and passed over for the one before.

    Raises:
        BadInput: every one is damaged, or with ``strict`` the first.
    """
    for candidate in candidates:
        try:
            return load(candidate)
        except DamagedFile as damaged:
            if strict:
                raise BadInput(
                    f"this checkpoint is damaged: {damaged} is not what was written", where=str(candidate),
                    next_step="restore it from a copy, or leave --strict out to go on from the one before",
                ) from None  # fmt: skip
            say(f"checkpoint {candidate} is damaged ({damaged}); looking for an older one")
    if candidates:
        raise BadInput(
            "no checkpoint here is whole", where=str(candidates[0].parent),
            next_step="start the run again in another --out",
        )  # fmt: skip
    return None
