"""Stream: a numbered, endless row of Batches. Its cursor is one integer, the step.

Step s of a Stream over n items in batches of b is batch s mod ⌈n/b⌉ of epoch s div ⌈n/b⌉. Within an epoch every item
comes exactly once, in an order that follows from (seed, epoch). Resuming replays nothing: any step is computed
directly. Rank r of w takes the batch's items r, r + w, r + 2w, …

Batches of similar length (``by_length``): the order is cut into pools of batches, each pool is sorted by length and cut into
batches, and these come in an order of their own, which follows from (seed, epoch) too. A model that reads one token after
another has as many steps as the longest text of a batch: for an LSTM, long texts beside short ones are time lost.

In turns (``turns``): a batch of items is read in several steps, one after the other, each of which takes some of the
Examples of every item.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.streams.order import permute
from warmstart.streams.sources import Source

POOL = 64  # batches that are sorted by length together, but no more than a quarter of an epoch: then epochs differ


class BatchStream(Protocol):
    """What a training reads: a numbered, endless row of steps."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which everything is read once."""
        ...

    @property
    def parts(self) -> "tuple[StreamPart, ...]":
        """The Streams that its steps come from: one, or one of each task."""
        ...

    def batches(self, step: int, rank: int = 0, world: int = 1) -> list[Batch]:
        """The micro-batches of ``step`` for one rank."""
        ...

    def with_max_tokens(self, max_tokens: int) -> "BatchStream":
        """The same steps, split into micro-batches of at most so many tokens."""
        ...

    def describe(self, step: int) -> str:
        """What ``step`` reads, in words."""
        ...


class StreamPart(NamedTuple):
    """A Stream, and the share of all steps that come from it."""

    share: float
    stream: "Stream"


@dataclass(frozen=True, slots=True)
class Stream:
    """Batches of a source.

    Attributes:
        source: of the items.
        batch_size: items per step, over all ranks and micro-batches.
        seed: names the order.
        accumulation: about this many micro-batches per step, or more.
        max_tokens: about as many tokens go into one micro-batch; a step with more is split further.
        shuffle: off for evaluation: items in their own order.
        by_length: items of similar length come together, where they are shuffled.
        turns: which Examples of its items each step of a batch reads.
    """

    source: Source
    batch_size: int
    seed: int
    accumulation: int = 1
    max_tokens: int = 8192
    shuffle: bool = True
    by_length: bool = False
    turns: tuple[slice, ...] = (slice(None),)

    @property
    def steps_per_epoch(self) -> int:
        """⌈n/b⌉, times the turns."""
        return self._batches_per_epoch * len(self.turns)

    @property
    def _batches_per_epoch(self) -> int:
        return -(-len(self.source) // self.batch_size)

    @property
    def parts(self) -> tuple[StreamPart, ...]:
        """Itself."""
        return (StreamPart(1.0, self),)

    def indices(self, step: int) -> tuple[int, Ints]:
        """The epoch of ``step`` and the numbers of its items."""
        epoch, inside = divmod(step // len(self.turns), self._batches_per_epoch)
        if not (self.by_length and self.shuffle):
            return epoch, self._item_order(epoch, inside, inside + 1)
        size = max(1, min(POOL, self._batches_per_epoch // 4))
        first = inside // size * size
        stop = min(first + size, self._batches_per_epoch)
        pool = self._item_order(epoch, first, stop)
        pool = pool[np.argsort(self.source.lengths(pool), kind="stable")]
        count, missing = stop - first, (stop - first) * self.batch_size - len(pool)
        turn, short = permute(np.array([inside - first, count - 1]), count, self.seed, "pool", epoch, first).tolist()
        start = turn * self.batch_size - missing * (turn > short)  # the epoch's last batch may be a short one, anywhere
        return epoch, pool[start : start + self.batch_size - missing * (turn == short)]

    def _item_order(self, epoch: int, first: int, stop: int) -> Ints:
        """The items of batches ``first`` to ``stop`` of an epoch, in the order of their numbers or shuffled."""
        n = len(self.source)
        wanted = np.arange(first * self.batch_size, min(stop * self.batch_size, n))
        return permute(wanted, n, self.seed, "order", epoch) if self.shuffle else wanted

    def batches(self, step: int, rank: int = 0, world: int = 1) -> list[Batch]:
        """The micro-batches of ``step`` for one rank."""
        epoch, items = self.indices(step)
        turn = self.turns[step % len(self.turns)]
        taken = [examples[turn] for examples in self.source.take(epoch, items[rank::world])]
        return split_batches([some for some in taken if some], self.accumulation, self.max_tokens)

    def with_max_tokens(self, max_tokens: int) -> "Stream":
        """The same steps, split into micro-batches of at most so many tokens."""
        return replace(self, max_tokens=max_tokens)

    def describe(self, step: int) -> str:
        """The numbers of its items, in the order of the data, and the epoch, both counted from 1."""
        epoch, items = self.indices(step)
        return f"examples {', '.join(str(item + 1) for item in sorted(items.tolist()))} in epoch {epoch + 1}"

    def typical_batches(self) -> list[Batch]:
        """The micro-batches of a batch whose items have any length, all its turns: what sizes are estimated from."""
        mixed = replace(self, by_length=False)
        return [batch for turn in range(len(self.turns)) for batch in mixed.batches(turn)]


def typical_tokens(stream: BatchStream) -> float:
    """About how many tokens a step has."""
    found = 0.0
    for share, part in stream.parts:
        tokens = sum(batch.num_tokens for batch in part.typical_batches())
        found += share * tokens / min(part.batch_size, len(part.source)) / len(part.turns) * part.batch_size
    return found


def halve_until_split(stream: BatchStream, step: int, max_tokens: int) -> int:
    """The largest half, quarter, … of ``max_tokens`` that gives ``step`` more micro-batches; 0 where none does."""
    count = len(stream.batches(step))
    while max_tokens and len(stream.with_max_tokens(max_tokens).batches(step)) <= count:
        max_tokens //= 2
    return max_tokens


def split_batches(records: Sequence[list[Example]], at_least: int, max_tokens: int) -> list[Batch]:
    """Cuts Records, each whole, into about ``at_least`` Batches, or more where they would exceed ``max_tokens``.

    By the law of loss any split gives the same gradient, so memory alone may decide it.
    """
    lengths = [sum(map(len, record)) for record in records]
    target = min(max_tokens, max(1, -(-sum(lengths) // at_least)))
    groups: list[list[list[Example]]] = []
    room = 0
    for record, length in zip(records, lengths, strict=True):
        if not groups or (length > room and groups[-1]):
            groups.append([])
            room = target
        groups[-1].append(record)
        room -= length
    return [collate(group) for group in groups]
