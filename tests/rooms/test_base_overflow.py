"""Lists whose rest lies in a file."""

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmstart.base.errors import DiskFull
from warmstart.base.overflow import Codec, OverflowList, Selection, from_json, gather, select, to_json

PLAIN = Codec(lambda value: value, lambda value: value, lambda value: 10)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text().filter(lambda key: key != "()"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_plain_values_are_read_back_as_they_are(value: Any) -> None:
    """Witness: the value itself, with the type of each part: tuples stay tuples, whole numbers whole."""
    line = to_json(value)
    assert line is not None and repr(from_json(line)) == repr(value)


@pytest.mark.parametrize("value", [datetime.date(2026, 1, 1), {1: "a"}, [np.int64(3)], {"()": 1}, b"x", {"a": {2, 3}}])
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    """Witness: values that JSON would refuse, or read back as something else."""
    assert to_json(value) is None


def overflowing(items: list[Any], room: int) -> OverflowList[Any]:
    found: OverflowList[Any] = OverflowList(PLAIN, room)
    for item in items:
        found.append(item)
    settled = found.settled()
    assert isinstance(settled, OverflowList)
    return settled


@pytest.mark.parametrize("room", [0, 35])
def test_a_list_beyond_memory_is_a_list(room: int) -> None:
    """Witness: a Python list: length, items from both ends, slices, order, and a value that no file holds."""
    plain = [f"ä{n}\n" * (n % 7) for n in range(3000)]
    plain[50] = datetime.date(2026, 1, 1)  # type: ignore[call-overload]
    found = overflowing(plain, room)
    assert len(found) == len(plain) and list(found) == plain
    assert [found[n] for n in (0, 3, 50, 2999, -1, np.int64(7))] == [plain[n] for n in (0, 3, 50, 2999, -1, 7)]
    part = found[5:100:3]
    assert list(part) == plain[5:100:3] and list(part[::2]) == plain[5:100:3][::2] and part[1] == plain[8]
    with pytest.raises(IndexError):
        found[3000]


def test_items_are_chosen_by_number() -> None:
    """Witness: the same of a list; a choice of a choice."""
    plain = list(range(100))
    numbers = np.array([7, 3, 3, 99])
    chosen = select(overflowing(plain, 50), numbers)
    assert isinstance(chosen, Selection) and list(chosen) == select(plain, numbers) == [7, 3, 3, 99]
    assert list(select(chosen, np.array([3, 0]))) == [99, 7]


def test_what_fits_is_a_plain_list() -> None:
    """Witness: its type; nothing is written."""
    assert gather(iter("abc"), PLAIN) == ["a", "b", "c"]


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the device that is always full."""

    def full(**options: Any) -> Any:
        return open("/dev/full", "w+b", buffering=0)

    monkeypatch.setattr("warmstart.base.overflow.tempfile.TemporaryFile", full)
    found: OverflowList[Any] = OverflowList(PLAIN, 0)
    with pytest.raises(DiskFull, match="no space left"):
        found.append("text")
