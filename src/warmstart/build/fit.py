"""Whether a model and its vocabulary fit an objective, and what they get for it."""

from warmstart.base.errors import BadInput
from warmstart.build.sizes import backbone_settings
from warmstart.config.schema import ModelRecipe
from warmstart.image.processor import ImageProcessor
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.objective import Objective
from warmstart.objectives.table import OBJECTIVES
from warmstart.tasks.vocabulary import Vocabulary

PRESETS = {
    "causal": ("modern-micro", "modern-mini"),
    "full": ("bert-mini",),
    "prefix": ("encoder-decoder-mini",),
    "cloze": ("bilm-mini",),
}
"""Sight → the models, from small to large, that a recipe may mean which names none."""
WHAT_IT_SEES = {
    "causal": "only what came before",
    "full": "the whole text",
    "prefix": "a source and a target",
    "cloze": "all but the token that it predicts",
}


def fresh_backbone(recipe: ModelRecipe, objective: Objective, vocab_size: int) -> BackboneSettings:
    """The backbone of a pre-training from random weights.

    Raises:
        BadInput: an unknown preset or an impossible size, or the model does not see what the objective needs.
    """
    if recipe.preset is None:
        recipe = recipe.model_copy(update={"preset": PRESETS[objective.sight][-1]})
    return fit_backbone(backbone_settings(recipe, vocab_size), objective)


def fit_backbone(backbone: BackboneSettings, objective: Objective) -> BackboneSettings:
    """The backbone with the parts that an objective trains and no others.

    Raises:
        BadInput: the model does not see what the objective needs.
    """
    if backbone.sight != objective.sight:
        raise BadInput(
            f"this model sees {WHAT_IT_SEES[backbone.sight]}, which does not suit the objective", where="--objective",
            value=objective.name, allowed=names(sight=backbone.sight),
            next_step=f"choose another --model, such as {PRESETS[objective.sight][-1]}",
        )  # fmt: skip
    backbone = backbone.with_parts(pooler=False, lm=True)
    return backbone.model_copy(update={"lm_transform": True}) if objective.lm_transform else backbone


def fit_vocabulary(vocabulary: Vocabulary, objective: Objective) -> Vocabulary:
    """The vocabulary with the special tokens that an objective needs; new ones stand at its end.

    Raises:
        BadInput: images for an objective that reads text.
    """
    if not isinstance(vocabulary, ImageProcessor):
        missing = [name for role, name in objective.special_tokens.items() if vocabulary.special_token(role) is None]
        missing += [name for name in objective.new_tokens if not vocabulary.has_token(name)]
        return vocabulary.with_special_tokens(missing) if missing else vocabulary
    if not objective.reads_images:
        raise BadInput(
            "this objective is for text only", where="--objective",
            value=objective.name, allowed=names(reads_images=True), next_step="choose one of these",
        )  # fmt: skip
    return vocabulary


def check_carry(objective: Objective, backbone: BackboneSettings) -> None:
    """Raises :class:`BadInput` where a model has no state to carry from row to row of a text."""
    if not backbone.can_carry:
        raise BadInput(
            "a Transformer has no state to carry from row to row", where="--carry", allowed="with an LSTM",
            next_step="leave it out, or choose another --model, such as lstm",
        )  # fmt: skip
    if not objective.carries:
        raise BadInput(
            "this objective carries no state from row to row", where="--objective", value=objective.name,
            allowed=names(carries=True), next_step="leave --carry out",
        )  # fmt: skip


def check_direction(objective: Objective, direction: str) -> None:
    """Raises :class:`BadInput` where a start reads texts from another end than the objective."""
    if objective.direction != direction:
        raise BadInput(
            "the start does not read from this end of a text", where="--objective", value=objective.name,
            allowed=names(direction=direction, sight=objective.sight),
            next_step="begin with --start none, or from a run of this direction",
        )  # fmt: skip


def names(**fields: object) -> str:
    """The objectives that have these values."""
    return ", ".join(
        name
        for name, objective in OBJECTIVES.items()
        if all(getattr(objective, field) == value for field, value in fields.items())
    )
