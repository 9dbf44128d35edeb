"""One sentence, a tag for each of its words: ``[start] words [extract]``, each word read at its first token."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.example.example import Example, Goal
from warmstart.example.record import Record
from warmstart.tasks.framing import Frame, Parts
from warmstart.tasks.words import Speller, spell_sentence

if TYPE_CHECKING:
    from warmstart.text.tokenizer import Tokenizer

FIRST = 1  # every sequence opens with one special token


def tagging(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """One question per word that has a token, read there; words that were cut away are not asked for.

    Worked example, with one word a token but Brussels, which has two: ``{"tokens": ["he", "left", "Brussels"], "tags":
    ["O", "O", "B-LOC"]}`` among the tags B-LOC, O gives::

        ids     start  he  left  Bruss  els  extract
        tags    read 1, question 0 → 1;  read 2, question 1 → 1;  read 3, question 2 → 0
        lm      read 0 … 4 → he left Bruss els extract
    """
    assert parts.words is not None
    asked = words_read(parts)
    labels = record.label if isinstance(record.label, tuple) else None
    targets = np.zeros(len(asked), np.int64) if labels is None else np.array(labels, np.int64)[asked]
    weights = np.full(len(asked), float(labels is not None), np.float32)
    goal = Goal.each(FIRST + parts.words[asked], targets, weights)
    return [frame.example(frame.sequence(parts.texts), goal)]


def words_read(parts: Parts) -> Ints:
    """The numbers of the words that have a token among those that were kept."""
    assert parts.words is not None
    return np.flatnonzero((parts.words >= 0) & (parts.words < len(parts.texts[0])))


def encode_sentences(records: Sequence[Record], tokenizer: "Tokenizer", rules: Sequence[str]) -> Iterator[Parts]:
    """The ids of each sentence and where its words begin in them."""
    speller = Speller(tokenizer, rules)
    for record in records:
        words = record.texts["tokens"]
        assert isinstance(words, tuple)
        ids, first = spell_sentence(words, speller)
        yield Parts((ids,), words=first)


def unread_tag(records: Sequence[Record], names: Sequence[str]) -> str:
    """The tag of a word that is read at no token: ``O`` where there is one, else the commonest."""
    if "O" in names:
        return "O"
    tags = [tag for record in records if isinstance(record.label, tuple) for tag in record.label]
    return names[int(np.bincount(tags, minlength=len(names)).argmax())]
