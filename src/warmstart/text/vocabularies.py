"""Vocabularies that are learned from text: byte-level BPE, words, characters, bytes. Each gives a ``tokenizers`` backend.

========== ==================================================== ========================= =========================
kind       a token is                                           kept are                  text comes back
========== ==================================================== ========================= =========================
bpe        a run of bytes (Sennrich et al. 2016; GPT-2's words) the likeliest merges      byte for byte
words      a word or one punctuation mark                       words seen twice or more  with blanks between tokens
characters a character                                          those seen twice or more  but for unknown ones
bytes      a byte                                               all 256                   byte for byte
========== ==================================================== ========================= =========================

A word or character that is not kept is read as ``[UNK]``. Dai and Le 2015 (section 4) set punctuation apart and leave out
words that are seen once; characters are those of their DBpedia experiments.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

Vocabulary = Literal["bpe", "words", "characters", "bytes"]
UNKNOWN = "[UNK]"
BYTES = 256


def _bytewise(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=min_frequency, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    backend.train_from_iterator(texts, trainer)
    return backend


def _bytes(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    return _bytewise((), BYTES, min_frequency)


def _whole(splitting: pre_tokenizers.PreTokenizer, texts: Iterable[str], size: int, least: int) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    backend.pre_tokenizer = splitting
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=least, special_tokens=[UNKNOWN], show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _words(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    apart = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    return _whole(pre_tokenizers.Sequence(apart), texts, size, min_frequency)


def _characters(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    backend = _whole(pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"), texts, size, min_frequency)
    backend.decoder = decoders.Fuse()
    return backend


LEARNERS: dict[Vocabulary, Callable[[Iterable[str], int, int], tokenizers.Tokenizer]] = {
    "bpe": _bytewise, "words": _words, "characters": _characters, "bytes": _bytes
}  # fmt: skip
"""Kind → texts, number of entries at most, how often a token is seen at least → backend."""
