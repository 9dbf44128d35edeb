"""How a vocabulary spells each of its tokens, as bytes: what a model reads that is made of characters."""

from tokenizers import pre_tokenizers

from warmstart.text.tokenizer import Tokenizer

_PRINTED = (range(0x21, 0x7F), range(0xA1, 0xAD), range(0xAE, 0x100))
"""Bytes that byte-level BPE (GPT-2) writes as the character of their number; others are counted from 256 on."""


def spellings(tokenizer: Tokenizer) -> list[bytes]:
    """[V] the bytes of each token, in the order of ids; marks of its vocabulary (``##ing``, ``▁the``) are characters too.

    A byte-level vocabulary's are the bytes that a text has there: ``Ġthe`` is spelled as a blank and three letters.
    """
    if "ByteLevel" not in repr(tokenizer.definition["pre_tokenizer"]):
        return [piece.encode() for piece in tokenizer.pieces]
    table = _bytes_by_character()
    return [b"".join(table.get(character, character.encode()) for character in piece) for piece in tokenizer.pieces]


def _bytes_by_character() -> dict[str, bytes]:
    printed = {byte for part in _PRINTED for byte in part}
    others = (byte for byte in range(256) if byte not in printed)
    found = {chr(byte): bytes([byte]) for byte in printed}
    found |= {chr(256 + place): bytes([byte]) for place, byte in enumerate(others)}
    assert found.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    return found
