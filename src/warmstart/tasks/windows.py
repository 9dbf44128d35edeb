"""Windows on a context that is too long, and the best piece of a context over all of them.

Within a window a piece from read i to read j scores start logit i + end logit j; its *margin* is that score less the score
of "no answer", which the softmax of the same window measures by the same scale. The piece with the greatest margin of all
windows is the answer; where a task has questions without one, an answer whose margin is below the task's threshold is
withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.metrics.spans import max_over_answers, word_f1
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.text_windows import window_starts

Scores = NDArray[np.floating[Any]]


SPAN_STRIDE = 128
"""Tokens from one window on the context of a question to the next."""


class Window(NamedTuple):
    """Context tokens ``start`` to ``stop`` of one window, and those among them that are read."""

    start: int
    stop: int
    read: Ints


def windows(parts: Parts, frame: FrameSettings, options: SpanSettings) -> list[Window]:
    """The windows on a context, the first at its beginning and the last at its end; every token is in one of them."""
    assert parts.offsets is not None
    read = np.flatnonzero(parts.offsets[:, 0] >= 0)
    count, room = len(parts.texts[1]), frame.context - frame.specials - len(parts.texts[0])
    starts = window_starts(count, room, options.stride or frame.stride or SPAN_STRIDE)
    return [Window(start, min(start + room, count), read[(read >= start) & (read < start + room)]) for start in starts]


@dataclass(frozen=True, slots=True)
class Piece:
    """The best piece of one context.

    Attributes:
        text: of the piece; empty where the context has no token.
        start: its first character.
        end: the character behind its last.
        margin: how far it scores above "no answer" in its window.
        probability: of the piece in its window: that of its start times that of its end.
        no_answer: the probability of "no answer", in the window that is least inclined to it.
    """

    text: str
    start: int
    end: int
    margin: float
    probability: float
    no_answer: float

    def is_answer(self, threshold: float | None) -> bool:
        """Whether the piece is answered with; without a threshold always."""
        return bool(self.text) and (threshold is None or self.margin >= threshold)

    def answer(self, threshold: float | None) -> str:
        """The answer's text, empty for "no answer"."""
        return self.text if self.is_answer(threshold) else ""


def best_piece(context: str, parts: Parts, raw: Scores, frame: FrameSettings, options: SpanSettings) -> Piece:
    """The best piece over all windows of a question; ``raw`` [M, 2] holds the logits of all reads of all windows."""
    assert parts.offsets is not None
    best: tuple[float, float, int, int] | None = None
    no_answer = 1.0
    behind = 0
    for window in windows(parts, frame, options):
        logits = raw[behind : behind + 1 + len(window.read)].astype(np.float64)
        behind += len(logits)
        log_probs = logits - np.log(np.exp(logits - logits.max(axis=0)).sum(axis=0)) - logits.max(axis=0)
        no_answer = min(no_answer, float(np.exp(log_probs[0].sum())))
        found = _best_in_window(window, log_probs, options.max_answer)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return Piece("", 0, 0, 0.0, 0.0, no_answer)
    margin, probability, first, last = best
    start, end = int(parts.offsets[first, 0]), int(parts.offsets[last, 1])
    return Piece(context[start:end], start, end, margin, probability, no_answer)


def _best_in_window(window: Window, log_probs: Scores, max_answer: int) -> tuple[float, float, int, int] | None:
    """Margin, probability, first and last token of a window's best piece; ``None`` where nothing is read in it."""
    if len(window.read) == 0:
        return None
    first, last = best_span(log_probs[1:, 0], log_probs[1:, 1], window.read, max_answer)
    score = float(log_probs[1 + first, 0] + log_probs[1 + last, 1])
    return score - float(log_probs[0].sum()), float(np.exp(score)), int(window.read[first]), int(window.read[last])


def best_span(starts: Scores, ends: Scores, places: NDArray[Any], max_answer: int) -> tuple[int, int]:
    """The reads (i, j), i <= j, of greatest ``starts[i] + ends[j]`` that span at most ``max_answer`` tokens.

    Every such pair is looked at; of equals the shortest that begins first is taken.

    Args:
        starts: [n] scores.
        ends: [n] scores.
        places: [n] which token each read is, rising.
        max_answer: tokens.
    """
    best, found = -np.inf, (0, 0)
    for more in range(min(max_answer, len(places))):
        allowed = places[more:] - places[: len(places) - more] < max_answer
        scores = np.where(allowed, starts[: len(places) - more] + ends[more:], -np.inf)
        first = int(scores.argmax())
        if scores[first] > best:
            best, found = float(scores[first]), (first, first + more)
    return found


def best_threshold(pieces: Sequence[Piece], answers: Sequence[Sequence[str]]) -> float:
    """The margin from which on answers are best given: of all thresholds the one with the greatest F1 on these questions."""
    order = np.argsort([-piece.margin for piece in pieces], kind="stable")
    margins = np.array([pieces[i].margin for i in order])
    gains = [
        max_over_answers(word_f1, pieces[i].text, answers[i]) - max_over_answers(word_f1, "", answers[i]) for i in order
    ]
    worth = np.concatenate([[0.0], np.cumsum(gains)])  # of answering the first k
    differs = np.concatenate([[True], margins[1:] < margins[:-1], [True]])  # equal margins stand or fall together
    k = int(np.where(differs, worth, -np.inf).argmax())
    if k == 0:
        return float(margins[0]) + 1.0
    return float(margins[k - 1]) if k == len(margins) else float(margins[k - 1] + margins[k]) / 2
