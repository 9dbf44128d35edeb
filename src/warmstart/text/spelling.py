"""How a vocabulary spells each of its tokens, as bytes: what a model reads that is made of characters."""

from warmstart.text.byte_alphabet import byte_characters
from warmstart.text.tokenizer import Tokenizer


def spellings(tokenizer: Tokenizer) -> list[bytes]:
    """[V] the bytes of each token, in the order of ids; marks of its vocabulary (``##ing``, ``▁the``) are characters too.

    A byte-level vocabulary's are the bytes that a text has there: ``Ġthe`` is spelled as a blank and three letters.
    """
    if "ByteLevel" not in repr(tokenizer.definition["pre_tokenizer"]):
        return [piece.encode() for piece in tokenizer.pieces]
    table = {character: bytes([byte]) for byte, character in enumerate(byte_characters())}
    return [b"".join(table.get(character, character.encode()) for character in piece) for piece in tokenizer.pieces]
