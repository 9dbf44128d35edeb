"""Activation checkpointing: states inside a layer are not kept but computed again in the backward pass (Chen et al. 2016).

Only what goes into each layer is kept: the memory for activations falls to that of one layer and the states between them; a
step computes the forward pass twice, about a third more. The result is the same: dropout draws the same masks again.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.train.sharded import list_units


def recompute_layers(model: Model) -> None:
    """From now on, until :func:`keep_activations`, training computes the layers of ``model`` again for their gradient.

    Raises:
        BadInput: it has no layers that can be.
    """
    units = list_units(model)
    if not units:
        raise BadInput(
            "this model has no layers that could be computed again", where="--activation-checkpointing",
            allowed="a Transformer whose layers have weights of their own", next_step="leave it out",
        )  # fmt: skip
    for unit in units:
        unit.forward = functools.partial(_recomputed, unit.forward)


def _recomputed(forward: Callable[..., Any], *inputs: Any, **more: Any) -> Any:
    """What ``forward`` gives, without what lies inside where there will be a gradient."""
    if not torch.is_grad_enabled():
        return forward(*inputs, **more)
    return checkpoint(forward, *inputs, use_reentrant=False, **more)


def keep_activations(model: Model) -> None:
    """Undoes :func:`recompute_layers`."""
    for unit in list_units(model):
        unit.__dict__.pop("forward", None)
