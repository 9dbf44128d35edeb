"""UniLM's mixture: one set of weights guesses masked tokens under four kinds of sight (Dong et al. 2019, section 2.3).

A third of the Examples is bidirectional, a third sequence to sequence, a sixth left to right, a sixth right to left. Which
it is, is drawn for each Example.
"""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.masking import Masking, asked

BIDIRECTIONAL, TO_SEQUENCE, TO_RIGHT = 1 / 3, 2 / 3, 5 / 6  # up to these draws; above the last: to the left
TO_RIGHT_SEGMENT, TO_LEFT_SEGMENT, OWN_SEGMENTS = 2, 3, 6  # UniLM's, where the model has its six


def mixture(ids: Ints, draw: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → one Example; of a text cut in two, the end of the second part may be asked too.

    ::

        to the right      ids  cls  he  MASK  a  song  sep         turns  0 1 2 3 4 5
        to the left       ids  cls  he  MASK  a  song  sep         turns  5 4 3 2 1 0
        to sequence       ids  cls  he  MASK  sep  a  song  MASK   turns  0 0 0 0 1 2 3
    """
    text, luck = masking.text(ids), float(draw.random())
    if BIDIRECTIONAL <= luck < TO_SEQUENCE and len(text) > 1:
        return [_to_sequence(text, draw, masking)]
    whole = masking.framed(text)
    units = [unit + 1 for unit in masking.chosen(text, draw)]
    goals = {"lm": asked(whole, np.concatenate(units))}
    seen, count = masking.corrupted(whole, units, draw), np.arange(len(whole))
    own = masking.segments >= OWN_SEGMENTS
    if luck < TO_SEQUENCE:
        return [Example.full_sight(seen, goals)]
    if luck < TO_RIGHT:
        return [Example(seen, count, count, goals, np.full(len(count), TO_RIGHT_SEGMENT) if own else None)]
    return [Example(seen, count[::-1].copy(), count, goals, np.full(len(count), TO_LEFT_SEGMENT) if own else None)]


def _to_sequence(text: Ints, draw: np.random.Generator, masking: Masking) -> Example:
    """``[cls] source [sep] target [sep]``: the source sees itself, the target the source and what came before."""
    cut = int(draw.integers(1, len(text)))
    whole = np.concatenate([masking.framed(text[:cut]), text[cut:], [masking.sep]])
    first = cut + 2  # of the target
    units = [unit + np.where(unit < cut, 1, 2) for unit in masking.chosen(np.append(text, masking.sep), draw)]
    turns = np.maximum(np.arange(len(whole)) - first + 1, 0)
    seen = masking.corrupted(whole, units, draw)
    goals = {"lm": asked(whole, np.concatenate(units))}
    return Example(seen, turns, np.arange(len(whole)), goals, np.where(turns > 0, *masking.text_segments[::-1]))
