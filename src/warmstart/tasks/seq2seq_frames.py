"""The Examples of a source and its target: three algorithms that say how the target is learned.

The source is turn 0, target token i is turn i, counted from 1. So the source sees itself, and target i the source and the
targets up to i. A left-to-right backbone keeps the sight that it has learned: turns 0 1 2 …

Noise (:mod:`~warmstart.example.noise`) is drawn anew in every epoch. Without a draw nothing is noised, and the goal asks
for exactly what decoding will be asked for; ``masked`` has no such form of its own, so it then asks as ``pseudo-masked``
does.
"""

from typing import NamedTuple

import numpy as np

from warmstart.base.arrays import Ints, count_up
from warmstart.base.errors import BadInput
from warmstart.example.example import Example, Goal
from warmstart.example.record import Record, Target
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import Seq2SeqSettings, Seq2SeqTemplate

Draw = np.random.Generator
PREFIX = "prefix"  # sight of a model whose two stacks read source and target apart


def options_of(frame: Frame) -> Seq2SeqSettings:
    """The options of a sequence-to-sequence task."""
    assert isinstance(frame.options, Seq2SeqSettings)
    return frame.options


def template_of(frame: Frame) -> Seq2SeqTemplate:
    """The special tokens of source and target where each token predicts the next."""
    own = options_of(frame).template
    return own or Seq2SeqTemplate(before=(frame.start,), start=frame.delimiter, end=frame.extract)


def frame_source(parts: Parts, frame: Frame) -> Ints:
    """[S] the source as it is read before the first token of the target."""
    template = template_of(frame)
    return np.concatenate([np.array(ids, np.int64) for ids in (template.before, parts.texts[0], template.after)])


class Pair(NamedTuple):
    """A framed source and target, ids without noise: [S] and [T]; ``turns`` [T] of the target, from 1."""

    source: Ints
    target: Ints
    turns: Ints


def frame_pair(record: Record, parts: Parts, frame: Frame, draw: Draw | None = None) -> list[Example]:
    """One Example, with the goal ``lm`` on the target; ``draw`` brings the noise.

    Raises:
        BadInput: span ids that are no rising row from 1, or that the algorithm has no use for.
    """
    algorithm = options_of(frame).algorithm
    if algorithm == "causal":
        if isinstance(record.label, Target) and record.label.spans is not None:
            raise BadInput(
                "span ids say which tokens are learned together, and here each is learned after the other",
                where=record.where, value=list(record.label.spans), allowed="--algorithm masked or pseudo-masked",
                next_step="leave the column spans out",
            )  # fmt: skip
        return [causal(parts, frame, draw)]
    pair = Pair(
        np.concatenate([[frame.start], parts.texts[0], [frame.delimiter]]),
        np.append(parts.texts[1], frame.extract),
        _turns(record, len(parts.texts[1]) + 1),
    )
    if algorithm == "masked" and draw is not None:
        return [masked(pair, frame, draw)]
    return [pseudo_masked(pair, frame, draw)]


def causal(parts: Parts, frame: Frame, draw: Draw | None) -> Example:
    """Each target token predicts the next.

    Worked example, with one word a token: source ``he sings``, target ``a song`` gives::

        ids     [CLS]  he  sings  [SEP]  a     song
        turns   0      0   0      1      2     3
        lm      read 3 4 5 → a song [SEP]
    """
    template, source = template_of(frame), frame_source(parts, frame)
    text = np.concatenate([np.array(template.first, np.int64), parts.texts[1]])
    target, labels = np.append([template.start], text), np.append(text, template.end)
    if draw is not None and frame.noise is not None:
        source = _noised_source(source, frame, draw)
        begins = 1 + len(template.first)
        noised = frame.noise.corrupt_some(target[begins:], target_noise(frame), draw)
        target = np.concatenate([target[:begins], noised])
    count = len(source) + len(target)
    reads = count_up(count)[len(source) :]
    whole = frame.settings.sight != "causal"
    turns = np.maximum(count_up(count) - len(source) + 1, 0) if whole else count_up(count)
    return Example(
        np.concatenate([source, target]), turns, count_up(count), {"lm": Goal.each(reads, labels)},
        segments(frame, len(source), len(target)),
    )  # fmt: skip


