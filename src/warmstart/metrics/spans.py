"""SQuAD's metrics: exact match and word F1 of an answer, each against the closest of the right answers.

Texts are compared in small letters, without punctuation, without the articles a, an, the, and with single blanks (Rajpurkar
et al. 2016, section 6.1). A question without an answer in its context is answered rightly by the empty text, and only by it
(Rajpurkar et al. 2018).
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from warmstart.metrics.metric import Array
from warmstart.metrics.ratio import Ratio

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """What is compared of an answer.

    >>> plain("  The Beatles' first  album ")
    'beatles first album'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(told: str, right: str) -> float:
    """1.0 where both are the same, else 0.0."""
    return float(normalize_answer(told) == normalize_answer(right))


def word_f1(told: str, right: str) -> float:
    """F1 of the words of both; where one has no word left, 1.0 if the other has none either.

    >>> overlap("in the year 1923", "1923")
    0.5
    """
    ours, theirs = normalize_answer(told).split(), normalize_answer(right).split()
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))


def max_over_answers(metric: Callable[[str, str], float], told: str, answers: Sequence[str]) -> float:
    """The metric against the closest right answer; without any, the empty text is right."""
    return max(metric(told, right) for right in [text for text in answers if normalize_answer(text)] or [""])


def span_ratios(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, Ratio]:
    """``f1`` and ``exact_match`` over all questions.

    Where some questions have an answer and some have none, also over each kind by itself: ``has_answer_f1``,
    ``has_answer_exact_match``, ``no_answer_accuracy``.

    Args:
        targets: the right answers of each question; none for a question without an answer.
        predictions: one text each, empty for "no answer".
    """
    pairs = list(zip(predictions, targets, strict=True))
    f1, same = (np.array([max_over_answers(metric, *pair) for pair in pairs]) for metric in (word_f1, exact_match))
    answered: Array = np.array([bool(answers) for answers in targets], np.float64)
    every = np.ones(len(pairs))
    found = {"f1": Ratio(f1, every), "exact_match": Ratio(same, every)}
    if not 0 < answered.sum() < len(pairs):
        return found
    return found | {
        "has_answer_f1": Ratio(f1 * answered, answered),
        "has_answer_exact_match": Ratio(same * answered, answered),
        "no_answer_accuracy": Ratio(same * (1 - answered), 1 - answered),
    }
