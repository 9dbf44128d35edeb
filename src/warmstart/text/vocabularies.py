"""Training of vocabularies: byte-level BPE, words, characters, bytes. Each function returns a ``tokenizers`` backend.

=========== ==================================================== ============================ =======================
kind        a token is                                           the vocabulary has           decoding returns
=========== ==================================================== ============================ =======================
bpe         a run of bytes (Sennrich et al. 2016; GPT-2's words) the most frequent merges     the same bytes
words       a word or one punctuation mark                       words that occur twice       spaces between tokens
known-words a word or one punctuation mark                       words that occur twice       only the known words
characters  a character                                          characters that occur twice  the known characters
bytes       a byte                                               all 256                      the same bytes
=========== ==================================================== ============================ =======================

A word or character that is not in the vocabulary becomes ``[UNK]``. With ``known-words`` it is dropped, as Dai and Le 2015
(section 4) do with words that occur once. They separate punctuation from words; they use characters for DBpedia.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from warmstart.text import word_table
from warmstart.text.merges import train_merges
from warmstart.text.settings import VocabularyKind

UNKNOWN = "[UNK]"
BYTES = 256
_COUNTED_CHARS = 1 << 20
"""Of texts whose words are counted together."""


def _train_bpe(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if word_table.usable():
        words, counts = _count_words(texts)
        backend.model = models.BPE(*train_merges(words, counts, size, min_frequency))
        return backend
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=min_frequency, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    backend.train_from_iterator(texts, trainer)
    return backend


def _count_words(texts: Iterable[str]) -> tuple[list[bytes], list[int]]:
    """The different words of texts, and how often each occurs."""
    table, totals = word_table.WordTable(), np.zeros(0, np.int64)
    for some in _together(texts):
        counts = np.bincount(table.split(some).numbers, minlength=len(table))
        counts[: len(totals)] += totals
        totals = counts
    return table.words(), totals.tolist()


def _together(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of about a million characters."""
    some: list[str] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= _COUNTED_CHARS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _train_bytes(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    return _train_bpe((), BYTES, min_frequency)


def _train_word_level(
    pre_tokenizer: pre_tokenizers.PreTokenizer,
    texts: Iterable[str],
    size: int,
    min_frequency: int,
    special_tokens: Sequence[str] = (UNKNOWN,),
) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizer
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=list(special_tokens), show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _word_splitters() -> list[pre_tokenizers.PreTokenizer]:
    return [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]


def _train_words(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    return _train_word_level(pre_tokenizers.Sequence(_word_splitters()), texts, size, min_frequency)


def _train_known_words(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    """A BPE without merges keeps whole words only. Each begins with ``▁``: no character inside another word equals it."""
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    pre_tokenizer = pre_tokenizers.Sequence([*_word_splitters(), metaspace])
    vocab = _train_word_level(pre_tokenizer, texts, size, min_frequency, special_tokens=()).get_vocab()
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    backend.pre_tokenizer, backend.decoder = pre_tokenizer, decoders.Metaspace()
    return backend


def _train_characters(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    backend = _train_word_level(pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"), texts, size, min_frequency)
    backend.decoder = decoders.Fuse()
    return backend


TRAINERS: dict[VocabularyKind, Callable[[Iterable[str], int, int], tokenizers.Tokenizer]] = {
    "bpe": _train_bpe, "words": _train_words, "known-words": _train_known_words, "characters": _train_characters,
    "bytes": _train_bytes,
}  # fmt: skip
"""Kind → function of texts, size and minimum frequency that returns a backend."""
