"""T5's ``spiece.model`` against SentencePiece itself and transformers; a small model learned from Python's own manual."""

import itertools
import json
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models

from warmstart.base.errors import BadInput
from warmstart.text.sentencepiece import read_sentencepiece_model
from warmstart.text.tokenizer import Tokenizer

LINES = [line for text in itertools.islice(topics.values(), 60) for line in text.split("\n") if line.strip()]
HARD = (
    "", " ", "  two  blanks,\ttab\r\nand lines\n\n", "emoji 👩‍👩‍👧 👍🏽 ok", "漢字かな交じり文 and English漢字inside",
    "combining cafe\u0301 nai\u0308ve Å ½ ﬁ Ⅷ", "no-break\u00a0and wide\u3000blanks", "x" * 120, "$5.00 e.g. a_b #tag",
    "▁ under",
)  # fmt: skip


def number(value: int) -> bytes:
    parts = [value & 127]
    while value := value >> 7:
        parts[-1] |= 128
        parts.append(value & 127)
    return bytes(parts)


def message(fields: Iterable[tuple[int, int | bytes | float]]) -> bytes:
    """A protocol buffer, as its documentation has it: numbers, bytes, and floats of four bytes."""
    found = b""
    for field, value in fields:
        if isinstance(value, bytes):
            found += number(field << 3 | 2) + number(len(value)) + value
        elif isinstance(value, float):
            found += number(field << 3 | 5) + struct.pack("<f", value)
        else:
            found += number(field << 3) + number(value)
    return found


PIECES = [
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁", -2.0),
    ("▁he", -3.0),
    ("llo", -3.5),
    ("l", -5.0),
    ("o", -5.5),
]


def write_model(path: Path, kind: int = 1) -> None:
    pieces = [(1, message([(1, piece.encode()), (2, score), (3, 1)])) for piece, score in PIECES]
    path.write_bytes(message([*pieces, (2, message([(3, kind), (40, 2)])), (3, message([(1, b"identity"), (3, 1)]))]))


def test_a_file_is_read_field_by_field(tmp_path: Path) -> None:
    """Witness: a file that this test writes byte by byte, and a Unigram of the tokenizers library over the same pieces."""
    write_model(tmp_path / "spiece.model")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5", "eos_token_id": 1, "pad_token_id": 0}))
    found = read_sentencepiece_model(tmp_path / "spiece.model")
    assert (found.kind, found.unknown, found.charsmap) == (1, 2, b"")
    assert [piece for piece, _ in found.pieces] == [piece for piece, _ in PIECES]
    ours, plain = Tokenizer.load(tmp_path), tokenizers.Tokenizer(models.Unigram(PIECES, 2, False))
    assert ours.encode("hello hex").tolist() == plain.encode("▁hello").ids + plain.encode("▁hex").ids
    assert ours.decode(ours.encode("hello  hello")) == "hello hello"
    assert (ours.vocab_size, ours.around_ids) == (108, ((), (1,)))
    assert ours.token_to_id("<extra_id_0>") == 107 and ours.token_to_id("<extra_id_99>") == 8
    assert ours.encode("</s>").tolist() != [1]  # a text holds no special token
    ours.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").fingerprint == ours.fingerprint


@pytest.mark.parametrize("damage", [b"", b"\xff\xff\xff", b"\x0a\x7f\x0a"])
def test_a_damaged_file_is_refused(damage: bytes, tmp_path: Path) -> None:
    """Bad input: nothing in it, a number without an end, a field that ends behind the file."""
    (tmp_path / "spiece.model").write_bytes(damage)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(BadInput, match="not a model of SentencePiece"):
        Tokenizer.load(tmp_path)


def test_other_families_and_kinds_are_refused(tmp_path: Path) -> None:
    """Bad input: a BPE model; pieces whose ids another class orders; Marian's two models."""
    write_model(tmp_path / "spiece.model", kind=2)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(BadInput, match="not a unigram model"):
        Tokenizer.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "pegasus"}')
    with pytest.raises(BadInput, match=r"without a tokenizer\.json is not read"):
        Tokenizer.load(tmp_path)
    shutil.copy(tmp_path / "spiece.model", tmp_path / "source.spm")
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(BadInput, match="two SentencePiece models"):
        Tokenizer.load(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as T5's was made: unigram, its special pieces first, NFKC."""
    spm = pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp("spiece")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_prefix=str(folder / "spiece"), vocab_size=600, pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, model_type="unigram", num_threads=1, minloglevel=2,
    )  # fmt: skip
    (folder / "config.json").write_text('{"model_type": "t5"}')
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}'
    )
    return folder


def test_ids_are_those_of_sentencepiece(trained: Path) -> None:
    """Witness: SentencePiece's own ids of the manual and of hard texts."""
    spm = pytest.importorskip("sentencepiece")
    theirs, ours = spm.SentencePieceProcessor(str(trained / "spiece.model")), Tokenizer.load(trained)
    for text in (*LINES[:400], *HARD):
        assert ours.encode(text).tolist() == theirs.encode(text), repr(text)


@pytest.fixture(scope="module")
def both(trained: Path) -> tuple[Any, Tokenizer]:
    """transformers' tokenizer of the file, and ours."""
    transformers = pytest.importorskip("transformers", minversion="5.3")
    return transformers.AutoTokenizer.from_pretrained(trained), Tokenizer.load(trained)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40))
def test_ids_of_any_text_are_those_of_transformers(both: tuple[Any, Tokenizer], text: str) -> None:
    """Witness: transformers' T5Tokenizer of the same file; special tokens in a text are plain text here."""
    theirs, ours = both
    if "<" not in text:
        assert ours.encode(text).tolist() == theirs(text, add_special_tokens=False).input_ids
