"""Runs over seeds: SciPy's Welch interval, statistics from the standard library, and sentences read in full."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from warmstart.metrics.comparison import compare, is_collapsed, mean_std


def test_mean_and_std_are_those_of_the_standard_library():
    """Witness: statistics.mean and statistics.stdev."""
    values = [0.71, 0.74, 0.69]
    found = mean_std(values)
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.std == pytest.approx(statistics.stdev(values))
    assert mean_std([0.5]).std == 0.0


def test_the_gain_has_welchs_interval():
    """Witness: scipy.stats.ttest_ind with unequal variances."""
    ours, theirs = [0.81, 0.83, 0.82, 0.80], [0.75, 0.79, 0.71]
    found = compare(ours, theirs)
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low)
    assert found.high == pytest.approx(expected.high)


def test_the_sentence_says_whether_the_gain_is_significant():
    """Witness: read in full."""
    assert compare([0.82, 0.83, 0.81], [0.76, 0.77, 0.75]).sentence() == (
        "Pre-training gains 6.0 points of accuracy (82.0 ± 1.0 over 3 seeds against 76.0 ± 1.0 over 3 seeds; "
        "95 % interval 3.7 to 8.3): significant."
    )
    assert compare([0.80, 0.84], [0.78, 0.82]).sentence().endswith(": not significant.")
    # More than both standard deviations apart, but the interval holds 0 (SciPy's Welch test: p = 0.12).
    assert compare([0.3537, 0.3332, 0.3493], [0.3293, 0.3268, 0.3346]).sentence().endswith(": not significant.")
    assert compare([0.70, 0.71], [0.72, 0.73]).sentence().endswith(": not a gain.")
    points = compare([22.59, 22.41], [17.8, 17.6], "rougeL").sentence()  # of a hundred already
    assert points.startswith("Pre-training gains 4.8 points of rougeL (22.5 ± 0.1 over 2 seeds against 17.7 ± 0.1")


def test_one_seed_has_no_interval():
    """Invariant: no interval, and no claim."""
    found = compare([0.9], [0.5])
    assert math.isnan(found.low) and not found.significant
    assert found.sentence().endswith("(90.0 ± 0.0 over 1 seed against 50.0 ± 0.0 over 1 seed): "
                                     "with one seed there is no interval.")  # fmt: skip


def test_where_lower_is_better_the_gain_has_the_other_sign():
    """Invariant: a smaller squared error is a gain, in its own unit."""
    found = compare([0.50, 0.52], [0.80, 0.82], "mse")
    assert found.gain == pytest.approx(0.3) and found.significant
    assert found.sentence().startswith("Pre-training gains 0.3000 of mse (0.5100 ± 0.0141")


def test_equal_values_everywhere_make_an_interval_of_no_width():
    """Invariant: no division by zero."""
    found = compare([0.5, 0.5], [0.5, 0.5])
    assert (found.gain, found.low, found.high, found.significant) == (0, 0, 0, False)


def test_collapsed_runs_are_seen():
    """Witness: cases by hand."""
    targets = np.array([0, 0, 0, 1, 1])
    assert is_collapsed(targets, np.zeros(5, int))
    assert is_collapsed(targets, np.array([1, 0, 0, 0, 1]))  # 3 right, as many as always saying 0
    assert not is_collapsed(targets, np.array([0, 0, 0, 0, 1]))
    assert not is_collapsed(np.zeros(3, int), np.zeros(3, int))  # there is only one right answer
    assert is_collapsed(np.array([1.0, 2.0]), np.array([1.5, 1.5]))
    assert not is_collapsed(np.array([1.0, 2.0]), np.array([9.0, 8.0]))
    assert is_collapsed(np.array([[1, 0], [0, 1]]), np.array([[1, 0], [1, 0]]))
