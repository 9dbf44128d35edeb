"""Near duplicates: found as by comparing each text with each, and those that are really there in published data sets."""

import tracemalloc
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

from warmstart.base.seeds import generator
from warmstart.tasks.catalogue import known_dataset
from warmstart.text import near_duplicates
from warmstart.text.near_duplicates import THRESHOLD, WIDTH, find_near_duplicates, letters, similarity


@cache
def shingles(text: str) -> frozenset[str]:
    """As the docstring of the module says, by the definition: a regular expression has no part in it."""
    kept = "".join(character for character in text.casefold() if character.isalnum())
    row = " " * (WIDTH - 1) + kept + " " * (WIDTH - 1)
    return frozenset(row[i : i + WIDTH] for i in range(len(row) - WIDTH + 1) if kept)


def jaccard(first: str, second: str) -> float:
    a, b = shingles(first), shingles(second)
    return len(a & b) / len(a | b) if a | b else 1.0


def edited(text: str, draw: np.random.Generator) -> str:
    """A text with up to a tenth of its words replaced, dropped or doubled."""
    words = text.split()
    for place in draw.permutation(len(words))[: draw.integers(0, 2 + len(words) // 10)]:
        words[place] = [words[place] + "s", "", "other", f"{words[place]} {words[place]}"][draw.integers(4)]
    return " ".join(words)


def sentences(shortest: int, longest: int) -> list[str]:
    found = [" ".join(part.split()) for text in topics.values() for part in text.split("\n\n")]
    return [part for part in dict.fromkeys(found) if shortest <= len(part) < longest]


def test_similarity_is_that_of_the_sets_of_runs_of_letters() -> None:
    """Witness: the definition of Jaccard over padded runs; blanks, punctuation and case say nothing."""
    for first, second in (
        ("A fine film.", "a  FINE film"),
        ("a fine film", "a fine films"),
        ("ab", "b"),
        ("", "!"),
        ("x", ""),
    ):
        assert similarity(first, second) == pytest.approx(jaccard(first, second))
    assert letters("Ein „Straßen-Fest“, 3 €!") == "einstrassenfest3" and similarity("ed .", "Ed.") == 1.0


@pytest.mark.parametrize(("shortest", "longest"), [(20, 80), (80, 300), (600, 2000)])
def test_what_is_found_is_what_comparing_each_with_each_finds(
    monkeypatch: pytest.MonkeyPatch, shortest: int, longest: int
) -> None:
    """Brute force: texts of the language reference, each with edited copies, about half of which are near."""
    draw = generator(0, "near", shortest)
    pile = sentences(shortest, longest)[:40]
    asked = [edited(text, draw) for text in pile[:20] for _ in range(2)] + sentences(shortest, longest)[40:50]
    near = {n for n, one in enumerate(asked) if max(jaccard(one, other) for other in pile) >= THRESHOLD}
    found = find_near_duplicates([(text,) for text in asked], [(text,) for text in pile])
    assert set(found) == near and 10 < len(near) < len(asked) - 10
    assert all(jaccard(asked[n], pile[other]) >= THRESHOLD for n, other in found.items())
    monkeypatch.setattr(near_duplicates, "CHUNK", 1000)
    assert find_near_duplicates([(text,) for text in asked], [(text,) for text in pile]) == found  # in many chunks


def test_every_text_of_an_example_has_to_be_near() -> None:
    """Invariant: a long premise does not make an example a copy of another one about it; their order counts."""
    premise = sentences(200, 300)[0]
    pile = [(premise, "a man sleeps"), (premise, "somebody rests at home")]
    asked = [(premise + "!", "A man sleeps."), (premise, "a man eats"), ("a man sleeps", premise), (premise,)]
    assert find_near_duplicates(asked, pile) == {0: 0}
    assert find_near_duplicates([("?!",), ("",)], [("...",), ("",)]) == find_near_duplicates([], pile) == {}
    assert find_near_duplicates([("a",)], []) == {}


def test_rows_of_one_form_are_found_in_little_memory() -> None:
    """Invariant: rows that all share their shingles are all near, and do not take memory for each pair and shingle."""
    told = "your order of today has been shipped to the address that you gave us, and will be there soon. Thank you"
    rows = [(f"Dear customer number {n}, {told}!",) for n in range(4000)]
    tracemalloc.start()
    try:
        assert len(find_near_duplicates(rows[:2000], rows[2000:])) == 2000
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()


@pytest.mark.data
def test_the_near_duplicates_of_mrpc(data_dir: Path) -> None:
    """Witness: comparing each dev pair with each training pair of similar length, in Microsoft's own files."""
    found = known_dataset("mrpc").load(data_dir / "mrpc", ["train", "dev"]).records
    train, dev = ([tuple(map(str, record.content)) for record in found[part]] for part in ("train", "dev"))
    near = find_near_duplicates(dev, train)
    sizes = np.array([[len(letters(text)) for text in pair] for pair in train])
    for number in (*range(25), *near):
        pair = dev[number]
        own = np.array([len(letters(text)) for text in pair])
        alike = np.flatnonzero((np.abs(sizes - own) < 0.25 * own).all(1))
        by_hand = [k for k in alike if all(jaccard(a, b) >= THRESHOLD for a, b in zip(pair, train[k], strict=True))]
        assert (number in near) == bool(by_hand)
    assert len(near) == 7
