"""How well a language model guesses text: mean negative log-likelihood per token, perplexity, share guessed right.

Of one that guesses vectors (the rows of an image) the loss is the mean squared error, and there is no perplexity.

Per token of the model's own vocabulary: figures of models with different tokenizers cannot be compared.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from warmstart.base.errors import BadInput, DivergenceError
from warmstart.evaluation.head_predictor import eval_mode
from warmstart.example.batch import Batch
from warmstart.models.model import Model


@dataclass(frozen=True, slots=True)
class LanguageModelling:
    """``loss`` in nats per token over ``tokens`` targets; ``perplexity`` is its exponential, ``None`` of vectors.

    ``accuracy`` is the share of the targets that are the model's first guess; told of masked tokens only.
    """

    loss: float
    perplexity: float | None
    tokens: int
    accuracy: float | None = None

    def to_dict(self) -> dict[str, float]:
        """The metrics by name."""
        found = {"loss": self.loss, "perplexity": self.perplexity, "accuracy": self.accuracy}
        return {name: value for name, value in found.items() if value is not None}


def evaluate_language_model(model: Model, batches: Iterable[Batch]) -> LanguageModelling:
    """Judges what is guessed to come next in all ``batches``; targets of weight 0 are left out, others weigh as they say.

    Raises:
        BadInput: no token is asked for.
        DivergenceError: the loss is not a finite number.
    """
    device = next(model.parameters()).device
    total, weight, right, tokens = 0.0, 0.0, 0.0, 0
    with eval_mode(model):
        for batch in batches:
            asked = batch.goals[model.next_goal]
            evaluated = model.score_tokens(batch.to(device))
            weights = asked.weights.double()
            total += float((evaluated.losses.cpu().double() * weights).sum())
            right += float((evaluated.right.cpu().double() * weights).sum())
            weight += asked.total_weight
            tokens += int((asked.weights > 0).sum())
    if weight == 0:
        raise BadInput(
            "no token to evaluate on", where="batches", value=0, allowed="at least one token with a successor"
        )
    loss = total / weight
    if not math.isfinite(loss):
        raise DivergenceError(f"the loss is {loss}: the model's weights are not usable")
    accuracy = right / weight if model.settings.backbone.sight == "full" else None
    perplexity = None if model.settings.backbone.vectors else math.exp(min(loss, 700.0))
    return LanguageModelling(loss, perplexity, tokens, accuracy)
