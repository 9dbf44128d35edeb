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
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from warmstart.base import old_names
from warmstart.base.checksums import damaged_file, entry
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, make_folder, read_json, sync, sync_folder, temporary_folder, write_json
from warmstart.base.old_names import rename_keys
from warmstart.models.files import digest_tensors, read_note, read_tensors, write_tensors
from warmstart.train.checkpoint_folders import FLAT, DamagedFile, checkpoint_folder, drop_others

TENSORS, STATE, MANIFEST = "state.safetensors", "state.json", "manifest.json"
KEPT = 2  # checkpoints: where the newest is damaged, a run goes on from the one before
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

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Copies ``tensors``, and writes the checkpoint of ``step`` meanwhile.

        Raises:
            BadInput: as :meth:`wait`, of the checkpoint before.
        """
        self.wait()
        copies, best, self._new_best = _copy(tensors), self._new_best, None

        def write() -> None:
            if best is not None:
                best()
            save(self.folder, step, copies, state, self.keep)

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
    target = checkpoint_folder(folder, FLAT, step)
    with temporary_folder(target) as stage:
        with disk_errors(target):
            write_tensors(stage / TENSORS, tensors)
        write_json(stage / STATE, state | {"step": step})
        write_json(stage / MANIFEST, {name: entry(stage / name) for name in (TENSORS, STATE)})
    drop_others(target, keep)


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


def load(checkpoint: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors of a checkpoint and what the loop remembers, checked byte for byte.

    Raises:
        DamagedFile: it is not what was written.
    """
    if (damaged := _damaged(checkpoint)) is not None:
        raise DamagedFile(damaged)
    try:
        tensors = load_file(checkpoint / TENSORS)
    except SafetensorError:  # whoever wrote its manifest wrote it so
        raise DamagedFile(TENSORS) from None
    return rename_keys(tensors, old_names.CHECKPOINT_KEYS), read_json(checkpoint / STATE)


def _damaged(checkpoint: Path) -> str | None:
    """The first file that is not what the manifest says, or ``None``."""
    try:
        entries = read_json(checkpoint / MANIFEST)
        return damaged_file(checkpoint, {name: entries[name] for name in (TENSORS, STATE)})
    except (BadInput, KeyError, TypeError):
        return MANIFEST
