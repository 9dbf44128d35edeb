"""Entities in tags: seqeval as the witness of what is one, examples by hand for the schemes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities as seqeval_entities

from warmstart.metrics.entities import convert_tags, get_entities, tag_scheme

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


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (("B-PER", "I-PER", "O"), "BIO"),
        (("I-PER", "O"), "BIO"),
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
