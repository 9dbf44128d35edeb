"""A warm start: weights of one model into another of the same shape, with an account of every tensor.

What is taken: the rows of tokens that both vocabularies share, the position rows (over and over where the target's context
is longer), and the first k layers (Radford et al. 2018, figure 2 left; k = 0 takes the embeddings only). All else is newly
made, as the target was drawn, and what the source had beyond that is left behind.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.models.model import Model

OWN_CHOICE = frozenset({
    "vocab_size", "context", "layers", "embedding_dropout", "attention_dropout", "residual_dropout", "init_std",
    "joint_table", "tied", "softmax", "pooler", "lm_transform", "bptt", "cell_clip", "word_dropout", "layer_dropout",
    "output_dropout", "weight_dropout", "embedding_std",
})  # fmt: skip
"""Fields of the target's backbone that may differ from the source's; all others decide what the weights mean."""


VOCABULARY = frozenset({"backbone.tokens.weight", "backbone.output.weight", "backbone.lm_transform.bias"})
"""Tensors with one row per token."""

POSITIONS = "backbone.positions.weight"

EMBEDDING = frozenset({"tokens", "positions", "segments", "embedding_norm", "widening", "relative", "output"})
"""Parts of a backbone that stand before its layers, and the softmax table."""


@dataclass
class WeightAccount:
    """Every weight of a transfer, by name: loaded from the source, initialised anew, or unused of the source."""

    loaded: list[str] = field(default_factory=list)
    initialised: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    weights_loaded: int = 0
    weights_initialised: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for the run folder."""
        return {
            "loaded": self.loaded,
            "initialised": self.initialised,
            "unused": self.unused,
            "weights_loaded": self.weights_loaded,
            "weights_initialised": self.weights_initialised,
        }

    def sentence(self) -> str:
        """The account in words."""
        initialised = f"; initialised: {', '.join(self.initialised)}" if self.initialised else ""
        unused = f"; unused: {', '.join(self.unused)}" if self.unused else ""
        counts = f"{self.weights_loaded:,} weights loaded, {self.weights_initialised:,} initialised"
        return f"{counts}{initialised}{unused}"


def start_from(
    source: Model, target: Model, layers: int | None = None, token_rows: NDArray[np.int64] | None = None
) -> WeightAccount:
    """Copies what fits from ``source`` into ``target``, in place.

    Args:
        source: the pre-trained model.
        target: freshly drawn; float32.
        layers: how many layers to take, from the first; ``None`` takes all.
        token_rows: [V of the target] the source's row of each token, -1 for a new one; ``None``: the target's
            vocabulary begins with the source's.

    Raises:
        BadInput: the two differ in a size that must agree, or ``source`` has fewer layers.
    """
    _check(source, target, layers)
    total = target.settings.backbone.layers
    count = total if layers is None else layers
    found, account = source.state_dict(), WeightAccount()
    with torch.no_grad():
        for name, tensor in target.state_dict().items():
            known = found.get(name)
            if known is None or not _taken(name, count, total):
                rows = np.full(len(tensor), -1)
            elif name in VOCABULARY and token_rows is not None:
                rows = token_rows
            elif name == POSITIONS:  # beyond the source's context its rows begin anew (s2s-ft's way)
                rows = np.arange(len(tensor)) % len(known)
            else:
                rows = np.where(np.arange(len(tensor)) < len(known), np.arange(len(tensor)), -1)
            if known is not None:
                here = torch.from_numpy(np.flatnonzero(rows >= 0))
                tensor[here] = known[torch.from_numpy(rows[rows >= 0])].to(tensor.dtype)
            _enter(account, name, tensor, rows, 0 if known is None else len(known))
    account.unused += [name for name in found if name not in target.state_dict()]
    return account


def _check(source: Model, target: Model, layers: int | None) -> None:
    ours, theirs = target.settings.backbone, source.settings.backbone
    if ours.kind != theirs.kind:
        raise BadInput(
            "the pre-trained model has another kind of backbone", where="model", value=ours.kind, allowed=theirs.kind,
            next_step="leave the preset out: the start decides it",
        )  # fmt: skip
    for name in ours.model_dump(exclude=set(OWN_CHOICE)):
        if getattr(ours, name) != getattr(theirs, name):
            raise BadInput(
                f"the pre-trained model has another {name}", where=f"model.{name}", value=getattr(ours, name),
                allowed=str(getattr(theirs, name)), next_step=f"leave model.{name} out: the start decides it",
            )  # fmt: skip
    if (ours.layers if layers is None else layers) > theirs.layers:
        raise BadInput(
            "more layers asked for than the pre-trained model has", where="--transfer-layers", value=layers,
            allowed=f"0 to {theirs.layers}",
        )  # fmt: skip


def _taken(name: str, layers: int, total: int) -> bool:
    """Whether a tensor comes from the source: embeddings and the first layers do, what follows only after all of them."""
    parts = name.split(".")
    if parts[0] == "heads":
        return False
    if parts[1] == "blocks":
        return int(parts[2]) < layers
    return layers == total or parts[1] in EMBEDDING


def _enter(account: WeightAccount, name: str, tensor: torch.Tensor, rows: NDArray[np.int64], source_rows: int) -> None:
    """Writes down what became of one tensor; ``rows`` [R] is the source's row of each of its own, -1 for new ones."""
    width = tensor[0].numel() if tensor.dim() > 1 else 1
    moved = int((rows >= 0).sum())
    account.weights_loaded += moved * width
    account.weights_initialised += (len(tensor) - moved) * width
    prefix = bool((rows[:moved] == np.arange(moved)).all())
    if moved == len(tensor) and prefix:
        account.loaded.append(name)
    elif moved:
        account.loaded.append(f"{name}[:{moved}]" if prefix else f"{name}[{moved:,} rows]")
        if moved < len(tensor):
            account.initialised.append(
                f"{name}[{moved}:{len(tensor)}]" if prefix else f"{name}[{len(tensor) - moved:,} rows]"
            )
    else:
        account.initialised.append(name)
    if source_rows > moved:
        part = f"[{moved}:{source_rows}]" if prefix else f"[{source_rows - moved:,} rows]"
        account.unused.append(f"{name}{part}" if moved else name)
