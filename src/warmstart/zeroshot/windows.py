"""Windows over a text that is longer than the context: each token is predicted once, after at least so many others.

The last window reads as much as fits, like all before it. With one token of context these are the disjoint windows that
lm-evaluation-harness reads (its ``loglikelihood_rolling``).
"""

from collections.abc import Iterable, Iterator

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.zeroshot.likelihood import TokenRun


def windows(parts: Iterable[Ints], first: int, room: int, min_context: int) -> Iterator[TokenRun]:
    """The runs of a text that comes in parts, which need not fit into memory together.

    Args:
        parts: the ids, end to end.
        first: the first that is predicted.
        room: tokens of the longest run.
        min_context: tokens before the first predicted one of a window, where the text has as many.

    >>> [(run.ids.tolist(), run.first) for run in windows([np.arange(6)], 1, 4, 2)]
    [([0, 1, 2, 3], 1), ([2, 3, 4, 5], 2)]
    """
    new = room - min_context  # tokens that a later window predicts
    held, start, done = np.zeros(0, np.int64), 0, first  # of the ids from ``start`` on; those before ``done`` are past
    stop = max(room, first + new)
    for part in parts:
        held = np.concatenate([held, part])
        while start + len(held) > stop:  # more than this window: it is complete
            run = _run(held, start, done, stop, room)
            yield run
            done, stop = stop, stop + new
            drop = max(0, stop - room - start - new)
            held, start = held[drop:], start + drop
    if start + len(held) > done:
        yield _run(held, start, done, start + len(held), room)


def _run(held: Ints, start: int, done: int, stop: int, room: int) -> TokenRun:
    begin = max(start, stop - room)
    return TokenRun(held[begin - start : stop - start], done - begin)
