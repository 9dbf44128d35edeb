"""How much a vocabulary knows. Witness: the texts, of which the unknown words, characters and bytes are counted by hand."""

import tokenizers
from tokenizers import models, pre_tokenizers

from warmstart.text.coverage import Coverage, count_coverage, describe_coverage
from warmstart.text.tokenizer import Tokenizer


def test_unknown_words_and_characters() -> None:
    """Witness: two of five words, one of four characters, that the vocabulary has never seen."""
    words = Tokenizer.train(["red blue red blue"], 300, vocabulary="words")
    assert count_coverage(words, words.encode_batch(["red green blue", "grey red"])) == Coverage(5, 2, 0)
    characters = Tokenizer.train(["abab"], 300, vocabulary="characters")
    assert count_coverage(characters, characters.encode_batch(["abxa"])) == Coverage(4, 1, 0)


def test_bytes_of_characters_that_have_no_token() -> None:
    """Witness: UTF-8: the bytes of each character; those of a character that the vocabulary has learned are one token."""
    learned = Tokenizer.train(["ж ж ж ж"], 300)
    ids = learned.encode_batch(["ж", "日", "é!"])
    assert count_coverage(learned, ids) == Coverage(1 + 3 + 2 + 1, 0, 3 + 2)
    for character in map(chr, (*range(0x80, 0x800, 7), 0x20AC, 0x1F600)):
        plain = Tokenizer.train([], 257, vocabulary="bytes")
        count = len(character.encode())
        assert count_coverage(plain, plain.encode_batch([character, "a b\n"])) == Coverage(count + 4, 0, count)


def test_byte_fallback_and_unigram() -> None:
    """Witness: SentencePiece's two ways with a character that it does not know: its bytes, or the unknown piece."""
    byte_pieces = {f"<0x{n:02X}>": n for n in range(256)}
    bpe = models.BPE(vocab=byte_pieces | {"a": 256, "<unk>": 257}, merges=[], unk_token="<unk>", byte_fallback=True)
    fallback = Tokenizer(tokenizers.Tokenizer(bpe))
    assert count_coverage(fallback, fallback.encode_batch(["a日"])) == Coverage(4, 0, 3)
    backend = tokenizers.Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    unigram = Tokenizer(backend)
    assert count_coverage(unigram, unigram.encode_batch(["a 日 a"])) == Coverage(3, 1, 0)


def test_in_words() -> None:
    """Witness: the shares by hand."""
    words = describe_coverage({"train": Coverage(1000, 1, 0), "dev": Coverage(8, 2, 1)})
    assert (
        words == "unknown tokens: 0.1% of train, 25.0% of dev; single bytes of characters: 0.0% of train, 12.5% of dev"
    )
