"""How the weights of a model are drawn."""

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

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


class Undrawn(TorchFunctionMode):
    """Inside it modules do not draw the weights that they are made with: what these hold is left to chance.

    For a model whose weights are drawn or filled next; the first drawing takes longer than reading them from a file.
    """

    DRAWS = frozenset({"uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"})

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        """Calls ``function``, unless it is one of those that draw."""
        named = named or {}
        if getattr(function, "__module__", "") == nn.init.__name__ and function.__name__ in self.DRAWS:
            return self.leave(arguments[0] if arguments else named["tensor"])
        return function(*arguments, **named)

    def leave(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` as it is."""
        return weight
