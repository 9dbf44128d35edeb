"""Runs over seeds: SciPy's Welch interval, statistics from the standard library, and sentences read in full."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from warmstart.metrics.comparison import compare, is_collapsed, mean_std, needs
from warmstart.metrics.jackknife import metric_pseudo_values


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
    assert found.p == pytest.approx(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)


def test_the_sentence_says_whether_the_gain_is_significant():
    """Witness: read in full."""
    assert compare([0.82, 0.83, 0.81], [0.76, 0.77, 0.75]).sentence() == (
        "Pre-training gains 6.0 points of accuracy (82.0 ± 1.0 over 3 seeds against 76.0 ± 1.0 over 3 seeds; "
        "95 % interval 3.7 to 8.3 over seeds): significant."
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
                                     "one seed says nothing about others.")  # fmt: skip


def test_the_choice_of_the_examples_counts_as_well():
    """Witness: scipy.stats.ttest_rel on what each example adds, with one seed; with several, the variances are added."""
    rng = np.random.default_rng(0)
    truth, one, other = rng.integers(0, 2, (3, 200))
    values = [metric_pseudo_values("accuracy", truth, guess) for guess in (one, other)]
    right = [(truth == guess).astype(float) for guess in (one, other)]
    found = compare([right[0].mean()], [right[1].mean()], pseudo_values=([values[0]], [values[1]]))
    expected = stats.ttest_rel(*right).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert not compare([0.9], [0.1], pseudo_values=([values[0]], [values[1]])).significant  # of one seed
    several = compare([0.70, 0.72], [0.60, 0.63], pseudo_values=([values[0]] * 2, [values[1]] * 2))
    seeds = np.var([0.70, 0.72], ddof=1) / 2 + np.var([0.60, 0.63], ddof=1) / 2
    examples = np.var(right[0] - right[1], ddof=1) / 200
    assert several.high - several.low > 2 * 1.96 * math.sqrt(seeds + examples)  # Student's is wider than the normal one


def test_equal_seeds_have_an_interval_where_the_examples_differ():
    """Invariant: two seeds that agree to the last digit do not make a figure exact."""
    truth = np.arange(100) % 2
    values = [metric_pseudo_values("accuracy", truth, np.where(np.arange(100) % k, truth, 1 - truth)) for k in (5, 4)]
    pairs = [values[0]] * 2, [values[1]] * 2
    found = compare([0.80, 0.80], [0.75, 0.75], pseudo_values=pairs, split="test", examples=100)
    assert found.low < 0 < found.high
    assert "of accuracy on the 100 examples of test (80.0 ± 0.0 over 2 seeds" in found.sentence()
    assert "over seeds and examples): not significant." in found.sentence()


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Witness: 400 simulated comparisons of two arms that are equally good: 95 % of the intervals hold 0, give or take 3."""
    rng, count, holds, claims = np.random.default_rng(1), 500, 0, 0
    truth = np.ones(count, int)
    for _ in range(400):
        difficulty, arms = rng.normal(0, 1.2, count), []
        for _ in range(2):
            chance = 1 / (1 + np.exp(-(1.3 + difficulty + rng.normal(0, 1.5, count))))
            common = rng.random(count)  # what all seeds of an arm get right or wrong together
            guesses = [np.where(rng.random(count) < 0.05, rng.random(count), common) < chance for _ in range(3)]
            arms.append([guess.astype(int) for guess in guesses])
        means = [[float(guess.mean()) for guess in arm] for arm in arms]
        values = [[metric_pseudo_values("accuracy", truth, guess) for guess in arm] for arm in arms]
        found = compare(means[0], means[1], pseudo_values=(values[0], values[1]))
        holds += found.low <= 0 <= found.high
        claims += found.significant
    assert 0.92 <= holds / 400 <= 0.98 and claims / 400 <= 0.05


