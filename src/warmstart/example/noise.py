"""Noise on tokens, as masked language models learn from it (Devlin et al. 2019, section 3.1).

A noised token stays as it is, becomes a token drawn evenly from the vocabulary, or is masked: 10, 10 and 80 % by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.example.example import Ints


@dataclass(frozen=True, slots=True)
class Noise:
    """What noised tokens become.

    Attributes:
        mask: id of the mask token.
        vocab_size: ids are drawn below it.
        keep: share that stays.
        random: share that is drawn.
    """

    mask: int
    vocab_size: int
    keep: float = 0.1
    random: float = 0.1

    def on(self, ids: Ints, draw: np.random.Generator, alike: Sequence[int] | None = None) -> Ints:
        """[T] what each token becomes when it is noised.

        Args:
            ids: the tokens.
            draw: decides.
            alike: sizes of runs of ``ids`` whose tokens fare alike (Joshi et al. 2020, section 3.1); ``None``: each fares
                by itself.
        """
        share = draw.random(len(ids)) if alike is None else draw.random(len(alike)).repeat(alike)
        drawn = draw.integers(self.vocab_size, size=len(ids))
        return np.where(share < self.keep, ids, np.where(share < self.keep + self.random, drawn, self.mask))

    def sprinkled(self, ids: Ints, rate: float, draw: np.random.Generator) -> Ints:
        """[T] the tokens, each noised with probability ``rate``."""
        if rate == 0 or len(ids) == 0:
            return ids
        return np.where(draw.random(len(ids)) < rate, self.on(ids, draw), ids)
