"""Checkpoints to resume from: whole or not there, checked byte for byte before they are used.

``resume/step-000120/`` holds ``state.safetensors`` (master weights and moments), ``state.json`` (the cursor and what the
loop remembers) and ``manifest.json`` (size and SHA-256 of both), brought to the disk in a folder beside and then moved into
place. The newest few are kept, and older ones go only after the newer one stands on the disk, so a crash or a loss of power
at any moment leaves a complete checkpoint. Whatever else is in ``resume/`` is left alone.

``best/model.safetensors`` holds the weights that did best on dev, with their step and a SHA-256 of their values in its head.

A :class:`CheckpointWriter` writes both while the training goes on: it copies what is saved, which takes as much memory again
until it is written.
"""

import contextlib
import functools
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from warmstart.base import old_names
from warmstart.base.checksums import damaged_file, entry
from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, make_folder, read_json, sync, sync_folder, temporary_folder, write_json
from warmstart.base.old_names import rename_keys
from warmstart.models.files import digest_tensors, read_note, read_tensors, write_tensors

T = TypeVar("T")
TENSORS, STATE, MANIFEST = "state.safetensors", "state.json", "manifest.json"
KEPT = 2  # checkpoints: where the newest is damaged, a run goes on from the one before
_STEP = re.compile(r"step-\d{9}")
_REPLACED = re.compile(r"\.(step-\d{9})\.old")  # by another of the same step, when the process died
_PARTIAL = re.compile(r"\.step-\d{9}\..*")
_NOTE = re.compile(r"step (\d+) sha256 (\w+)")
_RESTORE = "restore the file from a copy, or start the run again in another --out"


class CheckpointWriter(contextlib.AbstractContextManager["CheckpointWriter"]):
    """Writes the checkpoints of one run beside its training, one after the other."""

    def __init__(self, folder: Path, best: Path, log: Path, keep: int = KEPT) -> None:
        """``folder`` is of checkpoints, ``best`` the file of the best weights, ``log`` what a checkpoint counts on."""
        self.folder, self._best, self._log, self.keep = folder, best, log, keep
        self._new_best: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def set_best(self, step: int, tensors: dict[str, torch.Tensor]) -> None:
        """Copies the weights that do best on dev, after ``step``: they are written before the next checkpoint."""
        self._new_best = functools.partial(save_best, self._best, step, _copy(tensors))

    def write_best(self) -> None:
        """Writes the best weights now, before a checkpoint that another hand writes."""
        if self._new_best is not None:
            self._new_best()
            self._new_best = None

    def save(
        self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], then: Callable[[], None] | None = None
    ) -> None:
        """Copies ``tensors``, and writes the checkpoint of ``step`` meanwhile; ``then`` is called when it stands.

        Raises:
            BadInput: as :meth:`wait`, of the checkpoint before.
        """
        self.wait()
        copies, best, self._new_best = _copy(tensors), self._new_best, None

        def write() -> None:
            if best is not None:
                best()
            save(self.folder, step, copies, state, self.keep)
            if then is not None:
                then()

        self._thread = threading.Thread(target=self._attempt, args=(write,), name="checkpoint", daemon=True)
        self._thread.start()

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            if self._log.is_file():
                sync(self._log)
                sync_folder(self._log.parent)
            write()
        except BaseException as error:  # whatever it is, the training says it
            self._error = error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits; not where somebody does not want to, and what went wrong already is what is said."""
        if kind is None:
            self.wait()
        elif issubclass(kind, Exception):
            with contextlib.suppress(Exception):
                self.wait()

    def check(self) -> None:
        """Says at once what went wrong with a checkpoint that was written meanwhile; waits for none.

        Raises:
            BadInput: as :meth:`wait`.
        """
        if self._error is not None:
            self.wait()

    def wait(self) -> None:
        """Returns when all is on the disk.

        Raises:
            BadInput: the disk is full or cannot be written; the checkpoints before are whole.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _copy(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def save(folder: Path, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], keep: int = KEPT) -> None:
    """Writes the checkpoint of ``step`` into ``folder``, and then drops all but the newest ``keep``."""
    target = folder / f"step-{step:09d}"
    with temporary_folder(target) as stage:
        with disk_errors(target):
            write_tensors(stage / TENSORS, tensors)
        write_json(stage / STATE, state | {"step": step})
        write_json(stage / MANIFEST, {name: entry(stage / name) for name in (TENSORS, STATE)})
    ours = sorted((path for path in _folders(folder) if _STEP.fullmatch(path.name)), reverse=True)
    later = [path for path in ours if path > target]  # of a way that the run has left by going on from an older one
    for path in [*later, *[path for path in ours if path <= target][keep:], *_partial_folders(folder)]:
        shutil.rmtree(path)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _partial_folders(folder: Path) -> list[Path]:
    return [path for path in _folders(folder) if _PARTIAL.fullmatch(path.name)]


