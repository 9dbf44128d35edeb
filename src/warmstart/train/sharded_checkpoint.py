"""Checkpoints that many processes write at the same time, each its own part, and that any number of processes reads.

``resume/sharded-000000120/`` holds ``shard-00001-….safetensors`` of each process, written by torch.distributed.checkpoint
(its safetensors form: torch's usual one is a pickle, and no pickle is ever read here); ``state.json`` (the cursor, what the
loop remembers and what has no part, such as counts) and ``manifest.json`` with size and SHA-256 of all of them. All are
checked before any is read. In a checkpoint each parameter has its own tensors, so it fits flat weights and sharded ones.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from warmstart.base.errors import BadInput, WarmstartError
from warmstart.base.files import disk_errors, read_json, sha256, sync, temporary_folder, write_json
from warmstart.base.world import World
from warmstart.train.checkpoint_folders import SHARDED, DamagedFile, checkpoint_folder, drop_others
from warmstart.train.weights import Weights

STATE, MANIFEST = "state.json", "manifest.json"
_SHARD = re.compile(r"shard-\d{5}-[\w.-]+\.safetensors")
_ROWS, _SCALARS = "rows", "scalars"


def save(
    folder: Path, step: int, weights: Weights, tensors: dict[str, torch.Tensor], state: dict[str, Any], keep: int
) -> None:
    """Writes the checkpoint of ``step`` into ``folder``, all processes together, and then drops all but the newest ``keep``.

    Raises:
        WarmstartError: a process could not write its part; the earlier checkpoint stands.
    """
    world = weights.world
    target = checkpoint_folder(folder, SHARDED, step)
    rows, others = _split(weights, tensors)
    scalars = {key: value.double().item() for key, value in others.items()}
    with world.together():
        stage = _Stage(target) if world.leads else None
    place = Path(world.agree(stage and str(stage.path)))
    files = _write_shards(place, weights.named(rows), world)
    with world.together():
        if stage is not None:
            write_json(place / STATE, state | {"step": step, _ROWS: sorted(rows), _SCALARS: scalars})
            files[STATE] = _entry(place / STATE)
            write_json(place / MANIFEST, files)
            stage.close()
            drop_others(target, keep)


class _Stage:
    """A temporary folder that becomes ``target``."""

    def __init__(self, target: Path) -> None:
        self._context = temporary_folder(target)
        self.path = self._context.__enter__()

    def close(self) -> None:
        """Moves it into place."""
        self._context.__exit__(None, None, None)


def _write_shards(place: Path, named: dict[str, torch.Tensor], world: World) -> dict[str, Any]:
    """Writes the own part; returns the entries of all parts in the manifest."""
    try:
        with world.together(), disk_errors(place):
            dcp_save(named, storage_writer=HuggingFaceStorageWriter(str(place), save_distributed=True))
    except CheckpointException as error:  # no Exception, and it may hold anything
        causes = "; ".join(f"process {rank}: {cause[0]}" for rank, cause in error.failures.items())
        raise WarmstartError(f"{place}: the checkpoint is not written ({causes}); the earlier one stands.") from None
    own = sorted(place.glob(f"shard-{world.rank + 1:05d}-*"))
    for path in own:
        sync(path)
    found: dict[str, Any] = {}
    for entries in world.gather({path.name: _entry(path) for path in own}):
        found |= entries
    return found


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def _split(
    weights: Weights, tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The rows of a number for each weight, and the counts beside them."""
    rows = {key: value for key, value in tensors.items() if any(group.holds(key, value) for group in weights.groups)}
    return rows, {key: value for key, value in tensors.items() if key not in rows and value.dim() == 0}


def read_state(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself, all its files checked byte for byte.

    Raises:
        DamagedFile: one of them is not what was written.
    """
    if (damaged := damaged_file(path)) is not None:
        raise DamagedFile(damaged)
    return dict(read_json(path / STATE))


def damaged_file(checkpoint: Path) -> str | None:
    """The first file that is not what the manifest says, or that it does not name; ``None`` where all is whole."""
    try:
        entries = read_json(checkpoint / MANIFEST)
        expected = {str(name): (entry["bytes"], entry["sha256"]) for name, entry in entries.items()}
    except (AttributeError, BadInput, KeyError, TypeError):
        return MANIFEST
    strange = [name for name in expected if name != STATE and not _SHARD.fullmatch(name)]
    unnamed = [path.name for path in checkpoint.iterdir() if path.name not in {MANIFEST, *expected}]
    if STATE not in expected or strange or unnamed:
        return (strange + unnamed + [MANIFEST])[0]
    for name, (size, digest) in expected.items():
        path = checkpoint / name
        if not path.is_file() or path.stat().st_size != size or sha256(path) != digest:
            return name
    return None


def load(folder: Path, state: dict[str, Any], weights: Weights) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint that :func:`read_state` has read, as ``weights`` has them: this process's part or all.

    Takes the entries of the tensors out of ``state``. Nobody asks the others: each process reads what it needs.

    Raises:
        BadInput: the checkpoint is of another model or optimizer.
    """
    groups = {group.name: group for group in weights.groups}
    keys, scalars = state.pop(_ROWS), state.pop(_SCALARS)
    strange = [key for key in keys if key.rpartition(".")[0] not in groups]
    if strange:
        raise _other_model(folder, strange[0])
    rows = {key: torch.zeros_like(groups[key.rpartition(".")[0]].master) for key in keys}
    try:
        dcp_load(weights.named(rows), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
    except CheckpointException as error:
        raise _other_model(folder, "; ".join(str(cause[0]) for cause in error.failures.values())) from None
    return rows | {key: torch.tensor(value, dtype=torch.float32) for key, value in scalars.items()}


def _other_model(folder: Path, what: str) -> BadInput:
    return BadInput(
        "the checkpoint is of another model", where=str(folder), value=what, limit=300,
        next_step="use the command that began the run, or choose another --out",
    )  # fmt: skip
