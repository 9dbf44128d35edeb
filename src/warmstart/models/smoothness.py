"""Terms of the loss that ask a model to answer alike where its input, or its dropout, is a little different.

- :class:`Smoothness`: the largest divergence within a small distance of the word embeddings (Jiang et al. 2020, equation 2;
  Liu et al. 2020 for language models; without steps, Cheng et al. 2021).
- :class:`Proximal`: the divergence from the answers of earlier weights (Jiang et al. 2020, equations 3 and 4).
- :class:`Adversarial`: the loss itself there (Zhu et al. 2020, algorithm 1).
- :class:`TwoDropouts`: the answers of two draws of dropout (Liang et al. 2021, equation 4).

A disturbance is drawn for each text by its own tokens, and normalised in each text, so it does not depend on what the text
is batched with (docs/architecture.md, law 2). Positions, segments and norms are not disturbed, and both readings have the
same dropout, so a disturbance of size 0 changes nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch

from warmstart.base.seeds import derive_seed, generator
from warmstart.example.batch import Batch
from warmstart.models.model import Model, ModelOutput
from warmstart.models.terms import NO_SEEDS, StepSeeds

Answers = dict[str, torch.Tensor]
EPS = 1e-12


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How a disturbance of the word embeddings is found.

    Attributes:
        radius: how long it is at most.
        steps: uphill.
        step_size: length of each.
        noise: standard deviation of what the first step begins with; where there is no step, the disturbance itself.
        norm: of these lengths: ``inf``, the largest number of a text; ``l2``, the length of a token's row.
    """

    radius: float
    steps: int
    step_size: float
    noise: float
    norm: str

    def begin(self, model: Model, batch: Batch, seed: int) -> torch.Tensor:
        """[N, E] noise that follows from the step and from the tokens of each text."""
        table = model.backbone.tables().tokens
        width, ids = table.shape[1], batch.ids.cpu().numpy()
        starts = np.cumsum(batch.lengths)[:-1]
        rows = [
            generator(seed, "noise", own.tobytes().hex()).standard_normal((len(own), width), np.float32)
            for own in np.split(ids, starts)
        ]
        return self.project(torch.from_numpy(np.concatenate(rows)).to(table) * self.noise)

    def project(self, noise_NE: torch.Tensor) -> torch.Tensor:
        """The nearest disturbance that is short enough."""
        if self.norm == "inf":
            return noise_NE.clamp(-self.radius, self.radius)
        length: torch.Tensor = noise_NE.norm(dim=-1, keepdim=True).clamp(min=EPS)
        return noise_NE * (self.radius / length).clamp(max=1.0)

    def climb(self, noise_NE: torch.Tensor, grad_NE: torch.Tensor, batch: Batch) -> torch.Tensor:
        """One step uphill, of one length in each text, and back to what is short enough."""
        text = torch.from_numpy(np.repeat(np.arange(len(batch.lengths)), batch.lengths)).to(grad_NE.device)
        sizes = grad_NE.abs().amax(-1) if self.norm == "inf" else grad_NE.norm(dim=-1)
        largest = sizes.new_zeros(len(batch.lengths)).scatter_reduce(0, text, sizes, "amax").clamp(min=EPS)
        return self.project(noise_NE + self.step_size * grad_NE / largest[text, None])