@pytest.mark.parametrize(("seeds", "luck"), [(2, 0.1), (3, 0.0), (3, 0.1), (5, 0.0), (5, 0.1)])
def test_intervals_hold_the_truth_in_95_of_100(seeds: int, luck: float):
    """Witness: 1,600 simulated comparisons with luck of the seeds and of the examples: 95 % hold it, give or take 1.5."""
    draw, holds = np.random.default_rng(7), 0
    for _ in range(1600):
        taste = draw.normal(0.5, 1, (2, 1, 120)) + draw.normal(0, 0.3, (2, seeds, 120))
        right = (taste + draw.normal(0, luck, (2, seeds, 1)) > 0).astype(float)
        found = compare(*right.mean(2).tolist(), pseudo_values=(right[0], right[1]))
        holds += found.low <= 0 <= found.high
    assert abs(holds / 1600 - 0.95) <= 0.015


def test_what_a_seed_changes_of_single_examples_counts_once():
    """Witness: 300 simulated tables whose variance is known, all of it of this kind: the interval has that variance."""
    draw, found = np.random.default_rng(2), []
    for _ in range(300):
        ours, theirs = draw.normal(0, 1, (2, 3, 100))
        one = compare(ours.mean(1).tolist(), theirs.mean(1).tolist(), pseudo_values=(ours, theirs))
        found.append(one.seed_variance + one.example_variance)
        assert found[-1] >= 0.999 * (ours.mean(0) - theirs.mean(0)).var(ddof=1) / 100
    assert np.mean(found) < 1.5 * 2 / 300  # that over seeds and that over examples are 2 / 300 each


def test_a_comparison_on_dev_says_so():
    """Witness: read in full."""
    said = compare([0.8, 0.9], [0.5, 0.6], split="dev", examples=1).sentence()
    assert "of accuracy on the 1 example of dev" in said and said.endswith("name a test set for a fair figure.")


def test_a_baseline_has_no_seed():
    """Witness: SciPy's interval of the seeds of one side around a fixed figure; the sentence, read in full."""
    ours = [0.82, 0.84, 0.83]
    found = compare(ours, [0.80], split="dev", examples=200, sides=("Fine-tuning", "words"))
    expected = stats.ttest_1samp(ours, 0.80)
    assert found.low == pytest.approx(expected.confidence_interval(0.95).low - 0.80)
    assert found.p == pytest.approx(expected.pvalue) and found.seeds == 3
    assert found.sentence() == (
        "Fine-tuning gains 3.0 points of accuracy over words on the 200 examples of dev (83.0 ± 1.0 over 3 seeds against "
        "80.0; 95 % interval 0.5 to 5.5 over seeds): significant. The runs were stopped by this dev, so name a test set for "
        "a fair figure."
    )
    assert (
        compare([0.9], [0.5], sides=("Fine-tuning", "words")).sentence().endswith("one seed says nothing about others.")
    )


def test_sides_that_share_the_luck_of_a_draw_are_compared_draw_by_draw():
    """Witness: scipy.stats.ttest_rel; 300 simulated comparisons of equal sides, intervals hold 0 in 95 %."""
    draw, holds = np.random.default_rng(5), 0
    for _ in range(300):
        luck = draw.normal(0, 0.05, 3)
        ours, theirs = (0.7 + luck + draw.normal(0, 0.01, 3) for _ in range(2))
        found, expected = compare(ours, theirs, draws=True), stats.ttest_rel(ours, theirs)
        assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
        assert found.p == pytest.approx(expected.pvalue)
        holds += found.low <= 0 <= found.high
    assert 0.91 <= holds / 300 <= 0.99


def test_a_comparison_on_what_was_learned_says_so():
    """Witness: read."""
    assert "this says nothing of new texts" in compare([0.8, 0.9], [0.5, 0.6], split="train", examples=9).sentence()


def test_one_example_says_nothing_of_other_examples():
    """Witness: no variance can be estimated of one value; the sentence names what its interval covers."""
    one = np.ones(1), np.zeros(1)
    said = compare([0.8, 0.9], [0.5, 0.7], pseudo_values=one, split="test", examples=1).sentence()
    assert said.count("over seeds") == 1 and "over seeds and examples" not in said


