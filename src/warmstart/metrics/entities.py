"""Tags that spell out pieces of a sentence (``B-PER I-PER O``): their schemes, and which entities they mark.

Two schemes are read: BIO (IOB2) and BIOES. Two relatives are rewritten as one of them when a file is read, so that
nothing else has to know them: IOB1, where an entity begins with ``B-`` only after another of its type, becomes BIO;
BILOU, which says L for E and U for S, becomes BIOES. Neither rewriting changes what is an entity.

What is an entity is read as conlleval does: an entity begins at ``B-`` and ``S-``, and at any other tag but ``O`` that
follows ``O``, ``E-``, ``S-`` or another type.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

Scheme = Literal["BIO", "BIOES"]

OUTSIDE = "O"
_TAG = re.compile(r"[BIESLU]-.+", re.DOTALL)
_ALIASES = {"L-": "E-", "U-": "S-"}


class Entity(NamedTuple):
    """Words ``start`` to ``end`` (the first behind it) of one sentence."""

    type: str
    start: int
    end: int


@cache
def tag_scheme(names: tuple[str, ...]) -> Scheme | None:
    """The scheme of a set of tags; ``None`` for tags that mark single words, such as parts of speech.

    >>> scheme_of(("B-PER", "I-PER", "O")), scheme_of(("O", "S-PER")), scheme_of(("NOUN", "O"))
    ('BIO', 'BIOES', None)
    """
    marks = [name for name in names if name != OUTSIDE]
    if not marks or not all(map(_TAG.fullmatch, marks)):
        return None
    return "BIO" if all(name[0] in "BI" for name in marks) else "BIOES"


def convert_tags(tags: Sequence[str], scheme: Scheme | None) -> list[str]:
    """The tags of one sentence as the scheme writes them.

    >>> in_scheme(["I-PER", "I-PER", "B-PER", "O", "I-LOC"], "BIO")
    ['B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC']
    >>> in_scheme(["B-PER", "L-PER", "U-LOC"], "BIOES")
    ['B-PER', 'E-PER', 'S-LOC']
    """
    if scheme == "BIOES":
        return [_ALIASES.get(tag[:2], tag[:2]) + tag[2:] for tag in tags]
    if scheme is None:
        return list(tags)
    begins = {entity.start for entity in get_entities(tags)}
    return [f"B-{tag[2:]}" if place in begins else tag for place, tag in enumerate(tags)]


def get_entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one sentence, from left to right.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(type='PER', start=0, end=2), Entity(type='LOC', start=3, end=4)]
    """
    found: list[Entity] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if tag != OUTSIDE:
            if tag[0] in "BS" or before[0] in "OES" or before[2:] != tag[2:]:
                found.append(Entity(tag[2:], place, place))
            found[-1] = found[-1]._replace(end=place + 1)
        before = tag
    return found
