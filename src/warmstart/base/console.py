"""The only place that prints.

Messages, errors and progress go to standard error; results (text, or the one JSON object of ``--json``) go to standard
output. On a terminal the progress is one line that redraws itself and is removed at the end; elsewhere it is a plain line
at most every ten seconds.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from warmstart.base.formatting import format_duration

T = TypeVar("T")

INTERVAL_S = 10.0
"""Time between two plain lines of progress, of all bars together."""

_quiet = False
_last_line_s = float("-inf")
_active: list[Any] = []
"""The bars of a terminal, from the outermost to the innermost, which is shown."""


def set_quiet(quiet: bool) -> None:
    """Silences messages and progress; errors and results are still printed."""
    global _quiet
    _quiet = quiet


def say(text: str = "") -> None:
    """Prints a message for the person at the terminal."""
    if not _quiet:
        print(text, file=sys.stderr, flush=True)


def print_error(text: str) -> None:
    """Prints an error; :func:`set_quiet` does not silence it."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Prints the one JSON object of a command on standard output."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False), flush=True)


def print_lines(lines: Iterable[str], at_once: bool = False) -> None:
    """Prints a command's result on standard output, line by line; each line brings its own newline.

    With ``at_once`` each leaves as soon as it is there, for a reader that waits for it.
    """
    for line in lines:
        sys.stdout.write(line)
        if at_once:
            sys.stdout.flush()
    sys.stdout.flush()


def results_on_terminal() -> bool:
    """Whether a person sees the results as they are printed."""
    return sys.stdout.isatty()


def print_text(text: str) -> None:
    """Prints a command's result on standard output."""
    print(text, flush=True)


class ProgressBar:
    """Progress towards ``total`` steps, or without an end that is known.

    It is a bar of rich on a terminal, elsewhere a line every :data:`INTERVAL_S` seconds.
    """

    def __init__(self, title: str, total: int | None, completed: int = 0) -> None:
        self.title, self.total, self.initial = title, total, completed
        self.completed = float(completed)
        self.started_at_s = time.monotonic()
        self._bar: Any = None
        shown_on = getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # below an outer bar rich stands in between
        if shown_on.isatty() and not _quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            columns = (
                TextColumn("{task.description}"),
                BarColumn(24),
                TextColumn("{task.completed:,}") if total is None else MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(compact=True),
            )
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
            self._task = self._bar.add_task(title, total=total, completed=completed, note="")
            for outer in _active[-1:]:
                outer.stop()  # a terminal shows one bar at a time: the innermost
            _active.append(self._bar)
            self._bar.start()

    def update(self, completed: int, note: str = "") -> None:
        """Shows ``completed`` steps; ``note`` holds the figures beside the bar (loss, tokens/s)."""
        global _last_line_s
        self.completed = completed
        if self._bar is not None:
            self._bar.update(self._task, completed=completed, note=note)
            return
        now_s = time.monotonic()
        if _quiet or now_s - max(_last_line_s, self.started_at_s) < INTERVAL_S:
            return
        _last_line_s = now_s
        if self.total is None:
            print(f"{self.title} {completed:,}  {note}", file=sys.stderr, flush=True)
            return
        steps = completed - self.initial
        left_s = (now_s - self.started_at_s) / steps * (self.total - completed) if steps else 0.0
        left = f"{format_duration(left_s)} left"
        print(f"{self.title} {completed}/{self.total}  {note}  {left}", file=sys.stderr, flush=True)

    def advance(self, steps: float, note: str = "") -> None:
        """Shows so many steps more, as :meth:`update` does; parts of steps add up."""
        self.completed += steps
        exact = self.completed
        self.update(int(exact + 1e-6), note)
        self.completed = exact

    def close(self) -> None:
        """Removes the bar from a terminal; the bar that it stood in place of is shown again."""
        if self._bar is not None:
            self._bar.stop()
            _active.remove(self._bar)
            for outer in _active[-1:]:
                outer.start()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No messages and no progress inside the block."""
    before = _quiet
    set_quiet(True)
    try:
        yield
    finally:
        set_quiet(before)


@contextlib.contextmanager
def progress_bar(title: str, total: int | None, completed: int = 0) -> Iterator[ProgressBar]:
    """A :class:`ProgressBar` that the end of the block closes."""
    bar = ProgressBar(title, total, completed)
    try:
        yield bar
    finally:
        bar.close()


def track(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """``items``, with progress towards ``total`` of them."""
    with progress_bar(title, total) as bar:
        for item in items:
            yield item
            bar.advance(1)
