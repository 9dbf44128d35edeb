"""What the objectives of encoder-decoders share: a text is corrupted, and the decoder writes what is missing, or all of it.

The Example is that of a sequence-to-sequence task: the source of turn 0, the target behind it. Special tokens stand around
both sides as they will in a task, so that fine-tuning goes on where pre-training ends.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example, Goal
from warmstart.objectives.settings import MaskSettings


@dataclass(frozen=True, slots=True)
class SideTokens:
    """Ids of special tokens: the encoder reads ``before source after``; the decoder begins with ``start first``."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    start: int
    first: tuple[int, ...]
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Corruption:
    """What such an objective needs to know of the recipe and the vocabulary.

    Attributes:
        settings: how much is corrupted, and how.
        share: of the tokens, where the settings do not say.
        sides: special tokens.
        sentinels: ids that stand for one missing span each, in order.
        mask: id of the mask, or -1.
        end: id of the token that ends a document of the corpus, if it has one.
        vocab_size: ids from which random tokens are drawn.
        stops: ids of the tokens that end a sentence.
    """

    settings: MaskSettings
    share: float
    sides: SideTokens
    sentinels: tuple[int, ...]
    mask: int
    end: int | None
    vocab_size: int
    stops: Collection[int] = frozenset()

    def drop_end(self, ids: Ints) -> Ints:
        """``ids`` of a piece of a document, without the token that ends the document."""
        return ids[:-1] if len(ids) > 1 and ids[-1] == self.end else ids

    def hidden(self, length: int) -> int:
        """How many of so many tokens are corrupted: one at least, and one less than all at most."""
        share = self.settings.share or self.share
        return max(1, min(length - 1, round(length * share)))

    def example(self, source: Ints, target: Ints, *, positions: Ints | None = None, ends: bool = True) -> Example:
        """The Example of a corrupted text and what is to be written.

        Args:
            source: what is left of the text.
            target: what the decoder learns, without special tokens.
            positions: [T] of the tokens that the decoder reads, one for each that it learns; ``None``: 0 1 2 …
            ends: whether it learns the end too.
        """
        sides, last = self.sides, (self.sides.end,) if ends else ()
        read = np.concatenate([np.array(part, np.int64) for part in (sides.before, source, sides.after)])
        learned = np.concatenate([np.array(part, np.int64) for part in (sides.first, target, last)])
        written = np.append([sides.start], learned[:-1])
        count = np.arange(len(read) + len(written))
        behind = count[len(read) :]
        places = count if positions is None else np.concatenate([count[: len(read)], len(read) + positions])
        turns = np.maximum(count - len(read) + 1, 0)
        return Example(np.concatenate([read, written]), turns, places, {"lm": Goal.each(behind, learned)})


def split_randomly(total: int, parts: int, rng: np.random.Generator) -> Ints:
    """[parts] lengths from 1 on that are ``total`` together: all ways to cut are alike likely."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))
