"""A language model that learns from a larger one of the same vocabulary: the probabilities of all tokens.

Hinton et al. 2015, section 2; of masked models Sanh et al. 2019. The teacher reads the same micro-batch, without dropout and
without a gradient: its pass forward is what this costs. Neither its logits nor the student's exist for a whole batch.
"""

from dataclasses import dataclass
from typing import Any

import torch

from warmstart.example.batch import Batch
from warmstart.models.model import Model, ModelOutput
from warmstart.models.softmax import Softmax, soft_token_loss
from warmstart.models.terms import NO_SEEDS, StepSeeds


@dataclass(frozen=True, slots=True, eq=False)
class Distillation:
    """T² times the divergence of the student from the teacher, both softened by a temperature T; 0 where they agree.

    Attributes:
        teacher: in evaluation mode.
        goal: whose reads both predict a token at.
        temperature: T.
    """

    teacher: Model
    goal: str
    temperature: float

    @property
    def needs_all_states(self) -> bool:
        """Only those of the reads."""
        return False

    def weight(self, batch: Batch) -> float:
        """The weights of the tokens that are predicted."""
        return batch.goals[self.goal].total_weight

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds = NO_SEEDS) -> torch.Tensor:
        """The sum over all tokens."""
        weights = batch.goals[self.goal].weights
        with torch.no_grad():
            teacher = self.teacher.to(batch.ids.device)
            taught = self._softmax(teacher, teacher.run(batch, [self.goal]), batch)
        return soft_token_loss(self._softmax(model, output, batch), taught, weights, self.temperature)

    def _softmax(self, model: Model, output: ModelOutput, batch: Batch) -> Softmax:
        head: Any = model.head(batch.goals[self.goal].head)
        found: Softmax = head.softmax_table(output.tables).softmax(output.reads[self.goal])
        return found
