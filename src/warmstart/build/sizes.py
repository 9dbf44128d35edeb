"""From a recipe's ``model`` to the settings of a backbone."""

from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.config.schema import ModelRecipe
from warmstart.models.presets import PRESETS, change_settings, preset
from warmstart.models.settings import KINDS, BackboneSettings

DEFAULT = "gpt1-mini"
FREE = (
    "context", "joint_table", "bptt", "cell_clip", "word_dropout", "embedding_dropout", "layer_dropout", "output_dropout",
    "weight_dropout",
)  # fmt: skip
"""What a recipe may change about the model of a start: position rows are kept or newly made, dropout falls elsewhere."""


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
    changes = _dropout(recipe, base["kind"]) | _named_sizes(recipe) | {"vocab_size": vocab_size}
    if recipe.width is not None and recipe.hidden is None and "hidden" in base:
        changes["hidden"] = 4 * recipe.width
    return change_settings(base, changes)


def _named_sizes(recipe: ModelRecipe) -> dict[str, Any]:
    """The sizes that a recipe names."""
    return recipe.model_dump(exclude_none=True, exclude={"preset", "dropout"})


def _dropout(recipe: ModelRecipe, kind: str) -> dict[str, float]:
    """One rate for every dropout that a kind of backbone counts as such."""
    return {} if recipe.dropout is None else dict.fromkeys(KINDS[kind].DROPOUTS, recipe.dropout)


def for_reading(backbone: BackboneSettings, *, vectors: bool) -> BackboneSettings:
    """The backbone as it reads ids, or the vectors of images.

    Raises:
        BadInput: images for a bidirectional model.
    """
    if vectors and backbone.sight != "causal":
        raise BadInput(
            "a bidirectional model reads no images here", where="--model", value="sees the whole image",
            allowed="an LSTM, or a Transformer that reads from left to right", next_step="choose --model lstm-mini",
        )  # fmt: skip
    return backbone.model_copy(update={"vectors": vectors})


def with_start(recipe: ModelRecipe, start: BackboneSettings, vocab_size: int) -> BackboneSettings:
    """The backbone of a start, grown to ``vocab_size``; of ``recipe`` only :data:`FREE` and dropout may differ from it.

    Raises:
        BadInput: the recipe asks for another size or another kind of backbone.
    """
    asked, there = _named_sizes(recipe), start.model_dump()
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
    return change_settings(there, _dropout(recipe, start.kind) | asked | {"vocab_size": vocab_size})


def for_task(backbone: BackboneSettings, reads_text: bool, lm: bool) -> BackboneSettings:
    """The backbone with what a task reads and no more.

    A bidirectional one reads a text as a whole (``reads_text``) through a pooler, newly initialised where its
    pre-training had none. Where tokens are read there is none, and no softmax over the vocabulary without its goal.
    """
    return backbone.with_parts(pooler=reads_text, lm=lm)


def with_context(backbone: BackboneSettings, wanted: int | None) -> BackboneSettings:
    """The backbone with positions for ``wanted`` tokens, if it has fewer."""
    if wanted is None or wanted <= backbone.max_length:
        return backbone
    return backbone.model_copy(update={"context": wanted})
