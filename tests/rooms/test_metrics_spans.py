"""SQuAD's metrics: rules and examples of the papers by hand, and word overlap against brute force."""

import itertools
import string
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.metrics.spans import exact_match, max_over_answers, normalize_answer, span_ratios, word_f1

WORDS = st.lists(st.sampled_from(["cat", "dog", "the", "1923", "A"]), max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("The Denver Broncos", "denver broncos"),
        ("an apple a day, the end.", "apple day end"),
        ("  gold \n anniversary ", "gold anniversary"),
        ("Levi's Stadium!", "levis stadium"),
        ("theatre", "theatre"),  # an article is a whole word
        ("U.S.A.", "usa"),
        ("the", ""),
        ("¡Olé! – 50 %", "¡olé – 50"),  # only ASCII punctuation is removed
    ],
)
def test_what_is_compared(text: str, compared: str) -> None:
    """Witness: lower case, no punctuation, no articles, single spaces, in this order (Rajpurkar et al. 2016), by hand."""
    assert normalize_answer(text) == compared


def test_exact_match_and_overlap_by_hand() -> None:
    """Witness: worked out with pencil: 2 of 3 and 2 of 2 words shared give 2 · ⅔ · 1 / (⅔ + 1)."""
    assert exact_match("the Broncos.", "Broncos") == 1.0
    assert exact_match("Denver Broncos", "Broncos") == 0.0
    assert word_f1("Denver Broncos won", "the Denver Broncos") == pytest.approx(0.8)
    assert word_f1("cat cat dog", "cat") == pytest.approx(0.5)  # a word counts as often as both have it
    assert word_f1("cat", "dog") == 0.0
    assert word_f1("", "the") == 1.0
    assert word_f1("cat", "") == word_f1("", "cat") == 0.0


def brute_overlap(prediction: str, answer: str) -> Fraction:
    """F1 from the greatest one-to-one matching of equal words, found by trying all of them."""
    ours, theirs = sorted([normalize_answer(prediction).split(), normalize_answer(answer).split()], key=len)
    if not ours:
        return Fraction(not theirs)
    shared = max(sum(a == b for a, b in zip(ours, order, strict=False)) for order in itertools.permutations(theirs))
    precision, recall = Fraction(shared, len(ours)), Fraction(shared, len(theirs))
    return 2 * precision * recall / (precision + recall) if shared else Fraction(0)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_overlap_is_the_f1_of_the_best_matching(prediction: str, answer: str) -> None:
    """Witness: brute force over all matchings, in fractions."""
    assert word_f1(prediction, answer) == pytest.approx(float(brute_overlap(prediction, answer)))
    assert word_f1(prediction, answer) == word_f1(answer, prediction)
    assert exact_match(prediction, answer) <= word_f1(prediction, answer)


@settings(deadline=None)
@given(WORDS, st.text(string.punctuation + " \n", max_size=3))
def test_what_is_not_compared_changes_nothing(text: str, around: str) -> None:
    """Invariant: case, articles, punctuation and spaces."""
    assert exact_match(f"{around}the {text.upper()}{around}", text) == 1.0


def test_the_closest_right_answer_counts() -> None:
    """Witness: by hand; without a right answer, and where none has a word, the empty text is right (SQuAD 2.0)."""
    assert max_over_answers(word_f1, "in 1923", ["the 4th of May 1923", "1923"]) == pytest.approx(2 / 3)
    assert max_over_answers(exact_match, "", []) == max_over_answers(exact_match, "", ["the"]) == 1.0
    assert max_over_answers(exact_match, "1923", []) == max_over_answers(word_f1, "1923", []) == 0.0


def test_measures_of_a_set() -> None:
    """Witness: four questions by hand, two of them without an answer."""
    answers = [["1923"], ["cat", "black cat"], [], []]
    predictions = ["in 1923", "the cat", "", "dog"]
    found = {name: ratio.value for name, ratio in span_ratios(answers, predictions).items()}
    assert found == pytest.approx(
        {
            "f1": (2 / 3 + 1 + 1 + 0) / 4,
            "exact_match": (0 + 1 + 1 + 0) / 4,
            "has_answer_f1": (2 / 3 + 1) / 2,
            "has_answer_exact_match": 1 / 2,
            "no_answer_accuracy": 1 / 2,
        }
    )
    assert list(found)[:2] == ["f1", "exact_match"]
    assert (
        list(span_ratios(answers[:2], predictions[:2]))
        == list(span_ratios(answers[2:], predictions[2:]))
        == ["f1", "exact_match"]
    )


def test_parts_make_the_whole() -> None:
    """Invariant: the metric over all is the mean of its two parts, weighed by their questions."""
    rng = np.random.default_rng(0)
    answers = [[] if rng.random() < 0.4 else ["cat dog"] for _ in range(50)]
    predictions = [str(rng.choice(["", "cat", "cat dog", "dog"])) for _ in answers]
    found = span_ratios(answers, predictions)
    share = sum(bool(each) for each in answers) / len(answers)
    parts = share * found["has_answer_f1"].value + (1 - share) * found["no_answer_accuracy"].value
    assert found["f1"].value == pytest.approx(parts)
