"""From a recipe's ``model`` to the settings of a backbone."""

from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.models.presets import PRESETS, check, preset
from warmstart.models.settings import TransformerSettings
from warmstart.recipe.schema import ModelRecipe, Objective, PretrainRecipe

DEFAULT, DEFAULT_MASKED = "gpt1-mini", "bert-mini"
FREE = ("context", "joint_table")
"""What a recipe may change about the model of a start: position rows are kept or newly made, dropout falls elsewhere."""

POOLED = ("label", "labels", "score", "choice")
"""Goals that read one state per text, through the pooler where the backbone has one."""

DROPOUTS = ("embedding_dropout", "attention_dropout", "residual_dropout")


def backbone_settings(recipe: ModelRecipe, vocab_size: int) -> TransformerSettings:
    """The backbone that ``recipe`` means, for a vocabulary of ``vocab_size``.

    Without ``hidden``, another width takes four times that.
    """
    changes = recipe.model_dump(exclude_none=True, exclude={"preset", "dropout"}) | {"vocab_size": vocab_size}
    if recipe.width is not None and recipe.hidden is None:
        changes["hidden"] = 4 * recipe.width
    if recipe.dropout is not None:
        changes |= dict.fromkeys(DROPOUTS, recipe.dropout)
    name = recipe.preset or DEFAULT
    if name in PRESETS or not (Path(name).is_dir() or "/" in name):
        return preset(name, **changes)
    from warmstart.transfer.folder import load_settings
    from warmstart.transfer.hub import model_folder

    base = load_settings(model_folder(name)).backbone
    return check(TransformerSettings.model_validate(base.model_dump() | changes))


def pretrained_size(recipe: PretrainRecipe, vocab_size: int) -> TransformerSettings:
    """The backbone of a pre-training from random weights.

    Raises:
        BadInput: as :func:`backbone_settings`, or the model does not see as the objective wants.
    """
    model = recipe.model
    if recipe.objective != "causal" and model.preset is None:
        model = model.model_copy(update={"preset": DEFAULT_MASKED})
    return for_objective(backbone_settings(model, vocab_size), recipe.objective)


def for_objective(backbone: TransformerSettings, objective: Objective) -> TransformerSettings:
    """The backbone with what an objective reads and no more.

    Raises:
        BadInput: a left-to-right model is to guess masked tokens, or a bidirectional one the next token.
    """
    sight = "causal" if objective == "causal" else "full"
    if backbone.sight != sight:
        raise BadInput(
            f"this model sees {_SEEN[backbone.sight]}, which the objective does not go with", where="--objective",
            value=objective, allowed="causal" if sight == "full" else "masked, mixture, pseudo-masked",
            next_step=f"choose another --model, such as {DEFAULT_MASKED if sight == 'full' else DEFAULT}",
        )  # fmt: skip
    return backbone if sight == "causal" else backbone.model_copy(update={"lm_transform": True, "pooler": False})


_SEEN = {"causal": "only what came before", "full": "the whole text"}


def with_start(recipe: ModelRecipe, start: TransformerSettings, vocab_size: int) -> TransformerSettings:
    """The backbone of a start, grown to ``vocab_size``; of ``recipe`` only :data:`FREE` and dropout may differ from it.

    Raises:
        BadInput: the recipe asks for another size.
    """
    asked = recipe.model_dump(exclude_none=True, exclude={"preset", "dropout"})
    for name, value in asked.items():
        if name not in FREE and value != getattr(start, name):
            raise BadInput(
                f"the start has another {name}", where=f"model.{name}", value=value, allowed=str(getattr(start, name)),
                next_step="leave it out: the start decides the size",
            )  # fmt: skip
    changes = {name: value for name, value in asked.items() if name in FREE} | {"vocab_size": vocab_size}
    if recipe.dropout is not None:
        changes |= dict.fromkeys(DROPOUTS, recipe.dropout)
    return check(start.model_copy(update=changes))


def for_task(backbone: TransformerSettings, goal: str, lm: bool) -> TransformerSettings:
    """The backbone with what a task reads and no more.

    A bidirectional one reads a text as a whole through a pooler, newly made where its pre-training had none. Where tokens
    are read there is none, and no softmax over the vocabulary without its goal.
    """
    return backbone.model_copy(
        update={
            "pooler": backbone.sight == "full" and goal in POOLED,
            "lm_transform": backbone.lm_transform and lm,
            "tied": backbone.tied or not lm,
        }
    )
