"""AdamW on flat rows: torch's own fused update, decoupled weight decay on matrices only."""

import torch

from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import Weights


class Optimizer:
    """Updates the masters of some :class:`Weights` from their gradients."""

    def __init__(self, weights: Weights, settings: OptimizerSettings) -> None:
        self.weights, self.settings = weights, settings
        groups = [
            {"params": [g.master], "weight_decay": settings.weight_decay if g.decays else 0.0} for g in weights.groups
        ]
        self._adam = torch.optim.AdamW(
            groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.eps, fused=True
        )

    def gradient_norm(self) -> float:
        """Global L2 norm of the step's gradient."""
        parts = [torch.linalg.vector_norm(g) for g in self.weights.gradients()]
        return float(torch.linalg.vector_norm(torch.stack(parts)))

    def update(self, factor: float, norm: float) -> None:
        """One update with ``factor`` of the peak rate, the gradient scaled down to ``clip_norm`` where it is longer."""
        scale = min(1.0, self.settings.clip_norm / (norm + 1e-6))
        for group, slope, adam in zip(
            self.weights.groups, self.weights.gradients(), self._adam.param_groups, strict=True
        ):
            group.master.grad = slope.mul_(scale) if scale < 1.0 else slope
            adam["lr"] = self.settings.lr * factor
        self._adam.step()
        for group in self.weights.groups:
            group.master.grad = None
        self.weights.publish()

    def state(self) -> dict[str, torch.Tensor]:
        """Masters and moments by name, everything that an update depends on."""
        found: dict[str, torch.Tensor] = {}
        for group in self.weights.groups:
            found[f"{group.name}.master"] = group.master
            for key, value in self._adam.state.get(group.master, {}).items():
                found[f"{group.name}.{key}"] = value
        return found

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Takes back what :meth:`state` gave."""
        for group in self.weights.groups:
            group.master.copy_(state[f"{group.name}.master"])
            moments = {
                key: state[f"{group.name}.{key}"].to(group.master.device)
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{group.name}.{key}" in state
            }
            if moments:
                self._adam.state[group.master] = moments
        self.weights.publish()
