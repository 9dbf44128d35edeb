"""Stop requests: SIGTERM and Ctrl-C set a flag that the loop reads between steps, saves, and ends with its exit code."""

import signal
import threading
from types import FrameType

from warmstart.base.errors import InterruptError, TerminationError


class StopRequests:
    """Listens while the ``with`` block runs. A second Ctrl-C does not wait."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():  # Python lets only that one listen
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signal == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self._signal is not None

    def error(self, where: str) -> TerminationError | InterruptError:
        """What to raise once everything is saved."""
        if self._signal == signal.SIGTERM:
            return TerminationError(
                f"{where}: stopped by SIGTERM and saved; run the same command with --resume to continue."
            )
        return InterruptError(f"{where}: interrupted and saved; run the same command with --resume to continue.")
