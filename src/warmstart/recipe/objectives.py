"""What is learned from text: the table of objectives, and what each needs of model and vocabulary."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from warmstart.corpora.corpus import Corpus
from warmstart.example.example import Example, Ints
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.autoencoder import autoencoder
from warmstart.objectives.causal import causal
from warmstart.objectives.masked import masked
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.recipe.schema import Objective
from warmstart.streams.sources import Documents, DrawnRows, Rows, Source
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.words import Borders

DRAWN: dict[Objective, Callable[[Ints, np.random.Generator, Masking], list[Example]]] = {
    "masked": masked,
    "mixture": mixture,
    "pseudo-masked": pseudo_masked,
}
"""The objectives that hide something; each draws what."""

WORDS: dict[Objective, str] = {
    "causal": "A causal language model",
    "autoencoder": "A sequence autoencoder",
    "masked": "A masked language model",
    "mixture": "A language model of UniLM's mixture",
    "pseudo-masked": "A pseudo-masked language model",
}

ROLES = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]"}
"""Special tokens that masking asks for, and what they are called where a vocabulary has none."""

FRAMED = 3  # special tokens of the longest frame


def with_marks(tokenizer: Tokenizer, objective: Objective) -> Tokenizer:
    """The tokenizer with the special tokens that the objective asks for; new ones stand at its end."""
    if objective not in DRAWN:
        return tokenizer
    return tokenizer.with_specials([name for role, name in ROLES.items() if tokenizer.role(role) is None])


def masking_of(settings: MaskSettings, tokenizer: Tokenizer, backbone: BackboneSettings) -> Masking:
    """What masking needs to know of a vocabulary and a model."""
    cls, sep, mask = (tokenizer.role_id(role) for role in ("cls", "sep", "mask"))
    return Masking(
        settings, cls, sep, mask, tokenizer.end_id, tokenizer.vocab_size, Borders.of(tokenizer),
        backbone.segments, backbone.text_segments,
    )  # fmt: skip


def row_width(objective: Objective, context: int) -> int:
    """Tokens of a row of the corpus, so that its frames fit into the context."""
    return context - FRAMED if objective in DRAWN else context


def hidden(mask: MaskSettings) -> MaskSettings:
    """The same where a model is judged: whatever is asked is hidden, since what stays could be copied."""
    return mask.model_copy(update={"random": 0.0, "keep": 0.0})


def _with_units(mask: MaskSettings, objective: Objective) -> MaskSettings:
    """The units that an objective hides by itself, where nothing is said of them."""
    own: Literal["blocks", "tokens"] = "blocks" if objective == "pseudo-masked" else "tokens"
    return mask if mask.units else mask.model_copy(update={"units": own})


class Framing:
    """A corpus as one objective frames it for one model: rows of text, or whole documents where they are written again."""

    def __init__(
        self, objective: Objective, mask: MaskSettings, tokenizer: Tokenizer, backbone: BackboneSettings
    ) -> None:
        self.objective, self.width = objective, row_width(objective, backbone.context)
        self.whole = (backbone.longest + 1) // 2  # of a document that is read and then written
        self.masking = masking_of(_with_units(mask, objective), tokenizer, backbone) if objective in DRAWN else None

    def units(self, corpus: Corpus, held_out: int = 0, *, dev: bool = False, seed: int = 0) -> Source:
        """The units; those of dev hide the same tokens whatever the seed, and show none of them (:func:`hidden`)."""
        if self.objective == "autoencoder":
            return Documents(corpus, self.whole, autoencoder, held_out, dev)
        if self.masking is None:
            return Rows(corpus, self.width, causal, held_out, dev)
        frame, masking = DRAWN[self.objective], self.masking
        if dev:
            masking, seed = replace(masking, settings=hidden(masking.settings)), 0
        return DrawnRows(corpus, self.width, lambda ids, draw: frame(ids, draw, masking), held_out, dev=dev, seed=seed)
