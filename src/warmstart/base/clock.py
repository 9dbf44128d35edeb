"""When the work began that a dry run describes: to start Python and its libraries is a part of what a training takes."""

import time

_command_began_at_s: float | None = None


def begin_command() -> None:
    """The console script calls it first."""
    global _command_began_at_s
    _command_began_at_s = time.monotonic()


def work_began_at_s() -> float:
    """When the command began, by ``time.monotonic``; in a program of somebody's own it is now."""
    return time.monotonic() if _command_began_at_s is None else _command_began_at_s