@dataclass(frozen=True, slots=True)
class AnswerTerm:
    """The base of the terms: they read a micro-batch again and look at what its heads answer.

    Attributes:
        goals: whose answers are compared → how much each counts.
    """

    goals: Mapping[str, float]

    @property
    def needs_all_states(self) -> bool:
        """Of the answers alone."""
        return False

    def weight(self, batch: Batch) -> float:
        """The weights of the questions that are asked."""
        return sum(goal.total_weight for name, goal in batch.goals.items() if name in self.goals)

    def answers(self, model: Model, output: ModelOutput, batch: Batch, masks: int) -> Answers:
        """What the heads answer, with the dropout that ``masks`` names."""
        torch.manual_seed(derive_seed(masks, "heads"))
        return {
            name: model.head(goal.head)(output.reads[name], goal, output.tables)
            for name, goal in batch.goals.items()
            if name in self.goals
        }

    def read_again(self, model: Model, batch: Batch, masks: int, noise_NE: torch.Tensor | None = None) -> ModelOutput:
        """The micro-batch once more, with the dropout that ``masks`` names."""
        torch.manual_seed(masks)
        return model.run(batch, [name for name in batch.goals if name in self.goals], noise=noise_NE)

    def total(self, batch: Batch, value: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """The sum over goals; ``value`` is that of one of them."""
        found = torch.zeros((), device=batch.ids.device)
        for name in batch.goals:
            if name in self.goals:
                found = found + self.goals[name] * value(name)
        return found

    def apart(self, model: Model, batch: Batch, kind: str, first: Answers, second: Answers) -> torch.Tensor:
        """How far two answers to all questions are from each other, weighted."""

        def of_goal(name: str) -> torch.Tensor:
            goal = batch.goals[name]
            return (model.head(goal.head).difference(first[name], second[name], goal, kind) * goal.weights).sum()

        return self.total(batch, of_goal)


@dataclass(frozen=True, slots=True)
class Smoothness(AnswerTerm):
    """The divergence between the answers to a text and to the text as it is disturbed most.

    Attributes:
        disturbance: how that is found.
        kind: of the divergence.
    """

    disturbance: Disturbance
    kind: str

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all questions; both answers have a gradient."""
        clean = self.answers(model, output, batch, seeds.masks)
        fixed = {name: answer.detach() for name, answer in clean.items()}
        noise = self.disturbance.begin(model, batch, seeds.step)
        for _ in range(self.disturbance.steps):
            noise = noise.detach().requires_grad_()
            again = self.read_again(model, batch, seeds.masks, noise)
            value = self.apart(model, batch, self.kind, fixed, self.answers(model, again, batch, seeds.masks))
            [grad] = torch.autograd.grad(value, noise)
            noise = self.disturbance.climb(noise.detach(), grad, batch)
        again = self.read_again(model, batch, seeds.masks, noise.detach())
        return self.apart(model, batch, self.kind, clean, self.answers(model, again, batch, seeds.masks))


@dataclass(frozen=True, slots=True)
class Proximal(AnswerTerm):
    """The divergence between the answers and those of earlier weights (SMART's Bregman proximal point, equation 4).

    Attributes:
        kind: of the divergence.
        earlier: the model has these weights for a while.
    """

    kind: str
    earlier: Callable[[], AbstractContextManager[None]]

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all questions, with the same dropout; only the answers of today have a gradient."""
        with torch.no_grad(), self.earlier():
            before = self.answers(model, self.read_again(model, batch, seeds.masks), batch, seeds.masks)
        return self.apart(model, batch, self.kind, self.answers(model, output, batch, seeds.masks), before)


@dataclass(frozen=True, slots=True)
class Adversarial(AnswerTerm):
    """The mean loss over the steps of a disturbance that makes it larger (FreeLB); the first is noise.

    Attributes:
        disturbance: how that is found.
    """

    disturbance: Disturbance

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all questions."""
        noise = self.disturbance.begin(model, batch, seeds.step)
        found: list[torch.Tensor] = []
        for step in range(self.disturbance.steps):
            noise = noise.detach().requires_grad_()
            value = _losses_of(self, model, self.read_again(model, batch, seeds.masks, noise), batch)
            found.append(value)
            if step + 1 < self.disturbance.steps:
                [grad] = torch.autograd.grad(value, noise, retain_graph=True)
                noise = self.disturbance.climb(noise.detach(), grad, batch)
        return torch.stack(found).mean()


@dataclass(frozen=True, slots=True)
class TwoDropouts(AnswerTerm):
    """R-Drop: the loss of a second reading with other dropout, and how far its answers are from the first.

    Attributes:
        alpha: how much that divergence counts.
    """

    alpha: float

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all questions; the divergence is half the symmetric one."""
        other = derive_seed(seeds.masks, "again")
        first = self.answers(model, output, batch, seeds.masks)
        again = self.read_again(model, batch, other)
        second = self.answers(model, again, batch, other)
        apart = self.apart(model, batch, "symmetric-kl", first, second)
        return _losses_of(self, model, again, batch) + self.alpha / 2 * apart


def _losses_of(term: AnswerTerm, model: Model, output: ModelOutput, batch: Batch) -> torch.Tensor:
    """The losses of the term's goals, weighted."""
    losses = model.losses(output, batch)
    return term.total(batch, lambda name: losses[name].sum)
