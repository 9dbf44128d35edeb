"""T5's span corruption: spans of a text give way to sentinels, and the decoder writes each sentinel and its span.

Raffel et al. 2020, section 3.1.4 and 3.3.4, and as their released code draws it: 15 % of the tokens, in spans of 3 on
average; the numbers of tokens and of spans are exact, where they lie is random; a text begins with what stays and ends with
a span, so there is no last sentinel behind the spans as in figure 2 of the paper.
"""

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example
from warmstart.objectives.corruption import Corruption, split_randomly
from warmstart.objectives.objective import Objective

SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
"""T5's names for them."""


def span_corruption(ids: Ints, rng: np.random.Generator, corruption: Corruption) -> list[Example]:
    """The frame: a piece of a document → one Example.

    The example of figure 2, with ``<Y>`` before what is no longer there::

        text    Thank you for inviting me to your party last week
        source  Thank you <X> me to your party <Y>
        target  <X> for inviting <Y> last week
    """
    text = corruption.drop_end(ids)
    if len(text) < 2:
        return []
    hidden = corruption.hidden(len(text))
    spans = max(1, min(round(hidden / corruption.settings.span), hidden, len(text) - hidden, len(corruption.sentinels)))
    kept, gone = (split_randomly(total, spans, rng) for total in (len(text) - hidden, hidden))
    pieces = np.split(text, np.cumsum(np.stack([kept, gone], 1).ravel())[:-1])
    marks = [np.array([sentinel]) for sentinel in corruption.sentinels[:spans]]
    source = [part for pair in zip(pieces[::2], marks, strict=True) for part in pair]
    target = [part for pair in zip(marks, pieces[1::2], strict=True) for part in pair]
    return [corruption.example(np.concatenate(source), np.concatenate(target))]


SPAN_CORRUPTION = Objective(
    name="span-corruption",
    card="An encoder-decoder of corrupted spans",
    frame=span_corruption,
    sight="prefix",
    lookahead=0,
    extra_tokens=4,
    corrupts=True,
    new_tokens=SENTINELS,
)
