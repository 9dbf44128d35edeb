"""Signals that are handed on, with torch's own store in one process; several processes: tests/processes."""

import datetime
import os
import signal
import threading
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from warmstart.base import signal_relay
from warmstart.base.signal_relay import KEY, SignalRelay

PATIENCE = datetime.timedelta(seconds=30)


@pytest.fixture(autouse=True)
def came(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set when SIGTERM comes to this process."""
    monkeypatch.setattr(signal_relay, "PERIOD_S", 0.01)
    monkeypatch.setattr(signal_relay, "GRACE_S", 0.01)
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_told_to_the_others(came: threading.Event) -> None:
    """Witness: what stands in the store; the process itself gets it once, as ever."""
    store = dist.HashStore()
    with SignalRelay(store):
        signal.raise_signal(signal.SIGTERM)
        store.wait([KEY], PATIENCE)
    assert int(store.get(KEY)) == signal.SIGTERM and came.is_set()
    assert signal.set_wakeup_fd(-1) == -1


def test_the_word_of_another_becomes_a_signal(came: threading.Event) -> None:
    """Witness: Python's own handler."""
    store = dist.HashStore()
    with SignalRelay(store):
        store.set(KEY, str(int(signal.SIGTERM)))
        assert came.wait(30)


def test_a_signal_to_a_fork_is_its_own(came: threading.Event) -> None:
    """Invariant: nothing is told to the others, and nothing comes here."""
    store, (reader, writer) = dist.HashStore(), os.pipe()
    with SignalRelay(store):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
            os.write(writer, b".")
            signal.pause()
        os.read(reader, 1)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    os.close(reader)
    os.close(writer)
    assert not store.check([KEY]) and not came.is_set()


def test_where_nothing_comes_nothing_is_told() -> None:
    """Invariant: the block ends at once, the store is empty, and Python tells its signals to whom it told them before."""
    store = dist.HashStore()
    with SignalRelay(store):
        pass
    assert not store.check([KEY]) and signal.set_wakeup_fd(-1) == -1
