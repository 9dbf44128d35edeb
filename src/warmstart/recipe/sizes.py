"""From a recipe's ``model`` to the settings of a backbone."""

from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.models.presets import PRESETS, check, preset
from warmstart.models.settings import TransformerSettings
from warmstart.recipe.schema import ModelRecipe

DEFAULT = "gpt1-mini"
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
    if name in PRESETS or not Path(name).is_dir():
        return preset(name, **changes)
    from warmstart.transfer.folder import load_settings

    base = load_settings(Path(name)).backbone
    return check(TransformerSettings.model_validate(base.model_dump() | changes))


def with_start(recipe: ModelRecipe, start: TransformerSettings, vocab_size: int) -> TransformerSettings:
    """The backbone of a start, grown to ``vocab_size``; of ``recipe`` only dropout may differ from it.

    Raises:
        BadInput: the recipe asks for another size.
    """
    asked = recipe.model_dump(exclude_none=True, exclude={"preset", "dropout"})
    for name, value in asked.items():
        if value != getattr(start, name):
            raise BadInput(
                f"the start has another {name}", where=f"model.{name}", value=value, allowed=str(getattr(start, name)),
                next_step="leave it out: the start decides the size",
            )  # fmt: skip
    changes = {"vocab_size": vocab_size}
    if recipe.dropout is not None:
        return start.model_copy(update=changes | dict.fromkeys(DROPOUTS, recipe.dropout))
    return start.model_copy(update=changes)
