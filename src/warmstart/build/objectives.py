"""What is learned from text: the table of objectives, and what each needs of model and vocabulary."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.config.schema import Objective
from warmstart.corpora.corpus import Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import Example
from warmstart.image.augment import augment_image
from warmstart.image.processor import ImageProcessor
from warmstart.image.settings import AugmentSettings
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.autoencoder import autoencoder
from warmstart.objectives.backward import backward
from warmstart.objectives.both import both
from warmstart.objectives.causal import causal
from warmstart.objectives.masked import masked
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.streams.carry import CarriedRows
from warmstart.streams.order import permuted
from warmstart.streams.sources import AugmentedSource, Documents, DrawnRows, Rows, Source
from warmstart.tasks.images import check_rows_fit
from warmstart.tasks.settings import Direction
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.word_boundaries import WordBoundaries

DRAWN: dict[Objective, Callable[[Ints, np.random.Generator, Masking], list[Example]]] = {
    "masked": masked,
    "mixture": mixture,
    "pseudo-masked": pseudo_masked,
}
"""The objectives that hide something; each draws what."""
WRITTEN: dict[Objective, Callable[[NDArray[Any]], list[Example]]] = {"causal": causal, "autoencoder": autoencoder}
"""The objectives that guess what comes next, of tokens and of vectors."""
ROWS: dict[Objective, Callable[[NDArray[Any]], list[Example]]] = {"causal": causal, "backward": backward, "both": both}
"""The objectives that guess the neighbour of each token of a row of text."""
STILL = AugmentSettings(shift=0, flip=False)

WORDS: dict[Objective, str] = {
    "causal": "A causal language model",
    "backward": "A language model that reads from the end",
    "both": "A language model that reads from both ends",
    "autoencoder": "A sequence autoencoder",
    "masked": "A masked language model",
    "mixture": "A language model of UniLM's mixture",
    "pseudo-masked": "A pseudo-masked language model",
}

ROLES = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]"}
"""Special tokens that masking asks for, and what they are called where a vocabulary has none."""

FRAMED = 3  # special tokens of the longest frame


def direction_of(objective: Objective) -> Direction:
    """From which end a model reads that learns this."""
    return objective if objective in ("backward", "both") else "forward"


def with_marks(tokenizer: Vocabulary, objective: Objective) -> Vocabulary:
    """The tokenizer with the special tokens that the objective asks for; new ones stand at its end.

    Raises:
        BadInput: an objective that images do not go with.
    """
    if isinstance(tokenizer, ImageProcessor) and objective not in WRITTEN:
        raise BadInput(
            "images are read from their first row on, and have no tokens to hide", where="--objective", value=objective,
            allowed=", ".join(WRITTEN), next_step="choose one of these",
        )  # fmt: skip
    if isinstance(tokenizer, ImageProcessor) or objective not in DRAWN:
        return tokenizer
    return tokenizer.with_special_tokens(
        [name for role, name in ROLES.items() if tokenizer.special_token(role) is None]
    )


def masking_of(settings: MaskSettings, tokenizer: Tokenizer, backbone: BackboneSettings) -> Masking:
    """What masking needs to know of a vocabulary and a model."""
    cls, sep, mask = (tokenizer.special_token_id(role) for role in ("cls", "sep", "mask"))
    return Masking(
        settings, cls, sep, mask, tokenizer.end_id, tokenizer.vocab_size, WordBoundaries.from_tokenizer(tokenizer),
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
        self,
        objective: Objective,
        mask: MaskSettings,
        tokenizer: Vocabulary,
        backbone: BackboneSettings,
        augment: AugmentSettings = STILL,
    ) -> None:
        self.objective, self.width, self.augment = objective, row_width(objective, backbone.context), augment
        self.longest = backbone.max_length
        self.whole = (backbone.max_length + 1) // 2  # of a document that is read and then written
        self.masking: Masking | None = None
        if objective in DRAWN and isinstance(tokenizer, Tokenizer):
            self.masking = masking_of(_with_units(mask, objective), tokenizer, backbone)

    def units(
        self, corpus: Corpus | ImageCorpus, held_out: int = 0, *, dev: bool = False, seed: int = 0, carry_rows: int = 0
    ) -> Source:
        """The units; those of dev hide the same tokens whatever the seed, and show none of them (:func:`hidden`).

        ``carry_rows``: rows of a step where they go on from those of the step before; 0: each begins anew.
        """
        if isinstance(corpus, ImageCorpus):
            return self._images(corpus, held_out, dev, seed)
        if carry_rows:
            frame, backward = ROWS[self.objective], self.objective == "backward"
            return CarriedRows(corpus, self.width, frame, held_out, carry_rows, seed=seed, backward=backward)
        if self.objective == "autoencoder":
            return Documents(corpus, self.whole, autoencoder, held_out, dev)
        if self.masking is None:
            return Rows(corpus, self.width, ROWS[self.objective], held_out, dev)
        hide, masking = DRAWN[self.objective], self.masking
        if dev:
            masking, seed = replace(masking, settings=hidden(masking.settings)), 0
        return DrawnRows(corpus, self.width, lambda ids, draw: hide(ids, draw, masking), held_out, dev=dev, seed=seed)

    def _images(self, corpus: ImageCorpus, held_out: int, dev: bool, seed: int) -> Source:
        """Images, in training varied anew in every epoch; which are held out follows from the corpus alone, as with text."""
        check_rows_fit(corpus.processor.height, self.whole if self.objective == "autoencoder" else self.longest)
        count, frame = corpus.num_documents, WRITTEN[self.objective]
        order = permuted(np.arange(count), count, 0, "held out")
        own = order[:held_out] if dev else order[held_out:]
        augment = STILL if dev else self.augment

        def shown(i: int, draw: np.random.Generator) -> list[Example]:
            return frame(corpus.processor.to_rows(augment_image(corpus.images[own[i]], draw, augment)))

        return AugmentedSource(len(own), shown, seed, alike=corpus.processor.height)