def masked(pair: Pair, frame: Frame, draw: Draw) -> Example:
    """Some target tokens are noised, and their own places predict them.

    Worked example: of ``a song [SEP]`` the second is chosen::

        ids     [CLS]  he  sings  [SEP]  a  [MASK]  [SEP]
        turns   0      0   0      0      1  2       3
        lm      read 5 → song
    """
    assert frame.noise is not None
    settings = options_of(frame)
    count = max(1, int(target_noise(frame) * len(pair.target)))
    count = min(count, settings.most_masked or count)
    chosen = np.sort(draw.permutation(len(pair.target))[:count])
    target = pair.target.copy()
    target[chosen] = frame.noise.corrupt(pair.target[chosen], draw)
    source = _noised_source(pair.source, frame, draw)
    total = len(source) + len(target)
    return Example(
        np.concatenate([source, target]), np.append(np.zeros_like(source), pair.turns), count_up(total),
        {"lm": Goal.each(len(source) + chosen, pair.target[chosen])}, segments(frame, len(source), len(target)),
    )  # fmt: skip


def pseudo_masked(pair: Pair, frame: Frame, draw: Draw | None) -> Example:
    """Beside every target token stands a mask at the same position, which predicts it from what comes before.

    What a mask becomes by noise may also stand in the place of the true token. Worked example, without noise::

        ids        [CLS]  he  sings  [SEP]  a  song  [SEP]  [MASK]  [MASK]  [MASK]
        turns      0      0   0      0      1  2     3      -1      -2      -3
        positions  0      1   2      3      4  5     6      4       5       6
        lm         read 7 8 9 → a song [SEP]
    """
    assert frame.noise is not None
    source, target = pair.source, pair.target
    pseudo = np.full(len(target), frame.noise.mask)
    if draw is not None:
        source, pseudo = _noised_source(source, frame, draw), frame.noise.corrupt(target, draw)
        target = np.where(draw.random(len(target)) < target_noise(frame), pseudo, target)
    first, count = len(source), len(source) + len(target)
    places = np.arange(first, count)
    return Example(
        np.concatenate([source, target, pseudo]),
        np.concatenate([np.zeros_like(source), pair.turns, -pair.turns]),
        np.concatenate([np.arange(count), places]),
        {"lm": Goal.each(places + len(target), pair.target)},
        segments(frame, first, 2 * len(target)),
    )


def target_noise(frame: Frame) -> float:
    """The share of target tokens that are noised."""
    asked = options_of(frame).target_noise
    return (0.5 if frame.full and frame.noise is not None else 0.0) if asked is None else asked


def segments(frame: Frame, source: int, target: int) -> Ints | None:
    """Rows of the segment table for so many tokens; a left-to-right backbone has none."""
    return np.repeat(options_of(frame).segments, [source, target]) if frame.full else None


def _noised_source(source: Ints, frame: Frame, draw: Draw) -> Ints:
    """The source, noised but for what stands around it and divides it."""
    assert frame.noise is not None
    template = template_of(frame)
    kept = (*template.before, *template.after, *template.between, template.start)
    noised = frame.noise.corrupt_some(source, options_of(frame).source_noise, draw)
    return np.where(np.isin(source, kept), source, noised)


def _turns(record: Record, count: int) -> Ints:
    """[T] turns of a target: 1 2 3 …, or the blocks that its Record names, whose tokens are predicted together."""
    spans = record.label.spans if isinstance(record.label, Target) else None
    if spans is None:
        return np.arange(1, count + 1)
    found = np.array(spans[:count], np.int64)
    if len(found) == count - 1:
        found = np.append(found, found[-1:].max(initial=0) + 1)  # the end is a block of its own
    if len(found) != count or found[0] < 1 or (np.diff(found) < 0).any():
        raise BadInput(
            "span ids have to rise from 1, one for each sub-word of the target", where=record.where, value=list(spans),
            allowed=f"{count - 1} numbers such as 1, 1, 2", next_step="mend the row or leave spans out",
        )  # fmt: skip
    return found


def source_room(frame: Frame) -> int:
    """The most tokens of a source that are read, without special ones."""
    settings, left = options_of(frame), frame.settings.context
    if frame.settings.sight != PREFIX:
        left -= settings.target_limit
    template = template_of(frame)
    specials = len(template.before) + len(template.after) if settings.algorithm == "causal" else 2
    return min(left, settings.source_limit or left) - specials


def target_room(frame: Frame) -> int:
    """The most tokens of a target, without special ones."""
    settings = options_of(frame)
    most = min(settings.target_limit, frame.settings.context) - 1
    return most - len(template_of(frame).first) if settings.algorithm == "causal" else most


def context_for(settings: Seq2SeqSettings, sight: str) -> int | None:
    """Tokens for which a model needs positions, as the limits say; ``None``: as many as it has."""
    if settings.source_limit is None:
        return settings.target_limit if sight == PREFIX else None
    both = (settings.source_limit, settings.target_limit)
    return max(both) if sight == PREFIX else sum(both)
