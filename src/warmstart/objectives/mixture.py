"""UniLM's mixture: one set of weights guesses masked tokens under four kinds of sight (Dong et al. 2019, section 2.3).

A third of the Examples is bidirectional, a third sequence to sequence, a sixth left to right, a sixth right to left. A
random number decides for each Example.
"""

from dataclasses import replace

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.masked import MASKED
from warmstart.objectives.masking import Masking, masked_goal

BIDIRECTIONAL, TO_SEQUENCE, TO_RIGHT = 1 / 3, 2 / 3, 5 / 6  # below these numbers; above the last: to the left
TO_RIGHT_SEGMENT, TO_LEFT_SEGMENT, OWN_SEGMENTS = 2, 3, 6  # UniLM's, where the model has its six


def mixture(ids: Ints, rng: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → one Example; of a text cut in two, the end of the second part may be a target too.

    ::

        to the right      ids  cls  he  MASK  a  song  sep         turns  0 1 2 3 4 5
        to the left       ids  cls  he  MASK  a  song  sep         turns  5 4 3 2 1 0
        to sequence       ids  cls  he  MASK  sep  a  song  MASK   turns  0 0 0 0 1 2 3
    """
    text, kind = masking.drop_end(ids), float(rng.random())
    if BIDIRECTIONAL <= kind < TO_SEQUENCE and len(text) > 1:
        return [_to_sequence(text, rng, masking)]
    whole = masking.add_special_tokens(text)
    units = [unit + 1 for unit in masking.choose_units(text, rng)]
    goals = {"lm": masked_goal(whole, np.concatenate(units))}
    noisy, count = masking.replace_tokens(whole, units, rng), np.arange(len(whole))
    own = masking.segments >= OWN_SEGMENTS
    if kind < TO_SEQUENCE:
        return [Example.full_sight(noisy, goals)]
    if kind < TO_RIGHT:
        return [Example(noisy, count, count, goals, np.full(len(count), TO_RIGHT_SEGMENT) if own else None)]
    return [Example(noisy, count[::-1].copy(), count, goals, np.full(len(count), TO_LEFT_SEGMENT) if own else None)]


def _to_sequence(text: Ints, rng: np.random.Generator, masking: Masking) -> Example:
    """``[cls] source [sep] target [sep]``: the source sees itself, the target the source and what came before."""
    cut = int(rng.integers(1, len(text)))
    whole = np.concatenate([masking.add_special_tokens(text[:cut]), text[cut:], [masking.sep]])
    first = cut + 2  # of the target
    units = [unit + np.where(unit < cut, 1, 2) for unit in masking.choose_units(np.append(text, masking.sep), rng)]
    turns = np.maximum(np.arange(len(whole)) - first + 1, 0)
    noisy = masking.replace_tokens(whole, units, rng)
    goals = {"lm": masked_goal(whole, np.concatenate(units))}
    return Example(noisy, turns, np.arange(len(whole)), goals, np.where(turns > 0, *masking.text_segments[::-1]))


MIXTURE = replace(MASKED, name="mixture", card="A language model of UniLM's mixture", frame=mixture, evaluation=MASKED)
