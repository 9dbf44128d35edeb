"""What is kept of single answers: right or wrong as the metrics have it, and the columns that divide the rows."""

import numpy as np
import pytest

from warmstart.example.record import Record
from warmstart.metrics.metric import METRICS
from warmstart.metrics.spans import span_ratios
from warmstart.study.examples import columns_of
from warmstart.study.paired import paired_tests
from warmstart.study.store import Result
from warmstart.tasks.table import KINDS


def test_the_share_of_right_answers_is_the_metric():
    """Witness: scikit-learn's accuracy and exact match; SQuAD's exact match; tags by hand; scores and texts have none."""
    rng = np.random.default_rng(0)
    truths, said = rng.integers(0, 3, (2, 90)).tolist()
    right = KINDS["classification"].answer(("a", "b", "c")).rights(truths, said)
    assert np.mean(right) == METRICS["accuracy"](np.array(truths), np.array(said))
    labels = rng.integers(0, 2, (2, 60, 2))
    right = KINDS["multilabel"].answer(("a", "b")).rights(list(labels[0]), list(labels[1]))
    assert np.mean(right) == METRICS["exact_match"](labels[0], labels[1])
    assert KINDS["multilabel"].answer(("a",)).rights([np.array([1, 0]), np.array([1, 1])], [np.array([1])] * 2) == [
        1,
        0,
    ]
    answers, texts = [("the sea",), (), ("Rome", "Roma")], ["sea", "x", "Rome"]
    right = KINDS["span"].answer(()).rights(answers, texts)
    assert right == [True, False, True]
    assert np.mean(right) == pytest.approx(span_ratios(answers, texts)["exact_match"].value)
    assert KINDS["tagging"].answer(("X", "Y")).rights([["X", "Y"], ["X"]], [["X", "Y"], ["Y"]]) == [True, False]
    assert KINDS["regression"].answer(()).rights([1.0], [1.0]) == []
    assert KINDS["seq2seq"].answer(()).rights(["a"], ["a"]) == KINDS["embedding"].answer(()).rights([1.0], [0.5]) == []
    assert KINDS["ranking"].answer(()).rights([[1], [0, 2]], [np.array([0.1, 0.9]), np.array([0.1, 0.9, 0.8])]) == [
        True, False
    ]  # fmt: skip


def test_columns_that_divide_the_rows_into_few_parts_are_kept():
    """Invariant: a column of one value divides nothing, one with a value for each row says nothing."""
    rows = [
        Record({"text": "x"}, 0, {"source": "ab"[n % 2], "id": n, "year": 2020, "rare": n or None}) for n in range(30)
    ]
    assert columns_of(rows) == {"source": ["a", "b"] * 15}
    assert columns_of([Record({"text": "x"}, 0, {"k": 1}), Record({"text": "x"}, 0)]) == {"k": ["1", ""]}


def test_a_baseline_is_compared_with_every_seed():
    """Invariant: one side of one, a test for each training of the other; without answers that are right there is none."""

    def result(right: str) -> Result:
        return Result("x", 0.0, 0.0, [float(digit) for digit in right], 1.0, right=right)

    found = paired_tests([result("1110"), result("1111")], [result("0110")])
    assert [(one.only_first, one.only_second) for one in found.mcnemar] == [(1, 0), (2, 0)]
    assert found.p_randomisation is not None and found.p_randomisation > 0.1
    bare = paired_tests([Result("x", 0.0, 0.0, [], 1.0)], [result("0110")])
    assert bare.to_dict() == {"p_randomisation": None, "mcnemar": []}
