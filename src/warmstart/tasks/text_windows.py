"""Windows on a text that is too long: where they begin, and the texts of each.

A text is read in windows of as many tokens as there is room for, each begun ``stride`` tokens after the one before, the last
at the text's end. Of two texts the longer one is, each window beside the whole of the other, which keeps at most half of the
room; where the two are read apart, each has the room for itself. A word is asked for in one window alone: that in which it
has most context, which is the smaller number of tokens of those before it and behind it there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings


def window_starts(count: int, room: int, stride: int) -> range:
    """Where windows of ``room`` tokens begin on a text of ``count``; every token is in one, and no window in another."""
    step = min(room, stride)
    return range(0, max(1, count - room + step), step)


def uncut_lengths(lengths: Sequence[int], frame: FrameSettings) -> list[int]:
    """How many tokens of each text are read, where the longest is read in windows; of one text all."""
    if len(lengths) == 1:
        return list(lengths)
    room = frame.context - frame.specials
    long, most = _longest(lengths), room if frame.apart else room // 2
    return [length if number == long else min(length, most) for number, length in enumerate(lengths)]


def split_windows(parts: Parts, frame: FrameSettings) -> list[Parts]:
    """The texts of each window, and the words that are asked for in it; as they are, where they fit.

    Args:
        parts: one text, or two, whose lengths are :func:`uncut_lengths`.
        frame: the room, and how far windows stand apart.
    """
    lengths, long = parts.lengths, _longest(parts.lengths)
    specials = frame.specials_of_one if len(lengths) == 1 else frame.specials
    beside, count = 0 if frame.apart else sum(lengths) - lengths[long], lengths[long]
    room = frame.context - specials - beside
    if count <= room:
        return [parts]
    starts = np.array(window_starts(count, room, frame.stride or max(1, room // 2)))
    found = [_piece(parts, long, int(start), int(start) + room) for start in starts]
    if parts.word_starts is None:
        return found
    owners = _owners(parts.word_starts, starts, np.minimum(starts + room, count))
    words = [np.where(owners == number, parts.word_starts - start, -1) for number, start in enumerate(starts)]
    return [replace(piece, word_starts=own) for piece, own in zip(found, words, strict=True) if (own >= 0).any()] or [
        replace(found[0], word_starts=words[0])
    ]


def _longest(lengths: Sequence[int]) -> int:
    return max(range(len(lengths)), key=lambda number: lengths[number])


def _piece(parts: Parts, long: int, start: int, stop: int) -> Parts:
    """The same parts with the tokens ``start`` to ``stop`` of one text alone."""
    return replace(
        parts, texts=tuple(text[start:stop] if number == long else text for number, text in enumerate(parts.texts))
    )


def _owners(places: Ints, starts: Ints, stops: Ints) -> Ints:
    """[W] the window in which each place has most context, the first of several; -1 for a place that is none."""
    context = np.minimum(places[:, None] - starts, stops - 1 - places[:, None])
    return np.where(places >= 0, context.argmax(axis=1), -1)


def question_numbers(group: Sequence[Example]) -> dict[str, list[int]]:
    """By goal the numbers of the questions that some Examples ask."""
    found: dict[str, list[int]] = {}
    for example in group:
        for name, goal in example.goals.items():
            found.setdefault(name, []).extend(goal.question.tolist())
    return {name: numbers for name, numbers in found.items() if numbers}


def renumber(group: Sequence[Example], by: Mapping[str, int]) -> list[Example]:
    """Examples whose questions have other numbers; ``by``: goal → what is added."""
    return [
        replace(
            example,
            goals={n: replace(goal, question=goal.question + by.get(n, 0)) for n, goal in example.goals.items()},
        )
        for example in group
    ]


def from_zero(group: Sequence[Example]) -> list[Example]:
    """Examples that share no question with others, their questions numbered from 0."""
    return renumber(group, {name: -min(numbers) for name, numbers in question_numbers(group).items()})