def test_as_many_examples_as_are_needed_show_the_difference():
    """Witness: 300 simulated comparisons with so many examples: 80 of 100 see it, give or take 8."""
    draw = np.random.default_rng(3)

    def pair(count: int):
        """Two models that are right on 75 and 70 of 100 examples, mostly the same ones."""
        hard = draw.random(count)
        guesses = [
            (np.where(draw.random(count) < 0.4, draw.random(count), hard) < share).astype(int) for share in (0.75, 0.7)
        ]
        values = [metric_pseudo_values("accuracy", np.ones(count, int), guess) for guess in guesses]
        means = [[float(guess.mean())] * 2 for guess in guesses]
        return compare(*means, pseudo_values=([values[0]] * 2, [values[1]] * 2), split="test", examples=count)

    found = needs(pair(4000), 0.05)
    assert found is not None and found.examples is not None and found.seeds == 2
    seen = np.mean([pair(found.examples).p < 0.05 for _ in range(300)])
    assert 0.72 <= seen <= 0.88


def test_what_cannot_be_seen_is_said():
    """Invariant: seeds that differ by more than is asked for cannot be made up by examples; one seed says nothing."""
    values = [np.arange(40) % 2 * 1.0, (np.arange(40) % 4 > 0) * 1.0]
    pairs = [values[0]] * 2, [values[1]] * 2
    wild = needs(compare([0.5, 0.9], [0.4, 0.8], pseudo_values=pairs, examples=40), 0.01)
    assert wild is not None and wild.examples is None and wild.detectable > 0.5
    assert needs(compare([0.5], [0.4]), 0.01) is None


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
    targets = np.array([0, 0, 0, 1, 1] * 10)
    assert is_collapsed(targets, np.zeros(50, int))
    assert is_collapsed(targets, np.array([1, 0, 0, 0, 1] * 10))  # 30 right, as many as always saying 0
    assert not is_collapsed(targets, np.array([0, 0, 0, 0, 1] * 10))
    assert not is_collapsed(np.zeros(3, int), np.zeros(3, int))  # there is only one right answer
    assert is_collapsed(np.array([1.0, 2.0]), np.array([1.5, 1.5]))
    assert not is_collapsed(np.array([1.0, 2.0]), np.array([9.0, 8.0]))
    several = np.array([[1, 0], [0, 1]] * 4)
    assert is_collapsed(several, np.array([[1, 0]] * 8)) and not is_collapsed(several, several)


@pytest.mark.parametrize("majority", [0.5, 0.8])
@pytest.mark.parametrize("count", [2, 4, 10, 20, 80])
def test_few_examples_are_no_evidence_of_a_collapse(count: int, majority: float):
    """Witness: 4,000 draws of a run that closes half of the gap to no error: it is seldom taken for a collapsed one.

    One that always says the same is, as soon as there are enough examples for it.
    """
    rng, draws = np.random.default_rng(count), 4000
    targets = (np.arange(count) >= round(majority * count)).astype(int)
    wrong = rng.random((draws, count)) > (1 + majority) / 2
    mistaken = np.mean([is_collapsed(targets, targets ^ row) for row in wrong])
    assert mistaken < 0.1
    assert is_collapsed(targets, np.zeros(count, int)) == (
        (count, majority) in {(10, 0.5), (20, 0.5), (20, 0.8), (80, 0.5), (80, 0.8)}
    )


def test_a_run_that_finds_a_rare_class_has_not_collapsed():
    """Witness: always to say the common class has more right answers, but scikit-learn's balanced accuracy is far from 1/2.

    The same predictions in another order, which go with nothing, are those of a collapsed run.
    """
    rng = np.random.default_rng(1)
    targets = (np.arange(1000) < 50).astype(int)
    found = rng.random(1000) < np.where(targets == 1, 0.85, 0.08)
    predictions = found.astype(int)
    assert (targets == predictions).mean() < 0.95 and balanced_accuracy_score(targets, predictions) > 0.85
    assert not is_collapsed(targets, predictions)
    shuffled = [is_collapsed(targets, rng.permutation(predictions)) for _ in range(200)]
    assert np.mean(shuffled) > 0.9
