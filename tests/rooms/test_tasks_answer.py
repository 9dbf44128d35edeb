"""What tasks are evaluated by: the metrics of each kind, held against the table of metrics."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from warmstart.base.errors import BadInput
from warmstart.metrics.metric import METRICS
from warmstart.tasks.choice import CHOICE
from warmstart.tasks.classification import CLASS
from warmstart.tasks.multilabel import LABELS
from warmstart.tasks.regression import SCORE
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec


def test_each_answer_has_metrics_that_exist() -> None:
    """Invariant: every metric is in the table; the main one comes first."""
    for answer in (CLASS, LABELS, SCORE, CHOICE):
        assert set(answer.metrics(("a", "b"))) <= set(METRICS)
    assert CLASS.metrics(("a", "b"))[:2] == ("accuracy", "f1")
    assert CLASS.metrics(("a", "b", "c"))[:2] == ("accuracy", "f1_macro")
    assert SCORE.metrics(())[0] == "pearson"


def test_a_metric_that_does_not_fit_is_refused_with_a_suggestion() -> None:
    """Witness: the four parts of the sentence."""
    CLASS.check_metric("matthews", CLASS.metrics(("a", "b")))
    with pytest.raises(BadInput) as error:
        CHOICE.check_metric("accuracie", CHOICE.metrics(()))
    sentence = str(error.value)
    assert sentence.startswith("--metric: unknown metric for this task; got 'accuracie'; allowed: accuracy")
    assert "did you mean 'accuracy'?" in sentence


def test_f1_of_one_class_needs_two_classes() -> None:
    """Witness: scikit-learn's binary F1, which three classes do not have."""
    CLASS.check_metric("f1", CLASS.metrics(("a", "b")))
    with pytest.raises(BadInput, match="got 'f1'; allowed: accuracy, f1_macro, matthews"):
        CLASS.check_metric("f1", CLASS.metrics(("a", "b", "c")))


def test_the_confusions_of_many_classes_are_counted() -> None:
    """Witness: scikit-learn; CLINC150 has as many classes."""
    names = tuple(f"intent {number}" for number in range(150))
    truths, told = np.random.default_rng(1).integers(0, len(names), (2, 900)).tolist()
    spec = TaskSpec(kind="classification", label_names=names, frame=FrameSettings(context=64))
    assert CLASS.confusion(spec, truths, told) == confusion_matrix(truths, told, labels=range(len(names))).tolist()
