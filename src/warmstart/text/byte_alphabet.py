"""How byte-level BPE writes bytes as characters (Radford et al. 2019), so that a vocabulary can be a list of texts."""

import itertools


def byte_characters() -> list[str]:
    """[256] the character that stands for each byte (GPT-2): itself where it is printed, else one from U+0100 on."""
    printed = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return [chr(byte if byte in printed else next(others)) for byte in range(256)]
