"""Settings of a pre-training that follow from its text, its model and its start, where the recipe leaves them open.

One rule for all (docs/train.md, "What is chosen for you", has the measurements that it was found by):

- the model is ``modern-mini``; ``modern-micro`` where ``modern-mini`` would have more weights than it reads tokens; and
  ``bert-mini`` where the objective needs a model that sees the whole text;
- a text is read four times at most, since further readings teach little (Muennighoff et al. 2023, section 6), and a weight
  learns from 20 tokens (Hoffmann et al. 2022, table 3): the shorter of both is the length;
- a step reads about 4,096 tokens, and fewer where a run would then have fewer than 250 steps;
- Muon where a Transformer's norms come first, else AdamW; each has a rate for the kind of backbone at 384 wide, which is
  divided by how many times wider the model is. A trained start goes on by AdamW, at four times the rate of its fine-tuning.
"""

from typing import Any

from warmstart.base.settings import resolved
from warmstart.base.units import Length
from warmstart.build.chosen import ChosenSettings, rate_at
from warmstart.build.dry_run import build_meta_model
from warmstart.build.fit import PRESETS, fresh_backbone
from warmstart.build.start import NO_START
from warmstart.config.schema import ModelRecipe, PretrainRecipe
from warmstart.models.settings import BackboneSettings, ModelSettings
from warmstart.objectives.objective import Objective
from warmstart.train.settings import TrainSettings

MOST_EPOCHS = 4
TOKENS_PER_WEIGHT = 20
STEP_TOKENS, LEAST_STEPS = 4096, 250
CONTINUED = 4
"""How many times the rate of fine-tuning a trained start goes on with."""
CHOSEN = (
    ("model", "preset"), ("train", "length"), ("train", "batch_size"), ("train", "optimizer", "kind"),
    ("train", "optimizer", "lr"),
)  # fmt: skip
"""The fields that are chosen where a recipe leaves them open."""


def choose_model(
    recipe: PretrainRecipe, objective: Objective, vocab_size: int, num_tokens: int
) -> ChosenSettings[PretrainRecipe]:
    """Names a preset where ``recipe`` has neither a start nor a word about its model.

    Args:
        recipe: of the pre-training.
        objective: that the model has to suit.
        vocab_size: of its vocabulary.
        num_tokens: of the text, or rows of the images.
    """
    if recipe.start != NO_START or recipe.model != ModelRecipe():
        return ChosenSettings(recipe, ())
    to_read = tokens_of(recipe.train.length or f"{MOST_EPOCHS} epochs", num_tokens)
    models = {
        name: fresh_backbone(ModelRecipe(preset=name), objective, vocab_size) for name in PRESETS[objective.sight]
    }
    weights = {name: num_weights(backbone) for name, backbone in models.items()}
    first, *larger = weights
    chosen = next((name for name in reversed(larger) if weights[name] <= to_read), first)
    words = f"chosen     model {chosen}, {_millions(weights[chosen])} weights"
    if chosen != first:
        words += f", for as many tokens to read and more; {first} is for fewer"
    elif larger:
        words += f"; {larger[0]} is for {_millions(weights[larger[0]])} tokens to read and more"
    model = recipe.model.model_copy(update={"preset": chosen})
    return ChosenSettings(recipe.model_copy(update={"model": model}), (words,))


def num_weights(backbone: BackboneSettings) -> int:
    """Of a model without heads of its own."""
    return build_meta_model(ModelSettings(backbone=backbone)).num_parameters


def tokens_of(length: str, num_tokens: int) -> float:
    """Tokens of a length, of a text of ``num_tokens``; one in steps does not say, and counts as endless."""
    asked = Length.parse(length)
    return asked.value * {"epochs": num_tokens, "tokens": 1}.get(asked.unit, float("inf"))


def choose_settings(
    recipe: PretrainRecipe, backbone: BackboneSettings, num_tokens: int
) -> ChosenSettings[PretrainRecipe]:
    """Fills in what ``recipe`` leaves open; what it states stays.

    Args:
        recipe: of the pre-training.
        backbone: that it trains.
        num_tokens: of the text, or rows of the images.
    """
    train, optimizer = recipe.train, recipe.train.optimizer
    starts = recipe.start != NO_START
    weights = num_weights(backbone)
    length = train.length or choose_length(num_tokens, weights)
    batch = train.batch_size or choose_batch(length, num_tokens, backbone.context)
    kind: str = optimizer.kind or ("adamw" if starts else backbone.pretraining_optimizer)
    rate = optimizer.lr or choose_rate(backbone, kind, starts)
    found: dict[str, Any] = {"length": length, "batch_size": batch}
    found["optimizer"] = optimizer.model_copy(update={"kind": kind, "lr": rate})
    chosen = recipe.model_copy(update={"train": train.model_copy(update=found)})
    return ChosenSettings(chosen, tuple(_words(train, chosen.train, num_tokens, weights)))


def choose_length(num_tokens: int, weights: int) -> str:
    """As many readings of the text, or as many tokens, as the shorter of both rules says."""
    wanted = TOKENS_PER_WEIGHT * weights
    return (
        f"{MOST_EPOCHS} epochs" if MOST_EPOCHS * num_tokens <= wanted else f"{float(f'{wanted / 1e6:.2g}'):g}M tokens"
    )


def choose_batch(length: str, num_tokens: int, context: int) -> int:
    """Rows of a step."""
    return max(1, round(min(STEP_TOKENS, tokens_of(length, num_tokens) / LEAST_STEPS) / context))


def choose_rate(backbone: BackboneSettings, kind: str, starts: bool) -> float:
    """The peak rate, to two digits."""
    return rate_at(backbone.width, CONTINUED * backbone.RATES[0] if starts else backbone.PRETRAINING_RATES[kind])


def _words(asked: TrainSettings, found: TrainSettings, num_tokens: int, weights: int) -> list[str]:
    """One line for the length and one for the rest; none for what the recipe states."""
    lines = []
    if asked.length is None:
        lines.append(f"chosen     {_length_in_words(resolved(found.length), num_tokens, weights)}")
    parts = []
    if asked.optimizer.kind is None:
        parts.append(f"optimizer {found.optimizer.kind}")
    if asked.optimizer.lr is None:
        parts.append(f"rate {found.optimizer.lr:g}")
    if asked.batch_size is None:
        parts.append(f"batches of {found.batch_size}")
    if parts:
        lines.append(f"chosen     {', '.join(parts)}, by the model, its start and the length")
    return lines


def _length_in_words(length: str, num_tokens: int, weights: int) -> str:
    """``4 epochs of 3.2M tokens, since …``."""
    wanted, text = _millions(TOKENS_PER_WEIGHT * weights), _millions(num_tokens)
    if Length.parse(length).unit == "epochs":
        return (
            f"{length} of {text} tokens, since further readings of a text teach little "
            f"({TOKENS_PER_WEIGHT} tokens a weight would be {wanted})"
        )
    return f"{length}, about {TOKENS_PER_WEIGHT} for each of {_millions(weights)} weights, of {text} tokens of text"


def _millions(count: int) -> str:
    """A number of tokens or weights, to three digits."""
    return f"{count / 1e6:,.0f}M" if count >= 1e8 else f"{count / 1e6:.3g}M" if count >= 1e6 else f"{count:,}"
