"""Fingerprints of Records."""

from dataclasses import replace

import pytest

from warmstart.example.record import Answers, Pixels, Record, Target, digest_records

ROWS = [
    Record({"text": "hail"}, 1, {"id": 5}, "rows:1"),
    Record({"context": "c", "choices": ("a", "b")}, (0, 2)),
    Record({"question": "q"}, Answers(("hail",), (3,))),
    Record({"source": "s"}, Target("t")),
    Record({}, 0, image=Pixels(1, 1, b"\0\1\2")),
]


def test_a_digest_is_that_of_what_is_said() -> None:
    """Invariant: other columns and other places are no other data."""
    assert digest_records(ROWS) == digest_records([replace(row, extra={}, where="") for row in ROWS])


@pytest.mark.parametrize(
    ("number", "other"),
    [
        (0, Record({"text": "hail"}, 0)),
        (0, Record({"text": "hai"}, 1)),
        (0, Record({"sentence": "hail"}, 1)),
        (1, Record({"context": "c", "choices": ("a b",)}, (0, 2))),
        (1, Record({"context": "c", "choices": ("a", "b")}, (2, 0))),
        (2, Record({"question": "q"}, Answers(("hail",), (4,)))),
        (3, Record({"source": "s"}, Target("t", spans=(1,)))),
        (4, Record({}, 0, image=Pixels(1, 1, b"\0\1\3"))),
    ],
)
def test_any_other_word_or_label_is_another_digest(number: int, other: Record) -> None:
    """Invariant: so is another order."""
    changed = [*ROWS[:number], other, *ROWS[number + 1 :]]
    assert len({digest_records(rows) for rows in (ROWS, changed, ROWS[::-1], ROWS[:-1])}) == 4
