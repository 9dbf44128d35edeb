"""Checkpoints to resume from: whole or not there, checked byte for byte before they are used.

``resume/step-000120/`` holds ``state.safetensors`` (master weights and moments), ``state.json`` (the cursor and what the
loop remembers) and ``manifest.json`` (size and SHA-256 of both), written in a folder beside and moved into place. Older
ones go only after the newer one stands, so a crash at any moment leaves a complete checkpoint. Whatever else is in
``resume/`` is left alone.

``best/model.safetensors`` holds the weights that did best on dev, with their step and a SHA-256 of their values in its head.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from warmstart.base import old_names
from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, read_json, sha256, sync, temporary_folder, write_json
from warmstart.base.old_names import rename_keys
from warmstart.models.files import digest_tensors, read_note, read_tensors, write_tensors

TENSORS, STATE, MANIFEST = "state.safetensors", "state.json", "manifest.json"
_OURS, _PARTIAL = re.compile(r"step-\d{9}"), re.compile(r"\.step-\d{9}\..*")
_NOTE = re.compile(r"step (\d+) sha256 (\w+)")
_RESTORE = "restore the file from a copy, or start the run again in another --out"


def save(folder: Path, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Writes the checkpoint of ``step`` into ``folder`` and then drops the older ones."""
    target = folder / f"step-{step:09d}"
    with temporary_folder(target) as stage:
        with disk_errors(target):
            write_tensors(stage / TENSORS, tensors)
            sync(stage / TENSORS)
        write_json(stage / STATE, state | {"step": step})
        files = {
            name: {"bytes": (stage / name).stat().st_size, "sha256": sha256(stage / name)} for name in (TENSORS, STATE)
        }
        write_json(stage / MANIFEST, files)
    for other in folder.iterdir():
        if other != target and other.is_dir() and (_OURS.fullmatch(other.name) or _PARTIAL.fullmatch(other.name)):
            shutil.rmtree(other)


def save_best(path: Path, step: int, tensors: dict[str, torch.Tensor]) -> None:
    """Writes the weights that did best on dev, after ``step``, atomically."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.tmp")
        try:
            write_tensors(part, tensors, f"step {step} sha256 {digest_tensors(tensors)}")
            sync(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def load_best(path: Path, best_step: int, step: int) -> dict[str, torch.Tensor]:
    """The weights that did best on dev.

    Args:
        path: the file.
        best_step: the step that they are of, as a run remembers it after ``step`` steps; where the process died before it
            could remember a better one, the file is of a later step, which the run comes to again.
        step: see above.

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
    if found != best_step and found <= step:
        raise BadInput(
            "these weights are not the best on dev", where=str(path), value=f"those of step {found}",
            allowed=f"those of step {best_step}", next_step=_RESTORE,
        )  # fmt: skip
    return tensors


def load_newest(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest checkpoint that is whole; ``None`` where there is none at all.

    Raises:
        BadInput: checkpoints exist, but every one is damaged.
    """
    found = folder.iterdir() if folder.is_dir() else ()
    candidates = sorted((path for path in found if path.is_dir() and _OURS.fullmatch(path.name)), reverse=True)
    for candidate in candidates:
        damaged = _damaged_file(candidate)
        if damaged is None:
            return rename_keys(load_file(candidate / TENSORS), old_names.CHECKPOINT_KEYS), read_json(candidate / STATE)
        say(f"checkpoint {candidate} is damaged ({damaged}); looking for an older one")
    if candidates:
        raise BadInput(
            "no checkpoint here is whole", where=str(folder), next_step="start the run again in another --out"
        )
    return None


def _damaged_file(checkpoint: Path) -> str | None:
    """The first file that is not what the manifest says, or ``None``."""
    try:
        entries = read_json(checkpoint / MANIFEST)
        expected = {name: (entries[name]["bytes"], entries[name]["sha256"]) for name in (TENSORS, STATE)}
    except (BadInput, KeyError, TypeError):
        return MANIFEST
    for name, (size, digest) in expected.items():
        path = checkpoint / name
        if not path.is_file() or path.stat().st_size != size or sha256(path) != digest:
            return name
    return None
