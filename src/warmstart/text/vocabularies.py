"""Vocabularies that are learned from text: byte-level BPE, words, characters, bytes. Each gives a ``tokenizers`` backend.

=========== ==================================================== ========================= =========================
kind        a token is                                           kept are                  text comes back
=========== ==================================================== ========================= =========================
bpe         a run of bytes (Sennrich et al. 2016; GPT-2's words) the likeliest merges      byte for byte
words       a word or one punctuation mark                       words seen twice or more  with blanks between tokens
known-words the same                                             the same                  without what is not kept
characters  a character                                          those seen twice or more  but for unknown ones
bytes       a byte                                               all 256                   byte for byte
=========== ==================================================== ========================= =========================

A word or character that is not kept is read as ``[UNK]``; of ``known-words`` it is left out, which is the rule of Dai and Le
2015 (section 4) for words seen once. They set punctuation apart; characters are those of their DBpedia experiments.
"""

from collections.abc import Callable, Iterable, Sequence

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from warmstart.text.settings import VocabularyKind

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


def _whole(
    splitting: pre_tokenizers.PreTokenizer,
    texts: Iterable[str],
    size: int,
    least: int,
    specials: Sequence[str] = (UNKNOWN,),
) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    backend.pre_tokenizer = splitting
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, min_frequency=least, special_tokens=list(specials), show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _apart() -> list[pre_tokenizers.PreTokenizer]:
    return [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]


def _words(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    return _whole(pre_tokenizers.Sequence(_apart()), texts, size, min_frequency)


def _known_words(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    """A BPE without merges takes whole words alone. Each begins with a mark, so that no character of another is a word."""
    splitting = pre_tokenizers.Sequence([*_apart(), pre_tokenizers.Metaspace(prepend_scheme="always", split=False)])
    vocab = _whole(splitting, texts, size, min_frequency, specials=()).get_vocab()
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    backend.pre_tokenizer, backend.decoder = splitting, decoders.Metaspace()
    return backend


def _characters(texts: Iterable[str], size: int, min_frequency: int) -> tokenizers.Tokenizer:
    backend = _whole(pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"), texts, size, min_frequency)
    backend.decoder = decoders.Fuse()
    return backend


TRAINERS: dict[VocabularyKind, Callable[[Iterable[str], int, int], tokenizers.Tokenizer]] = {
    "bpe": _bytewise, "words": _words, "known-words": _known_words, "characters": _characters, "bytes": _bytes
}  # fmt: skip
"""Kind → texts, number of entries at most, how often a token is seen at least → backend."""
