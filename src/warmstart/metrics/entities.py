"""Tags that mark entities (``B-PER I-PER O``): their schemes, and the entities of a sentence.

The schemes are BIO (IOB2) and BIOES. Two more are converted when a file is read, so that no other module has to know them:
IOB1, where an entity begins with ``B-`` only after another of its type, becomes BIO; BILOU, which has L for E and U for S,
becomes BIOES. The conversion keeps all entities.

Entities are those of conlleval: an entity begins at ``B-`` and ``S-``, and at any other tag but ``O`` that follows ``O``,
``E-``, ``S-`` or another type.
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
    """Words ``start`` to ``end`` (exclusive) of one sentence."""

    type: str
    start: int
    end: int


@cache
def tag_scheme(names: tuple[str, ...]) -> Scheme | None:
    """The scheme of a set of tags; ``None`` for tags of single words, such as parts of speech.

    >>> scheme_of(("B-PER", "I-PER", "O")), scheme_of(("O", "S-PER")), scheme_of(("NOUN", "O"))
    ('BIO', 'BIOES', None)
    """
    inside = [name for name in names if name != OUTSIDE]
    if not inside or not all(map(_TAG.fullmatch, inside)):
        return None
    return "BIO" if all(name[0] in "BI" for name in inside) else "BIOES"


def convert_tags(tags: Sequence[str], scheme: Scheme | None) -> list[str]:
    """The tags of one sentence in a scheme.

    >>> in_scheme(["I-PER", "I-PER", "B-PER", "O", "I-LOC"], "BIO")
    ['B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC']
    >>> in_scheme(["B-PER", "L-PER", "U-LOC"], "BIOES")
    ['B-PER', 'E-PER', 'S-LOC']
    """
    if scheme == "BIOES":
        return [_ALIASES.get(tag[:2], tag[:2]) + tag[2:] for tag in tags]
    if scheme is None:
        return list(tags)
    starts = {entity.start for entity in get_entities(tags)}
    return [f"B-{tag[2:]}" if place in starts else tag for place, tag in enumerate(tags)]


def get_entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one sentence, from left to right.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(type='PER', start=0, end=2), Entity(type='LOC', start=3, end=4)]
    """
    entities: list[Entity] = []
    previous = OUTSIDE
    for place, tag in enumerate(tags):
        if tag != OUTSIDE:
            if tag[0] in "BS" or previous[0] in "OES" or previous[2:] != tag[2:]:
                entities.append(Entity(tag[2:], place, place))
            entities[-1] = entities[-1]._replace(end=place + 1)
        previous = tag
    return entities
