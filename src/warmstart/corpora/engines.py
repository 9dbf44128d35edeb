"""What runs the jobs of a preparation, by name; each gives the same results in the same order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from warmstart.corpora.ray_jobs import check_ray, ray_runner
from warmstart.corpora.workers import JobRunner, job_runner


class Engine(NamedTuple):
    """What runs jobs.

    Attributes:
        runner: processes, rules and the tokenizer's folder → a function from jobs to their results.
        check: refuses it where its package is missing.
    """

    runner: Callable[[int, Sequence[str], Path | None], AbstractContextManager[JobRunner]]
    check: Callable[[], None]


ENGINES = {"local": Engine(job_runner, lambda: None), "ray": Engine(ray_runner, check_ray)}
