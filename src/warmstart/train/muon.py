"""Muon: an update for matrices whose singular values are all about one.

Jordan 2024 ("Muon: An optimizer for hidden layers in neural networks"): the direction is Nesterov momentum, made
orthogonal by five Newton-Schulz steps of degree five. Liu et al. 2025 (arXiv 2502.16982, section 2.2): it is scaled by
0.2 · √(longer side), the root mean square of AdamW's usual updates, so that AdamW's rate and decay serve both.

``torch.optim.Muon`` is the same rule in bf16 always; here the products are in the dtype that the training computes in,
since a processor without bf16 arithmetic takes up to three times as long for them in bf16. The cost is that of the
products alone: 30 · rows · columns · shorter side and 10 · shorter side³ operations a matrix and step, whatever the batch.
"""

import torch

from warmstart.train.weights import Group

MOMENTUM, STEPS = 0.95, 5
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315  # the released code's polynomial: steepest at 0, not exact at 1
RMS_OF_ADAMW = 0.2


class Muon:
    """Updates the master row of one group of matrices."""

    def __init__(self, group: Group, weight_decay: float) -> None:
        self.group, self.weight_decay = group, weight_decay
        self.momentum = torch.zeros_like(group.master)

    def update(self, grad: torch.Tensor, rate: float) -> None:
        """One update from the float32 gradient ``grad``, which is used up."""
        group = self.group
        self.momentum.lerp_(grad, 1 - MOMENTUM)
        grad.lerp_(self.momentum, MOMENTUM)
        group.master.mul_(1 - rate * self.weight_decay)
        for master, direction in zip(group.views(group.master), group.views(grad), strict=True):
            size = RMS_OF_ADAMW * max(master.shape) ** 0.5
            master.add_(orthogonal(direction.to(group.work.dtype)), alpha=-rate * size)

    def state(self) -> dict[str, torch.Tensor]:
        """What an update depends on, by name."""
        return {"momentum": self.momentum}


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """``matrix`` with its singular values brought to between about 0.7 and 1.2; one of zeros stays."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x: torch.Tensor = wide / wide.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=CUBIC, alpha=QUINTIC), x, beta=LINEAR)
    return x if wide is matrix else x.T
