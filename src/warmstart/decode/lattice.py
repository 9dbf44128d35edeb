"""The lattice of a search: every token that it kept, so that other scores can choose another text off line.

A frame is one step: each node has a token, the place of its parent in the frame before, and its score, the sum of the
log-probabilities up to it. Nodes that end a text are those with the end token; in the last frame every node may be the last.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(slots=True)
class Frame:
    """One step of a search."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Lattice:
    """All steps of the search from one source.

    Attributes:
        end_id: of the token that ends a text.
        frames: the steps.
    """

    end_id: int | None
    frames: list[Frame] = field(default_factory=list)

    def path(self, step: int, place: int) -> list[int]:
        """The tokens from the beginning to a node."""
        found = []
        for frame in reversed(self.frames[: step + 1]):
            found.append(frame.tokens[place])
            place = frame.parents[place]
        return found[::-1]

    def to_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        frames = [
            [f.tokens, f.parents, [round(s, 6) if math.isfinite(s) else None for s in f.scores]] for f in self.frames
        ]
        return {"end": self.end_id, "frames": frames}

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Lattice":
        """What :meth:`to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: it is nothing of that form.
        """
        frames: list[Frame] = []
        width: int | None = None  # the first nodes have no parent that is kept
        for tokens, parents, scores in stored["frames"]:
            frames.append(Frame(tokens, parents, [-math.inf if s is None else float(s) for s in scores]))
            if not (_are_numbers(tokens) and _are_numbers(parents, width)):
                raise ValueError("a node without a token or without a parent in the frame before")
            width = len(tokens)
        end = stored["end"]
        if not _are_numbers([0 if end is None else end]):
            raise ValueError("the end is no token")
        return Lattice(end, frames)


def _are_numbers(values: list[Any], count: int | None = None) -> bool:
    """Whether all are whole numbers from 0, below ``count`` where one is given."""
    return all(type(value) is int and value >= 0 and (count is None or value < count) for value in values)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How texts of a lattice are scored; ``length`` is the number of tokens, the end included.

    Attributes:
        alpha: the score is divided by ((5 + length) / 6) ** alpha.
        per_token: added for each token; with ``expected``: taken off for each token away from that length.
        expected: a length, or ``None``.
        min_length: texts of fewer tokens, the end not counted, take part only where all have fewer.
    """

    alpha: float = 0.0
    per_token: float = 0.0
    expected: int | None = None
    min_length: int = 0

    def score(self, total: float, length: int) -> float:
        """What a text of ``length`` with log-probability ``total`` is worth."""
        if self.alpha > 0:
            return float(total / ((5 + length) / 6) ** self.alpha)
        if self.expected is not None:
            return total - self.per_token * abs(length - self.expected)
        return total + self.per_token * length


class Best(NamedTuple):
    """The best text of a lattice: its tokens without the end, whether it has ended, its log-probability, its worth."""

    ids: list[int]
    ended: bool
    log_prob: float
    score: float


def rank(lattice: Lattice, ranking: Ranking) -> Best:
    """The best text; of equals the one found first."""
    last = _last_frame(lattice)
    best: tuple[bool, float] | None = None
    at = 0, 0
    for step, frame in enumerate(lattice.frames[: last + 1]):
        for place, (token, total) in enumerate(zip(frame.tokens, frame.scores, strict=True)):
            ends = token == lattice.end_id
            if not (ends or step == last):
                continue
            worth = step + 1 - ends >= ranking.min_length, ranking.score(total, step + 1)
            if best is None or worth > best:
                best, at = worth, (step, place)
    if best is None:
        return Best([], False, -math.inf, -math.inf)
    (_, score), (step, place) = best, at
    ids, total = lattice.path(step, place), lattice.frames[step].scores[place]
    if lattice.end_id in ids:
        return Best(ids[: ids.index(lattice.end_id)], True, total, score)
    return Best(ids, False, total, score)


def _last_frame(lattice: Lattice) -> int:
    """The first step at which every node ends, or the last step."""
    for step, frame in enumerate(lattice.frames):
        if all(token == lattice.end_id for token in frame.tokens):
            return step
    return len(lattice.frames) - 1
