"""From a recipe's ``model`` to the settings of a backbone."""

from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.config.schema import CARRIED, MASKED, OBJECTIVES, ModelRecipe, Objective, PretrainRecipe
from warmstart.models.presets import PRESETS, changed, preset
from warmstart.models.settings import KINDS, BackboneSettings

DEFAULT, DEFAULT_MASKED = "gpt1-mini", "bert-mini"
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


def pretrained_size(recipe: PretrainRecipe, vocab_size: int) -> BackboneSettings:
    """The backbone of a pre-training from random weights.

    Raises:
        BadInput: as :func:`backbone_settings`, or the model does not see as the objective wants.
    """
    model = recipe.model
    if recipe.objective in MASKED and model.preset is None:
        model = model.model_copy(update={"preset": DEFAULT_MASKED})
    return for_objective(backbone_settings(model, vocab_size), recipe.objective)


def check_carry(recipe: PretrainRecipe, backbone: BackboneSettings) -> None:
    """Raises :class:`BadInput` where nothing could be carried from row to row."""
    if recipe.carry and not backbone.can_carry:
        raise BadInput(
            "a Transformer keeps nothing from one row to the next", where="--carry", allowed="with an LSTM",
            next_step="leave it out, or choose another --model, such as lstm",
        )  # fmt: skip
    if recipe.carry and recipe.objective not in CARRIED:
        raise BadInput(
            "only rows that are read from one end go on in the next", where="--objective", value=recipe.objective,
            allowed=", ".join(CARRIED), next_step="leave --carry out",
        )  # fmt: skip


def for_objective(backbone: BackboneSettings, objective: Objective) -> BackboneSettings:
    """The backbone with what an objective reads and no more.

    Raises:
        BadInput: a left-to-right model is to guess masked tokens, or a bidirectional one the next token.
    """
    sight = "full" if objective in MASKED else "causal"
    if backbone.sight != sight:
        raise BadInput(
            f"this model sees {_SEEN[backbone.sight]}, which the objective does not go with", where="--objective",
            value=objective, allowed=", ".join(name for name in OBJECTIVES if (name in MASKED) == (sight == "causal")),
            next_step=f"choose another --model, such as {DEFAULT_MASKED if sight == 'full' else DEFAULT}",
        )  # fmt: skip
    if sight == "causal":
        return backbone.with_parts(pooler=False, lm=True)
    return backbone.model_copy(update={"lm_transform": True, "pooler": False})


_SEEN = {"causal": "only what came before", "full": "the whole text"}


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
