"""Masked language modelling: the model guesses masked tokens from all others (Devlin et al. 2018, section 3.1)."""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.masking import SPECIAL_TOKENS, Masking, masked_goal
from warmstart.objectives.objective import Objective


def masked(ids: Ints, rng: np.random.Generator, masking: Masking) -> list[Example]:
    """The frame: a piece of a document → ``[cls] text [sep]``, each token sees all; the targets stood in the masked places.

    With ``masked`` units at places 2 and 4::

        ids     cls  he  MASK   a  MASK  sep
        turns     0   0     0   0     0    0
        lm        read 2 4 → sings song
    """
    text = masking.drop_end(ids)
    whole = masking.add_special_tokens(text)
    units = [unit + 1 for unit in masking.choose_units(text, rng)]
    noisy = masking.replace_tokens(whole, units, rng)
    return [Example.full_sight(noisy, {"lm": masked_goal(whole, np.concatenate(units))})]


MASKED = Objective(
    name="masked",
    card="A masked language model",
    frame=masked,
    sight="full",
    lookahead=0,
    extra_tokens=3,  # as in the mixture, so that both read the same rows
    masks="tokens",
    special_tokens=SPECIAL_TOKENS,
    lm_transform=True,
)
