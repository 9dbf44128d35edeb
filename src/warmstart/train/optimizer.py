"""Updates on flat rows: AdamW with decoupled decay on matrices and tables; Muon for matrices, or Adamax."""

import torch

from warmstart.models import passes
from warmstart.train.adam import Adam
from warmstart.train.adamax import Adamax
from warmstart.train.muon import Muon
from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import MATRICES, Group, Weights


class Optimizer:
    """Updates the masters of some :class:`Weights` from their gradients."""

    def __init__(self, weights: Weights, settings: OptimizerSettings) -> None:
        self.weights, self.settings = weights, settings
        self._own: dict[str, Muon | Adamax] = {
            g.name: Muon(g, settings.weight_decay) for g in weights.groups if g.sort == MATRICES
        }
        if settings.kind == "adamax":
            self._own = {g.name: Adamax(g, settings) for g in weights.groups}
        self._adam = {g.name: Adam(g, settings) for g in weights.groups if g.name not in self._own}
        self.num_unfrozen_layers: int | None = None  # counted from the heads; the loop sets it before each step
        self._stopped = torch.zeros((), device=weights.groups[0].master.device)

    def gradient_norm(self) -> torch.Tensor:
        """Global L2 norm of the step's gradient, left on its device."""
        pieces = zip(self.weights.groups, self.weights.stretches(), strict=True)
        parts = [piece.known() for group, some in pieces if self._is_updated(group) for piece in some]
        norms = [_norm(part) for part in parts if part.numel() > 0]
        return self.weights.norm_of_all(_norm(torch.stack(norms)))

    def skip_updates_if_nonfinite(self, sound: torch.Tensor) -> None:
        """From the first ``sound`` that is false on, no update changes anything; the host need not wait to know it."""
        self._stopped = torch.where(sound, self._stopped, 1.0)

    def allow_updates(self) -> None:
        """Takes back :meth:`skip_updates_if_nonfinite`: a step is taken again, or left out."""
        self._stopped = torch.zeros_like(self._stopped)

    def update(self, factor: float, norm: torch.Tensor) -> None:
        """One update with ``factor`` of the peak rate, the gradient scaled down to ``clip_norm`` where it is longer."""
        rate, divisor = self.settings.peak * factor, (norm + 1e-6).div(self.settings.clip_norm).clamp(min=1.0)
        if self._own and self._stopped:  # this asks the device
            return
        rounded = set()
        if self._own or not all(adam.in_one_pass for adam in self._adam.values()):
            self.weights.gradients()  # in float32 rows
        for group, pieces in zip(self.weights.groups, self.weights.stretches(), strict=True):
            if not self._is_updated(group):
                continue
            share = rate * self._rate_share(group)
            if group.name in self._own:
                self._own[group.name].update(group.grad.div_(divisor), share)
            elif self._adam[group.name].update(pieces, share, divisor, self._stopped):
                rounded.add(group.name)
        self.weights.publish(rounded)

    def _is_updated(self, group: Group) -> bool:
        return self.num_unfrozen_layers is None or group.depth < self.num_unfrozen_layers

    def _rate_share(self, group: Group) -> float:
        """The share of the rate that a group has by its depth."""
        return float(self.settings.layer_decay**-group.depth)

    def state(self) -> dict[str, torch.Tensor]:
        """Masters and moments by name, everything that an update depends on."""
        state: dict[str, torch.Tensor] = {f"{g.name}.master": g.master for g in self.weights.groups}
        for name, own in (self._own | self._adam).items():
            state |= {f"{name}.{key}": value for key, value in own.state().items()}
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Loads what :meth:`state` returned."""
        for group in self.weights.groups:
            group.master.copy_(state[f"{group.name}.master"])
        for name, own in (self._own | self._adam).items():
            for key, value in own.state().items():
                value.copy_(state[f"{name}.{key}"])
        for adam in self._adam.values():
            adam.find_rows()
        self.weights.publish()


def _norm(x: torch.Tensor) -> torch.Tensor:
    """Float32 L2 norm of numbers, also where their squares are beyond float32, as in a recurrence that explodes.

    Such a gradient is there to be clipped. A GPU would have to be asked for it: there its norm is infinite.
    """
    norm: torch.Tensor = torch.linalg.vector_norm(x) if x.dtype == torch.float32 else passes.norm(x)
    if x.device.type == "cpu" and torch.isinf(norm):
        norm = torch.linalg.vector_norm(x, dtype=torch.float64).float()
    return norm
