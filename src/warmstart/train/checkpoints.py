"""Checkpoints of both forms behind one face: of one process (or of many with all weights each), and of sharded weights.

A run may go on in the other form, and with any number of processes: what is found is brought to the weights that there are.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from warmstart.base.world import World
from warmstart.train import checkpoint, sharded_checkpoint
from warmstart.train.checkpoint_folders import FLAT, SHARDED, first_whole, form_of, newest_first
from warmstart.train.weights import Weights

Tensors = dict[str, torch.Tensor]


class FoundCheckpoint(NamedTuple):
    """A whole checkpoint: the folder of a sharded one, or else the tensors; and what the loop remembers."""

    folder: str | None
    tensors: Tensors | None
    state: dict[str, Any]


def find_newest(folder: Path, *, strict: bool = False) -> FoundCheckpoint | None:
    """The newest checkpoint of a run, of either form; ``None`` where there is none yet.

    Args:
        folder: of the checkpoints.
        strict: whether a damaged one is refused, rather than said and passed over.

    Raises:
        BadInput: there are some, and all are damaged, or with ``strict`` the newest.
    """
    return first_whole(newest_first(folder), lambda path: _READERS[form_of(path)](path), strict=strict)


def _read_flat(path: Path) -> FoundCheckpoint:
    return FoundCheckpoint(None, *checkpoint.load(path))


def _read_sharded(path: Path) -> FoundCheckpoint:
    return FoundCheckpoint(str(path), None, sharded_checkpoint.read_state(path))


_READERS = {FLAT: _read_flat, SHARDED: _read_sharded}


def share(found: FoundCheckpoint | None, world: World) -> FoundCheckpoint | None:
    """What the leading process has found, in all processes."""
    about = world.agree(None if found is None else [found.folder, found.state])
    if about is None:
        return None
    folder, state = about
    return FoundCheckpoint(folder, world.share(None if found is None else found.tensors), state)


def tensors_for(found: FoundCheckpoint, weights: Weights) -> Tensors:
    """The rows of an optimizer and of an average, as ``weights`` has them: all, or this process's part."""
    if found.folder is not None:
        return sharded_checkpoint.load(Path(found.folder), found.state, weights)
    assert found.tensors is not None
    return weights.own_rows(found.tensors)


def save(
    writer: checkpoint.CheckpointWriter, step: int, weights: Weights, tensors: Tensors, state: dict[str, Any],
    buffers: Tensors,
) -> None:  # fmt: skip
    """Writes the checkpoint of ``step`` and drops older ones; all processes call this.

    Args:
        writer: of the checkpoints with all weights; it goes on beside the training.
        step: see above.
        weights: whose rows they are.
        tensors: rows and counts of optimizer and average.
        state: what the loop remembers.
        buffers: what the model counts while it learns; sharded models have nothing of the kind.
    """
    if weights.world.shards:
        writer.write_best()
        sharded_checkpoint.save(writer.folder, step, weights, tensors, state, writer.keep)
    elif weights.world.leads:
        writer.save(step, tensors | buffers, state)
