"""What runs the jobs of a preparation, by name; each gives the same results in the same order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from warmstart.corpora.ray_jobs import check_ray, ray_runner
from warmstart.corpora.workers import JobRunner, job_runner

Engine = Callable[[int, Sequence[str], Path | None], AbstractContextManager[JobRunner]]

ENGINES: dict[str, Engine] = {"local": job_runner, "ray": ray_runner}
_CHECKS: dict[str, Callable[[], None]] = {"ray": check_ray}


def check_engine(name: str) -> None:
    """Refuses an engine whose package is missing.

    Raises:
        BadInput: it is missing.
    """
    if name in _CHECKS:
        _CHECKS[name]()
