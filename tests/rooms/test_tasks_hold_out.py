"""Setting examples aside: shares, classes, doubles and drawings."""

from collections import Counter

import pytest

from warmstart.base.errors import BadInput
from warmstart.example.record import Record
from warmstart.tasks.hold_out import hold_out
from warmstart.tasks.table import KINDS

KIND = KINDS["classification"]


def records(*labels):
    return [Record({"text": f"text {n}"}, label, where=f"row {n}") for n, label in enumerate(labels, start=1)]


def test_each_class_is_set_aside_in_proportion():
    """Witness: counted by hand; nothing is lost, both sides keep their order."""
    whole = records(*[0] * 60, *[1] * 30, *[2] * 10)
    rest, aside = hold_out(KIND, whole, 0.1, seed=1)
    assert Counter(r.label for r in aside) == {0: 6, 1: 3, 2: 1}
    assert sorted([*rest, *aside], key=whole.index) == whole
    assert rest == sorted(rest, key=whole.index) and aside == sorted(aside, key=whole.index)


def test_classes_too_small_for_a_share_are_made_up_for_together():
    """Invariant: 20 classes of 2 with a tenth set aside give 4 examples, not none."""
    assert len(hold_out(KIND, records(*range(20), *range(20)), 0.1, seed=0)[1]) == 4


def test_drawings_follow_from_seed_and_name():
    """Invariant: the same again for the same seed and name, another one for others; scores are one class."""
    whole = records(*[0.5 * n for n in range(40)])
    kind = KINDS["regression"]
    drawn = hold_out(kind, whole, 0.25, seed=3)[1]
    assert drawn == hold_out(kind, whole, 0.25, seed=3)[1] and len(drawn) == 10
    assert drawn != hold_out(kind, whole, 0.25, seed=4)[1] != hold_out(kind, whole, 0.25, seed=4, name="labels")[1]


def test_the_same_text_is_never_on_both_sides():
    """Invariant: doubles stay together, whatever their labels."""
    whole = [Record({"text": f"text {n % 30}"}, n % 2) for n in range(90)]
    rest, aside = hold_out(KIND, whole, 0.2, seed=0)
    assert not {r.texts["text"] for r in rest} & {r.texts["text"] for r in aside}


def test_too_few_examples_are_refused():
    """Witness: the whole sentence."""
    with pytest.raises(BadInput) as error:
        hold_out(KIND, records(0, 1), 0.1, seed=0)
    assert str(error.value) == (
        "row 1: too few examples to set 0.1 of them aside; got 2; allowed: enough for at least one on either side; "
        "give a file of its own or another share."
    )
