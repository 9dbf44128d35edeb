"""A signal that comes to one process of a training comes to all of them, wherever they are: in a step, reading, waiting.

A process that waits for another does so inside torch, where Python answers no signal. So a thread listens: it is told of
each signal by a pipe (:func:`signal.set_wakeup_fd`), leaves word in the store that all processes share, and looks there for
the word of others.
"""

import os
import select
import signal
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from warmstart.base.console import print_error

KEY = "stopped by"
PERIOD_S = 0.5
"""How often a thread looks for the word of others."""
GRACE_S = 1.0
"""How long the own signal is waited for, where another process has got one: mostly all of them get it."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalRelay(AbstractContextManager["SignalRelay"]):
    """Hands signals on while the ``with`` block runs; does nothing outside of the main thread, where Python hears of none.

    Args:
        store: that all processes share.
    """

    def __init__(self, store: Any) -> None:
        self._store, self.is_meeting, self._before = store, False, -1
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="signal relay", daemon=True)

    def __enter__(self) -> "SignalRelay":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.ident is not None:
            signal.set_wakeup_fd(self._before)
            self._ended.set()
            os.write(self._writer, b"\0")  # so that the thread need not wait for its next look
            self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _listen(self) -> None:
        with suppress(RuntimeError):  # the store has gone, and with it whoever could be told
            while not self._ended.is_set():
                if (own := self._own(PERIOD_S)) is not None:
                    self._store.set(KEY, str(int(own)))
                    self._end_meeting(own)
                    return
                if self._store.check([KEY]):
                    self._hand_on(int(self._store.get(KEY)))
                    return

    def _hand_on(self, number: int) -> None:
        """The signal of another process becomes one of this, unless it comes by itself."""
        if self._own(GRACE_S) is None and not self._ended.is_set():
            os.kill(os.getpid(), number)
            self._end_meeting(number)

    def _end_meeting(self, number: int) -> None:
        """Ends a process that waits inside torch for others that may never come; nothing is begun then."""
        if self.is_meeting and not self._ended.wait(GRACE_S) and self.is_meeting:
            print_error("warmstart: stopped by a signal before the training began; nothing is written.")
            os._exit(75 if number == signal.SIGTERM else 130)

    def _own(self, patience_s: float) -> int | None:
        """A signal that has come to this process, waited for so long."""
        ready, _, _ = select.select([self._reader], [], [], patience_s)
        numbers: Sequence[int] = os.read(self._reader, 64) if ready else b""
        return next((number for number in numbers if number in SIGNALS), None)
