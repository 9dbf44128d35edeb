"""SQuAD's metrics: exact match and word F1 of an answer, each with the closest of the right answers.

Texts are compared in lower case, without punctuation, without the articles a, an, the, and with single spaces (Rajpurkar et
al. 2016, section 6.1). If the context has no answer to a question, only the empty text is right (Rajpurkar et al. 2018).
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
    """An answer as it is compared.

    >>> normalize_answer("  The Beatles' first  album ")
    'beatles first album'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> float:
    """1.0 if both are equal, else 0.0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def word_f1(prediction: str, answer: str) -> float:
    """F1 of the words; if one text has no words, 1.0 where the other has none either and 0.0 else.

    >>> word_f1("in the year 1923", "1923")
    0.5
    """
    predicted, expected = normalize_answer(prediction).split(), normalize_answer(answer).split()
    if not predicted or not expected:
        return float(predicted == expected)
    shared = (Counter(predicted) & Counter(expected)).total()
    return 2 * shared / (len(predicted) + len(expected))


def max_over_answers(metric: Callable[[str, str], float], prediction: str, answers: Sequence[str]) -> float:
    """The metric with the closest right answer; if there is none, the empty text is right."""
    return max(metric(prediction, answer) for answer in [text for text in answers if normalize_answer(text)] or [""])


def span_ratios(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, Ratio]:
    """``f1`` and ``exact_match`` over all questions.

    If some questions have an answer and some have none, also over each group: ``has_answer_f1``,
    ``has_answer_exact_match``, ``no_answer_accuracy``.

    Args:
        targets: the right answers of each question; an empty list for a question without an answer.
        predictions: one text each, empty for "no answer".
    """
    pairs = list(zip(predictions, targets, strict=True))
    f1, exact = (np.array([max_over_answers(metric, *pair) for pair in pairs]) for metric in (word_f1, exact_match))
    has_answer: Array = np.array([bool(answers) for answers in targets], np.float64)
    ones = np.ones(len(pairs))
    ratios = {"f1": Ratio(f1, ones), "exact_match": Ratio(exact, ones)}
    if not 0 < has_answer.sum() < len(pairs):
        return ratios
    return ratios | {
        "has_answer_f1": Ratio(f1 * has_answer, has_answer),
        "has_answer_exact_match": Ratio(exact * has_answer, has_answer),
        "no_answer_accuracy": Ratio(exact * (1 - has_answer), 1 - has_answer),
    }
