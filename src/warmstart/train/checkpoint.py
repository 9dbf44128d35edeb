"""Checkpoints to resume from: whole or not there, checked byte for byte before they are used.

``resume/step-000120/`` holds ``state.safetensors`` (master weights and moments), ``state.json`` (the cursor and what the
loop remembers) and ``manifest.json`` (size and SHA-256 of both), written in a folder beside and moved into place. Older
ones go only after the newer one stands, so a crash at any moment leaves a complete checkpoint.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from warmstart.base import old_names
from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, read_json, sha256, temporary_folder, write_json
from warmstart.base.old_names import rename_keys
from warmstart.models.files import write_tensors

TENSORS, STATE, MANIFEST = "state.safetensors", "state.json", "manifest.json"


def save(folder: Path, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Writes the checkpoint of ``step`` into ``folder`` and then drops the older ones."""
    target = folder / f"step-{step:09d}"
    with temporary_folder(target) as stage:
        with disk_errors(target):
            write_tensors(stage / TENSORS, tensors)
        write_json(stage / STATE, state | {"step": step})
        files = {
            name: {"bytes": (stage / name).stat().st_size, "sha256": sha256(stage / name)} for name in (TENSORS, STATE)
        }
        write_json(stage / MANIFEST, files)
    for other in folder.iterdir():
        if other != target:
            shutil.rmtree(other)


def save_best(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes the weights that did best on dev, atomically."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.tmp")
        try:
            write_tensors(part, tensors)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def load_newest(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest checkpoint that is whole; ``None`` where there is none at all.

    Raises:
        BadInput: checkpoints exist, but every one is damaged.
    """
    candidates = sorted(folder.glob("step-*"), reverse=True) if folder.is_dir() else []
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
    if not (checkpoint / MANIFEST).is_file():
        return MANIFEST
    for name, entry in read_json(checkpoint / MANIFEST).items():
        path = checkpoint / name
        if not path.is_file() or path.stat().st_size != entry["bytes"] or sha256(path) != entry["sha256"]:
            return str(name)
    return None
