"""What a file of SentencePiece's says (Kudo and Richardson 2018): its pieces and how texts are normalised.

The file is a message of protocol buffers, ``ModelProto`` of SentencePiece's ``sentencepiece_model.proto``. The few fields
that decide ids are read here; neither the package nor that of protocol buffers is needed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput


class PieceKind(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Piece(NamedTuple):
    """An entry of the vocabulary; its id is its place."""

    text: str
    score: float
    kind: PieceKind


class Algorithm(IntEnum):
    """How a text is cut into pieces."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHARACTER = 4


@dataclass(frozen=True, slots=True)
class SentencePieceModel:
    """The content of a file.

    Attributes:
        pieces: the vocabulary, in the order of ids.
        algorithm: how a text is cut.
        byte_fallback: whether an unknown character becomes its bytes.
        blank_behind: whether a word's blank stands behind it.
        charsmap: the normaliser's compiled table of characters; empty where it has none.
        adds_blank: whether a blank is put before every text.
        joins_blanks: whether blanks at the ends go and several become one.
        escapes_blanks: whether a blank becomes ▁.
    """

    pieces: tuple[Piece, ...] = ()
    algorithm: int = Algorithm.UNIGRAM
    byte_fallback: bool = False
    blank_behind: bool = False
    charsmap: bytes = b""
    adds_blank: bool = True
    joins_blanks: bool = True
    escapes_blanks: bool = True

    def of_kind(self, *kinds: PieceKind) -> list[str]:
        """The texts of all pieces of some kinds."""
        return [piece.text for piece in self.pieces if piece.kind in kinds]


_TRAINER = {3: "algorithm", 24: "blank_behind", 35: "byte_fallback"}
_NORMALIZER = {2: "charsmap", 3: "adds_blank", 4: "joins_blanks", 5: "escapes_blanks"}
_PARTS = {2: _TRAINER, 3: _NORMALIZER}
_PIECES = 1


def read_sentencepiece_model(path: Path) -> SentencePieceModel:
    """Reads a ``.model`` or ``.spm`` file.

    Raises:
        BadInput: it is cut, or no such file.
    """
    try:
        model = _parse(memoryview(path.read_bytes()))
    except (IndexError, ValueError, KeyError, TypeError, struct.error):
        model = SentencePieceModel()
    if not model.pieces or len(model.of_kind(PieceKind.UNKNOWN)) != 1:
        raise damaged(str(path))
    return model


def damaged(where: str) -> BadInput:
    """The error of a file that is none of SentencePiece's, or not whole."""
    return BadInput("not a model of SentencePiece, or damaged", where=where, next_step="restore the file from a copy")


def _parse(data: memoryview) -> SentencePieceModel:
    pieces: list[Piece] = []
    found: dict[str, Any] = {}
    missing = set(_PARTS)  # they stand behind the pieces: without one, the file is cut between two fields
    for number, value in _fields(data):
        missing.discard(number)
        if number == _PIECES:
            pieces.append(_piece(value))
        for field, inner in _fields(value) if number in _PARTS else ():
            if (name := _PARTS[number].get(field)) is not None:
                found[name] = type(getattr(SentencePieceModel(), name))(inner)
    if missing:
        raise ValueError("cut")
    return replace(SentencePieceModel(), pieces=tuple(pieces), **found)


def _piece(data: memoryview) -> Piece:
    text, score, kind = "", 0.0, 1
    for number, value in _fields(data):
        if number == 1:
            text = str(value, "utf-8")
        elif number == 2:
            [score] = struct.unpack("<f", value)
        elif number == 3:
            kind = value
    return Piece(text, score, PieceKind(kind))


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message: whole numbers as they are, all else as bytes.

    Raises:
        ValueError: the message is cut, or a field has an unknown form.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        form = key & 7
        if form == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if form == 2:
            size, place = _varint(data, place)
        else:
            size = {1: 8, 5: 4}[form]
        if place + size > len(data):
            raise ValueError("cut")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
