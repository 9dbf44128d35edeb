"""Language models that start the stacks of an encoder-decoder: one for the source's side, one for the target's.

Ramachandran et al. 2016: of the encoder its token table and first layer, of the decoder these and the softmax; of two
Transformers all layers that both have. What reads the source is new.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.build.inputs import check_inputs_alone, input_models
from warmstart.build.sizes import backbone_settings
from warmstart.build.start import NO_START, Start, read_start
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import SOURCE_LM, TARGET_LM
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.tasks.vocabulary import Vocabulary, begins_with
from warmstart.transfer.side import as_side, settings_as_side
from warmstart.transfer.start import PartTransfer, WeightAccount, differing_field, start_from

FORMS = ("norm", "norm_eps", "activation", "embedding_norm")
"""What a Transformer takes over of the language models that start it, where its recipe names nothing else."""
DRAFT_VOCABULARY = 512  # where only the kind of a model is asked for


def side_starts(recipe: FinetuneRecipe) -> dict[str, str]:
    """Name of a stack → the language model that starts it."""
    found = {"encoder": recipe.encoder_start, "decoder": recipe.decoder_start}
    return {side: name for side, name in found.items() if name is not None}


def origin(recipe: FinetuneRecipe) -> str:
    """What a training begins from, in words."""
    if recipe.start != NO_START:
        return f"`{recipe.start}`"
    sides = [f"`{name}` ({side})" for side, name in side_starts(recipe).items()]
    read = [f"the states of `{name}` ({stack})" for stack, name in input_models(recipe).items()]
    return " and ".join([*sides, *read]) or "random weights"


def with_side_vocabulary(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The recipe with the vocabulary of its decoder's language model, or of its encoder's, where it names none.

    Of both the one with more tokens: a masked language model adds its mask to the vocabulary of the text. Where there are
    none, of the language models whose states it reads.

    Raises:
        BadInput: another start for the whole model.
    """
    check_inputs_alone(recipe)
    names, read = side_starts(recipe), [*input_models(recipe).values()]
    if not names and not read:
        return recipe
    if recipe.start != NO_START:
        raise BadInput(
            "a start for the whole model, and another for one of its sides", where="--start", value=recipe.start,
            allowed=f"none, with --{next(iter(names))}-start", next_step="leave one of them out",
        )  # fmt: skip
    known = [names[side] for side in reversed(names)] or read
    sizes = {name: read_start(name).tokenizer.vocab_size for name in known}
    return recipe.model_copy(update={"tokenizer": recipe.tokenizer or max(sizes, key=lambda name: sizes[name])})


def forms_of_starts(recipe: FinetuneRecipe) -> dict[str, Any]:
    """The forms of the sides' language models, where the recipe's model names none of its own: field → value.

    Its softmax uses the token table where the decoder's does, its norms and its activation are theirs, and an encoder with a
    start has a token table of its own.
    """
    names = [name for name in (recipe.decoder_start, recipe.encoder_start) if name is not None]
    if not names:
        return {}
    found = {name: read_start(name).backbone for name in names}
    changes: dict[str, Any] = {}
    if recipe.decoder_start is not None and recipe.model.tied is None:
        changes["tied"] = found[recipe.decoder_start].tied
    for name in FORMS:
        values = [value for one in found.values() if (value := getattr(one, name, None)) is not None]
        if values and getattr(recipe.model, name) is None:
            changes[name] = values[0]
    if recipe.encoder_start is not None and recipe.model.shared_tokens is None:
        changes["shared_tokens"] = False
    fields = type(backbone_settings(recipe.model, DRAFT_VOCABULARY)).model_fields
    return {name: value for name, value in changes.items() if name in fields}


