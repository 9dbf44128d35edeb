"""A running average of the weights (Polyak and Juditsky 1992): what dev is evaluated by and what a run ends with.

After update t the average moves by 1 - min(decay, (1 + t) / (10 + t)) of the way to the weights, so that it does not hang on
the start of a short run.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch

from warmstart.train.weights import Group, Weights


class WeightAverage:
    """The average of the masters of some :class:`Weights`; with decay 0 there is none, and nothing changes."""

    def __init__(self, weights: Weights, decay: float) -> None:
        self.weights, self.decay = weights, decay
        self.rows = {group.name: group.master.clone() for group in weights.groups} if decay > 0 else {}

    def update(self, step: int) -> None:
        """Takes in the weights after so many updates."""
        for group in self.weights.groups if self.rows else ():
            self.rows[group.name].lerp_(group.master, 1 - min(self.decay, (1 + step) / (10 + step)))

    def _swap(self) -> None:
        for group in self.weights.groups if self.rows else ():
            row = self.rows[group.name]
            kept = group.master.clone()
            group.master.copy_(row)
            row.copy_(kept)
        if self.rows:
            self.weights.publish()

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the average for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def finish(self) -> None:
        """The model keeps the average."""
        self._swap()

    def state(self) -> dict[str, torch.Tensor]:
        """The average, for a checkpoint."""
        return {f"{name}.average": row for name, row in self.rows.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Loads what :meth:`state` returned."""
        for name, row in self.rows.items():
            row.copy_(state[f"{name}.average"])


class EarlierWeights:
    """A running average of the weights that answers are held near: SMART's proximal point with momentum.

    Jiang et al. 2020, section 2.2: after each step the average keeps ``momentum`` of itself. A model can answer with it in
    the middle of a step, since its parameters point to the average for a while and no weight is written.
    """

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.weights: Weights | None = None
        self.groups: list[Group] = []

    def begin(self, weights: Weights) -> None:
        """Begins at the weights as they are."""
        self.weights = weights
        self.groups = []
        for group in weights.groups:
            row = group.master.clone()
            self.groups.append(replace(group, master=row, work=row.to(group.work.dtype)))

    def finish(self) -> None:
        """Lets go of the weights after a training."""
        self.weights, self.groups = None, []

    def update(self, step: int) -> None:
        """Takes in the weights after an update."""
        assert self.weights is not None
        for group, own in zip(self.weights.groups, self.groups, strict=True):
            own.master.lerp_(group.master, 1 - self.momentum)
            own.publish()

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the average for a while; outside of a training it keeps its own weights."""
        for group in self.groups:
            group.bind()
        try:
            yield
        finally:
            if self.weights is not None:
                self.weights.point_to_work()

    def state(self) -> dict[str, torch.Tensor]:
        """The average, for a checkpoint."""
        return {f"{group.name}.earlier": group.master for group in self.groups}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Loads what :meth:`state` returned."""
        for group in self.groups:
            group.master.copy_(state[f"{group.name}.earlier"])
            group.publish()
