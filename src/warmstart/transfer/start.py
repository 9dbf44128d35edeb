"""A warm start: weights of one model into another of the same shape, with an account of every tensor.

What is taken: the token rows that both vocabularies share (the target's begins with the source's), the position rows that
both contexts share, and the first k layers (Radford et al. 2018, figure 2 left; k = 0 takes the embeddings only). All else
is newly made, as the target was drawn, and what the source had beyond that is left behind.
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from warmstart.base.errors import BadInput
from warmstart.models.model import Model

SHARED = ("width", "heads", "hidden", "norm", "activation", "norm_eps")


@dataclass
class Account:
    """Every weight of a transfer, by name: moved, newly made, or left behind."""

    moved: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    weights_moved: int = 0
    weights_made: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for the run folder."""
        return {
            "moved": self.moved,
            "made": self.made,
            "left": self.left,
            "weights_moved": self.weights_moved,
            "weights_made": self.weights_made,
        }

    def sentence(self) -> str:
        """The account in words."""
        made = f"; newly made: {', '.join(self.made)}" if self.made else ""
        left = f"; left behind: {', '.join(self.left)}" if self.left else ""
        return f"{self.weights_moved:,} weights taken, {self.weights_made:,} newly made{made}{left}"


def start_from(source: Model, target: Model, layers: int | None = None) -> Account:
    """Copies what fits from ``source`` into ``target``, in place.

    Args:
        source: the pre-trained model.
        target: freshly drawn; float32.
        layers: how many layers to take, from the first; ``None`` takes all.

    Raises:
        BadInput: the two differ in a size that must agree, or ``source`` has fewer layers.
    """
    _check(source, target, layers)
    count = target.settings.backbone.layers if layers is None else layers
    found, account = source.state_dict(), Account()
    with torch.no_grad():
        for name, tensor in target.state_dict().items():
            rows = _rows_taken(name, tensor, found.get(name), count, target.settings.backbone.layers)
            if rows:
                tensor[:rows] = found[name][:rows]
            _enter(account, name, tensor, rows, 0 if name not in found else len(found[name]))
    account.left += [name for name in found if name not in target.state_dict()]
    return account


def _check(source: Model, target: Model, layers: int | None) -> None:
    ours, theirs = target.settings.backbone, source.settings.backbone
    for name in SHARED:
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


def _rows_taken(name: str, tensor: torch.Tensor, found: torch.Tensor | None, layers: int, total: int) -> int:
    """How many leading rows of the target's tensor come from the source: all, some (tables), or 0."""
    if found is None or name.startswith("heads."):
        return 0
    parts = name.split(".")
    if parts[1] == "blocks":
        return len(tensor) if int(parts[2]) < layers else 0
    if parts[1] == "final_norm":
        return len(tensor) if layers == total else 0
    return min(len(tensor), len(found))


def _enter(account: Account, name: str, tensor: torch.Tensor, rows: int, source_rows: int) -> None:
    width = tensor[0].numel() if tensor.dim() > 1 else 1
    account.weights_moved += rows * width
    account.weights_made += (len(tensor) - rows) * width
    if rows == len(tensor):
        account.moved.append(name)
    elif rows:
        account.moved.append(f"{name}[:{rows}]")
        account.made.append(f"{name}[{rows}:{len(tensor)}]")
    else:
        account.made.append(name)
    if source_rows > rows:
        account.left.append(f"{name}[{rows}:{source_rows}]" if rows else name)
