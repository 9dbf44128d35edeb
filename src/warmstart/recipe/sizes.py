"""From a recipe's ``model`` to the settings of a backbone."""

from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.models.presets import PRESETS, changed, preset
from warmstart.models.settings import KINDS, BackboneSettings
from warmstart.recipe.schema import ModelRecipe

DEFAULT = "gpt1-mini"
FREE = (
    "context", "joint_table", "bptt", "cell_clip", "word_dropout", "embedding_dropout", "layer_dropout", "output_dropout",
    "weight_dropout",
)  # fmt: skip
"""What a recipe may change about the model of a start: position rows are kept or newly made, dropout falls elsewhere."""

POOLED = ("label", "labels", "score", "choice")
"""Goals that read one state per text, through the pooler where the backbone has one."""


def backbone_settings(recipe: ModelRecipe, vocab_size: int) -> BackboneSettings:
    """The backbone that ``recipe`` means, for a vocabulary of ``vocab_size``.

    Without ``hidden``, another width takes four times that.
    """
    name = recipe.preset or DEFAULT
    if name in PRESETS or not (Path(name).is_dir() or "/" in name):
        base = preset(name).model_dump()
    else:
        from warmstart.transfer.folder import load_settings
        from warmstart.transfer.hub import model_folder

        base = load_settings(model_folder(name)).backbone.model_dump()
    changes = _dropout(recipe, base["kind"]) | _asked(recipe) | {"vocab_size": vocab_size}
    if recipe.width is not None and recipe.hidden is None and "hidden" in base:
        changes["hidden"] = 4 * recipe.width
    return changed(base, changes)


def _asked(recipe: ModelRecipe) -> dict[str, Any]:
    """The sizes that a recipe names."""
    return recipe.model_dump(exclude_none=True, exclude={"preset", "dropout"})


def _dropout(recipe: ModelRecipe, kind: str) -> dict[str, float]:
    """One rate for every dropout that a kind of backbone counts as such."""
    return {} if recipe.dropout is None else dict.fromkeys(KINDS[kind].DROPOUTS, recipe.dropout)


def with_start(recipe: ModelRecipe, start: BackboneSettings, vocab_size: int) -> BackboneSettings:
    """The backbone of a start, grown to ``vocab_size``; of ``recipe`` only :data:`FREE` and dropout may differ from it.

    Raises:
        BadInput: the recipe asks for another size or another kind of backbone.
    """
    asked, there = _asked(recipe), start.model_dump()
    kind = PRESETS.get(recipe.preset or "", there).get("kind", "transformer")
    if kind != start.kind:
        raise BadInput(
            "the start has another kind of backbone", where="--model", value=f"{recipe.preset}, of kind {kind}",
            allowed=start.kind, next_step="leave it out: the start decides it",
        )  # fmt: skip
    for name, value in asked.items():
        if name not in FREE and name in there and value != there[name]:
            raise BadInput(
                f"the start has another {name}", where=f"model.{name}", value=value, allowed=str(there[name]),
                next_step="leave it out: the start decides the size",
            )  # fmt: skip
    return changed(there, _dropout(recipe, start.kind) | asked | {"vocab_size": vocab_size})


def for_task(backbone: BackboneSettings, goal: str, lm: bool) -> BackboneSettings:
    """The backbone without what a task does not read: the pooler where tokens are read, the softmax without its goal."""
    return backbone.reading(pooled=goal in POOLED, lm=lm)
