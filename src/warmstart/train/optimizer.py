"""Updates on flat rows: torch's fused AdamW with decoupled decay on matrices and tables; Muon for matrices, or Adamax."""

import torch

from warmstart.train.adamax import Adamax
from warmstart.train.muon import Muon
from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import MATRICES, Group, Weights

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimizer:
    """Updates the masters of some :class:`Weights` from their gradients."""

    def __init__(self, weights: Weights, settings: OptimizerSettings) -> None:
        self.weights, self.settings = weights, settings
        self._own: dict[str, Muon | Adamax] = {
            g.name: Muon(g, settings.weight_decay) for g in weights.groups if g.sort == MATRICES
        }
        if settings.kind == "adamax":
            self._own = {g.name: Adamax(g, settings) for g in weights.groups}
        self._rest = [g for g in weights.groups if g.name not in self._own]
        groups = [{"params": [g.master], "weight_decay": settings.weight_decay * g.decays} for g in self._rest]
        self._adam: torch.optim.AdamW | None = None
        if groups:
            betas = (settings.beta1, settings.beta2)
            self._adam = torch.optim.AdamW(groups, lr=settings.peak, betas=betas, eps=settings.eps, fused=True)
        self.num_unfrozen_layers: int | None = None  # counted from the heads; the loop sets it before each step
        self._stopped = torch.zeros((), device=weights.groups[0].master.device)

    def gradient_norm(self) -> torch.Tensor:
        """Global L2 norm of the step's gradient, left on its device."""
        grads = zip(self.weights.groups, self.weights.gradients(), strict=True)
        norms = [_norm(grad) for group, grad in grads if self._is_updated(group)]
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
        for group, grad in zip(self.weights.groups, self.weights.gradients(), strict=True):
            if not self._is_updated(group):
                continue
            if group.name in self._own:
                self._own[group.name].update(grad.div_(divisor), rate * self._rate_share(group))
            else:
                group.master.grad = grad
        if self._adam is not None:
            self._update_rest(self._adam, rate, divisor)
        self.weights.publish()

    def _update_rest(self, adam: torch.optim.AdamW, rate: float, divisor: torch.Tensor) -> None:
        """Adam's update of the groups that have no update of their own."""
        for group, options in zip(self._rest, adam.param_groups, strict=True):
            options["lr"] = rate * self._rate_share(group)
        if self.settings.kind == "adam-2018":
            self._correct_as_released(adam)
        # What torch's own GradScaler sets on a fused optimizer: a divisor of the gradient, and whether to change nothing.
        adam.grad_scale, adam.found_inf = divisor, self._stopped  # type: ignore[attr-defined]
        adam.step()
        for group in self._rest:
            group.master.grad = None

    def _is_updated(self, group: Group) -> bool:
        return self.num_unfrozen_layers is None or group.depth < self.num_unfrozen_layers

    def _rate_share(self, group: Group) -> float:
        """The share of the rate that a group has by its depth."""
        return float(self.settings.layer_decay**-group.depth)

    def _correct_as_released(self, adam: torch.optim.AdamW) -> None:
        """Brings the fused update to that of GPT-1's released code.

        Its rate r = lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ) multiplies m / (√v + ε) + decay · p. Here the rate is lr, √v is
        corrected before ε is added, and decay stands alone; so the corrections go into ε and decay.
        """
        s = self.settings
        for group, options in zip(self._rest, adam.param_groups, strict=True):
            state = adam.state.get(group.master, {})
            t = float(state["step"]) + 1 if state else 1.0
            second = (1 - s.beta2**t) ** 0.5
            options["eps"] = s.eps / second
            options["weight_decay"] = s.weight_decay * group.decays * second / (1 - s.beta1**t)

    def state(self) -> dict[str, torch.Tensor]:
        """Masters and moments by name, everything that an update depends on."""
        state: dict[str, torch.Tensor] = {f"{g.name}.master": g.master for g in self.weights.groups}
        for name, own in self._own.items():
            state |= {f"{name}.{key}": value for key, value in own.state().items()}
        for group in self._rest:
            assert self._adam is not None
            for key, value in self._adam.state.get(group.master, {}).items():
                state[f"{group.name}.{key}"] = value
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Loads what :meth:`state` returned."""
        for group in self.weights.groups:
            group.master.copy_(state[f"{group.name}.master"])
        for name, own in self._own.items():
            for key, value in own.state().items():
                value.copy_(state[f"{name}.{key}"])
        for group in self._rest:
            if f"{group.name}.step" in state:
                assert self._adam is not None
                device = group.master.device
                self._adam.state[group.master] = {key: state[f"{group.name}.{key}"].to(device) for key in MOMENTS}
        self.weights.publish()


def _norm(x: torch.Tensor) -> torch.Tensor:
    """L2 norm of float32 numbers, also where their squares are beyond float32, as in a recurrence that explodes.

    Such a gradient is there to be clipped. A GPU would have to be asked for it: there its norm is infinite.
    """
    norm: torch.Tensor = torch.linalg.vector_norm(x)
    if x.device.type == "cpu" and torch.isinf(norm):
        norm = torch.linalg.vector_norm(x, dtype=torch.float64).to(x.dtype)
    return norm
