"""Text of one side alone that an encoder-decoder goes on learning as a language model while it is fine-tuned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.files import sha256
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import SOURCE_LM, TARGET_LM, Example
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, HeadSettings, TokenHeadSettings
from warmstart.readers.text_io import read_lines
from warmstart.tasks.framed_items import TrainingData
from warmstart.tasks.framing import Frame
from warmstart.tasks.seq2seq_lm import (
    SideFrame,
    SideTexts,
    frame_masked_source,
    frame_source_text,
    frame_target_text,
)
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.clean import clean


@dataclass(frozen=True, slots=True)
class SideGoals:
    """Goal → the file of its text, and how much its loss counts; nothing where a recipe names no text.

    ``alternate``: the texts are learned in every other step, and the pairs in those between.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    alternate: bool = False

    @property
    def turns(self) -> tuple[slice, ...]:
        """Which of a pair's Examples each step of a batch reads: its texts, then the pair; or all in one step."""
        return (slice(1, None), slice(0, 1)) if self.alternate else (slice(None),)

    def heads(self) -> dict[str, HeadSettings | TokenHeadSettings]:
        """The head of the encoder's language model, where it learns; that of the decoder is the model's own."""
        return {SOURCE_LM: TokenHeadSettings(kind="tokens", table="encoder")} if SOURCE_LM in self.texts else {}

    def fingerprint(self) -> dict[str, str]:
        """Goal → hex SHA-256 of the file of its text."""
        return {goal: sha256(Path(path)) for goal, path in self.texts.items()}

    def fit(self, backbone: BackboneSettings) -> BackboneSettings:
        """The backbone with a softmax for its encoder, where that is needed.

        Raises:
            BadInput: it reads no text of one side alone.
        """
        if self.texts and not backbone.reads_sides_alone:
            raise BadInput(
                f"{backbone.NOUN} reads no text of one side alone", where="--source-text, --target-text",
                value=", ".join(self.texts.values()), allowed="with an encoder-decoder",
                next_step="leave them out, or add --model lstm-encoder-decoder-mini, or another of these",
            )  # fmt: skip
        return backbone.model_copy(update={"encoder_softmax": True}) if SOURCE_LM in self.texts else backbone

    def without_softmax(self, model: Model) -> Model:
        """A trained model without what only the encoder's language model has read."""
        if SOURCE_LM not in self.texts:
            return model
        settings = model.settings
        backbone = settings.backbone.model_copy(update={"encoder_softmax": False})
        heads = {name: head for name, head in settings.heads.items() if name != SOURCE_LM}
        found = Model(settings.model_copy(update={"backbone": backbone, "heads": heads}))
        kept, tensors = found.state_dict(), model.state_dict()
        found.load_state_dict({name: tensors[name] for name in kept})
        return found.to(next(model.parameters()).device)


def side_goals(recipe: FinetuneRecipe) -> SideGoals:
    """What a recipe asks for.

    Raises:
        BadInput: a weight for a text that is not named, or turns without any text.
    """
    asked = {
        SOURCE_LM: (recipe.source_text, recipe.source_lm_weight), TARGET_LM: (recipe.target_text, recipe.target_lm_weight)
    }  # fmt: skip
    for side, (text, weight) in zip(("source", "target"), asked.values(), strict=True):
        if text is None and weight != 1:
            raise BadInput(
                "the weight of a text that is not named", where=f"--{side}-lm-weight", value=weight,
                allowed=f"with --{side}-text", next_step=f"add --{side}-text FILE, or leave it out",
            )  # fmt: skip
    found = {goal: (text, weight) for goal, (text, weight) in asked.items() if text is not None and weight > 0}
    alternate = recipe.side_losses == "alternating"
    if alternate and not found:
        raise BadInput(
            "no language model that could learn between the pairs", where="--side-losses", value=recipe.side_losses,
            allowed="with --source-text or --target-text", next_step="name a text, or leave it out",
        )  # fmt: skip
    texts = {goal: text for goal, (text, _) in found.items()}
    return SideGoals(texts, {goal: weight for goal, (_, weight) in found.items()}, alternate)


def side_frame(goal: str, backbone: BackboneSettings, frame: Frame, path: str) -> SideFrame:
    """How a goal's text is framed: an encoder that sees all of it guesses masked tokens.

    Raises:
        BadInput: it would, and the vocabulary has no mask.
    """
    if goal == TARGET_LM:
        return frame_target_text
    if not backbone.masks_sources:
        return frame_source_text
    if frame.noise is None:
        raise BadInput(
            "an encoder that sees whole sources learns from masked tokens, and the vocabulary has no mask",
            where="--source-text", value=path, allowed="a vocabulary of a masked language model",
            next_step="start the encoder from one (pretrain --objective masked), or give its folder with --tokenizer",
        )  # fmt: skip
    return frame_masked_source


def read_side_texts(path: str, frame: Frame, framed: SideFrame, vocabulary: Vocabulary, encoding: str) -> SideTexts:
    """The lines of a text file, each to be framed by ``framed`` as a text of its side.

    Raises:
        BadInput: the file cannot be read, or holds no text.
    """
    lines = (clean(line.rstrip("\n"), frame.settings.clean) for line in read_lines(path, encoding))
    encoded = require_text(vocabulary, "--task").encode_batch([line for line in lines if line.strip()])
    ids = [own for own in encoded if len(own)]
    if not ids:
        raise BadInput(
            "no text to learn from", where=path, allowed="a text on each line", next_step="name another file"
        )
    return SideTexts([np.asarray(own, np.int64) for own in ids], framed, frame)


def with_side_texts(training: TrainingData, texts: list[SideTexts]) -> TrainingData:
    """With each pair goes a text of each side, which follows from the seed, the epoch and the pair's number."""
    pairs = training.redraw
    if not texts or pairs is None:
        return training

    def redraw(i: int, draw: np.random.Generator) -> list[Example]:
        return [*pairs(i, draw), *(side.draw(draw) for side in texts)]

    return training._replace(redraw=redraw)
