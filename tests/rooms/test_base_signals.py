"""Stop requests: who hears a signal, and what becomes of one that nobody asked about."""

import os
import signal
from collections.abc import Iterator

import pytest

from warmstart.base.errors import BadInput, InterruptError, TerminationError
from warmstart.base.signals import StopRequests, stop_at_once


def test_a_signal_stops_the_program_where_it_is() -> None:
    """Invariant: what comes after it does not run; the handler of before is there again."""
    before, done = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(TerminationError, match="go on later") as caught, stop_at_once(lambda: "go on later"):
        signal.raise_signal(signal.SIGTERM)
        done.append(1)
    assert caught.value.exit_code == 75 and not done
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("other", [None, BadInput("a broken file")])
def test_a_stop_that_is_caught_on_its_way_is_a_stop_all_the_same(other: BadInput | None) -> None:
    """Invariant: whoever catches all errors, and goes on or makes another of it."""
    with pytest.raises(TerminationError, match="go on later"), stop_at_once(lambda: "go on later"):
        try:
            signal.raise_signal(signal.SIGTERM)
        except Exception:
            if other is not None:
                raise other from None


def test_other_errors_are_left_as_they_are() -> None:
    """Invariant: no signal, no stop."""
    with pytest.raises(BadInput), stop_at_once(lambda: "go on later"):
        raise BadInput("a broken file")


def test_without_a_sentence_the_block_comes_to_its_end() -> None:
    """Invariant: nothing is raised."""
    with stop_at_once(str):
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that a shell began in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, TerminationError), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_that_nobody_asked_about_is_passed_on(number: int, error: type[BaseException]) -> None:
    """Witness: the handlers of before, once the inner listener has gone; within it the program goes on."""
    done = []
    with pytest.raises(error), stop_at_once(lambda: "stopped"):
        with StopRequests():
            signal.raise_signal(number)
            done.append(1)
        done.append(2)
    assert done == [1]


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, TerminationError), (signal.SIGINT, InterruptError)])
def test_a_signal_that_was_asked_about_is_answered_once(number: int, error: type[BaseException]) -> None:
    """Invariant: the error of the inner listener alone."""
    with pytest.raises(error, match="saved"), stop_at_once(lambda: "outer"), StopRequests() as stop:
        signal.raise_signal(number)
        assert stop.requested
        raise stop.error("here")


def test_a_fork_ends_as_any_process_does() -> None:
    """Witness: the status that the kernel reports of a child which inherited the handler."""
    with stop_at_once(lambda: "the parent's"):
        child = os.fork()
        if child == 0:
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
