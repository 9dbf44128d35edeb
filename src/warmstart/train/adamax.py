"""Adamax with decoupled weight decay: Adam by the largest gradient (Kingma and Ba 2015, section 7.1).

MT-DNN's optimizer: the decay is applied to the weights directly, as AdamW does it.
"""

import torch

from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import Group


class Adamax:
    """Updates the master row of one group."""

    def __init__(self, group: Group, settings: OptimizerSettings) -> None:
        self.group, self.settings = group, settings
        self.mean, self.largest = torch.zeros_like(group.master), torch.zeros_like(group.master)
        self.count = torch.zeros((), dtype=torch.float64)

    def update(self, grad: torch.Tensor, rate: float) -> None:
        """One update from the float32 gradient ``grad``, which is used up."""
        s, master = self.settings, self.group.master
        self.count += 1
        self.mean.lerp_(grad, 1 - s.beta1)
        torch.maximum(self.largest.mul_(s.beta2), grad.abs_().add_(s.eps), out=self.largest)
        master.mul_(1 - rate * s.weight_decay * self.group.decays)
        master.addcdiv_(self.mean, self.largest, value=-rate / (1 - s.beta1 ** float(self.count)))

    def state(self) -> dict[str, torch.Tensor]:
        """What an update depends on, by name."""
        return {"mean": self.mean, "largest": self.largest, "count": self.count}
