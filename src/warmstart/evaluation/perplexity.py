"""How well a language model guesses text: mean negative log-likelihood per token, and perplexity.

Per token of the model's own vocabulary: figures of models with different tokenizers cannot be compared.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from warmstart.base.errors import BadInput, Diverged
from warmstart.evaluation.answers import judging
from warmstart.example.batch import Batch
from warmstart.models.model import LM, Model


@dataclass(frozen=True, slots=True)
class LanguageModelling:
    """``loss`` in nats per token over ``tokens`` targets; ``perplexity`` is its exponential."""

    loss: float
    perplexity: float
    tokens: int

    def to_dict(self) -> dict[str, float]:
        """Loss and perplexity by name."""
        return {"loss": self.loss, "perplexity": self.perplexity}


def evaluate_language_model(model: Model, batches: Iterable[Batch]) -> LanguageModelling:
    """Judges the goal ``lm`` of all ``batches``; targets of weight 0 are left out, others weigh as they say.

    Raises:
        BadInput: no token is asked for.
        Diverged: the loss is not a finite number.
    """
    device = next(model.parameters()).device
    total, weight, tokens = 0.0, 0.0, 0
    with judging(model):
        for batch in batches:
            asked = batch.goals[LM]
            losses = model.token_losses(batch.to(device)).double().cpu()
            total += float((losses * asked.weights.double()).sum())
            weight += asked.total_weight
            tokens += int((asked.weights > 0).sum())
    if weight == 0:
        raise BadInput("no token to judge by", where="batches", value=0, allowed="at least one token with a successor")
    loss = total / weight
    if not math.isfinite(loss):
        raise Diverged(f"the loss is {loss}: the model's weights are not usable")
    return LanguageModelling(loss, math.exp(min(loss, 700.0)), tokens)
