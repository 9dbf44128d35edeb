"""Noise on tokens, as masked language models learn from it (Devlin et al. 2019, section 3.1).

A corrupted token stays as it is, becomes a random token of the vocabulary, or is masked: 10, 10 and 80 % by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Ints

MASKED_SHARE = 0.15
"""Of the tokens that a masked language model guesses."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What corrupted tokens become.

    Attributes:
        mask: id of the mask token.
        vocab_size: random ids are below it.
        keep: share that stays.
        random: share that becomes a random token.
    """

    mask: int
    vocab_size: int
    keep: float = 0.1
    random: float = 0.1

    def corrupt(self, ids: Ints, rng: np.random.Generator, run_lengths: Sequence[int] | None = None) -> Ints:
        """[T] what each token becomes.

        Args:
            ids: the tokens.
            rng: decides.
            run_lengths: sizes of runs of ``ids``: all tokens of a run stay, become random or are masked together (Joshi et
                al. 2020, section 3.1); ``None``: each token by itself.
        """
        share = rng.random(len(ids)) if run_lengths is None else rng.random(len(run_lengths)).repeat(run_lengths)
        random_ids = rng.integers(self.vocab_size, size=len(ids))
        return np.where(share < self.keep, ids, np.where(share < self.keep + self.random, random_ids, self.mask))

    def corrupt_some(self, ids: Ints, rate: float, rng: np.random.Generator) -> Ints:
        """[T] the tokens, each corrupted with probability ``rate``."""
        if rate == 0 or len(ids) == 0:
            return ids
        return np.where(rng.random(len(ids)) < rate, self.corrupt(ids, rng), ids)
