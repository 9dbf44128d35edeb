"""How well a language model guesses text: mean negative log-likelihood per token, perplexity, share guessed right.

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
    """``loss`` in nats per token over ``tokens`` targets; ``perplexity`` is its exponential.

    ``accuracy`` is the share of the targets that are the model's first guess; told of masked tokens only.
    """

    loss: float
    perplexity: float
    tokens: int
    accuracy: float | None = None

    def to_dict(self) -> dict[str, float]:
        """The measures by name."""
        found = {"loss": self.loss, "perplexity": self.perplexity}
        return found if self.accuracy is None else found | {"accuracy": self.accuracy}


def evaluate_language_model(model: Model, batches: Iterable[Batch]) -> LanguageModelling:
    """Judges the goal ``lm`` of all ``batches``; targets of weight 0 are left out, others weigh as they say.

    Raises:
        BadInput: no token is asked for.
        Diverged: the loss is not a finite number.
    """
    device = next(model.parameters()).device
    total, weight, right, tokens = 0.0, 0.0, 0.0, 0
    with judging(model):
        for batch in batches:
            asked = batch.goals[LM]
            judged = model.judge_tokens(batch.to(device))
            weights = asked.weights.double()
            total += float((judged.losses.double().cpu() * weights).sum())
            right += float((judged.right.double().cpu() * weights).sum())
            weight += asked.total_weight
            tokens += int((asked.weights > 0).sum())
    if weight == 0:
        raise BadInput("no token to judge by", where="batches", value=0, allowed="at least one token with a successor")
    loss = total / weight
    if not math.isfinite(loss):
        raise Diverged(f"the loss is {loss}: the model's weights are not usable")
    accuracy = right / weight if model.settings.backbone.sight == "full" else None
    return LanguageModelling(loss, math.exp(min(loss, 700.0)), tokens, accuracy)
