"""Cleaning rules: examples of the published rules, the standard library's own wrapping, ftfy itself, real books."""

import gzip
import sys
import textwrap
from pathlib import Path

import ftfy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.text.clean import CLEANING_RULES, check_rules, clean, wrap_width

PARAGRAPHS = [
    "The harbour lay quiet under the first light, and nobody on the long stone quay had yet thought of breakfast, "
    "for the boats were late. Somebody had seen a sail beyond the point at four. It had not come nearer since.",
    '"They will come," said the old pilot, who had never been wrong about a tide in forty years of watching them.',
    '"And if they do not?" asked the girl. "What shall we tell the others, when they wake and find the nets still dry?"',
    "He made no answer to this, but filled his pipe again with great care, pressing the tobacco down with his thumb until "
    "it would hold no more, and looked out over the grey water as if the answer were written there in a small hand.",
    "Chapter II",
    "By noon the wind had gone round to the south and the whole bay was full of short steep waves with white on them.",
] * 3


def wrapped(between: str) -> str:
    return between.join(textwrap.fill(p, 72) for p in PARAGRAPHS)


def test_unwrap_undoes_the_standard_librarys_wrapping_between_empty_lines() -> None:
    """Witness: textwrap.fill, whose paragraphs must come back exactly."""
    assert clean(wrapped("\n\n"), ["unwrap"]) == "\n\n".join(PARAGRAPHS)


def test_unwrap_finds_paragraphs_that_no_empty_line_parts() -> None:
    """Witness: textwrap.fill again; only a paragraph whose last line is full may run into the next."""
    assert clean(wrapped("\n"), ["unwrap"]) == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(PARAGRAPHS),
        "\n".join(f"a man in a hat {'walks a dog ' * (i % 7)}past a shop" for i in range(60)),
        "\n".join(("to be or not", "that is the question here", "whether nobler", "in the mind to suffer it")),
        "",
        "one line",
    ],
    ids=["paragraph per line", "captions", "short", "empty", "one line"],
)
def test_unwrap_leaves_texts_that_were_not_wrapped(text: str) -> None:
    """Witness: the text itself; one paragraph, sentence or caption per line stays so."""
    assert clean(text, ["unwrap"]) == text


def test_unwrap_keeps_verse_and_headings_in_wrapped_text() -> None:
    """Witness: lines written by hand that are far shorter than the margin and leave room for the next word."""
    verse = "O ye who tread the way\nBy dim grey hills to judgment,\nBe gentle when they pray."
    cleaned = clean(f"{wrapped(chr(10) * 2)}\n\n{verse}\n\n{wrapped(chr(10) * 2)}", ["unwrap"])
    assert f"\n\n{verse}\n\n" in cleaned


@pytest.mark.data
@pytest.mark.parametrize("name", ["Ward_Milly_1881", "Galsworthy_Saints_1919", "Forster_View_1908"])
def test_unwrap_on_real_books_agrees_with_their_empty_lines(name: str, data_dir: Path) -> None:
    """Witness: the empty lines that the book has between paragraphs, taken out before unwrapping."""
    with gzip.open(data_dir / f"books/train/{name}.txt.gz", "rt", encoding="utf-8-sig") as file:
        blocks = [b for b in file.read().split("\n\n") if len(b.split("\n")) > 1 or len(b) > 60]
    lines = [line.strip() for block in blocks for line in block.split("\n") if line.strip()]
    truth, words = {0}, 0
    for block in blocks:
        words += len(block.split())
        truth.add(words)
    found, words = {0}, 0
    for paragraph in clean("\n".join(lines), ["unwrap"]).split("\n"):
        words += len(paragraph.split())
        found.add(words)
    right = len(truth & found)
    assert right / len(found) > 0.95
    assert right / len(truth) > 0.9


