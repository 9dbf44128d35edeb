"""Entities in tags: seqeval as the witness of what is one, examples by hand for the schemes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities as seqeval_entities

from warmstart.metrics.entities import convert_tags, get_entities, odd_tags, tag_scheme

BIO = ["O", "B-PER", "I-PER", "B-creative-work", "I-creative-work"]
BIOES = [*BIO, "E-PER", "S-PER", "E-creative-work", "S-creative-work"]


def by_seqeval(tags: list[str]) -> list[tuple[str, int, int]]:
    """seqeval ends an entity at its last word; ours at the word behind it."""
    return [(kind, start, end + 1) for kind, start, end in seqeval_entities(list(tags))]


@settings(deadline=None)
@given(st.lists(st.sampled_from(BIOES), max_size=12))
def test_entities_are_those_of_conlleval(tags: list[str]) -> None:
    """Witness: seqeval's reading, for sequences that no annotator would write too."""
    assert get_entities(tags) == by_seqeval(tags)


@pytest.mark.parametrize(
    ("iob1", "bio"),
    [
        ("I-LOC O I-PER I-PER", "B-LOC O B-PER I-PER"),
        ("I-PER B-PER I-PER", "B-PER B-PER I-PER"),  # two neighbours of one type: the only B- that IOB1 writes
        ("I-PER I-LOC O", "B-PER B-LOC O"),
        ("O I-MISC", "O B-MISC"),
        ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC"),  # IOB2 stays as it is
        ("", ""),
    ],
)
def test_iob1_becomes_bio(iob1: str, bio: str) -> None:
    """Witness: written out by hand from the definitions (Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999)."""
    assert convert_tags(iob1.split(), "BIO") == bio.split()


@settings(deadline=None)
@given(st.lists(st.sampled_from(BIO), max_size=12))
def test_rewriting_never_changes_an_entity(tags: list[str]) -> None:
    """Invariant: the same entities before and after, and nothing is left to rewrite."""
    written = convert_tags(tags, "BIO")
    assert by_seqeval(written) == by_seqeval(tags)
    assert convert_tags(written, "BIO") == written


def test_bilou_becomes_bioes() -> None:
    """Witness: written out by hand; L is the last word, U the only one."""
    assert convert_tags(["B-PER", "L-PER", "O", "U-LOC"], "BIOES") == ["B-PER", "E-PER", "O", "S-LOC"]
    assert tag_scheme(("B-PER", "L-PER", "O", "U-LOC")) == "BIOES"


LETTERS = {
    "BIO": ("B", "I", "I", "B"), "BIOES": ("B", "I", "E", "S"), "BILOU": ("B", "I", "L", "U"), "BMES": ("B", "M", "E", "S"),
    "BMEWO": ("B", "M", "E", "W"),
}  # fmt: skip
"""First letters of an entity's first, inner, last and only word, as each scheme's authors define them."""


def written(entities: list[tuple[str, int]], letters: tuple[str, str, str, str]) -> list[str]:
    """Tags of entities (type, length), with a word outside between some; a type "" is a word outside."""
    first, inner, last, only = letters
    tags: list[str] = []
    for kind, length in entities:
        marks = [only] if length == 1 else [first, *[inner] * (length - 2), last]
        tags += [f"{mark}-{kind}" for mark in marks] if kind else ["O"]
    return tags


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "PER", "LOC"]), st.integers(1, 4)), max_size=6))
def test_all_schemes_have_the_same_entities(entities: list[tuple[str, int]]) -> None:
    """Witness: entities written in each scheme by its definition; the BIO form is read by seqeval."""
    wanted = by_seqeval(written(entities, LETTERS["BIO"]))
    for letters in LETTERS.values():
        tags = written(entities, letters)
        assert get_entities(tags) == wanted
        assert by_seqeval(convert_tags(tags, "BIO" if letters == LETTERS["BIO"] else "BIOES")) == wanted


@settings(deadline=None)
@given(st.lists(st.sampled_from(BIO), max_size=12))
def test_iob1_keeps_the_entities_and_writes_few_bs(tags: list[str]) -> None:
    """Witness: seqeval's entities; a B- stands only where the word before is of the same type."""
    found = convert_tags(tags, "IOB1")
    assert by_seqeval(found) == by_seqeval(tags) and convert_tags(found, "IOB1") == found
    for before, tag in zip(["O", *found], found, strict=False):
        assert tag[0] != "B" or before[2:] == tag[2:]


def test_odd_tags_are_those_of_another_form() -> None:
    """Witness: tag sets by hand: slips of the pen, and parts of speech that only look like entities."""
    assert odd_tags({"B-PER", "I-PER", "O", "o"}) == ["o"]
    assert odd_tags({"B-PER", "O", "B_PER"}) == ["B_PER"]
    assert odd_tags({"B-PER", "I-PER", "B-LOC", ""}) == [""]
    for fine in ({"NOUN", "VERB", "S-CONJ"}, {"B-PER", "O"}, {"O", "PER"}, {"O"}, set()):
        assert odd_tags(fine) == []


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (("B-PER", "I-PER", "O"), "BIO"),
        (("I-PER", "O"), "IOB1"),
        (("B-LOC", "I-LOC", "I-PER", "O"), "IOB1"),
        (("B-NAME", "E-NAME", "M-NAME", "O"), "BIOES"),
        (("B-NP", "I-NP"), "BIO"),
        (("B-PER", "E-PER", "I-PER", "O", "S-PER"), "BIOES"),
        (("ADJ", "NOUN"), None),
        (("O", "PER"), None),
        (("O",), None),
        (("B-", "O"), None),
        ((), None),
    ],
)
def test_schemes_are_recognised(names: tuple[str, ...], scheme: str | None) -> None:
    """Witness: tag sets by hand."""
    assert tag_scheme(names) == scheme
    assert convert_tags(list(names), None) == list(names)
