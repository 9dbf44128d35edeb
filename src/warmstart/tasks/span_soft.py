"""A teacher's answer to a question about a context: probabilities of characters, whatever its tokens and its windows are.

In each window a softmax runs over the tokens and "no answer", so what two windows say is compared by odds against "no
answer": a token has its greatest odds in any window, and all of them and "no answer" are then 1 together. A student reads
the same context in tokens and windows of its own; what stands outside of one of its windows is "no answer" there.

Shapes: n reads of a window, "no answer" the first.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Floats
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.soft import SMALLEST, SoftLabel, softmax
from warmstart.tasks.windows import Window, windows

NONE = "none"
"""The name of "no answer"."""
SIDES = ("start", "end")


def character_shares(
    parts: Parts, raw: NDArray[Any], frame: FrameSettings, options: SpanSettings
) -> dict[str, dict[str, float]]:
    """``start``: number of a character → probability that the answer begins there; ``end``: that it ends before it.

    ``raw`` [M, 2] holds the logits of all reads of all windows.
    """
    assert parts.offsets is not None
    odds: list[dict[int, float]] = [{}, {}]
    behind = 0
    for window in windows(parts, frame, options):
        logits = raw[behind : behind + 1 + len(window.read)].astype(np.float64)
        behind += len(logits)
        for side, found in enumerate(odds):
            places = parts.offsets[window.read, side].tolist()
            for place, value in zip(places, (logits[1:, side] - logits[0, side]).tolist(), strict=True):
                found[place] = max(found.get(place, -np.inf), value)
    return {name: _as_shares(found) for name, found in zip(SIDES, odds, strict=True)}


def _as_shares(odds: Mapping[int, float]) -> dict[str, float]:
    shares = softmax(np.array([0.0, *odds.values()])).tolist()
    return {
        name: share for name, share in zip([NONE, *map(str, odds)], shares, strict=True) if share >= SMALLEST
    }  # fmt: skip


def read_shares(label: SoftLabel) -> list[dict[int, float]]:
    """Of start and end the probability of each character; -1: that there is no answer.

    Raises:
        BadInput: soft labels of another form, of characters that the context has not, or no probabilities.
    """
    count, value = len(str(label.record.texts["context"])), label.value
    allowed = f'{{"start": {{"{NONE}" or a character from 0 to {count}: probability}}, "end": …}}'
    if (
        not isinstance(value, Mapping)
        or {*value} != {*SIDES}
        or not all(isinstance(s, Mapping) for s in value.values())
    ):
        raise label.error("no soft labels of an answer", allowed)
    found = []
    for name in SIDES:
        places = [_place(key) for key in value[name]]
        if not all(-1 <= place <= count for place in places):
            raise label.error("soft labels of characters that the context has not", allowed)
        shares = label.probabilities([*value[name].values()], allowed)
        found.append(dict(zip(places, shares.tolist(), strict=True)))
    return found


def _place(key: Any) -> int:
    """A character; -1 for "no answer", and -2 for what is neither."""
    return -1 if key == NONE else int(key) if str(key).isdecimal() else -2


def window_shares(sides: list[dict[int, float]], window: Window, parts: Parts) -> Floats:
    """[n, 2] what the reads of a window have of the probabilities of characters."""
    assert parts.offsets is not None
    offsets = parts.offsets[window.read]
    found = np.zeros((1 + len(offsets), 2), np.float32)
    for side, shares in enumerate(sides):
        places = np.array([place for place in shares if place >= 0], np.int64) - side  # the last character of an end
        index = np.searchsorted(offsets[:, 0], places, side="right") - 1
        inside = (index >= 0) & (places < offsets[index, 1]) if len(offsets) else np.zeros(len(places), bool)
        values = np.array([share for place, share in shares.items() if place >= 0], np.float32)
        np.add.at(found[:, side], 1 + index[inside], values[inside])
        found[0, side] = max(0.0, 1 - float(found[1:, side].sum()))
    return found
