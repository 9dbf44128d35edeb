"""Reads a SentencePiece model where the ``tokenizers`` library cuts as SentencePiece does: T5's and mT5's ``spiece.model``.

The file is a protocol buffer of few fields: pieces with scores and kinds, the kind of model, and the table that normalises
text (Kudo and Richardson 2018). Models of other families give their ids in other orders; these are refused
(:mod:`~warmstart.text.classes`).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from warmstart.base.errors import BadInput
from warmstart.text.classes import SPIECE, check_class
from warmstart.text.special_tokens import MODEL_CONFIG, TOKENIZER_CONFIG, read_object

FAMILIES = ("T5",)
MODEL_TYPES = ("t5", "mt5")
SENTINELS = 100  # that T5's tokenizer adds behind the pieces, where its config does not say
UNIGRAM = 1
BLANK = "▁"


@dataclass(frozen=True, slots=True)
class SentencePieceModel:
    """What a file says: pieces with their scores, the kind of model, the id of the unknown piece, the normaliser's table."""

    pieces: tuple[tuple[str, float], ...]
    kind: int
    unknown: int
    charsmap: bytes


def read_sentencepiece_tokenizer(folder: Path) -> tokenizers.Tokenizer | None:
    """The tokenizer of T5's ``spiece.model`` in ``folder``; ``None`` where there is none, or it is of another family.

    Raises:
        BadInput: the file is damaged, or holds another kind of model.
    """
    path, config = folder / SPIECE, read_object(folder / TOKENIZER_CONFIG)
    if not path.is_file() or not _is_t5(folder, config):
        return None
    check_class(folder, SPIECE)
    model = read_sentencepiece_model(path)
    if model.kind != UNIGRAM:
        raise BadInput(
            "not a unigram model", where=str(path), value=f"kind {model.kind}", allowed="unigram, as T5 has it"
        )
    count = config.get("extra_ids", SENTINELS)
    sentinels = [f"<extra_id_{number}>" for number in reversed(range(count))]
    return _t5(model, sentinels)


def _is_t5(folder: Path, config: dict[str, Any]) -> bool:
    """By the class of the tokenizer, or that of the model beside it."""
    named = str(config.get("tokenizer_class") or "").removesuffix("Fast").removesuffix("Tokenizer")
    return named in FAMILIES if named else read_object(folder / MODEL_CONFIG).get("model_type") in MODEL_TYPES


def _t5(model: SentencePieceModel, sentinels: list[str]) -> tokenizers.Tokenizer:
    pieces = [*model.pieces, *((name, 0.0) for name in sentinels)]
    backend = tokenizers.Tokenizer(models.Unigram(pieces, model.unknown, False))
    if model.charsmap:
        backend.normalizer = normalizers.Precompiled(model.charsmap)
    blank = pre_tokenizers.Metaspace(BLANK, "always")
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), blank])
    backend.decoder = decoders.Metaspace(BLANK, "always")
    specials = [name for name in ("<pad>", "</s>", "<unk>") if backend.token_to_id(name) is not None]
    backend.add_special_tokens([*specials, *sentinels])
    end = ("</s>", backend.token_to_id("</s>"))
    if end[1] is not None:
        backend.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[end]
        )
    return backend


def read_sentencepiece_model(path: Path) -> SentencePieceModel:
    """What the file says.

    Raises:
        BadInput: it is damaged.
    """
    pieces: list[tuple[str, float]] = []
    kind, unknown, charsmap = UNIGRAM, 0, b""
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                piece = dict(_fields(value))
                pieces.append((piece[1].decode(), struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0))
            if number == 2:
                trainer = dict(_fields(value))
                kind, unknown = trainer.get(3, UNIGRAM), trainer.get(40, 0)
            if number == 3:
                charsmap = dict(_fields(value)).get(2, b"")
    except (IndexError, KeyError, ValueError, AttributeError, struct.error, TypeError) as error:
        raise _damaged(path) from error
    if not pieces:
        raise _damaged(path)
    return SentencePieceModel(tuple(pieces), kind, unknown, charsmap)


def _damaged(path: Path) -> BadInput:
    return BadInput("not a model of SentencePiece", where=str(path), next_step="restore the file from a copy")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers as numbers, everything else as bytes (protocol buffers, "Encoding")."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        size, at = (_number(data, at)) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if at + size > len(data):
            raise ValueError("a field ends behind the file")
        yield key >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
