"""Text of one side alone that an encoder-decoder goes on learning as a language model while it is fine-tuned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.files import sha256
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import SOURCE_LM, TARGET_LM, Example
from warmstart.models.settings import BackboneSettings, HeadSettings, TokenHeadSettings
from warmstart.readers.text_io import read_lines
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TrainingData
from warmstart.tasks.seq2seq_lm import SideTexts, frame_source_text, frame_target_text
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.clean import clean


@dataclass(frozen=True, slots=True)
class SideGoals:
    """Goal → the file of its text, and how much its loss counts; nothing where a recipe names no text."""

    texts: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

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
                value=", ".join(self.texts.values()), allowed="with an LSTM encoder-decoder",
                next_step="leave them out, or add --model lstm-encoder-decoder-mini",
            )  # fmt: skip
        return backbone.model_copy(update={"encoder_softmax": True}) if SOURCE_LM in self.texts else backbone


def side_goals(recipe: FinetuneRecipe) -> SideGoals:
    """What a recipe asks for.

    Raises:
        BadInput: a weight for a text that is not named.
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
    return SideGoals({goal: text for goal, (text, _) in found.items()}, {goal: n for goal, (_, n) in found.items()})


FRAMES: dict[str, Callable[[NDArray[np.int64], Frame], Example]] = {
    SOURCE_LM: frame_source_text, TARGET_LM: frame_target_text
}  # fmt: skip


def read_side_texts(path: str, goal: str, frame: Frame, vocabulary: Vocabulary, encoding: str) -> SideTexts:
    """The lines of a text file, each framed as a text of its goal's side.

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
    return SideTexts([FRAMES[goal](np.asarray(own, np.int64), frame) for own in ids])


def with_side_texts(training: TrainingData, texts: list[SideTexts]) -> TrainingData:
    """With each pair goes a text of each side, which follows from the seed, the epoch and the pair's number."""
    pairs = training.redraw
    if not texts or pairs is None:
        return training

    def redraw(i: int, draw: np.random.Generator) -> list[Example]:
        return [*pairs(i, draw), *(side.draw(draw) for side in texts)]

    return training._replace(redraw=redraw)
