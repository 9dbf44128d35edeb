"""scikit-learn takes a Classifier as an estimator of its own: parameters, copies, searches, pipelines, pickles."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import warmstart
from warmstart.base.errors import BadInput

FAST: dict[str, Any] = {"model": "gpt1-tiny", "vocab_size": 270, "length": "1 step", "precision": "fp32", "lr": 1e-3}
TEXTS = np.array([f"{('calm', 'stormy')[n % 2]} lake {n}" for n in range(16)])
LABELS = np.array(["still", "rough"] * 8)


@pytest.fixture(scope="module")
def fitted() -> warmstart.Classifier:
    return warmstart.Classifier(**FAST).fit(TEXTS, LABELS)


def test_a_copy_has_the_parameters_that_were_given() -> None:
    """Witness: scikit-learn's clone, which checks that the constructor keeps each value as it is."""
    one = warmstart.Classifier("none", "tagging", columns={"tokens": "words"}, **FAST)
    twin = clone(one)
    assert (
        twin.get_params()
        == one.get_params()
        == {"start": "none", "task": "tagging", "verbose": False, "columns": {"tokens": "words"}, **FAST}
    )
    assert twin.set_params(lr=0.5, dropout=0.1, task="choice") is twin
    assert (twin.get_params()["lr"], twin.get_params()["dropout"], twin.task) == (0.5, 0.1, "choice")
    assert one.get_params()["lr"] == 1e-3 and "dropout" not in one.get_params()
    assert repr(warmstart.Classifier(lr=0.5)) == "Classifier(start='none', task='classification', lr=0.5)"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dropuot": 0.1}, "unknown keyword; got 'dropuot'.*did you mean 'dropout'"),
        ({"learning_rate": 0.1}, "learning_rate: this option is lr here; write lr=1e-4"),
        ({"lerning_rate": 0.1}, "lerning_rate: this option is lr here; write lr=1e-4"),
        ({"num_train_epochs": 2}, "this option is length here; write length='3 epochs'"),
        ({"fp16": True}, "write precision='auto'"),
        ({"zebra": 1}, "unknown keyword; got 'zebra'.*--help lists them"),
    ],
)
def test_an_unknown_option_is_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    """Witness: what the word means to the library that has it; never the list of all flags."""
    calls = [warmstart.Classifier, warmstart.Classifier().set_params]
    for call in (*calls, lambda **given: warmstart.finetune("out", **given)):
        with pytest.raises(BadInput, match=sentence) as caught:
            call(**options)
        assert len(str(caught.value)) < 200


def test_nothing_is_there_before_fit(fitted: warmstart.Classifier) -> None:
    """Witness: scikit-learn's check_is_fitted and Python's hasattr; a refused fit changes nothing."""
    fresh = warmstart.Classifier(**FAST)
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)
    assert not hasattr(fresh, "classes_") and not hasattr(fresh, "report_")
    with pytest.raises(BadInput, match="call fit first"):
        fresh.predict(["calm"])
    check_is_fitted(fitted)
    assert not hasattr(fitted, "n_features_in_")  # texts are no table


def test_cross_validation_divides_by_class() -> None:
    """Witness: accuracy of scikit-learn on the same folds fitted one by one."""
    one, folds = warmstart.Classifier(**FAST), StratifiedKFold(2)
    scores = cross_val_score(one, TEXTS, LABELS, cv=2, error_score="raise")
    wanted = []
    for train, test in folds.split(TEXTS, LABELS):
        told = clone(one).fit(TEXTS[train], LABELS[train]).predict(TEXTS[test])
        wanted.append(accuracy_score(LABELS[test], told))
    assert scores.tolist() == wanted


def test_it_is_quiet_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the standard streams; scikit-learn's estimators say nothing by default."""
    cross_val_score(warmstart.Classifier(**FAST), TEXTS, LABELS, cv=2, error_score="raise")
    assert capsys.readouterr() == ("", "")
    warmstart.Classifier(**FAST).set_params(verbose=True).fit(TEXTS, LABELS)
    assert "training" in capsys.readouterr().err


def test_a_collapse_is_warned_of() -> None:
    """Witness: a rate that no model survives."""
    one = warmstart.Classifier(**FAST | {"lr": 1.0, "length": "8 steps", "retries": 0})
    with pytest.warns(UserWarning, match="a training has collapsed: it does no better on train than one answer"):
        one.fit(TEXTS, LABELS)


def test_predictions_of_folds_and_scorers_by_name() -> None:
    """Witness: scikit-learn's own scorers, of classes and of probabilities; scores as an array."""
    one = warmstart.Classifier(**FAST)
    area = cross_val_score(one, TEXTS.tolist(), LABELS, cv=2, scoring="roc_auc", error_score="raise")
    assert ((area >= 0) & (area <= 1)).all()
    scored = cross_val_predict(warmstart.Classifier(task="regression", **FAST), TEXTS, np.arange(16) / 4, cv=KFold(2))
    assert scored.shape == (16,) and scored.dtype == np.float64


def test_a_grid_is_searched() -> None:
    """Witness: GridSearchCV: the best of its parameters is refitted and answers."""
    grid = {"lr": [1e-3, 1e-2]}
    found = GridSearchCV(warmstart.Classifier(**FAST), grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert (
        found.best_params_["lr"] in grid["lr"] and found.best_estimator_.get_params()["lr"] == found.best_params_["lr"]
    )
    assert set(found.predict(TEXTS)) <= set(found.classes_) == {"still", "rough"}


def test_it_is_the_end_of_a_pipeline() -> None:
    """Witness: the same texts in small letters, without the pipeline."""
    small = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    shouted = [text.upper() for text in TEXTS]
    road = Pipeline([("small", small), ("model", warmstart.Classifier(**FAST))]).set_params(model__lr=2e-3)
    road.fit(shouted, LABELS)
    wanted = warmstart.Classifier(**FAST | {"lr": 2e-3}).fit(TEXTS, LABELS)
    assert np.array_equal(road.predict_proba(shouted), wanted.predict_proba(TEXTS))
    assert road.score(shouted, LABELS) == wanted.score(TEXTS, LABELS) and "Classifier" in road._repr_html_()


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("classification", "classifier"), ("entailment", "classifier"), ("images", "classifier"),
        ("regression", "regressor"),
        ("similarity", "regressor"), ("choice", None), ("multilabel", None), ("tagging", None), ("span", None),
        ("seq2seq", None),
    ],
)  # fmt: skip
def test_scikit_learn_knows_what_it_is(task: str, kind: str | None) -> None:
    """Witness: is_classifier and is_regressor; its folds refuse lists of labels of a classifier."""
    one = warmstart.Classifier(task=task)
    assert (is_classifier(one), is_regressor(one)) == (kind == "classifier", kind == "regressor")
    assert get_tags(one).estimator_type == kind


def test_a_fitted_one_can_be_pickled(fitted: warmstart.Classifier) -> None:
    """Witness: its own probabilities, by a copy that has files of its own."""
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert np.array_equal(twin.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
        assert twin.classes_.tolist() == ["rough", "still"] and twin.get_params() == fitted.get_params()
    assert not hasattr(pickle.loads(pickle.dumps(warmstart.Classifier())), "classes_")
