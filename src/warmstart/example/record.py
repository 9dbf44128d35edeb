"""Record: one document or one labelled example, as read from a file: named strings and a label, nothing tokenised."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answers:
    """The right answers to a question: pieces of its context, by text and first character; none where it holds no answer."""

    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be generated: a text, or its sub-words where these are given; ``spans`` numbers blocks of sub-words."""

    text: str = ""
    pieces: tuple[str, ...] | None = None
    spans: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pixels:
    """An image: red, green and blue of each place as bytes, row by row. Equal images are equal, as equal texts are."""

    height: int
    width: int
    data: bytes = field(repr=False)

    @staticmethod
    def of(image: NDArray[np.uint8]) -> "Pixels":
        """From [H, W, 3]."""
        return Pixels(image.shape[0], image.shape[1], image.tobytes())

    @property
    def array(self) -> NDArray[np.uint8]:
        """[H, W, 3]."""
        return np.frombuffer(self.data, np.uint8).reshape(self.height, self.width, 3)

    def __str__(self) -> str:
        return f"image {hashlib.blake2b(self.data, digest_size=16).hexdigest()}"


Label = int | float | tuple[int, ...] | Answers | Target | None


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled example.

    Attributes:
        texts: the named strings that a frame reads, e.g. ``{"premise": …, "hypothesis": …}``; choices and the words of a
            sentence are a tuple.
        label: class number, score, tuple of class numbers (multi-label; tagging: one per word), index of the right
            choice, :class:`Answers`, :class:`Target`, or ``None``.
        extra: the row's other columns, carried through to the predictions untouched.
        where: file and line, for messages.
        image: read in the place of texts.
    """

    texts: Mapping[str, str | tuple[str, ...]]
    label: Label = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    image: Pixels | None = None

    @property
    def content(self) -> tuple[str | tuple[str, ...] | Pixels, ...]:
        """All that a frame reads: Records of equal content are the same example."""
        return (*self.texts.values(), *([] if self.image is None else [self.image]))


def digest_records(records: Iterable[Record]) -> str:
    """SHA-256 of what the Records say: texts, labels and images in their order, not where they were read."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(repr((list(record.texts.items()), record.label)).encode("utf-8"))
        if record.image is not None:
            digest.update(str(record.image).encode())
    return digest.hexdigest()
