"""Which tokens are masked and what stands in their place: what all masked objectives share.

Devlin et al. 2018, section 3.1: 15 % of the tokens; of these 80 % become the mask, 10 % a random token, 10 % stay. Joshi et
al. 2020, section 3.1: spans of a geometric number of whole words, ten at most. Bao et al. 2020, algorithm 1: blocks of one
token or, with probability 0.4, of two to six. All follows from the generator.
"""

from dataclasses import dataclass

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Goal
from warmstart.example.noise import MASKED_SHARE, Noise
from warmstart.objectives.settings import MaskSettings
from warmstart.text.word_boundaries import WordBoundaries

SPAN_END = 0.2  # a span ends with this probability after each of its words
MAX_SPAN_WORDS = 10
LONG_BLOCKS = 0.4  # of the blocks hold several tokens
MIN_LONG_BLOCK, MAX_LONG_BLOCK = 2, 6  # tokens

SPECIAL_TOKENS = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]"}
"""Role → name of the special tokens that masking needs; the name is for a vocabulary that has none of that role."""


@dataclass(frozen=True, slots=True, eq=False)
class Masking:
    """What a masked objective needs to know of the recipe, the vocabulary and the model.

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

    def drop_end(self, ids: Ints) -> Ints:
        """``ids`` of a piece of a document, without the token that ends the document."""
        return ids[:-1] if len(ids) > 1 and ids[-1] == self.end else ids

    def add_special_tokens(self, text: Ints) -> Ints:
        """``[cls] text [sep]``."""
        return np.concatenate([[self.cls], text, [self.sep]])

    def choose_units(self, text: Ints, rng: np.random.Generator) -> list[Ints]:
        """The places in ``text`` that are masked, unit by unit, in reading order."""
        budget = max(1, round((self.settings.share or MASKED_SHARE) * len(text)))
        if self.settings.units in (None, "tokens"):
            return np.split(np.sort(rng.choice(len(text), budget, replace=False)), budget)
        if self.settings.units == "blocks":
            return _choose_blocks(len(text), budget, rng)
        words = self.boundaries.split_words(text)
        choose = _choose_words if self.settings.units == "words" else _choose_spans
        return _in_order(choose(words, budget, rng))

    def replace_tokens(self, ids: Ints, units: list[Ints], rng: np.random.Generator) -> Ints:
        """``ids`` with the mask, a random token or the same one in the places of ``units``."""
        noise = Noise(self.mask, self.vocab_size, self.settings.keep, self.settings.random)
        places, noisy = np.concatenate(units), ids.copy()
        noisy[places] = noise.corrupt(
            ids[places], rng, [len(u) for u in units] if self.settings.units == "spans" else None
        )
        return noisy


def masked_for_eval(settings: MaskSettings) -> MaskSettings:
    """The same for evaluation: the mask stands in every masked place, since a model could copy a token that stays."""
    return settings.model_copy(update={"random": 0.0, "keep": 0.0})


def masked_goal(ids: Ints, places: Ints) -> Goal:
    """The goal of guessing what stood in some places of ``ids``."""
    return Goal.each(places, ids[places])


def _in_order(units: list[Ints]) -> list[Ints]:
    return sorted(units, key=lambda unit: int(unit[0]))


def _choose_blocks(length: int, budget: int, rng: np.random.Generator) -> list[Ints]:
    """Blocks at uniformly random places, those that touch no other; the last is cut to what is left of the budget."""
    free = np.ones(length, bool)
    taken: list[Ints] = []
    while budget:
        size = int(rng.integers(MIN_LONG_BLOCK, MAX_LONG_BLOCK + 1)) if rng.random() < LONG_BLOCKS else 1
        start = int(rng.integers(length))
        block = np.arange(start, min(start + min(size, budget), length))
        if free[block].all():
            free[block] = False
            taken.append(block)
            budget -= len(block)
    return _in_order(taken)


def _choose_words(words: list[Ints], budget: int, rng: np.random.Generator) -> list[Ints]:
    """Words in random order, as far as they fit; at least one."""
    order = rng.permutation(len(words)).tolist()
    taken: list[Ints] = []
    for number in order:
        if len(words[number]) <= budget:
            taken.append(words[number])
            budget -= len(words[number])
    return taken or [words[order[0]]]


def _choose_spans(words: list[Ints], budget: int, rng: np.random.Generator) -> list[Ints]:
    """Runs of words that do not touch what is taken, as far as they fit; a run is cut before it goes beyond."""
    free = np.ones(len(words), bool)
    taken: list[Ints] = []
    for start in rng.permutation(len(words)).tolist():
        length = min(int(rng.geometric(SPAN_END)), MAX_SPAN_WORDS)
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
