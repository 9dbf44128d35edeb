"""Vocabularies of SentencePiece's against the sentencepiece package, trained on real text, and against transformers."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import transformers

from warmstart.base.errors import BadInput
from warmstart.text.classes import MODEL_TYPES
from warmstart.text.sentencepiece import FAMILIES
from warmstart.text.sentencepiece_model import read_sentencepiece_model
from warmstart.text.template_ids import read_template_ids
from warmstart.text.tokenizer import Tokenizer

pytestmark = pytest.mark.data
HOSTILE = [
    "", " ", "  a  b  ", "\ta\tb\n", "\u2581", "\u2581a", "a\u2581b", "<0x41>", "x<0x0A>y", "\ufb01ne \ufb00 \u2167 \u2460",
    "e\u0301 cafe\u0301 \u00e9", "\uff46\uff55\uff4c\uff4c\u3000\uff57\uff49\uff44", "日本語テキスト、中文。한국어",
    "👍🏽 👨‍👩‍👧 🇩🇪", "a\u200bb\u00a0c\u00adx", "\x00\x01\x7f", "1,000 3,4, 5,", "٣٤ अनुच्छेद हिन्दी क्षि", "A" * 300,
    "straße ẞ ǅ", "\ufeffx", "…“”‘’—",
    "½ ² ™", "\r\n x", "NEW foo NEWfoo fooNEW", "zz  zz", "\u3000\u3000x\u2003y", "ﷺ", "𝔘𝔫𝔦",
]  # fmt: skip
MOST_CHARACTERS = 2000
"""The package adds scores up in float32 over a whole text: of nearly equal ways it takes any in long ones."""
TYPED = ["<s>", "a <s> b </s>", "<unk>"]  # which transformers reads as special tokens, and we as text
SMALL = {"vocab_size": 1200, "character_coverage": 0.995}
BYTES = {"byte_fallback": True, "vocab_size": 1800}
RAW = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
OWN = {"user_defined_symbols": ["NEW", "foo", "zz"]}
LLAMA = {"model_type": "bpe", "split_digits": True, "allow_whitespace_only_pieces": True} | BYTES | RAW
MODELS: dict[str, dict[str, Any]] = {
    "unigram": {}, "bytes": BYTES, "own pieces": OWN | RAW, "no blank": {"add_dummy_prefix": False},
    "bpe": {"model_type": "bpe"}, "llama": LLAMA, "bpe with own pieces": {"model_type": "bpe"} | OWN,
}  # fmt: skip


@pytest.fixture(scope="module")
def texts(data_dir: Path) -> tuple[list[str], list[str]]:
    """Lines in German, French, Chinese and English: to train on, and others."""

    def lines(path: str, count: int) -> list[str]:
        text = gzip.decompress((data_dir / path).read_bytes()).decode()
        short = [line for line in text.splitlines() if line.strip() and len(line) < MOST_CHARACTERS]
        return short[:count]

    train = [("multi30k/train.de.gz", 400), ("multi30k/train.fr.gz", 400), ("cmrc2018_zh/train.jsonl.gz", 40)]
    other = [("multi30k/val.de.gz", 50), ("multi30k/val.fr.gz", 50), ("cmrc2018_zh/dev.jsonl.gz", 5)]
    train.append(("books/valid/Doyle_Hound_1902.txt.gz", 400))
    other += [("books/test/Chesterton_Thursday_1908.txt.gz", 80), ("aeslc/dev.jsonl.gz", 8)]
    found, more = ([line for path, count in part for line in lines(path, count)] for part in (train, other))
    return found, more


def train(lines: list[str], file: Path, **options: Any) -> sentencepiece.SentencePieceProcessor:
    written = io.BytesIO()
    given: dict[str, Any] = SMALL | options
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=written, minloglevel=2, **given
    )
    file.write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


@pytest.mark.parametrize("name", MODELS)
def test_ids_are_those_of_the_package(name: str, texts: tuple[list[str], list[str]], tmp_path: Path) -> None:
    """Witness: its ids of other real lines and of hostile ones, its pieces and scores, and its text of the ids."""
    theirs = train(texts[0], tmp_path / "spm.model", **MODELS[name])
    model = read_sentencepiece_model(tmp_path / "spm.model")
    numbers = range(theirs.get_piece_size())
    assert [piece.text for piece in model.pieces] == [theirs.id_to_piece(n) for n in numbers]
    assert [piece.score for piece in model.pieces] == [theirs.get_score(n) for n in numbers]
    ours = Tokenizer.load(tmp_path)  # a spm.model alone is DeBERTa's, whose mask stands behind all
    assert ours.vocab_size == len(numbers) + 1 and ours.token_to_id("[MASK]") == len(numbers)
    special = {ours.token_to_id(token) for token in ("<s>", "</s>")}
    assert not any(special & set(ours.encode(line).tolist()) for line in TYPED)
    for line in [*texts[1], *HOSTILE]:
        ids = theirs.encode(line)
        assert ours.encode(line).tolist() == ids, line
        if theirs.unk_id() not in ids:
            assert ours.decode(ids) == theirs.decode(ids)


BERT = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
GEMMA = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "bos_piece": "<bos>", "eos_piece": "<eos>"}
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "Albert": ("spiece.model", ALBERT),
    "XLMRoberta": ("sentencepiece.bpe.model", {}),
    "Camembert": ("sentencepiece.bpe.model", {}),
    "DebertaV2": ("spm.model", {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3} | BERT),
    "MBart": ("sentencepiece.bpe.model", {}),
    "MBart50": ("sentencepiece.bpe.model", {}),
    "Pegasus": ("spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "T5": ("spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "Llama": ("tokenizer.model", LLAMA),
    "Gemma": ("tokenizer.model", LLAMA | GEMMA | {"add_dummy_prefix": False}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_families_have_the_ids_of_transformers(name: str, texts: tuple[list[str], list[str]], tmp_path: Path) -> None:
    """Witness: transformers' class, converted from the same file: size, special tokens around texts, ids.

    Its DeBERTa leaves the file's normaliser out, and its Llama the blank before a blank: there the package is asked.
    """
    file, options = FILES[name]
    package = train(texts[0], tmp_path / file, **options)
    config = {
        "tokenizer_class": f"{name}Tokenizer",
        "add_bos_token": True,
        "bos_token": options.get("bos_piece", "<s>"),
    }
    if name.startswith("MBart"):
        config |= {"src_lang": "fr_XX"}
    if name in ("Llama", "Gemma", "MBart", "MBart50"):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    else:
        kind = next(kind for kind, family in MODEL_TYPES.items() if family == name)
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    theirs = getattr(transformers, f"{name}Tokenizer").from_pretrained(tmp_path)
    ours, around = Tokenizer.load(tmp_path), read_template_ids(tmp_path)
    assert ours.vocab_size == theirs.vocab_size or name in ("DebertaV2", "Gemma")
    moved = {"XLMRoberta": 1, "Camembert": 4, "MBart": 1, "MBart50": 1, "Pegasus": 103}.get(name, 0)
    for line in [*texts[1], *HOSTILE]:
        ids = ours.encode(line).tolist()
        if name in ("DebertaV2", "Llama") or moved:
            unknown = {0: package.unk_id(), 103: 105}.get(moved, 3)
            assert ids == [unknown if n == package.unk_id() else n + moved for n in package.encode(line)], line
        if name not in ("DebertaV2", "Llama", "MBart", "MBart50", "Pegasus"):
            assert ids == theirs.encode(line, add_special_tokens=False), line
    one, two = "der Hund", "die Katze"
    own, other = ours.encode(one).tolist(), ours.encode(two).tolist()
    assert theirs.encode(one) == [*around.one[0], *own, *around.one[1]]
    assert theirs.encode(one, two) == [*around.pair[0], *own, *around.pair[1], *other, *around.pair[2]]
    for kind in ("cls", "sep", "mask", "pad", "unk"):
        if kind != "pad" or name != "Llama":
            token = getattr(theirs, f"{kind}_token", None)
            assert token is None or ours.special_token(kind) in (token, None)
    again = tmp_path / "again"
    again.mkdir()
    ours.save(again)
    assert all(np.array_equal(Tokenizer.load(again).encode(line), ours.encode(line)) for line in HOSTILE)


def test_what_does_not_convert_is_refused(texts: tuple[list[str], list[str]], tmp_path: Path) -> None:
    """Bad input: files of other forms, cut files, a file whose family nothing names; each in a sentence, with the file."""
    for options, words in (
        ({"model_type": "word"}, "its algorithm; got 'word'"),
        ({"model_type": "char", "vocab_size": 300, "hard_vocab_limit": False}, "its algorithm; got 'character'"),
        ({"treat_whitespace_as_suffix": True}, "blanks behind words"),
        ({"user_defined_symbols": ["Ⅷ"]}, "normaliser changes; got 'Ⅷ'"),
    ):
        train(texts[0], tmp_path / "spm.model", **options)
        with pytest.raises(
            BadInput, match=rf"spm\.model: this SentencePiece model does not convert exactly: .*{words}"
        ):
            Tokenizer.load(tmp_path)
    train(texts[0], tmp_path / "spm.model")
    whole = (tmp_path / "spm.model").read_bytes()
    first, rule = 2 + whole[1], whole.index(b"nmt_nfkc")  # the end of the first piece, and the normaliser's name
    table = rule + len(b"nmt_nfkc") + 4  # its characters; before the name stand two tags and a size
    wrong = whole[:table] + b"\xff\xff\xff\xff" + whole[table + 4 :]
    cut = (b"", whole[: len(whole) // 2], whole[:first], whole[: rule - 6])
    for damaged in (*cut, b"\x0b" + whole, b"words", b"\x10\x01", wrong):
        (tmp_path / "spm.model").write_bytes(damaged)
        with pytest.raises(BadInput, match=r"spm\.model: not a model of SentencePiece, or damaged"):
            Tokenizer.load(tmp_path)
    (tmp_path / "spm.model").rename(tmp_path / "tokenizer.model")
    with pytest.raises(BadInput, match=r"which family this SentencePiece model belongs to.*LlamaTokenizer"):
        Tokenizer.load(tmp_path)
    (tmp_path / "config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    with pytest.raises(BadInput, match="is not read from a SentencePiece model"):
        Tokenizer.load(tmp_path)


def test_two_models_with_one_vocabulary_are_refused(tmp_path: Path) -> None:
    """Bad input: Marian's files, whose ids are those of a vocab.json that both models share."""
    for name in ("source.spm", "target.spm", "vocab.json"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(BadInput, match=r"source\.spm: a vocabulary that two SentencePiece models"):
        Tokenizer.load(tmp_path)
