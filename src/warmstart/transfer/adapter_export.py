"""A model that was trained with LoRA as an adapter folder of ``peft``: what it has beyond its base, and nothing else.

A run holds the sum of a weight and its product, so the product is found again: the difference of run and base has the rank
that was trained, up to the rounding of the sum. Tensors that were trained whole (a head, a pooler) or that are new (rows of
special tokens) go along as they are. ``peft`` then adds the product anew, so outputs agree to float32's accuracy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import write_json
from warmstart.models.files import write_tensors
from warmstart.models.model import Model
from warmstart.transfer.adapter import ADAPTER, ADAPTER_WEIGHTS, BASE, JOINED, OUTER, TABLES, TASKS, A, B
from warmstart.transfer.config import CONFIG
from warmstart.transfer.folder import (
    FolderMetadata,
    architecture_of,
    layout_of,
    their_tensors,
    without_head,
    write_config,
    write_head,
)
from warmstart.transfer.layout import Layout, Tensors

V = TypeVar("V")
ROUNDING = 1e-5
"""How far a weight may be from base and product together, of the largest weight."""
_LAYER = re.compile(r"^.*\.\d+\.")
EXTRA = 8  # columns with which a difference is probed, beyond its rank


@dataclass(frozen=True, slots=True)
class LoraOrigin:
    """How a model came to be: the name of its base, as the adapter states it, and LoRA's rank, alpha and dropout."""

    base: str
    rank: int
    alpha: float
    dropout: float = 0.0


def export_adapter(model: Model, base: Model, origin: LoraOrigin, folder: Path, metadata: FolderMetadata) -> None:
    """Writes ``adapter_config.json``, ``adapter_model.safetensors``, and the ``config.json`` of the whole model.

    Raises:
        BadInput: the architecture has no name in ``transformers``, or the model is not its base and a product of this rank.
    """
    layout = layout_of(model.settings, metadata.pad_id)
    if layout is None or layout_of(base.settings) is None:
        raise BadInput(
            "this architecture has no name in transformers, so peft has no adapter for it", where="--to", value="peft",
            allowed="--to warmstart",
        )  # fmt: skip
    # A mean is read by no class with a head: its adapter is one of the base model, whose names have nothing before them.
    pooled = any(head.is_pooled for head in model.settings.heads.values())
    prefix = layout.prefix if pooled else ""
    theirs, head = without_head(their_tensors(model, layout))
    theirs, before = _bare(theirs, prefix), _bare(their_tensors(base, layout), prefix)
    linears = _bare(_linears(model, layout), prefix)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in theirs.items():
        if name not in linears:
            tensors |= {OUTER + name: tensor} if _differs(tensor, before.get(name)) else {}
            continue
        first, second = _product(name, tensor, before, linears[name], origin)
        module = OUTER + name.removesuffix(".weight")
        tensors |= {module + A: first, module + B: second}
    whole = [name.removeprefix(OUTER) for name in tensors if not name.endswith((A, B))]
    write_config(model, layout, folder, metadata, JOINED if pooled else CONFIG)
    write_head(model, folder, head)
    write_json(folder / ADAPTER, _config(origin, linears, whole, layout, architecture_of(model.settings, layout)))
    write_tensors(folder / ADAPTER_WEIGHTS, tensors)


def _bare(table: Mapping[str, V], prefix: str) -> dict[str, V]:
    """The same with names that do not begin so."""
    return {name.removeprefix(prefix): value for name, value in table.items()}


def _linears(model: Model, layout: Layout) -> dict[str, bool]:
    """Name of each weight that a product stands beside, all linears of the layers → whether it is [in, out]."""
    table = layout.table(model.settings, layout.prefix)
    ours = [
        f"backbone.blocks.{name}.weight"
        for name, module in model.backbone.blocks.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    return {theirs: table[name].transposed for name in ours for theirs in table[name].theirs}


def _differs(tensor: torch.Tensor, other: torch.Tensor | None) -> bool:
    return other is None or tensor.shape != other.shape or not tensor.equal(other)


def _product(
    name: str, tensor: torch.Tensor, before: Tensors, transposed: bool, origin: LoraOrigin
) -> tuple[torch.Tensor, torch.Tensor]:
    """A [r, in] and B [out, r] whose product, times alpha / r, is what a weight has beyond its base."""
    if name not in before or before[name].shape != tensor.shape:
        raise BadInput(
            "the base has no such weight, so this model is no adapter of it", where="--base", value=name,
            next_step="name the model that the run started from",
        )  # fmt: skip
    difference = (tensor - before[name]).T if transposed else tensor - before[name]
    rank = min(origin.rank, *difference.shape)
    probe = torch.randn(difference.shape[1], rank + EXTRA, generator=torch.Generator().manual_seed(0))
    basis = torch.linalg.qr(difference @ probe)[0]
    left, sizes, right = torch.linalg.svd(basis.T @ difference, full_matrices=False)
    root = sizes[:rank].sqrt()
    b, a = (basis @ left[:, :rank]) * root, root[:, None] * right[:rank]
    if float((difference - b @ a).abs().max()) > ROUNDING * max(1.0, float(tensor.abs().max())):
        raise BadInput(
            f"this weight is not that of the base and a product of rank {origin.rank}", where="--base", value=name,
            next_step="name the model that the run started from; a run whose weights all moved is no adapter",
        )  # fmt: skip
    return a.contiguous(), (b * (origin.rank / origin.alpha)).contiguous()


def _config(
    origin: LoraOrigin, linears: Mapping[str, bool], whole: list[str], layout: Layout, architecture: str
) -> dict[str, Any]:
    """The config of plain LoRA."""
    inside = [name.removeprefix(layout.prefix).removesuffix(".weight") for name in linears]
    return {
        "peft_type": "LORA",
        "task_type": next((task for task, end in TASKS.items() if architecture.endswith(end)), None),
        BASE: origin.base,
        "r": origin.rank,
        "lora_alpha": origin.alpha,
        "lora_dropout": origin.dropout,
        "target_modules": sorted({_LAYER.sub("", name) for name in inside}),
        "fan_in_fan_out": all(linears.values()),
        "bias": "none",
        "use_rslora": False,
        "modules_to_save": sorted({_module(name, layout.prefix) for name in whole if not name.endswith(TABLES)})
        or None,
        "inference_mode": True,
    }


def _module(name: str, prefix: str) -> str:
    """The module that a tensor which was trained whole is part of: a head, or a part of the base model."""
    return name.removeprefix(prefix).rpartition(".")[0] if name.startswith(prefix) else name.partition(".")[0]
