"""Metrics of tagging: seqeval and scikit-learn on whole sets and on resamples written out."""

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import accuracy_score

from warmstart.base.errors import BadInput
from warmstart.metrics.bootstrap import bootstrap_ratio
from warmstart.metrics.ratio import Ratio
from warmstart.metrics.tagging import check_seqeval, entity_metrics, entity_ratios, tag_ratios

TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "S-LOC", "E-PER"]
PAIR = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=9)


def tagged(seed: int, sentences: int = 60) -> tuple[list[list[str]], list[list[str]]]:
    rng = np.random.default_rng(seed)
    targets = [rng.choice(TAGS, rng.integers(1, 12)).tolist() for _ in range(sentences)]
    return targets, [[tag if rng.random() < 0.7 else str(rng.choice(TAGS)) for tag in tags] for tags in targets]


@settings(deadline=None)
@given(st.lists(PAIR, min_size=1, max_size=6).filter(any))
def test_sums_over_sentences_are_seqevals_metrics(pairs: list[list[tuple[str, str]]]) -> None:
    """Witness: seqeval on the whole set, empty sentences and sets without entities included."""
    targets, predictions = ([[pair[side] for pair in sentence] for sentence in pairs] for side in (0, 1))
    measured = entity_metrics(targets, predictions)
    assert {name: ratio.value for name, ratio in entity_ratios(targets, predictions).items()} == pytest.approx(measured)
    assert measured["f1"] == pytest.approx(f1_score(targets, predictions, zero_division=0))


def test_a_resample_of_sums_is_the_metric_of_the_resample() -> None:
    """Witness: seqeval and scikit-learn on sentences drawn with replacement and written out one by one."""
    targets, predictions = tagged(0)
    ratios = entity_ratios(targets, predictions)
    for seed in range(10):
        indices = np.random.default_rng(seed).integers(0, len(targets), len(targets))
        some_targets, some_predictions = [targets[i] for i in indices], [predictions[i] for i in indices]
        found = {
            name: Ratio(ratio.numerator[indices], ratio.denominator[indices]).value for name, ratio in ratios.items()
        }
        assert found == pytest.approx(
            {
                "f1": f1_score(some_targets, some_predictions),
                "precision": precision_score(some_targets, some_predictions),
                "recall": recall_score(some_targets, some_predictions),
                "accuracy": accuracy_score(np.concatenate(some_targets), np.concatenate(some_predictions)),
            }
        )


def test_intervals_are_drawn_over_sentences() -> None:
    """Witness: explicit resampling with seqeval, within the noise of 1,000 draws."""
    targets, predictions = tagged(1)
    ours = bootstrap_ratio(entity_ratios(targets, predictions)["f1"], seed=0, resamples=4000)
    rng = np.random.default_rng(1)
    draws = [rng.integers(0, len(targets), len(targets)) for _ in range(1000)]
    theirs = np.quantile(
        [f1_score([targets[i] for i in d], [predictions[i] for i in d]) for d in draws], [0.025, 0.975]
    )
    assert ours.value == pytest.approx(f1_score(targets, predictions))
    assert [ours.low, ours.high] == pytest.approx(theirs, abs=0.015)


def test_accuracy_counts_words_not_sentences() -> None:
    """Witness: 3 of 5 words, in sentences of 4 and of 1."""
    targets: Sequence[Sequence[str]] = [["A", "A", "B", "B"], ["A"]]
    predictions: Sequence[Sequence[str]] = [["A", "A", "B", "A"], ["B"]]
    assert tag_ratios(targets, predictions)["accuracy"].value == 0.6


def test_without_seqeval_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the whole sentence, where Python finds no such package."""
    monkeypatch.setitem(sys.modules, "seqeval", None)
    with pytest.raises(BadInput) as error:
        check_seqeval()
    assert str(error.value) == "evaluating entities needs the seqeval package; pip install 'warmstart[tagging]'."


def test_letters_without_types_mark_entities_too() -> None:
    """Witness: seqeval, which gives such tags one type; BMES are its BIES by another letter."""
    targets = [list("BMESS"), list("SBE"), list("BMMES")]
    predictions = [list("BMESS"), list("BES"), list("BMEBE")]
    theirs = [[["I" if tag == "M" else tag for tag in tags] for tags in one] for one in (targets, predictions)]
    found = {name: ratio.value for name, ratio in entity_ratios(targets, predictions).items()}
    assert found == pytest.approx(entity_metrics(targets, predictions))
    assert found["f1"] == pytest.approx(f1_score(*theirs)) and 0 < found["f1"] < 1
    bio = ([list("BIOB")], [list("BOOB")])
    assert entity_ratios(*bio)["f1"].value == pytest.approx(f1_score(*bio))
