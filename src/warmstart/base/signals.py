"""Stop requests: SIGTERM and Ctrl-C end a run by an error with an exit code of its own, once all is saved.

The training loop listens with :class:`StopRequests`: a flag that it reads between steps. Around all else of a run (files are
read, weights are written) stands :func:`stop_at_once`, where SIGTERM raises at the place where the program is.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from warmstart.base.errors import InterruptError, TerminationError


class StopNow(BaseException):
    """A signal came where it need not wait (:meth:`StopRequests.at_once`); no ``Exception``, so that none swallows it."""


class StopRequests:
    """Listens while the ``with`` block runs. A second Ctrl-C does not wait.

    A signal that nobody asked about by the end of the block is passed on to whoever listened before.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._is_answered = self._is_at_once = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequests":
        if _is_main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for number, handler in self._before.items():
            _restore(number, handler)
        if self._signal is not None and not self._is_answered and kind is None:
            signal.raise_signal(self._signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signal == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number
        if self._is_at_once:
            raise StopNow

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While the block runs, which changes nothing that is saved, a signal does not wait: it raises :class:`StopNow`."""
        self._is_at_once = True
        try:
            if self.requested:
                raise StopNow
            yield
        finally:
            self._is_at_once = False

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self._signal is not None

    @property
    def number(self) -> int | None:
        """The signal that came, if one did."""
        return self._signal

    def take(self, number: int | None) -> None:
        """A signal that came to another process of the same training is answered here as well."""
        self._signal = self._signal if number is None else number

    def error(self, where: str) -> TerminationError | InterruptError:
        """What to raise once everything is saved."""
        self._is_answered = True
        if self._signal == signal.SIGTERM:
            return TerminationError(
                f"{where}: stopped by SIGTERM and saved; run the same command with --resume to continue."
            )
        return InterruptError(f"{where}: interrupted and saved; run the same command with --resume to continue.")


@contextmanager
def stop_at_once(sentence: Callable[[], str]) -> Iterator[None]:
    """While the block runs, SIGTERM raises :class:`TerminationError`.

    Args:
        sentence: the message, asked for when the signal comes; an empty one lets the block come to its end.
    """
    if not _is_main_thread():
        yield
        return
    process, stopped = os.getpid(), []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # a fork has inherited this, and is to end as any process
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        message = sentence()
        if message:
            stopped.append(TerminationError(message))
            raise stopped[0]

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    except Exception:
        if stopped:  # somebody may have made another error of it
            raise stopped[0] from None
        raise
    else:
        if stopped and sentence():  # or swallowed it
            raise stopped[0]
    finally:
        _restore(signal.SIGTERM, before)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()  # Python lets only that one listen


def _restore(number: int, handler: object) -> None:
    signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]
