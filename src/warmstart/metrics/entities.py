"""Tags that mark entities (``B-PER I-PER O``): their schemes, and the entities of a sentence.

======== ============================================================ ==========================
scheme   a first letter                                               learned as
======== ============================================================ ==========================
BIO      B of every entity's first word, I of the others (IOB2)       BIO
IOB1     I of all words, B where an entity touches one of its type    BIO
BIOES    also E of the last word, S of the only one                   BIOES
BILOU    L and U in the place of E and S                              BIOES
BMES     M in the place of I, as in Chinese corpora; BMEWO: W of S    BIOES
======== ============================================================ ==========================

The letters may stand alone, where all entities are of one kind (the words of a Chinese sentence): ``B M E S``, ``B I O``.

The conversion keeps all entities. A model that has learned other names elsewhere (IOB1's, BILOU's, BMES's) keeps them, and
later files are read in its names.

Entities are those of conlleval: an entity begins at ``B-`` and ``S-``, and at any other tag but ``O`` that follows ``O``,
``E-``, ``S-`` or another type.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Literal, NamedTuple

Scheme = Literal["BIO", "IOB1", "BIOES"]
"""BIOES stands for BILOU and BMES too, whose tags are those of BIOES by other letters."""

OUTSIDE = "O"
_TAG = re.compile(r"[BIESLUMW]-.+", re.DOTALL)
_OTHER_FORMS = tuple(
    re.compile(form, re.DOTALL | re.IGNORECASE)
    for form in (r"(?P<letter>[BIESLUMW])[-_:](?P<type>.+)", r"(?P<type>.+)[-_:](?P<letter>[BIESLUMW])")
)
_ALIASES = {"L": "E", "U": "S", "M": "I", "W": "S"}
_LETTERS = frozenset("BIESLUMW")


class Entity(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) of one sentence."""

    type: str
    start: int
    end: int


@cache
def tag_scheme(names: tuple[str, ...]) -> Scheme | None:
    """The scheme of a set of tags; ``None`` for tags of single words, such as parts of speech.

    >>> tag_scheme(("B-PER", "I-PER", "O")), tag_scheme(("O", "S-PER")), tag_scheme(("NOUN", "O"))
    ('BIO', 'BIOES', None)
    >>> tag_scheme(("I-PER", "O"))
    'IOB1'
    >>> tag_scheme(("B", "E", "M", "S")), tag_scheme(("B", "I", "O")), tag_scheme(("B", "S"))
    ('BIOES', 'BIO', None)
    """
    inside = [name for name in names if name != OUTSIDE]
    if not inside or not (all(map(_TAG.fullmatch, inside)) or _are_letters({*inside})):
        return None
    if not all(name[0] in "BI" for name in inside):
        return "BIOES"
    begun = {name[2:] for name in inside if name[0] == "B"}
    return "BIO" if all(name[2:] in begun for name in inside) else "IOB1"


def _are_letters(names: set[str]) -> bool:
    """Whether tags are the letters of a scheme without types: one begins an entity, another goes on with it."""
    return names <= _LETTERS and "B" in names and not names.isdisjoint("IMEL")


def odd_tags(names: Collection[str]) -> list[str]:
    """The tags that mark no entity among others that do: slips of the pen.

    Without ``O`` the others have to be most of them, since a part of speech may look like the tag of an entity.

    >>> odd_tags(["B-PER", "I-PER", "O", "o"]), odd_tags(["NOUN", "VERB", "I-VERB"])
    (['o'], [])
    """
    inside = [name for name in names if name != OUTSIDE]
    odd = [name for name in inside if not _TAG.fullmatch(name)]
    is_entities = len(odd) < len(inside) if OUTSIDE in names else 2 * len(odd) < len(inside)
    return odd if is_entities else []


def usual_forms(names: Collection[str]) -> dict[str, str]:
    """Tags that mark entities in another form than ``B-PER`` → the same in this form; empty where they do not.

    >>> sorted(usual_forms(["b-per", "i-per", "o"]).values()), sorted(usual_forms(["PER_B", "PER_I", "O"]).values())
    (['B-per', 'I-per', 'O'], ['B-PER', 'I-PER', 'O'])
    >>> usual_forms(["B-PER", "I-PER", "O"]), usual_forms(["NOUN", "O"])
    ({}, {})
    """
    inside = [name for name in names if name.upper() != OUTSIDE]
    if len(inside) == len(names) or tag_scheme(tuple(names)) is not None:
        return {}
    for form in _OTHER_FORMS:
        found = {name: form.fullmatch(name) for name in inside}
        usual = {name: f"{match['letter'].upper()}-{match['type']}" for name, match in found.items() if match}
        if len(usual) == len(inside) and any(tag[0] == "B" for tag in usual.values()):
            return {name: usual.get(name, OUTSIDE) for name in names}
    return {}


def bioes_tag(tag: str) -> str:
    """A tag of BILOU or BMES by BIOES's letters; any other as it is.

    >>> bioes_tag("U-PER"), bioes_tag("M-PER"), bioes_tag("B-PER"), bioes_tag("VERB")
    ('S-PER', 'I-PER', 'B-PER', 'VERB')
    >>> bioes_tag("M"), bioes_tag("O")
    ('I', 'O')
    """
    return _ALIASES.get(tag[:1], tag[:1]) + tag[1:] if len(tag) == 1 or tag[1:2] == "-" else tag


def convert_tags(tags: Sequence[str], scheme: Scheme | None) -> list[str]:
    """The tags of one sentence in a scheme.

    >>> convert_tags(["I-PER", "I-PER", "B-PER", "O", "I-LOC"], "BIO")
    ['B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC']
    >>> convert_tags(["B-PER", "I-PER", "B-PER", "O", "B-LOC"], "IOB1")
    ['I-PER', 'I-PER', 'B-PER', 'O', 'I-LOC']
    >>> convert_tags(["B-PER", "L-PER", "U-LOC"], "BIOES")
    ['B-PER', 'E-PER', 'S-LOC']
    """
    if scheme is None:
        return list(tags)
    if scheme == "BIOES":
        return [bioes_tag(tag) for tag in tags]
    entities = get_entities(tags)
    if scheme == "BIO":
        first = {entity.start for entity in entities}
    else:
        ends = {(entity.type, entity.end) for entity in entities}
        first = {entity.start for entity in entities if (entity.type, entity.start) in ends}
    inside = [tag[:2] in ("B-", "I-", "B", "I") for tag in tags]
    return [f"{'B' if place in first else 'I'}{tag[1:]}" if inside[place] else tag for place, tag in enumerate(tags)]


def get_entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one sentence, from left to right; its tags are in any scheme.

    >>> get_entities(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(type='PER', start=0, end=2), Entity(type='LOC', start=3, end=4)]
    """
    entities: list[Entity] = []
    previous = OUTSIDE
    for place, tag in enumerate(map(bioes_tag, tags)):
        if tag != OUTSIDE:
            if tag[0] in "BS" or previous[0] in "OES" or previous[2:] != tag[2:]:
                entities.append(Entity(tag[2:], place, place))
            entities[-1] = entities[-1]._replace(end=place + 1)
        previous = tag
    return entities
