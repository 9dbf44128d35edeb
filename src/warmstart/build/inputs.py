"""Language models whose states a model reads as its tokens (:mod:`warmstart.models.inputs`): whether they fit; weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from warmstart.base.errors import BadInput
from warmstart.build.start import NO_START, Start, read_start
from warmstart.config.inputs import InputRecipe
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, InputSettings
from warmstart.tasks.vocabulary import Vocabulary, begins_with, require_text
from warmstart.text.special_tokens import END
from warmstart.transfer.start import PartTransfer

Stack = Literal["text", "encoder", "decoder"]
SIDES: dict[Stack, str] = {"encoder": "source", "decoder": "target", "text": "text"}
"""A part that reads tokens → what a recipe calls its inputs."""


def input_models(recipe: FinetuneRecipe) -> dict[Stack, str]:
    """Name of a part → the language model whose states it reads."""
    found = {stack: getattr(recipe.inputs, side) for stack, side in SIDES.items()}
    return {stack: name for stack, name in found.items() if name is not None}


def check_inputs_alone(recipe: FinetuneRecipe) -> None:
    """Refuses what says something of inputs that are not there, or a start, which brings its own.

    Raises:
        BadInput: either of the two.
    """
    names = input_models(recipe)
    if not names and recipe.inputs != InputRecipe():
        raise BadInput(
            "how inputs are read, of which none are named", where="--inputs",
            allowed="with --source-inputs, --target-inputs or --text-inputs", next_step="name a language model, or leave it "
            "out",
        )  # fmt: skip
    if names and recipe.start != NO_START:
        raise BadInput(
            "a start decides what its tokens are read as", where=f"--{SIDES[next(iter(names))]}-inputs", value=recipe.start,
            allowed="with --start none", next_step="leave one of the two out",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class InputModels:
    """Name of a part that reads tokens → the language model whose states it reads; nothing where none is named."""

    models: Mapping[Stack, Start] = field(default_factory=dict)

    @property
    def see_ahead(self) -> bool:
        """Whether a state of a text may know of tokens behind it."""
        return any(sees_ahead(start.backbone) for start in self.models.values())

    def settings(self, recipe: InputRecipe, backbone: BackboneSettings, vocab_size: int) -> dict[Stack, InputSettings]:
        """Of each part: the language model without its softmax, with rows for all tokens."""
        place: Literal["instead", "beside"] = "instead" if backbone.two_stacks else "beside"
        return {
            stack: InputSettings(
                backbone=resized(start.backbone.with_parts(pooler=False, lm=False), vocab_size), kind=recipe.kind,
                place=place, at=recipe.at, norm=recipe.norm, dropout=recipe.dropout,
            )
            for stack, start in self.models.items()
        }  # fmt: skip

    def transfers(self) -> list[PartTransfer]:
        """Their weights, each for its place in a model."""
        return [PartTransfer(start.load().model, target_part=lm_place(stack)) for stack, start in self.models.items()]

    def without_foresight(self, recipe: FinetuneRecipe, generates: bool) -> FinetuneRecipe:
        """The recipe without an auxiliary language model: one that reads what it is to predict learns nothing.

        Raises:
            BadInput: such a goal is asked for, or the task writes texts with a model of one stack.
        """
        if "text" not in self.models:
            return recipe
        if generates or (recipe.lm_weight and self.see_ahead):
            raise BadInput(
                "a model that predicts tokens cannot read states that know of them", where="--text-inputs",
                value=recipe.inputs.text, allowed="for tasks that read texts, without --lm-weight",
                next_step="leave it out, or choose an encoder-decoder with --source-inputs",
            )  # fmt: skip
        return recipe.model_copy(update={"lm_weight": recipe.lm_weight or 0.0})

    def fit_length(self, recipe: FinetuneRecipe, backbone: BackboneSettings, needed: int | None) -> BackboneSettings:
        """The backbone with as many positions as the language models read, where they read fewer than it.

        Raises:
            BadInput: more tokens are asked for (``needed`` by the task's own limits).
        """
        for stack, start in self.models.items():
            most = start.backbone.max_length
            fitted = backbone.model_copy(update={"context": min(backbone.context, most)})
            asked, endless = recipe.task.context or recipe.model.context or needed or 0, fitted.max_length > most
            if asked > most or (endless and (recipe.task.context is None or stack == "decoder")):
                raise BadInput(
                    "more tokens of a text than the language model of its inputs reads", where=f"--{SIDES[stack]}-inputs",
                    value="any number" if endless else asked, allowed=f"up to {most}",
                    next_step="name a language model that reads longer texts"
                    + ("" if stack == "decoder" else f", or add --context {most}"),
                )  # fmt: skip
            backbone = fitted
        return backbone

    def fingerprint(self) -> str | None:
        """Hex SHA-256 of all their files; ``None``: there are none."""
        lines = [f"{stack} {start.fingerprint()}" for stack, start in self.models.items()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else None


def read_inputs(recipe: FinetuneRecipe, backbone: BackboneSettings, tokenizer: Vocabulary) -> InputModels:
    """The language models that a recipe names; reads no weights yet.

    Raises:
        BadInput: the model has no such part; a language model has another vocabulary, does not read texts as this part needs
            it, or a table that is not read any more would be wanted by the softmax.
    """
    found: dict[Stack, Start] = {}
    for stack, name in input_models(recipe).items():
        where = f"--{SIDES[stack]}-inputs"
        if backbone.two_stacks == (stack == "text"):
            raise BadInput(
                f"{backbone.NOUN} has no {stack}" if stack != "text" else f"{backbone.NOUN} reads two texts", where=where,
                value=name, allowed="--source-inputs, --target-inputs" if stack == "text" else "with an encoder-decoder",
                next_step="name the side" if stack == "text" else "add --model encoder-decoder-mini, or use --text-inputs",
            )  # fmt: skip
        start = read_start(name)
        require_text(start.tokenizer, where)
        if not begins_with(tokenizer, start.tokenizer):
            raise BadInput(
                "the language model of the inputs has another vocabulary than the model", where=where, value=name,
                allowed="one vocabulary for all", next_step="pre-train all language models with one --tokenizer",
            )  # fmt: skip
        _check_reading(stack, name, start)
        found[stack] = start
    _check_tables(found, backbone)
    if backbone.two_stacks and recipe.inputs.at != "input":
        raise BadInput(
            "an encoder-decoder reads the states of a language model at its input", where="--inputs-at",
            value=recipe.inputs.at, allowed="input", next_step="leave it out",
        )  # fmt: skip
    return InputModels(found)


def _check_reading(stack: Stack, name: str, start: Start) -> None:
    """Refuses a language model that does not read a text as a part needs it."""
    direction, wrong = start.metadata.direction, ""
    if start.backbone.two_stacks:
        wrong = "it is an encoder-decoder"
    elif direction == "backward":
        wrong = "it reads from the end"
    elif stack == "decoder" and sees_ahead(start.backbone):
        wrong = "it sees what is not written yet"
    if wrong:
        able = "a language model from left to right" + ("" if stack == "decoder" else ", or of both directions")
        raise BadInput(
            f"this language model cannot be read by the {SIDES[stack]}: {wrong}", where=f"--{SIDES[stack]}-inputs",
            value=name, allowed=able, next_step="name another run",
        )  # fmt: skip


def _check_tables(models: Mapping[Stack, Start], backbone: BackboneSettings) -> None:
    """Refuses tables that hold more than tokens, or that nobody would read."""
    if models and getattr(backbone, "joint_table", False):
        raise BadInput(
            "one matrix for tokens and positions has no place for other inputs", where="model.joint_table", value=True,
            allowed="false", next_step="set it to false",
        )  # fmt: skip
    if models and not backbone.has_token_table:
        raise BadInput(
            "a model that reads characters has no place for other inputs", where="model.characters", allowed="0",
            next_step="leave it out: the language model of the inputs may read characters",
        )  # fmt: skip
    if "decoder" in models and backbone.sight == "prefix" and not backbone.tied and hasattr(backbone, "shared_tokens"):
        raise BadInput(
            "the decoder reads no table of its own, which the softmax could leave to it", where="model.tied", value=False,
            allowed="true, with --target-inputs", next_step="leave model.tied out",
        )  # fmt: skip


def grown_inputs(recipe: FinetuneRecipe, start: Start, vocab_size: int) -> dict[Stack, InputSettings]:
    """What a start reads its tokens as, with rows for all tokens.

    Raises:
        BadInput: it is given another vocabulary, which its language models do not know.
    """
    if start.inputs and recipe.new_vocabulary:
        raise BadInput(
            "the start reads the states of language models, which know their own vocabulary only", where="--new-vocabulary",
            value=recipe.tokenizer, allowed="another start", next_step="leave it out",
        )  # fmt: skip
    return {
        stack: own.model_copy(update={"backbone": resized(own.backbone, vocab_size)})
        for stack, own in start.inputs.items()
    }


def sees_ahead(backbone: BackboneSettings) -> bool:
    """Whether its state of a token knows of tokens behind it."""
    return backbone.sight != "causal" or getattr(backbone, "directions", 1) == 2


def resized(backbone: BackboneSettings, vocab_size: int) -> BackboneSettings:
    """The same with rows for all tokens."""
    return backbone.model_copy(update={"vocab_size": max(backbone.vocab_size, vocab_size)})


def lm_place(stack: Stack) -> str:
    """Where a model keeps the language model of a part."""
    return "backbone.inputs.lm" if stack == "text" else f"backbone.{stack}.inputs.lm"


@torch.no_grad()
def read_unknown_as_end(model: Model, known: Mapping[Stack, int], tokenizer: Vocabulary) -> None:
    """To its language models a token beyond those that they know (``known`` of each part) is the end of a text."""
    if not known:
        return
    text = require_text(tokenizer, "--tokenizer")
    end = text.token_to_id(text.special_token("eos") or text.special_token("sep") or END)
    for stack, count in known.items():
        lm: Any = model.get_submodule(lm_place(stack))
        rows = {name: tensor for name, tensor in lm.state_dict().items() if name in lm.VOCABULARY and len(tensor)}
        for table in rows.values():
            table[count:] = table[end].clone()
