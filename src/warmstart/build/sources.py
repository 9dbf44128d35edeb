"""An opened corpus as a Source: what one objective makes of its text, or of its images, for one model."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.corpora.corpus import Corpus
from warmstart.corpora.images import ImageCorpus
from warmstart.example.example import Example
from warmstart.image.augment import augment_image
from warmstart.image.settings import AugmentSettings
from warmstart.models.settings import BackboneSettings
from warmstart.objectives.corruption import Corruption, SideTokens
from warmstart.objectives.masking import Masking, masked_for_eval
from warmstart.objectives.objective import Objective
from warmstart.objectives.settings import MaskSettings
from warmstart.streams.carry import CarriedRowSource
from warmstart.streams.order import permute
from warmstart.streams.sources import AugmentedSource, DocumentSource, NoisyRowSource, RowSource, Source, TokenCorpus
from warmstart.tasks.images import check_rows_fit
from warmstart.tasks.seq2seq_template import pair_template
from warmstart.tasks.settings import Seq2SeqTemplate
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.word_boundaries import WordBoundaries

FULL_STOPS = (".", "!", "?", "。", "।")
DEFAULT_MASK, NO_AUGMENTATION = MaskSettings(), AugmentSettings(shift=0, flip=False)


class SourceBuilder:
    """Builds the Sources of one objective for one model.

    Args:
        objective: says how the corpus is read.
        tokenizer: of the model; it has the special tokens of the objective.
        backbone: of the model; says how much fits into one Example.
        mask: what is masked, for an objective that masks.
        augment: how images are varied in training.
        pair: special tokens of source and target, where a start has learned others than its vocabulary suggests.
    """

    def __init__(
        self,
        objective: Objective,
        tokenizer: Vocabulary,
        backbone: BackboneSettings,
        mask: MaskSettings = DEFAULT_MASK,
        augment: AugmentSettings = NO_AUGMENTATION,
        pair: Seq2SeqTemplate | None = None,
    ) -> None:
        self.objective, self.augment = objective, augment
        self.width, self.longest = objective.ids_within(backbone.context), objective.ids_within(backbone.max_length)
        self.noise: Masking | Corruption | None = _masking(objective, tokenizer, backbone, mask)
        if objective.corrupts:
            self.noise = _corruption(objective, require_text(tokenizer, "--objective"), mask, pair)

    def training(
        self, corpus: Corpus | ImageCorpus, held_out: int = 0, *, seed: int = 0, carry_rows: int = 0
    ) -> Source:
        """All items but ``held_out``, which the corpus alone decides; what is random follows from the seed.

        ``carry_rows``: rows of a step, where the rows of the next step continue their text; 0: each begins anew.
        """
        if isinstance(corpus, ImageCorpus):
            return self._images(corpus, slice(held_out, None), self.augment, seed)
        if carry_rows:
            return CarriedRowSource(
                corpus, self.width, self.objective.frame, held_out, carry_rows,
                seed=seed, lookahead=self.objective.lookahead, backward=self.objective.direction == "backward",
            )  # fmt: skip
        return self._text(corpus, self.noise, held_out, dev=False, seed=seed)

    def evaluation(self, corpus: Corpus | ImageCorpus, held_out: int | None = None) -> Source:
        """The ``held_out`` items, or all: the same tokens masked whatever the seed of the training, images as they are."""
        if isinstance(corpus, ImageCorpus):
            return self._images(corpus, slice(held_out), NO_AUGMENTATION, 0)
        noise = self.noise and replace(self.noise, settings=masked_for_eval(self.noise.settings))
        return self._text(corpus, noise, held_out or 0, dev=held_out is not None, seed=0)

    def rows(self, corpus: TokenCorpus, seed: int) -> Source:
        """All rows of a text; what is random follows from the seed."""
        return self._text(corpus, self.noise, 0, dev=False, seed=seed)

    def _text(
        self, corpus: TokenCorpus, noise: Masking | Corruption | None, held_out: int, *, dev: bool, seed: int
    ) -> Source:
        frame, lookahead = self.objective.frame, self.objective.lookahead
        if self.objective.item == "document":
            return DocumentSource(corpus, self.longest, frame, held_out, dev)
        if noise is None:
            return RowSource(corpus, self.width, frame, held_out, dev, lookahead)

        def noisy(ids: NDArray[Any], rng: np.random.Generator) -> list[Example]:
            return frame(ids, rng, noise)

        return NoisyRowSource(corpus, self.width, noisy, held_out, dev, lookahead, seed=seed)

    def _images(self, corpus: ImageCorpus, part: slice, augment: AugmentSettings, seed: int) -> Source:
        check_rows_fit(corpus.processor.height, self.longest)
        frame, count = self.objective.frame, corpus.num_documents
        numbers = permute(np.arange(count), count, 0, "held out")[part]

        def varied(i: int, rng: np.random.Generator) -> list[Example]:
            return frame(corpus.processor.to_rows(augment_image(corpus.images[numbers[i]], rng, augment)))

        return AugmentedSource(len(numbers), varied, seed, same_length=corpus.processor.height)


def _corruption(
    objective: Objective, tokenizer: Tokenizer, mask: MaskSettings, pair: Seq2SeqTemplate | None
) -> Corruption:
    """What the frame of an objective needs that corrupts a text and writes it again."""
    found = pair or pair_template(tokenizer)
    sides = SideTokens(found.before, found.after, found.start, found.first, found.end)
    hidden = -1 if tokenizer.special_token("mask") is None else tokenizer.special_token_id("mask")
    sentinels = tuple(tokenizer.token_to_id(name) for name in objective.new_tokens)
    stops = frozenset(n for n, piece in enumerate(tokenizer.pieces) if piece.endswith(FULL_STOPS))
    return Corruption(
        mask, objective.share, sides, sentinels, hidden, tokenizer.end_id, tokenizer.vocab_size, stops
    )  # fmt: skip


def _masking(
    objective: Objective, tokenizer: Vocabulary, backbone: BackboneSettings, mask: MaskSettings
) -> Masking | None:
    """What the frame of a masked objective needs; ``None`` for another."""
    if objective.masks is None:
        return None
    text = require_text(tokenizer, "--objective")
    cls, sep, token = (text.special_token_id(role) for role in ("cls", "sep", "mask"))
    settings = mask if mask.units else mask.model_copy(update={"units": objective.masks})
    return Masking(
        settings, cls, sep, token, text.end_id, text.vocab_size, WordBoundaries.from_tokenizer(text),
        backbone.segments, backbone.text_segments,
    )  # fmt: skip
