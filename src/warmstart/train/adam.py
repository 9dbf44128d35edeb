"""AdamW (Loshchilov and Hutter 2019) by torch's fused function, and Adam as GPT-1's released code has it.

The function, not the class ``torch.optim.AdamW``: making one of these, and its first step, import torch's compiler, which
takes longer than many a fine-tuning.
"""

from collections.abc import Sequence

import torch
from torch.optim.adamw import adamw

from warmstart.models.passes import AdamRow, AdamRule, adam, passes
from warmstart.train.settings import OptimizerSettings
from warmstart.train.weights import Group, Stretch


class Adam:
    """Updates the master row of one group."""

    def __init__(self, group: Group, settings: OptimizerSettings) -> None:
        self.group, self.settings = group, settings
        self.mean, self.square = torch.zeros_like(group.master), torch.zeros_like(group.master)
        self.count = torch.zeros((), dtype=torch.float32, device=group.master.device)
        self.in_one_pass = passes(group.work.dtype, group.master.device)

    def update(self, pieces: Sequence[Stretch], rate: float, divisor: torch.Tensor, stopped: torch.Tensor) -> bool:
        """One update from the gradient in ``pieces``, over ``divisor``; none where ``stopped`` is 1.

        Where it is not in one pass, the gradient is the group's row.

        Returns:
            Whether the working copy has been rounded anew as well.
        """
        s, decay = self.settings, self.settings.weight_decay * self.group.decays
        eps, decay = self._as_released(decay) if s.kind == "adam-2018" else (s.eps, decay)
        if self.in_one_pass:
            self._update_in_one_pass(pieces, rate, decay, eps, divisor, stopped)
            return True
        adamw(
            [self.group.master], [self.group.grad], [self.mean], [self.square], [], [self.count], fused=True,
            grad_scale=divisor, found_inf=stopped, amsgrad=False, beta1=s.beta1, beta2=s.beta2, lr=rate,
            weight_decay=decay, eps=eps, maximize=False,
        )  # fmt: skip
        return False

    def _update_in_one_pass(
        self, pieces: Sequence[Stretch], rate: float, decay: float, eps: float, divisor: torch.Tensor,
        stopped: torch.Tensor,
    ) -> None:  # fmt: skip
        if stopped:
            return
        s, group = self.settings, self.group
        self.count += 1
        step = float(self.count)
        first, second = 1 - s.beta1**step, (1 - s.beta2**step) ** 0.5
        rule = AdamRule(1 - rate * decay, rate / first, s.beta1, s.beta2, eps, float(divisor), second)
        work = None if group.work.data_ptr() == group.master.data_ptr() else group.work
        row = AdamRow(group.master, group.grad, self.mean, self.square, work)
        for piece in pieces:
            adam(row.part(piece.where)._replace(grad=piece.grad), rule, piece.had_gradient)

    def find_rows(self) -> None:
        """Finds the rows that have had a gradient by their means, when these were loaded."""
        for table in self.group.tables:
            mean, square = (row[table.where].view(len(table.had_gradient), -1) for row in (self.mean, self.square))
            table.had_gradient.copy_(mean.any(1) | square.any(1))

    def _as_released(self, decay: float) -> tuple[float, float]:
        """ε and decay that bring the fused update to that of GPT-1's released code.

        Its rate r = lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ) multiplies m / (√v + ε) + decay · p. Here the rate is lr, √v is
        corrected before ε is added, and decay stands alone; so the corrections go into ε and decay.
        """
        s, t = self.settings, float(self.count) + 1
        second = (1 - s.beta2**t) ** 0.5
        return s.eps / second, decay * second / (1 - s.beta1**t)

    def state(self) -> dict[str, torch.Tensor]:
        """What an update depends on, by name."""
        return {"step": self.count, "exp_avg": self.mean, "exp_avg_sq": self.square}
