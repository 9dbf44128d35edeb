"""Input that is damaged or changed at random is refused with a sentence, or read (bench/fuzz.py tries thousands)."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def test_whatever_is_changed_nothing_but_a_sentence_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: each file of a whole folder is named or harmless; no reader, setting or flag raises anything else."""
    monkeypatch.syspath_prepend(str(BENCH))
    fuzz = importlib.import_module("fuzz")
    try:
        found = fuzz.run(cases=200, seed=11)
    finally:
        sys.modules.pop("fuzz")
    assert found["faults"] == {}
    assert found["cases"] >= 200 and found["damaged"] >= 50
