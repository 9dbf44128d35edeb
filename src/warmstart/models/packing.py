"""Packing: which tokens of a flat Batch a recurrence reads at which step, and where a gradient is cut.

Texts are read in the order of their turns. A text longer than ``bptt`` is read in chunks, counted from its end so that the
last ones are whole; its state is carried from chunk to chunk and no gradient goes back over a border. Within a chunk, and
so everywhere, the longest text stands first: the texts that go on are always the first rows of those before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch
from warmstart.example.sight import Pattern


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Tokens that are read with one gradient.

    Attributes:
        tokens: [n] flat indices in packed order.
        texts: [n] the text that each is of.
        sizes: [S] texts at each step, never rising.
        num_carried: how many texts, the first ones, go on from the chunk before.
    """

    tokens: Ints
    texts: Ints
    sizes: list[int]
    num_carried: int


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """The chunks of the texts that are read in one direction (0: from their beginning, 1: from their end), in order."""

    direction: int
    chunks: list[Chunk]


def pack(batch: Batch, bptt: int, directions: int) -> list[Packing]:
    """How a recurrence reads ``batch``.

    Raises:
        BadInput: a token is to see several others at once, or one that comes after it.
    """
    starts = np.concatenate([[0], np.cumsum(batch.lengths)[:-1]])
    order, backward = _order(batch, starts)
    if directions == 1:
        backward = np.zeros_like(backward)
    return [
        Packing(direction, _chunks(np.flatnonzero(backward == direction), starts, batch.lengths, order, bptt))
        for direction in (0, 1)
        if (backward == direction).any()
    ]


def _order(batch: Batch, starts: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """[N] the tokens as they are read, text by text, and for each text whether that is from its end."""
    order = np.arange(batch.num_tokens)
    backward = np.zeros(len(starts), bool)
    if batch.pattern is Pattern.CAUSAL:
        return order, backward
    turns = batch.turns.numpy()
    for text, (start, length) in enumerate(zip(starts.tolist(), batch.lengths.tolist(), strict=True)):
        own = turns[start : start + length]
        places = np.argsort(own, kind="stable")
        if own.min() < 0 or (np.diff(own[places]) == 0).any():
            raise BadInput(
                "an LSTM reads one token after another and cannot use a frame in which tokens see each other", where="model",
                value="an LSTM", allowed="a Transformer, for frames that are bidirectional, masked or have a prefix",
                next_step="choose a Transformer preset, or a frame that reads from left to right",
            )  # fmt: skip
        order[start : start + length] = start + places
        backward[text] = length > 1 and places[0] > places[-1]
    return order, backward


def _chunks(texts: Ints, starts: Ints, lengths: Ints, order: Ints, bptt: int) -> list[Chunk]:
    """All chunks of some texts, the first to be read first."""
    ranked = texts[np.argsort(-lengths[texts], kind="stable")]
    begin, length = starts[ranked], lengths[ranked]
    count = -(-length // bptt)  # chunks of each text; never rising
    chunks: list[Chunk] = []
    for number in reversed(range(int(count[0]))):
        here = int((count > number).sum())
        num_carried = int((count > number + 1).sum())
        # All of a text but its first piece are whole; pieces end where the chunks behind them begin.
        stop = length[:here] - number * bptt
        first = np.maximum(0, stop - bptt)
        chunks.append(_chunk(begin[:here] + first, stop - first, ranked[:here], order, num_carried))
    return chunks


def _chunk(begin: Ints, lengths: Ints, texts: Ints, order: Ints, num_carried: int) -> Chunk:
    alive = steps_alive(lengths)
    tokens = (begin + np.arange(len(alive))[:, None])[alive]
    sizes: list[int] = alive.sum(1).tolist()
    return Chunk(order[tokens], np.broadcast_to(texts, alive.shape)[alive], sizes, num_carried)


def steps_alive(lengths: Ints) -> NDArray[np.bool_]:
    """[S, B] which of B sequences, the longest first, go on at each step."""
    return np.arange(lengths[0])[:, None] < lengths
