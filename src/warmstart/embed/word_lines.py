"""The files of people's judgements: some words and a number or a name a line."""

import math
from collections.abc import Iterator

from warmstart.readers.text_io import read_lines


def read_word_lines(path: str, encoding: str) -> Iterator[tuple[str, str, list[str]]]:
    """Of each line its place, its text and its parts, separated by tabs or else by blanks; no empty lines or comments."""
    for number, line in enumerate(read_lines(path, encoding), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            parts = text.split("\t") if "\t" in text else text.split()
            yield f"{path}:{number}", text, [part.strip() for part in parts]


def finite(text: str) -> float:
    """The number that a text is.

    Raises:
        ValueError: it is none, or not a finite one.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
