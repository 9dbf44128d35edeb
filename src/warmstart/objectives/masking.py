"""Which tokens are masked and what stands in their place: what all masked objectives share.

Devlin et al. 2018, section 3.1: 15 % of the tokens; of these 80 % become the mask, 10 % a random token, 10 % stay. Joshi et
al. 2020, section 3.1: spans of a geometric number of whole words, ten at most. Bao et al. 2020, algorithm 1: blocks of one
token or, with probability 0.4, of two to six. All follows from the generator handed in.
"""

from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Goal
from warmstart.example.noise import Noise
from warmstart.objectives.settings import MaskSettings
from warmstart.text.word_boundaries import WordBoundaries

ENDS_AT = 0.2  # a span ends with this probability after each of its words
LONGEST = 10  # words
RUNS = 0.4  # of the blocks are runs of tokens
FEWEST, MOST = 2, 6  # tokens of a run


@dataclass(frozen=True, slots=True, eq=False)
class Masking:
    """The tools of a masked objective.

    Attributes:
        settings: what is masked, and how.
        cls: id of the token before a text.
        sep: id of the token after it.
        mask: id of the mask.
        end: id of the token that ends a document of the corpus, if it has one.
        vocab_size: ids from which random tokens are drawn.
        boundaries: where words begin and end.
        segments: rows of the model's segment table.
        text_segments: the rows that source and target take.
    """

    settings: MaskSettings
    cls: int
    sep: int
    mask: int
    end: int | None
    vocab_size: int
    boundaries: WordBoundaries
    segments: int = 0
    text_segments: tuple[int, int] = (0, 1)

    def text(self, ids: Ints) -> Ints:
        """``ids`` of a piece of a document, without the token that ends the document."""
        return ids[:-1] if len(ids) > 1 and ids[-1] == self.end else ids

    def framed(self, text: Ints) -> Ints:
        """``[cls] text [sep]``."""
        return np.concatenate([[self.cls], text, [self.sep]])

    def chosen(self, text: Ints, draw: np.random.Generator) -> list[Ints]:
        """The places in ``text`` that are masked, unit by unit, in reading order."""
        budget = max(1, round(self.settings.share * len(text)))
        if self.settings.units in (None, "tokens"):
            return np.split(np.sort(draw.choice(len(text), budget, replace=False)), budget)
        if self.settings.units == "blocks":
            return _blocks(len(text), budget, draw)
        words = self.boundaries.split_words(text)
        units = _words(words, budget, draw) if self.settings.units == "words" else _spans(words, budget, draw)
        return _in_order(units)

    def corrupted(self, ids: Ints, units: list[Ints], draw: np.random.Generator) -> Ints:
        """``ids`` with something else in the places of ``units``."""
        noise = Noise(self.mask, self.vocab_size, self.settings.keep, self.settings.random)
        places, found = np.concatenate(units), ids.copy()
        found[places] = noise.corrupt(
            ids[places], draw, [len(u) for u in units] if self.settings.units == "spans" else None
        )
        return found


def asked(ids: Ints, places: Ints) -> Goal:
    """The goal of guessing what stood in some places of ``ids``."""
    return Goal.each(places, ids[places])


def _in_order(units: list[Ints]) -> list[Ints]:
    return sorted(units, key=lambda unit: int(unit[0]))


def _blocks(length: int, budget: int, draw: np.random.Generator) -> list[Ints]:
    """Blocks at places drawn evenly, those that touch no other; the last is cut to what is left."""
    free = np.ones(length, bool)
    taken: list[Ints] = []
    while budget:
        size = int(draw.integers(FEWEST, MOST + 1)) if draw.random() < RUNS else 1
        start = int(draw.integers(length))
        block = np.arange(start, min(start + min(size, budget), length))
        if free[block].all():
            free[block] = False
            taken.append(block)
            budget -= len(block)
    return _in_order(taken)


def _words(words: list[Ints], budget: int, draw: np.random.Generator) -> list[Ints]:
    """Words in random order, as far as they fit; at least one."""
    order = draw.permutation(len(words)).tolist()
    taken: list[Ints] = []
    for number in order:
        if len(words[number]) <= budget:
            taken.append(words[number])
            budget -= len(words[number])
    return taken or [words[order[0]]]


def _spans(words: list[Ints], budget: int, draw: np.random.Generator) -> list[Ints]:
    """Runs of words that do not touch what is taken, as far as they fit; a run is cut before it goes beyond."""
    free = np.ones(len(words), bool)
    taken: list[Ints] = []
    for start in draw.permutation(len(words)).tolist():
        length = min(int(draw.geometric(ENDS_AT)), LONGEST)
        run: list[Ints] = []
        for number in range(start, min(start + length, len(words))):
            if not free[number] or (len(words[number]) > budget and (run or taken)):
                break
            run.append(words[number])
            free[number] = False
            budget -= len(words[number])
        if run:
            taken.append(np.concatenate(run))
        if budget <= 0:
            break
    return taken