@pytest.mark.data
def test_real_books_of_both_layouts_are_told_apart(data_dir: Path) -> None:
    """Witness: which of the books are wrapped, read with the eye."""
    widths = {}
    for name in ("Anon_Clara_1864", "Cbronte_Jane_1847", "Hardy_Madding_1874", "Eliot_Adam_1859"):
        with gzip.open(data_dir / f"books/train/{name}.txt.gz", "rt", encoding="utf-8-sig") as file:
            widths[name] = wrap_width([line.rstrip() for line in file])
    assert widths["Anon_Clara_1864"] == widths["Cbronte_Jane_1847"] == 0
    assert 50 <= widths["Hardy_Madding_1874"] <= 60
    assert 68 <= widths["Eliot_Adam_1859"] <= 76


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so\u2014he said\u2026", "so - he said..."),
        ("\u00b4tis\u2013no\u2015matter", "'tis - no - matter"),
        ('"What?!" (he said)', '" What ? ! " ( he said )'),
        ("wait -- no; a/b*c [d] {e} f|g_h~i\\j+k,l", "wait -- no ; a / b * c [ d ] { e } f | g _ h ~ i \\ j + k , l"),
        ("it's 3.5: fine.", "it's 3.5: fine."),
        ("one  two\t\nthree \n\n four", "one two \n three \n four"),
        ("!!!wow!!!", "!!! wow !!!"),
    ],
)
def test_gpt1_standardisation(text: str, expected: str) -> None:
    """Witness: the published rules, applied by hand: dashes, ellipsis, accent, spaced runs, spaces, newlines."""
    assert clean(text, ["gpt1"]) == expected


def test_ftfy_rule_is_ftfy() -> None:
    """Witness: the ftfy library."""
    broken = "schÃ¶n â€œso\u2019\u00a0&amp; \ufb01n\r\nzwei"
    assert clean(broken, ["ftfy"]) == ftfy.fix_text(broken) != broken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know.", "I do n't know ."),
        ("Mr. Smith's U.S. house (e.g. this)...", "Mr. Smith 's U.S. house ( e.g. this ) ..."),
        ("one \n two\n\nthree", "one \n two \n\n three"),
        ("  two  blanks ", "two blanks"),
        ("", ""),
    ],
)
def test_spacy_sets_words_apart_and_keeps_lines(text: str, expected: str) -> None:
    """Witness: English as spaCy's documentation splits it: contractions, abbreviations, punctuation."""
    pytest.importorskip("spacy")
    assert clean(text, ["spacy"]) == expected


def test_spacy_words_are_spacys() -> None:
    """Witness: spacy.blank("en") on each text, without its tokens of spaces."""
    spacy = pytest.importorskip("spacy")
    for text in PARAGRAPHS:
        assert clean(text, ["spacy"]).split() == [token.text for token in spacy.blank("en")(text) if not token.is_space]


def test_spacy_is_not_held_up_by_a_text_without_blanks() -> None:
    """Witness: nothing is lost of a row of signs on which spaCy alone would need hours."""
    pytest.importorskip("spacy")
    row = "=" * 60_000
    assert clean(f"a {row} b", ["spacy"]).replace(" ", "") == f"a{row}b"


def test_a_missing_spacy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: Python's own way of saying that a module is not there (None in sys.modules)."""
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(BadInput, match=r"pip install 'warmstart\[gpt1\]'"):
        check_rules(["ftfy", "spacy"])


def test_breaks_become_newlines() -> None:
    """Witness: the forms in which IMDB and HTML write a break."""
    assert clean("one.<br /><br />Two<br>three<BR/>four < br", ["breaks"]) == "one.\n\nTwo\nthree\nfour < br"


@given(st.text(alphabet=" \t\n\r\u00a0ab.", max_size=60))
@settings(max_examples=200, deadline=None)
def test_whitespace_keeps_words_and_lines(text: str) -> None:
    """Witness: invariants: same words, no doubled space, at most one empty line, nothing at the ends, idempotent."""
    cleaned = clean(text, ["whitespace"])
    assert cleaned.split() == text.split()
    assert "  " not in cleaned
    assert "\n\n\n" not in cleaned
    assert cleaned == cleaned.strip() == clean(cleaned, ["whitespace"])
    assert [line.split() for line in cleaned.split("\n") if line] == [
        line.split() for line in text.split("\n") if line.split()
    ]


def test_rules_run_in_the_given_order() -> None:
    """Witness: two rules that do not commute."""
    assert clean("a<br />b", ["breaks", "gpt1"]) == "a \n b"
    assert clean("a<br />b", ["gpt1", "breaks"]) == "a<br / >b"


def test_an_unknown_rule_is_refused_with_a_suggestion() -> None:
    """Witness: the sentence has where, value, what is allowed and what to do."""
    check_rules(list(CLEANING_RULES))
    with pytest.raises(BadInput) as caught:
        check_rules(["ftfy", "unwarp"], where="--clean")
    sentence = str(caught.value)
    assert sentence.startswith("--clean: unknown cleaning rule; got 'unwarp'")
    assert f"allowed: {', '.join(sorted(CLEANING_RULES))};" in sentence
    assert "did you mean 'unwrap'?" in sentence
