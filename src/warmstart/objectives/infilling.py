"""BART's noise: sentences in another order, and spans that one mask stands for; the decoder writes the text as it was.

Lewis et al. 2020, section 2.2: span lengths are drawn from a Poisson distribution (mean 3), a span of no token puts a mask
where nothing is missing; section 3.1 of their large models: 30 % of the tokens, and all sentences permuted. A sentence ends
with a full stop. Two spans never touch, so no mask stands for two.
"""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.corruption import Corruption
from warmstart.objectives.objective import Objective


def infilling(ids: Ints, rng: np.random.Generator, corruption: Corruption) -> list[Example]:
    """The frame: a piece of a document → one Example.

    Figure 2 of the paper, both kinds of noise together::

        text    A B C . D E .
        source  D E . A MASK .
        target  A B C . D E .
    """
    text = corruption.drop_end(ids)
    if len(text) < 2:
        return []
    permuted = permute_sentences(text, rng, corruption)
    return [corruption.example(fill_spans(permuted, rng, corruption), text)]


def permute_sentences(text: Ints, rng: np.random.Generator, corruption: Corruption) -> Ints:
    """The sentences of a text in random order; a last piece without a full stop is one too."""
    ends = np.flatnonzero(np.isin(text[:-1], [*corruption.stops])) + 1
    sentences = np.split(text, ends)
    return np.concatenate([sentences[number] for number in rng.permutation(len(sentences))])


def fill_spans(text: Ints, rng: np.random.Generator, corruption: Corruption) -> Ints:
    """The text with a mask in the place of each span."""
    hidden, lengths = corruption.hidden(len(text)), list[int]()
    while sum(lengths) < hidden:
        lengths.append(min(int(rng.poisson(corruption.settings.span)), hidden - sum(lengths)))
    while len(lengths) > sum(lengths):  # a source is no longer than its text
        lengths.remove(0)
    free = len(text) - sum(lengths) - (len(lengths) - 1)  # tokens that may stand anywhere: one parts each two spans
    while free < 0:
        free += lengths.pop() + 1
    # As many tokens stand before each span as a random row of tokens and spans has them.
    before = np.sort(rng.integers(0, free + 1, len(lengths))) + np.arange(len(lengths))
    starts = before + np.cumsum([0, *lengths[:-1]])
    source: list[Ints] = []
    at = 0
    for start, length in zip(starts.tolist(), lengths, strict=True):
        source += [text[at:start], np.array([corruption.mask])]
        at = start + length
    return np.concatenate([*source, text[at:]])


INFILLING = Objective(
    name="infilling",
    card="A denoising encoder-decoder",
    frame=infilling,
    sight="prefix",
    lookahead=0,
    extra_tokens=4,
    corrupts=True,
    share=0.3,
    special_tokens={"mask": "<mask>"},
)
