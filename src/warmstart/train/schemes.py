"""Schemes: which weights of a model are trained. Everything else stays as it was loaded, to the last bit.

Nothing here is in the loop: a scheme switches ``requires_grad`` off, or adds parameters, before the training is built, and
frozen weights cost no gradient, no moments and no place in a checkpoint. Autograd stops below the lowest layer that is
trained.
"""

from collections.abc import Collection

import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.base.seeds import derive_seed
from warmstart.models.lora import add_lora, merge_lora
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings
from warmstart.train.settings import SchemeSettings, TrainSettings

MOVE_ALL = (None, "full", "setfit")
"""Schemes that freeze nothing; ``None``: none is chosen yet."""


def check_scheme(scheme: SchemeSettings, size: BackboneSettings, loaded: int | None) -> None:
    """Refuses a scheme that does not fit the model, or would freeze layers that nobody has trained.

    Args:
        scheme: which weights are to be trained.
        size: of the model.
        loaded: how many layers come from a start, with the embeddings; ``None`` where there is no start.

    Raises:
        BadInput: a number of layers that is missing, superfluous or too large; a rank above the width; frozen layers
            with random weights.
    """
    if (scheme.kind == "top") != (scheme.layers is not None):
        raise BadInput(
            "the scheme top needs a number of layers, and no other has one", where="--scheme-layers",
            value=scheme.layers, next_step=f"give --scheme-layers with --scheme top, not with {scheme.kind}",
        )  # fmt: skip
    if scheme.by_pairs and loaded is None:
        raise BadInput(
            "pairs of few labels teach no model from random weights", where="--scheme", value=scheme.kind,
            allowed="with --start", next_step="give --start, best a sentence encoder",
        )  # fmt: skip
    if scheme.kind in MOVE_ALL:
        return
    trained = scheme.layers or 0
    if trained > size.total_layers:
        raise BadInput(
            "more layers than the model has",
            where="--scheme-layers",
            value=trained,
            allowed=f"1 to {size.total_layers}",
        )
    if scheme.kind == "lora" and scheme.rank > size.width:
        raise BadInput(
            "a LoRA of this rank has no fewer weights than the layer itself", where="--lora-rank", value=scheme.rank,
            allowed=f"1 to {size.width}",
        )  # fmt: skip
    if loaded is None or loaded + trained < size.total_layers:
        raise BadInput(
            "this scheme would freeze random weights", where="--scheme", value=scheme.kind,
            allowed="full, where layers begin at random",
            next_step="give --start, and load all layers that are to be frozen",
        )  # fmt: skip


def check_tables(model: Model, scheme: SchemeSettings, loaded: Collection[str]) -> None:
    """Refuses to freeze rows of tokens that nobody has trained; ``loaded`` names the weights that come from a start whole.

    Raises:
        BadInput: there are some, and they would be frozen.
    """
    missing = [name for name in _tables(model) if f"backbone.{name}" not in loaded] if scheme.freeze_tables else []
    if missing:
        raise BadInput(
            "rows of tokens would stay as they are drawn", where="--freeze-tables", value=", ".join(missing),
            allowed="where a start has all of them", next_step="leave it out, or give a start for these",
        )  # fmt: skip


def _tables(model: Model) -> dict[str, nn.Parameter]:
    """Name → weights with one row per token: the embeddings, and the softmax."""
    names = {*model.backbone.VOCABULARY}
    return {name: weight for name, weight in model.backbone.named_parameters() if name in names}


def apply_scheme(model: Model, scheme: SchemeSettings, seed: int) -> None:
    """Decides which parameters of ``model`` have a gradient, in place; ``seed`` names LoRA's first weights."""
    backbone = model.backbone
    if scheme.freeze_tables:
        for table in _tables(model).values():
            table.requires_grad_(False)
    if scheme.kind in MOVE_ALL:
        return
    backbone.requires_grad_(False)
    for part in backbone.pooling_parts:  # between the backbone and a head, and trained with the head
        if part is not None:
            part.requires_grad_(True)
    if scheme.kind == "top":
        assert scheme.layers is not None
        for block in backbone.blocks[-scheme.layers :]:
            block.requires_grad_(True)
        if backbone.last_norm is not None:
            backbone.last_norm.requires_grad_(True)
    if scheme.kind == "lora":
        generator = torch.Generator().manual_seed(derive_seed(seed, "lora"))
        add_lora(backbone.blocks, scheme.rank, scheme.alpha, scheme.dropout, generator)


def close_scheme(model: Model) -> None:
    """Leaves a plain model, once training is over: products are merged, and nothing is frozen."""
    merge_lora(model)
    model.requires_grad_(True)


def bytes_to_write(model: Model, train: TrainSettings) -> int:
    """What a run folder takes at most: checkpoints (one more than is kept, while it is written), best and final weights.

    Frozen weights are neither in the checkpoints nor in the best; averages of the weights are in the checkpoints.
    """
    checkpoints = checkpoint_bytes(model, train) * (1 + train.keep_checkpoints)
    return checkpoints + 4 * (num_trainable(model) + model.num_parameters)


def checkpoint_bytes(model: Model, train: TrainSettings) -> int:
    """Bytes of a checkpoint, and of the copy that it is written from: masters, moments and averages of what is trained."""
    return 4 * num_trainable(model) * (3 + train.num_averages)


def num_trainable(module: nn.Module) -> int:
    """How many weights of a model or a part of it are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
