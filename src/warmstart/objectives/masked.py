"""Masked language modelling: some tokens are hidden, and guessed from all others (Devlin et al. 2018, section 3.1)."""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.masking import Masking, asked


def masked(ids: Ints, draw: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → ``[cls] text [sep]``, each sees all; asked is what the masked places held.

    With ``masked`` units at places 2 and 4::

        ids     cls  he  MASK   a  MASK  sep
        turns     0   0     0   0     0    0
        lm        read 2 4 → sings song
    """
    text = masking.text(ids)
    whole = masking.framed(text)
    units = [unit + 1 for unit in masking.chosen(text, draw)]
    seen = masking.corrupted(whole, units, draw)
    return [Example.full_sight(seen, {"lm": asked(whole, np.concatenate(units))})]