def save_best(path: Path, step: int, tensors: dict[str, torch.Tensor]) -> None:
    """Writes the weights that did best on dev, after ``step``, atomically."""
    with disk_errors(path):
        make_folder(path.parent)
        part = path.with_name(f".{path.name}.tmp")
        try:
            write_tensors(part, tensors, f"step {step} sha256 {digest_tensors(tensors)}")
            sync(part)
            part.replace(path)
            sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def load_best(path: Path, best_step: int, evaluated_step: int) -> dict[str, torch.Tensor]:
    """The weights that did best on dev.

    Args:
        path: the file.
        best_step: the step that they are of, as a run remembers it; where the process died before it could remember a
            better one, the file is of a step that the run evaluates again.
        evaluated_step: the last that it remembers to have evaluated.

    Raises:
        BadInput: the file is missing, damaged, or of another step.
    """
    if not path.is_file():
        raise BadInput("the weights that did best on dev are missing", where=str(path), next_step=_RESTORE)
    tensors, note = read_tensors(path), _NOTE.fullmatch(read_note(path))
    if note is None:  # an older run wrote none
        return tensors
    found = int(note[1])
    if note[2] != digest_tensors(tensors):
        raise BadInput("the weights that did best on dev are damaged", where=str(path), next_step=_RESTORE)
    if found != best_step and found <= evaluated_step:
        raise BadInput(
            "these weights are not the best on dev", where=str(path), value=f"those of step {found}",
            allowed=f"those of step {best_step}", next_step=_RESTORE,
        )  # fmt: skip
    return tensors


def load_newest(folder: Path, *, strict: bool = False) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest checkpoint that is whole; ``None`` where there is none at all.

    Args:
        folder: of the checkpoints.
        strict: whether a damaged one is refused, rather than said and passed over for the one before.

    Raises:
        BadInput: checkpoints exist, but every one is damaged, or with ``strict`` the newest.
    """
    return first_whole(_candidates(folder), _load, strict=strict)


def _load(checkpoint: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    if (damaged := _damaged(checkpoint)) is not None:
        raise DamagedFile(damaged)
    try:
        tensors = load_file(checkpoint / TENSORS)
    except SafetensorError:  # whoever wrote its manifest wrote it so
        raise DamagedFile(TENSORS) from None
    return rename_keys(tensors, old_names.CHECKPOINT_KEYS), read_json(checkpoint / STATE)


class DamagedFile(Exception):
    """A checkpoint cannot be read: the file that it names is not what was written."""


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


def _candidates(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first; one that was about to be replaced after that of its own step."""
    steps = {path: path.name for path in _folders(folder) if _STEP.fullmatch(path.name)}
    steps |= {path: match[1] for path in _folders(folder) if (match := _REPLACED.fullmatch(path.name))}
    return sorted(steps, key=lambda path: (steps[path], not path.name.startswith(".")), reverse=True)


def _damaged(checkpoint: Path) -> str | None:
    """The first file that is not what the manifest says, or ``None``."""
    try:
        entries = read_json(checkpoint / MANIFEST)
        return damaged_file(checkpoint, {name: entries[name] for name in (TENSORS, STATE)})
    except (BadInput, KeyError, TypeError):
        return MANIFEST
