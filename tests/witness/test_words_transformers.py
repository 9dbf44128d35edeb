"""Words to ids as transformers has them with ``is_split_into_words``, whatever becomes of the blank before a word."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from warmstart.tasks.words import WordTokenizer, tokenize_sentence, tokenize_text
from warmstart.text.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

TEXT = ["Grey herons wade along the shallow Ouse , and otters fish by night ."] * 4
SENTENCES = [
    ["Grey", "herons", "fish", "."], ["Zoë", "wades", ",", "U.S.", "otters", "by", "night-time"], ["Ouse"],
    ["x", "(", "the", "night", ")", "東京"],
]  # fmt: skip
BYTES = [f"<0x{number:02X}>" for number in range(256)]
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def llama2() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=["<unk>", "<s>", "</s>", *BYTES], initial_alphabet=["▁"], show_progress=False
    )
    backend.train_from_iterator((word for line in TEXT for word in line.split()), trainer)
    return backend


def metaspace() -> tokenizers.Tokenizer:
    """Llama's of today: a blank before the first word alone, unless there is one."""
    backend = tokenizers.Tokenizer.from_str(llama2().to_str())
    backend.normalizer = None
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return backend


def byte_level(first: bool) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=first)
    backend.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=300, initial_alphabet=ALPHABET, show_progress=False)
    )
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    return backend


def wordpiece() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[UNK]"], show_progress=False)
    backend.train_from_iterator(TEXT, trainer)
    return backend


def xlmr() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(vocab_size=80, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    backend.train_from_iterator(TEXT, trainer)
    return backend


FAMILIES: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "llama2": llama2, "metaspace": metaspace, "bytes-first": lambda: byte_level(True), "wordpiece": wordpiece, "xlmr": xlmr
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_words_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    """Witness: their ids of split words, and the first token of each word."""
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=FAMILIES[family]())
    theirs.save_pretrained(tmp_path)
    ours = WordTokenizer(Tokenizer.load(tmp_path), ())
    for words in SENTENCES:
        ids, first = tokenize_sentence(words, ours)
        wanted = theirs(words, is_split_into_words=True, add_special_tokens=False)
        assert ids.tolist() == wanted["input_ids"]
        # a token of the blank alone belongs to the word in their count; ours reads the first that shows some of it
        numbers = wanted.word_ids()
        assert [numbers[place] for place in first.tolist()] == list(range(len(words)))


@pytest.mark.parametrize("family", ["llama2", "metaspace", "bytes-plain"])
def test_words_of_a_text_are_those_of_the_whole_text(family: str, tmp_path: Path) -> None:
    """Witness: their ids of the whole text with single blanks; without a first blank split words would lose theirs."""
    backend = byte_level(False) if family == "bytes-plain" else FAMILIES[family]()
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    theirs.save_pretrained(tmp_path)
    ours = WordTokenizer(Tokenizer.load(tmp_path), ())
    for words in SENTENCES:
        text = " ".join(words)
        wanted = theirs(text, add_special_tokens=False)["input_ids"]
        ids, places = tokenize_text(text, ours)
        assert ids.tolist() == wanted == tokenize_sentence(words, ours)[0].tolist()
        seen = places[places[:, 0] >= 0]
        assert np.all(np.diff(seen[:, 0]) >= 0) and "".join(text.split()) == "".join(
            text[i] for i in sorted({i for begin, end in seen.tolist() for i in range(begin, end)})
        )