@dataclass(frozen=True, slots=True)
class SideStarts:
    """Name of a stack, ``encoder`` or ``decoder`` → what starts it; nothing where neither has a start.

    ``layers``: how many of the first layers are taken, without the softmax; ``None``: as many as there are, and the softmax.
    """

    sides: Mapping[str, Start] = field(default_factory=dict)
    layers: int | None = None

    def initialise(self, model: Model, *others: PartTransfer) -> WeightAccount:
        """Copies the weights into a freshly drawn model, and those of ``others``; says what became of every weight."""
        transfers: list[PartTransfer] = [*others]
        left: list[str] = []
        for side, start in self.sides.items():
            imported, backbone = start.load(), model.settings.backbone
            both = min(getattr(backbone, side).total_layers, start.backbone.total_layers)
            layers = min(both, backbone.SIDE_LAYERS or both, both if self.layers is None else self.layers)
            source, dropped = as_side(imported.model, getattr(backbone, side))
            part = PartTransfer(source, target_part=f"backbone.{side}", layers=layers, softmax=self.layers is None)
            transfers.append(part)
            left += [*imported.unused, *dropped]
        account = start_from(model, *transfers)
        account.unused += left
        return account

    def check_layers(self, goals: Collection[str], backbone: BackboneSettings) -> None:
        """Refuses a text of a side that would be read by layers which its language model does not have.

        Raises:
            BadInput: the stack has more layers than the language model that starts it and goes on learning in it.
        """
        for goal, side in ((SOURCE_LM, "encoder"), (TARGET_LM, "decoder")):
            if goal not in goals or side not in self.sides or backbone.SIDE_LAYERS:
                continue
            theirs, ours = self.sides[side].backbone.total_layers, getattr(backbone, side).total_layers
            if theirs < ours:
                raise BadInput(
                    f"the {side} has layers that its language model has not, and so they would learn its text",
                    where=f"--{side}-start", value=f"{theirs} layers, and {ours} of the {side}", allowed=f"{ours} or more",
                    next_step="choose fewer --layers, or leave the text out",
                )  # fmt: skip

    def fingerprint(self) -> str | None:
        """Hex SHA-256 of all their files; ``None``: there are none."""
        lines = [f"{side} {start.fingerprint()}" for side, start in self.sides.items()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else None


def read_side_starts(recipe: FinetuneRecipe, backbone: BackboneSettings, tokenizer: Vocabulary) -> SideStarts:
    """The starts of a recipe's sides; reads no weights yet.

    Raises:
        BadInput: the model is no encoder-decoder; a language model has another vocabulary, kind or size than its side.
    """
    sides = {}
    for side, name in side_starts(recipe).items():
        if not backbone.two_stacks:
            raise BadInput(
                f"{backbone.NOUN} has no {side}", where=f"--{side}-start", value=name,
                allowed="with an encoder-decoder", next_step="add --model lstm-encoder-decoder-mini, or another of these",
            )  # fmt: skip
        sides[side] = start = read_start(name)
        _check_side(side, name, start, getattr(backbone, side), tokenizer)
        most = backbone.SIDE_LAYERS or start.backbone.total_layers
        if (recipe.transfer_layers or 0) > most:
            raise BadInput(
                f"more layers asked for than the {side} takes of its language model", where="--transfer-layers",
                value=recipe.transfer_layers, allowed=f"0 to {most}", next_step="lower it, or leave it out",
            )  # fmt: skip
    return SideStarts(sides, recipe.transfer_layers)


def _check_side(side: str, name: str, start: Start, ours: TransformerSettings, tokenizer: Vocabulary) -> None:
    if not begins_with(tokenizer, start.tokenizer):
        raise BadInput(
            f"the {side}'s language model has another vocabulary than the model", where=f"--{side}-start", value=name,
            allowed="one vocabulary for both sides",
            next_step="pre-train both language models with one --tokenizer",
        )  # fmt: skip
    if start.metadata.direction == "backward":
        raise BadInput(
            f"the {side}'s language model reads texts from their end", where=f"--{side}-start", value=name,
            allowed="one that reads from left to right", next_step="pre-train it with --objective causal",
        )  # fmt: skip
    other = differing_field(ours, settings_as_side(start.backbone, ours))
    if other is not None:
        mine, theirs = getattr(ours, other), getattr(start.backbone, other)
        raise BadInput(
            f"the {side}'s language model has another {other}", where=f"--{side}-start", value=f"{theirs} in {name}",
            allowed=str(mine), next_step="choose another --model, or another language model",
        )  # fmt: skip
