"""Runs read from both sides: the log-probability of each token when it alone is masked.

Their sum is the pseudo-log-likelihood of Salazar et al. 2020 (section 2). It takes one reading for each predicted token.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import LM, Example, Goal
from warmstart.models.model import Model
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.causal import answer, check_numbers, first_guesses
from warmstart.zeroshot.likelihood import TokenRun, TokenScores


class MaskedModel:
    """A masked language model as a :class:`~warmstart.zeroshot.likelihood.TokenModel`."""

    fewest = 0
    begin: tuple[int, ...] = ()
    opening: tuple[int, ...] = ()

    def __init__(self, model: Model, tokenizer: Tokenizer) -> None:
        """Puts the model into evaluation mode."""
        self.model, self.mask = model.eval(), tokenizer.special_token_id("mask")
        self.before, self.after = (np.array(side, np.int64) for side in tokenizer.around_ids or ((), ()))
        self.room = model.settings.backbone.max_length - len(self.before) - len(self.after)

    def answer(self, runs: Sequence[TokenRun]) -> Iterator[TokenScores]:
        """As :class:`~warmstart.zeroshot.likelihood.TokenModel` has it."""
        masked = [[self._example(run.ids, place)] for run in runs for place in range(run.first, len(run.ids))]
        found = answer(self.model, masked)
        for run in runs:
            own = [next(found) for _ in range(run.first, len(run.ids))]
            log_probs = np.array([one.log_probs[0] for one in own], np.float32)
            yield check_numbers(TokenScores(log_probs, np.array([one.right[0] for one in own], bool)))

    def first_guesses(self, runs: Sequence[TokenRun], banned: Ints) -> list[bool]:
        """As :class:`~warmstart.zeroshot.likelihood.TokenModel` has it."""
        return first_guesses(self.model, [self._example(run.ids, run.first) for run in runs], banned)

    def _example(self, ids: Ints, place: int) -> Example:
        """All tokens of a run, that at ``place`` masked."""
        whole = np.concatenate([self.before, ids, self.after])
        read = np.array([len(self.before) + place])
        target = whole[read]
        whole[read] = self.mask
        return Example(
            whole, np.zeros(len(whole), np.int64), np.arange(len(whole)), {LM: Goal.each(read, target)}
        )  # fmt: skip
