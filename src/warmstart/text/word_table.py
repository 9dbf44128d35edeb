"""A table of the words of byte-level BPE (words.c), where it was built: a text → the numbers of its words.

A word is what GPT-2's pattern cuts out of a text: letters, digits or other signs, each with the blank before them, or
blanks. A text of a million words has few different ones, and what is done for each word (encoding it, counting its pairs)
is done once. Which characters are letters, digits or blanks is asked of the ``tokenizers`` library itself, a page of 256 at
a time, so both always agree. Built when the package is installed and gcc is at hand, for any processor.

T texts, W words of them, end to end.
"""

import ctypes
import functools
import itertools
import sysconfig
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import pre_tokenizers

from warmstart.base.arrays import Ints

_VERSION = 1  # of what the functions are given; words.c says the same
_ASKS = -2
_PAGE = 256
_LETTER, _NUMBER, _OTHER, _SPACE = range(1, 5)
_BEFORE = {_LETTER: "a", _NUMBER: "1", _OTHER: "!"}
"""A character of each kind: one word with what comes behind it, where that is of the same kind."""
NEWLINE = "\u010a"
"""How byte-level BPE writes a newline."""


@functools.cache
def _library() -> Any:
    """The functions of words.c, or ``None`` where they were not built."""
    path = Path(__file__).with_name(f"_words{sysconfig.get_config_var('EXT_SUFFIX')}")
    try:
        found = ctypes.CDLL(str(path))
        if found.warmstart_words() != _VERSION:
            return None
    except (OSError, AttributeError):  # not built, or something else
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_long
    found.warmstart_words_split.argtypes = [pointer, ctypes.c_char_p, pointer, size, *[pointer] * 4]
    found.warmstart_words_split.restype = found.warmstart_words_size.restype = size
    for name in ("new", "bytes", "ends"):
        getattr(found, f"warmstart_words_{name}").restype = pointer
    for name in ("free", "size", "bytes", "ends"):
        getattr(found, f"warmstart_words_{name}").argtypes = [pointer]
    return found


def usable() -> bool:
    """Whether the table was built."""
    return _library() is not None


def splits_like(backend: tokenizers.Tokenizer) -> bool:
    """Whether a tokenizer's words are those of the table, and each is encoded without regard to the others."""
    splitter, added = backend.pre_tokenizer, backend.get_added_tokens_decoder().values()
    if not isinstance(splitter, pre_tokenizers.ByteLevel) or splitter.add_prefix_space or not splitter.use_regex:
        return False
    is_bpe = isinstance(backend.model, tokenizers.models.BPE) and backend.model.dropout is None
    is_bpe = is_bpe and backend.token_to_id(NEWLINE) is not None
    return is_bpe and backend.normalizer is None and backend.encode_special_tokens and all(a.special for a in added)


class SplitTexts(NamedTuple):
    """[W] the number of each word, and [T] how many words each text has."""

    numbers: NDArray[np.int32]
    counts: Ints


class WordTable:
    """Words of texts with their numbers, which count up from 0 as the words come; for one thread at a time."""

    def __init__(self) -> None:
        self._table = _library().warmstart_words_new()
        if not self._table:
            raise MemoryError("no memory for a table of words")
        weakref.finalize(self, _library().warmstart_words_free, self._table)

    def __len__(self) -> int:
        return int(_library().warmstart_words_size(self._table))

    def split(self, texts: Sequence[str]) -> SplitTexts:
        """The words of some texts; those that are new get the next numbers.

        Raises:
            UnicodeEncodeError: half a pair of surrogates in a text.
        """
        encoded = [text.encode("utf-8") for text in texts]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        data = b"".join(encoded)
        numbers, counts, asked = np.empty(len(data), np.int32), np.empty(len(texts), np.int64), np.zeros(1, np.int64)
        arrays = [array.ctypes.data for array in (_kinds(), numbers, counts, asked)]
        run = functools.partial(
            _library().warmstart_words_split, self._table, data, ends.ctypes.data, len(texts), *arrays
        )
        while (count := run()) == _ASKS:
            _fill_page(int(asked[0]) // _PAGE)
        if count < 0:
            raise MemoryError("no memory for more words")
        return SplitTexts(numbers[:count].copy(), counts)

    def words(self, start: int = 0) -> list[bytes]:
        """The UTF-8 bytes of each word, from number ``start`` on."""
        size = len(self)
        ends = np.frombuffer(ctypes.string_at(_library().warmstart_words_ends(self._table), 8 * size), np.int64)
        bounds = [0, *ends.tolist()][start:]
        data = ctypes.string_at(_library().warmstart_words_bytes(self._table) + bounds[0], bounds[-1] - bounds[0])
        return [data[a - bounds[0] : b - bounds[0]] for a, b in itertools.pairwise(bounds)]


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """[0x110000] the kind of each character; 0 where nobody has asked for it yet."""
    return np.zeros(0x110000, np.uint8)


def _fill_page(page: int) -> None:
    """Asks the library for the kinds of 256 characters."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    for code in range(page * _PAGE, (page + 1) * _PAGE):
        if 0xD800 <= code < 0xE000:  # no characters
            continue
        joined = (kind for kind, before in _BEFORE.items() if len(split(before + chr(code))) == 1)
        _kinds()[code] = next(joined, _SPACE)


def is_blank(character: str) -> bool:
    """Whether a character of a word in a table is a blank."""
    return bool(_kinds()[ord(character)] == _SPACE)
