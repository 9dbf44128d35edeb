"""The only place that prints.

Words and progress go to standard error, the one JSON object of ``--json`` to standard output. On a terminal the progress
is a bar that rewrites itself; in a log file it is a plain line now and then.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

_quiet = False


def set_quiet(quiet: bool) -> None:
    """Silences words and progress (errors and ``--json`` output still come)."""
    global _quiet
    _quiet = quiet


def say(text: str = "") -> None:
    """A line of words for the person at the terminal."""
    if not _quiet:
        print(text, file=sys.stderr, flush=True)


def print_error(text: str) -> None:
    """An error's sentence, never silenced."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """The one JSON object of a command, on standard output."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False), flush=True)


def print_lines(lines: Iterable[str]) -> None:
    """A command's result as a stream of lines on standard output."""
    for line in lines:
        sys.stdout.write(line)
    sys.stdout.flush()


def print_text(text: str) -> None:
    """A command's plain result (generated text) on standard output."""
    print(text, flush=True)


def format_table(headers: list[str], rows: list[list[str]]) -> str:
    """A plain table in columns: first column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [headers, *rows]) for i in range(len(headers))]
    lines = []
    for line in [headers, ["-" * w for w in widths], *rows]:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def format_duration(seconds: float) -> str:
    """``75`` → ``1m15s``: a length of time for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


class ProgressBar:
    """Counts steps towards ``total`` and shows what it is told: rich's bar on a terminal, now and then a line elsewhere."""

    def __init__(self, title: str, total: int, completed: int = 0, interval_s: float = 10.0) -> None:
        self.title, self.total, self.initial, self.interval_s = title, total, completed, interval_s
        self.started_at_s = self.last_print_s = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty() and not _quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            columns = (
                TextColumn("{task.description}"),
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(compact=True),
            )
            self._bar = RichProgress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(title, total=total, completed=completed, note="")
            self._bar.start()

    def update(self, completed: int, note: str = "") -> None:
        """Moves to ``completed`` steps; ``note`` holds the figures beside the bar (loss, tokens/s)."""
        if self._bar is not None:
            self._bar.update(self._task, completed=completed, note=note)
            return
        now = time.monotonic()
        if not _quiet and (now - self.last_print_s >= self.interval_s or completed == self.total):
            self.last_print_s = now
            steps = completed - self.initial
            left_s = (now - self.started_at_s) / steps * (self.total - completed) if steps else 0.0
            print(
                f"{self.title} {completed}/{self.total}  {note}  {format_duration(left_s)} left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Ends the bar's line on a terminal."""
        if self._bar is not None:
            self._bar.stop()


@contextlib.contextmanager
def progress_bar(title: str, total: int, completed: int = 0) -> Iterator[ProgressBar]:
    """A :class:`ProgressBar` that is closed when the block ends."""
    bar = ProgressBar(title, total, completed)
    try:
        yield bar
    finally:
        bar.close()
