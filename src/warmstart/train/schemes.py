"""Schemes: which weights of a model move. Everything else stays as it was taken, to the last bit.

Nothing here is in the loop: a scheme switches ``requires_grad`` off, or adds parameters, before the training is built, and
what does not move costs no gradient, no moments and no place in a checkpoint. Autograd stops below the lowest layer that
moves.
"""

import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.base.seeds import named_seed
from warmstart.models.lora import add_lora, merge_lora
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings
from warmstart.train.settings import SchemeSettings


def check_scheme(scheme: SchemeSettings, size: BackboneSettings, taken: int | None) -> None:
    """Refuses a scheme that does not fit the model, or would freeze layers that nobody has trained.

    Args:
        scheme: which weights are to move.
        size: of the model.
        taken: how many layers come from a start, with the embeddings; ``None`` where there is no start.

    Raises:
        BadInput: a number of layers that is missing, superfluous or too large; a rank above the width; frozen layers
            that are newly made.
    """
    if (scheme.kind == "top") != (scheme.layers is not None):
        raise BadInput(
            "the scheme top needs a number of layers, and no other has one", where="--scheme-layers",
            value=scheme.layers, next_step=f"give --scheme-layers with --scheme top, not with {scheme.kind}",
        )  # fmt: skip
    if scheme.kind == "full":
        return
    moving = scheme.layers or 0
    if moving > size.layers:
        raise BadInput(
            "more layers than the model has", where="--scheme-layers", value=moving, allowed=f"1 to {size.layers}"
        )
    if scheme.kind == "lora" and scheme.rank > size.width:
        raise BadInput(
            "a product of this rank is no thinner than the weights themselves", where="--lora-rank", value=scheme.rank,
            allowed=f"1 to {size.width}",
        )  # fmt: skip
    if taken is None or taken + moving < size.layers:
        raise BadInput(
            "the scheme would freeze random weights", where="--scheme", value=scheme.kind,
            allowed="full, where layers are newly made", next_step="give --start, and take all layers that do not move",
        )  # fmt: skip


def apply_scheme(model: Model, scheme: SchemeSettings, seed: int) -> None:
    """Decides which parameters of ``model`` have a gradient, in place; ``seed`` names what LoRA draws."""
    if scheme.kind == "full":
        return
    backbone = model.backbone
    backbone.requires_grad_(False)
    if backbone.pooler is not None:  # between the backbone and a head, and moves with the head
        backbone.pooler.requires_grad_(True)
    if scheme.kind == "top":
        assert scheme.layers is not None
        for block in backbone.blocks[-scheme.layers :]:
            block.requires_grad_(True)
        if backbone.final_norm is not None:
            backbone.final_norm.requires_grad_(True)
    if scheme.kind == "lora":
        drawn = torch.Generator().manual_seed(named_seed(seed, "lora"))
        add_lora(backbone.blocks, scheme.rank, scheme.alpha, scheme.dropout, drawn)


def close_scheme(model: Model) -> None:
    """Leaves a plain model, once training is over: products are merged, and everything may move again."""
    merge_lora(model)
    model.requires_grad_(True)


def num_trainable(module: nn.Module) -> int:
    """How many weights of a model or a part of it move."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
