"""How the weights of a model are drawn."""

import torch
from torch import nn

from warmstart.models.backbone import Backbone


def initialise(module: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draws all weights anew, in the order of their names.

    ========================= =====================
    weight                    from
    ========================= =====================
    linear and embedding      N(0, std²)
    bias, norm bias           0
    norm gain                 1
    an LSTM's embeddings      N(0, embedding_std²)
    bias of its forget gates  1
    ========================= =====================
    """
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                part.weight.normal_(0.0, std, generator=generator)
            if isinstance(part, nn.LayerNorm | nn.RMSNorm):
                part.weight.fill_(1.0)
            bias = getattr(part, "bias", None)
            if isinstance(bias, nn.Parameter):
                bias.zero_()
        for part in module.modules():
            if isinstance(part, Backbone):
                part.reset_parameters()
