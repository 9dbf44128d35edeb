"""What is asked of a language model here, log p(continuation | context), and its answer; nothing of how it is computed.

T tokens of a run, n of them predicted.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats, Ints
from warmstart.models.model import Model

Marks = NDArray[np.bool_]


class Pair(NamedTuple):
    """A continuation of a context, which may be empty; ``where`` names its row in messages."""

    context: str
    continuation: str
    where: str = ""


class TokenRun(NamedTuple):
    """[T] ids that are read together; those from ``first`` on are predicted."""

    ids: Ints
    first: int


class TokenScores(NamedTuple):
    """[n] natural log-probabilities of predicted tokens, and whether each is the model's first guess."""

    log_probs: Floats
    right: Marks


class Likelihood(NamedTuple):
    """The answer to a pair, token by token of the continuation.

    Attributes:
        log_probs: [n].
        right: [n].
        spans_border: whether the first token also holds characters of the context.
        cut: tokens of the context that did not fit and were not read.
    """

    log_probs: Floats
    right: Marks
    spans_border: bool = False
    cut: int = 0

    @property
    def total(self) -> float:
        """The log-likelihood of the continuation; 0 where the continuation has no token."""
        return float(self.log_probs.sum(dtype=np.float64))

    @property
    def mean(self) -> float:
        """The mean per token."""
        return self.total / max(1, len(self.log_probs))

    @property
    def greedy(self) -> bool:
        """Whether greedy decoding writes the continuation."""
        return bool(self.right.all())


class TokenModel(Protocol):
    """A model that gives the predicted tokens of runs their log-probabilities.

    Attributes:
        model: the language model.
        room: tokens of the longest run.
        begin: ids that come before every text.
        opening: ids before a text of which the first token is predicted.
        fewest: tokens that a predicted one needs before it.
    """

    model: Model
    room: int
    begin: tuple[int, ...]
    opening: tuple[int, ...]
    fewest: int

    def answer(self, runs: Sequence[TokenRun]) -> Iterator[TokenScores]:
        """The scores of each run, in order; adjacent runs may begin alike."""
        ...

    def first_guesses(self, runs: Sequence[TokenRun], banned: Ints) -> list[bool]:
        """Whether the first predicted token of each run is the first guess among all tokens but those ``banned``."""
        ...
