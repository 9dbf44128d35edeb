"""A warm start: parts of one model into parts of another of the same shape, with an account of every tensor.

What is taken: the rows of tokens that both vocabularies share, the position rows (over and over where the target's context
is longer), and the first k layers (Radford et al. 2018, figure 2 left; k = 0 takes the embeddings only). A head is
taken where it is asked for, output by output. All else is newly made, as the target was drawn, and what the source had
beyond that is left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.models.backbone import Backbone
from warmstart.models.head import Head
from warmstart.models.settings import BackboneSettings


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


@dataclass(frozen=True, slots=True)
class PartTransfer:
    """A part of a source model for a part of a target: the backbone of one, say, for the encoder of the other.

    Attributes:
        source: the pre-trained model.
        source_part: the name of a backbone in it.
        target_part: the name of a backbone in the target.
        layers: how many layers to take, from the first; ``None`` takes all.
        token_rows: [V of the target] the source's row of each token, -1 for a new one; ``None``: the target's vocabulary
            begins with the source's.
        softmax: whether a softmax table of its own is taken too.
    """

    source: nn.Module
    source_part: str = "backbone"
    target_part: str = "backbone"
    layers: int | None = None
    token_rows: NDArray[np.int64] | None = None
    softmax: bool = True


@dataclass(frozen=True, slots=True)
class HeadTransfer:
    """The head of a source model for that of a target, which is like it but for the number of its outputs.

    Attributes:
        source: the model that has learned a task.
        source_goal: the name of its head.
        goal: the name of the head in the target.
        rows: [outputs of the target] the source's output of each, -1 for a new one.
    """

    source: nn.Module
    source_goal: str
    goal: str
    rows: NDArray[np.int64]


def start_from(target: nn.Module, *transfers: PartTransfer, heads: Sequence[HeadTransfer] = ()) -> WeightAccount:
    """Copies what fits into ``target`` (freshly drawn, float32), in place; what no transfer reaches stays as it was drawn.

    Raises:
        BadInput: source and target differ in a size that must agree, or a source has fewer layers.
    """
    account, reached = WeightAccount(), set[str]()
    for transfer in transfers:
        reached |= _transfer(target, transfer, account)
    for head in heads:
        reached |= _transfer_head(target, head, account)
    for name, tensor in target.state_dict().items():
        if name not in reached:
            _enter(account, name, tensor, np.full(len(tensor), -1))
    return account


def _transfer(target: nn.Module, transfer: PartTransfer, account: WeightAccount) -> set[str]:
    """Copies one part and writes it down; returns the names of the target's tensors that it reached."""
    ours, theirs = _part(target, transfer.target_part), _part(transfer.source, transfer.source_part)
    _check(ours, theirs, transfer.layers)
    found, depths = theirs.state_dict(), ours.parameter_depths()
    total = len(ours.blocks)  # of which one may serve several layers
    count = total if transfer.layers is None else -(-transfer.layers * total // ours.settings.total_layers)
    tensors = {name: tensor for name, tensor in ours.state_dict().items() if name in found}
    with torch.no_grad():
        for name, tensor in tensors.items():
            known = found[name]
            # A softmax table is a vocabulary as the token table is, though it stands after the last layer.
            taken = count == total or depths[name] > total - count
            taken = transfer.softmax if name == ours.OUTPUT else taken
            rows = np.full(len(tensor), -1)
            if taken:
                rows = _source_rows(ours, name, len(tensor), len(known), transfer.token_rows)
                here = torch.from_numpy(np.flatnonzero(rows >= 0))
                tensor[here] = known[torch.from_numpy(rows[rows >= 0])].to(tensor.dtype)
            _enter(account, f"{transfer.target_part}.{name}", tensor, rows)
            _enter_unused(account, f"{transfer.source_part}.{name}", rows, len(known))
    used = {f"{transfer.source_part}.{name}" for name in tensors}
    account.unused += [name for name in transfer.source.state_dict() if name not in used]
    return {f"{transfer.target_part}.{name}" for name in tensors}


def _transfer_head(target: nn.Module, transfer: HeadTransfer, account: WeightAccount) -> set[str]:
    """Copies a head, of its last linear the rows of known outputs, and writes it down; returns the names that it reached."""
    prefix, found = f"heads.{transfer.goal}.", transfer.source.state_dict()
    tensors = {name: tensor for name, tensor in target.state_dict().items() if name.startswith(prefix)}
    theirs = {name: f"heads.{transfer.source_goal}.{name.removeprefix(prefix)}" for name in tensors}
    account.unused = [name for name in account.unused if name not in theirs.values()]
    head = target.get_submodule(prefix[:-1])
    assert isinstance(head, Head)
    with torch.no_grad():
        for name, tensor in tensors.items():
            known, rows = found[theirs[name]], np.arange(len(tensor))
            if name.removeprefix(prefix) in head.by_output:
                rows = transfer.rows
            if name.removeprefix(prefix) in head.by_two_outputs:
                rows, tensor, known = _pairs(rows, len(known)), tensor.view(-1), known.view(-1)
            tensor[torch.from_numpy(np.flatnonzero(rows >= 0))] = known[torch.from_numpy(rows[rows >= 0])]
            _enter(account, name, tensor, rows)
            _enter_unused(account, theirs[name], rows, len(known))
    return {*tensors}


def _pairs(rows: NDArray[np.int64], known: int) -> NDArray[np.int64]:
    """[R · R] the source's pair of each pair of outputs, both row by row; -1 where one of the two is new."""
    first, second = rows[:, None], rows[None]
    return np.where((first >= 0) & (second >= 0), first * known + second, -1).reshape(-1)


def _part(model: nn.Module, name: str) -> Backbone:
    part = model.get_submodule(name)
    assert isinstance(part, Backbone)
    return part


def _source_rows(
    ours: Backbone, name: str, rows: int, source_rows: int, token_rows: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """[rows] the source's row of each row of a tensor, -1 for a new one."""
    if name in ours.VOCABULARY and token_rows is not None:
        return token_rows
    own = np.arange(rows)
    if name in ours.POSITIONS:  # beyond the source's context its rows begin anew (s2s-ft's way)
        return own % source_rows
    return np.where(own < source_rows, own, -1)


def differing_field(ours: BackboneSettings, theirs: BackboneSettings) -> str | None:
    """The first field that decides what weights mean and in which two backbones differ; ``None``: there is none."""
    if ours.kind != theirs.kind:
        return "kind"
    names = ours.model_dump(exclude=set(ours.FREE))
    return next((name for name in names if getattr(ours, name) != getattr(theirs, name)), None)


def _check(target: Backbone, source: Backbone, layers: int | None) -> None:
    ours, theirs = target.settings, source.settings
    name = differing_field(ours, theirs)
    if name == "kind":
        raise BadInput(
            "the pre-trained model has another kind of backbone", where="model", value=ours.kind, allowed=theirs.kind,
            next_step="leave the preset out: the start decides it",
        )  # fmt: skip
    if name is not None:
        raise BadInput(
            f"the pre-trained model has another {name}", where=f"model.{name}", value=getattr(ours, name),
            allowed=str(getattr(theirs, name)), next_step=f"leave model.{name} out: the start decides it",
        )  # fmt: skip
    if (ours.total_layers if layers is None else layers) > theirs.total_layers:
        raise BadInput(
            "more layers asked for than the pre-trained model has", where="--transfer-layers", value=layers,
            allowed=f"0 to {theirs.total_layers}",
        )  # fmt: skip


def _enter(account: WeightAccount, name: str, tensor: torch.Tensor, rows: NDArray[np.int64]) -> None:
    """Writes down what became of one tensor; ``rows`` [R] is the source's row of each of its own, -1 for new ones."""
    if not len(tensor) or not tensor.is_floating_point():  # a table that nobody reads; what is no weight
        return
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


def _enter_unused(account: WeightAccount, name: str, rows: NDArray[np.int64], source_rows: int) -> None:
    """Writes down what was left of one tensor of the source."""
    moved = int((rows >= 0).sum())
    if source_rows > moved:
        prefix = bool((rows[:moved] == np.arange(moved)).all())
        part = f"[{moved}:{source_rows}]" if prefix else f"[{source_rows - moved:,} rows]"
        account.unused.append(f"{name}{part}" if moved else name)
