"""UniLMv2's pseudo-masked language model: two ways to guess the same masked units in one pass (Bao et al. 2020, section 3).

All at once, as BERT does, at the masked places; and one unit after the other in a random order, at pseudo tokens that see
the units before theirs. Every token sees the masked text; the true tokens of unit k are real tokens of turn k, its pseudo
tokens have turn -k, and all of them the positions of the places that they stand for. So the model guesses the tokens of one
unit together and the units one after the other: partially auto-regressive. It costs two more tokens for each masked one.
"""

from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example, Goal
from warmstart.objectives.masked import MASKED
from warmstart.objectives.masking import Masking


def pseudo_masked(ids: Ints, rng: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → ``[cls] text [sep]``, then the masked tokens as they were, then pseudo tokens.

    ::

        ids        cls  he  MASK  a  MASK  sep  sings  song  MASK  MASK
        positions    0   1     2  3     4    5      2     4     2     4
        turns        0   0     0  0     0    0      2     1    -2    -1
        lm           read 2 4 8 9 → sings song sings song
    """
    text = masking.drop_end(ids)
    whole = masking.add_special_tokens(text)
    units = [unit + 1 for unit in masking.choose_units(text, rng)]
    places = np.concatenate(units)
    turns = (rng.permutation(len(units)) + 1).repeat([len(unit) for unit in units])
    noisy = masking.replace_tokens(whole, units, rng)
    reads = np.concatenate([places, np.arange(len(places)) + len(whole) + len(places)])
    example = Example(
        ids=np.concatenate([noisy, whole[places], noisy[places]]),
        turns=np.concatenate([np.zeros(len(whole), np.int64), turns, -turns]),
        positions=np.concatenate([np.arange(len(whole)), places, places]),
        goals={"lm": Goal.each(reads, np.tile(whole[places], 2))},
    )
    return [example]


PSEUDO_MASKED = replace(
    MASKED,
    name="pseudo-masked",
    card="A pseudo-masked language model",
    frame=pseudo_masked,
    masks="blocks",
    evaluation=MASKED,
)
