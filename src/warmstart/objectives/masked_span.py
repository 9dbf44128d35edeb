"""MASS: half of a text in one piece is masked for the encoder, and the decoder writes that piece (Song et al. 2019).

Section 3.1 and 4.1: of the masked tokens 80 % become the mask, 10 % a random token, 10 % stay. What the decoder reads
stands at the positions that the piece has in the text (figure 1), and its end is not learned.
"""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.example.noise import Noise
from warmstart.objectives.corruption import Corruption
from warmstart.objectives.objective import Objective


def masked_span(ids: Ints, rng: np.random.Generator, corruption: Corruption) -> list[Example]:
    """The frame: a piece of a document → one Example.

    Figure 1 of the paper::

        text     x1 x2 x3 x4 x5 x6 x7 x8
        source   x1 x2 _  _  _  _  x7 x8
        decoder        _  x3 x4 x5            at the positions of x3 x4 x5 x6, which it learns
    """
    text = corruption.drop_end(ids)
    if len(text) < 2:
        return []
    count, settings = corruption.hidden(len(text)), corruption.settings
    start = int(rng.integers(len(text) - count + 1))
    piece, source = slice(start, start + count), text.copy()
    source[piece] = Noise(corruption.mask, corruption.vocab_size, settings.keep, settings.random).corrupt(
        text[piece], rng
    )
    shift = len(corruption.sides.first)
    positions = np.concatenate([np.full(shift, start), np.arange(start, start + count)])
    return [corruption.example(source, text[piece], positions=positions, ends=False)]


MASKED_SPAN = Objective(
    name="masked-span",
    card="An encoder-decoder of a masked span",
    frame=masked_span,
    sight="prefix",
    lookahead=0,
    extra_tokens=4,
    corrupts=True,
    share=0.5,
    special_tokens={"mask": "<mask>"},
)
