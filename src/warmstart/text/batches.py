"""Encoding of many texts: by the ``tokenizers`` library, or of much text by byte-level BPE every different word once.

The ids are those that the library gives the whole text, since it encodes every word by itself
(:func:`~warmstart.text.word_table.splits_like`).

W words in some texts, N ids of them.
"""

import threading
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import tokenizers

from warmstart.base.arrays import Ints
from warmstart.text.word_table import NEWLINE, WordTable, is_blank, splits_like, usable

MIN_CHARS = 1 << 16
"""Less text than this is not worth a table."""
MAX_WORDS = 1 << 19
"""Different words after which the table begins anew, so that memory does not grow with the text."""

_LINES = 256


class BatchEncoder:
    """Texts → ids, by a tokenizer of the library; safe to use from several threads."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend = backend

    @cached_property
    def _words(self) -> "_EncodedWords | None":
        return _EncodedWords(self._backend) if usable() and splits_like(self._backend) else None

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """The ids of each text, without special tokens.

        Raises:
            TypeError, UnicodeEncodeError: half a pair of surrogates in a text.
        """
        if sum(map(len, texts)) >= MIN_CHARS and self._words is not None:
            return self._words.encode(texts)
        encoded = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(e.ids, np.int64) for e in encoded]


class _EncodedWords:
    """A table of words, and the ids of each: some of a row of ids, from a place on."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        self._backend, self._lock = backend, threading.Lock()
        self._newline = backend.token_to_id(NEWLINE)
        self._clear()

    def _clear(self) -> None:
        self._table = WordTable()
        self._ids = self._starts = self._lengths = np.zeros(0, np.int64)

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        with self._lock:
            if len(self._table) >= MAX_WORDS:
                self._clear()
            numbers_W, counts = self._table.split(texts)
            self._encode_new()
            ids, starts_W, lengths_W = self._ids, self._starts[numbers_W], self._lengths[numbers_W]
        stops_W = np.cumsum(lengths_W)
        places_N = np.repeat(starts_W - stops_W + lengths_W, lengths_W)
        places_N += np.arange(len(places_N))
        bounds = np.concatenate([np.zeros(1, np.int64), stops_W])[np.cumsum(counts)[:-1]]
        return np.split(ids[places_N], bounds)

    def _encode_new(self) -> None:
        """The ids of the words that came last."""
        words = [word.decode() for word in self._table.words(len(self._starts))]
        blanks = {character for character in {word[-1] for word in words} if is_blank(character)}
        blank = np.array([word[-1] in blanks for word in words], bool)
        ids, lengths = self._encode_lines([word for word in words if word[-1] not in blanks])
        blank_ids = [e.ids for e in self._encode_texts([word for word in words if word[-1] in blanks])]
        all_lengths = np.empty(len(words), np.int64)
        all_lengths[~blank], all_lengths[blank] = lengths, list(map(len, blank_ids))
        ends = np.empty_like(all_lengths)
        ends[~blank], ends[blank] = np.cumsum(lengths), len(ids) + np.cumsum(all_lengths[blank])
        self._starts = np.concatenate([self._starts, len(self._ids) + ends - all_lengths])
        self._lengths = np.concatenate([self._lengths, all_lengths])
        self._ids = np.concatenate([self._ids, ids, *(np.array(own, np.int64) for own in blank_ids)])

    def _encode_lines(self, words: Sequence[str]) -> tuple[Ints, Ints]:
        """The ids of words that do not end with a blank, end to end, and the number of ids of each.

        A newline between two of them is a word of its own, so many are encoded as one text: far less work than one by one.
        """
        lines = ["\n".join([*words[start : start + _LINES], ""]) for start in range(0, len(words), _LINES)]
        ids = np.array([number for e in self._encode_texts(lines) for number in e.ids], np.int64)
        newlines = np.flatnonzero(ids == self._newline)
        return np.delete(ids, newlines), np.diff(newlines, prepend=-1) - 1

    def _encode_texts(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        return list(self._backend.encode_batch_fast(list(texts), add_special_tokens=False))
