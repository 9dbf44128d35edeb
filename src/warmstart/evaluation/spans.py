"""A span model's answers: the best piece of the context over all windows, in characters of the context as it was given.

Within a window a piece from read i to read j scores start logit i + end logit j; its *margin* is that score less the score
of "no answer", which the softmax of the same window metrics by the same scale. The piece with the greatest margin of all
windows is the answer; where a task has questions without one, an answer whose margin is below the task's threshold is
withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.evaluation.answers import RawOutput
from warmstart.metrics.spans import max_over_answers, word_f1
from warmstart.tasks.span import Window, windows
from warmstart.tasks.spec import TaskSpec

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Found:
    """The best piece of one context.

    Attributes:
        text: of the piece; empty where the context has no token.
        start: its first character.
        end: the character behind its last.
        margin: how far it scores above "no answer" in its window.
        share: its probability in its window: that of its start times that of its end.
        none: the probability of "no answer", in the window that is least inclined to it.
    """

    text: str
    start: int
    end: int
    margin: float
    share: float
    none: float

    def given(self, threshold: float | None) -> bool:
        """Whether the piece is answered with; without a threshold always."""
        return bool(self.text) and (threshold is None or self.margin >= threshold)

    def told(self, threshold: float | None) -> str:
        """The answer's text, empty for "no answer"."""
        return self.text if self.given(threshold) else ""


def find_answer(spec: TaskSpec, said: RawOutput) -> Found:
    """The best piece over all windows of a question."""
    assert said.parts.places is not None
    best: tuple[float, float, int, int] | None = None
    none = 1.0
    behind = 0
    for window in windows(said.parts, spec):
        logits = said.raw[behind : behind + 1 + len(window.read)].astype(np.float64)
        behind += len(logits)
        shares = logits - np.log(np.exp(logits - logits.max(axis=0)).sum(axis=0)) - logits.max(axis=0)
        none = min(none, float(np.exp(shares[0].sum())))
        found = _best_piece(window, shares, spec.span.max_answer)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return Found("", 0, 0, 0.0, 0.0, none)
    margin, share, first, last = best
    start, end = int(said.parts.places[first, 0]), int(said.parts.places[last, 1])
    return Found(str(said.record.texts["context"])[start:end], start, end, margin, share, none)


def _best_piece(window: Window, shares: Doubles, longest: int) -> tuple[float, float, int, int] | None:
    """Margin, probability, first and last token of a window's best piece; ``None`` where nothing is read in it."""
    if len(window.read) == 0:
        return None
    first, last = best_span(shares[1:, 0], shares[1:, 1], window.read, longest)
    score = float(shares[1 + first, 0] + shares[1 + last, 1])
    return score - float(shares[0].sum()), float(np.exp(score)), int(window.read[first]), int(window.read[last])


def best_span(starts: Doubles | Floats, ends: Doubles | Floats, places: NDArray[Any], longest: int) -> tuple[int, int]:
    """The reads (i, j), i <= j, of greatest ``starts[i] + ends[j]`` that span at most ``longest`` tokens.

    Every such pair is looked at; of equals the shortest that begins first is taken.

    Args:
        starts: [n] scores.
        ends: [n] scores.
        places: [n] which token each read is, rising.
        longest: tokens.
    """
    best, found = -np.inf, (0, 0)
    for more in range(min(longest, len(places))):
        allowed = places[more:] - places[: len(places) - more] < longest
        scores = np.where(allowed, starts[: len(places) - more] + ends[more:], -np.inf)
        first = int(scores.argmax())
        if scores[first] > best:
            best, found = float(scores[first]), (first, first + more)
    return found


def tuned_threshold(found: Sequence[Found], answers: Sequence[Sequence[str]]) -> float:
    """The margin from which on answers are best given: of all thresholds the one with the greatest F1 on these questions."""
    order = np.argsort([-each.margin for each in found], kind="stable")
    margins = np.array([found[i].margin for i in order])
    gains = [
        max_over_answers(word_f1, found[i].text, answers[i]) - max_over_answers(word_f1, "", answers[i]) for i in order
    ]
    worth = np.concatenate([[0.0], np.cumsum(gains)])  # of answering the first k
    apart = np.concatenate([[True], margins[1:] < margins[:-1], [True]])  # equal margins stand or fall together
    k = int(np.where(apart, worth, -np.inf).argmax())
    if k == 0:
        return float(margins[0]) + 1.0
    return float(margins[k - 1]) if k == len(margins) else float(margins[k - 1] + margins[k]) / 2
