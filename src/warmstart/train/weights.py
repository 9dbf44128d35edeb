"""Weights as a few flat rows: float32 masters that are updated, and the working copy that computes.

All parameters of one group (those that decay, those that do not) stand end to end in one buffer. The model's parameters
become views of the working copy, in the compute dtype; their gradients are views of one buffer as well. So an update is
one fused call per group, clipping one norm per group, and a checkpoint two tensors per group. In float32 working copy
and masters are the same memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from warmstart.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parameters that are updated alike: ``master`` (float32), ``work`` and its gradient ``slope`` (compute dtype)."""

    name: str
    decays: bool
    parameters: tuple[nn.Parameter, ...]
    master: torch.Tensor
    work: torch.Tensor
    slope: torch.Tensor


class Weights:
    """The groups of one model, and the gradient of a whole step in float32."""

    def __init__(self, model: Model, dtype: torch.dtype) -> None:
        """Rebinds the parameters of ``model``, which must be float32, to flat buffers of ``dtype``."""
        self.groups = [
            _flatten(name, [p for p in model.parameters() if p.requires_grad and _decays(p) == decays], decays, dtype)
            for name, decays in (("decay", True), ("plain", False))
        ]
        self._sums: list[torch.Tensor] | None = None

    def clear(self) -> None:
        """Sets all gradients to 0 before a step."""
        self._sums = None
        for group in self.groups:
            group.slope.zero_()

    def gather(self, last: bool) -> None:
        """Takes in the gradient of one micro-batch; needed between micro-batches, where bf16 sums would lose digits."""
        if last and self._sums is None:
            return
        if self._sums is None:
            self._sums = [torch.zeros_like(group.master) for group in self.groups]
        for group, total in zip(self.groups, self._sums, strict=True):
            total += group.slope
            group.slope.zero_()

    def gradients(self) -> list[torch.Tensor]:
        """The float32 gradient of the step, one flat row per group."""
        if self._sums is None:
            self._sums = [group.slope.float() for group in self.groups]
        return self._sums

    def point_to_masters(self) -> None:
        """Makes the model's parameters views of the float32 masters: to be saved, or when training is over."""
        for group in self.groups:
            _bind(group, group.master)

    def point_to_work(self) -> None:
        """Makes the model's parameters views of the working copy again."""
        for group in self.groups:
            _bind(group, group.work)

    def publish(self) -> None:
        """Rounds the masters into the working copy after an update."""
        for group in self.groups:
            if group.work.data_ptr() != group.master.data_ptr():
                group.work.copy_(group.master)


def _decays(parameter: nn.Parameter) -> bool:
    """Matrices and tables decay; biases and layer-norm gains do not (Radford et al. 2018, section 4.1)."""
    return parameter.dim() > 1


def _bind(group: Group, row: torch.Tensor) -> None:
    for parameter, grad, data in zip(
        group.parameters, _views(group.parameters, group.slope), _views(group.parameters, row), strict=True
    ):
        # torch wants a gradient of its parameter's dtype, so the gradient steps aside while the masters are shown.
        parameter.grad = None
        parameter.data = data
        if data.dtype == grad.dtype:
            parameter.grad = grad


def _flatten(name: str, parameters: list[nn.Parameter], decays: bool, dtype: torch.dtype) -> Group:
    device = parameters[0].device
    master = torch.cat([p.detach().float().reshape(-1) for p in parameters])
    work = master if dtype == torch.float32 else master.to(dtype)
    slope = torch.zeros(len(master), dtype=dtype, device=device)
    for parameter, data, grad in zip(parameters, _views(parameters, work), _views(parameters, slope), strict=True):
        parameter.data, parameter.grad = data, grad
    return Group(name, decays, tuple(parameters), master, work, slope)


def _views(parameters: Sequence[nn.Parameter], row: torch.Tensor) -> list[torch.Tensor]:
    """The parts of a flat row, in the shapes of ``parameters``."""
    parts = torch.split(row, [p.numel() for p in parameters])
    return [part.view(p.shape) for part, p in zip(parts, parameters, strict=True)]
