"""UniLMv2's pseudo-masked language model: two ways to guess the same masked units in one pass (Bao et al. 2020, section 3).

All at once, as BERT does, at the masked places; and one unit after the other in a random order, at pseudo tokens that see
the units guessed before. Everybody sees the masked text; the true tokens of unit k are real tokens of turn k, its pseudo
tokens have turn -k, and all of them the positions of the places that they stand for. So the tokens of one unit are guessed
together and the units one after the other: partially auto-regressive. It costs two more tokens for each masked one.
"""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example, Goal
from warmstart.objectives.masking import Masking


def pseudo_masked(ids: Ints, draw: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → ``[cls] text [sep]``, then the masked tokens as they were, then pseudo tokens.

    ::

        ids        cls  he  MASK  a  MASK  sep  sings  song  MASK  MASK
        positions    0   1     2  3     4    5      2     4     2     4
        turns        0   0     0  0     0    0      2     1    -2    -1
        lm           read 2 4 8 9 → sings song sings song
    """
    text = masking.text(ids)
    whole = masking.framed(text)
    units = [unit + 1 for unit in masking.chosen(text, draw)]
    places = np.concatenate(units)
    turns = (draw.permutation(len(units)) + 1).repeat([len(unit) for unit in units])
    seen = masking.corrupted(whole, units, draw)
    reads = np.concatenate([places, np.arange(len(places)) + len(whole) + len(places)])
    example = Example(
        ids=np.concatenate([seen, whole[places], seen[places]]),
        turns=np.concatenate([np.zeros(len(whole), np.int64), turns, -turns]),
        positions=np.concatenate([np.arange(len(whole)), places, places]),
        goals={"lm": Goal.each(reads, np.tile(whole[places], 2))},
    )
    return [example]
