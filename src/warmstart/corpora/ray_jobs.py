"""Cleaning and encoding as a Ray Data pipeline: on the machines of a cluster, or in processes of this one (extra ``ray``).

One task reads the sources, actors clean and encode, and this process writes; a job is the same and comes in the same order
as without Ray, so the corpus has the same bytes and either way goes on where the other was interrupted. The text and the
corpus folder are on storage that all machines share. ``RAY_ADDRESS`` names a cluster; without it Ray starts here, and ends
with the preparation.
"""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput, WarmstartError
from warmstart.corpora.jobs import Chunk
from warmstart.corpora.workers import JobResult, JobRunner, pack_job, pack_result, run_job, unpack_job, unpack_result
from warmstart.text.tokenizer import Tokenizer

BLOCK_BYTES = 8 << 20
"""Of text that goes to an actor at once: a few jobs."""


def check_ray() -> None:
    """Refuses a preparation by Ray where it is not installed."""
    if find_spec("ray") is None:
        raise BadInput(
            "preparing by Ray needs the ray package", where="--engine", value="ray", allowed="local, or ray with its extra",
            next_step="pip install 'warmstart[ray]', or leave --engine out",
        )  # fmt: skip


@contextlib.contextmanager
def ray_runner(count: int, rules: Sequence[str], tokenizer_folder: Path | None) -> Iterator[JobRunner]:
    """A function from jobs to their results, in order, with at most ``count`` actors while the block lasts.

    Raises:
        WarmstartError: Ray does not start, or ends before the jobs do.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing phones home
    import ray
    from ray.data import DataContext

    with contextlib.ExitStack() as stack:
        if not ray.is_initialized():
            here = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": count + 1, "include_dashboard": False}
            with _one_sentence(ConnectionError, RuntimeError, ValueError):  # what a start ends by
                ray.init(logging_level="error", log_to_driver=False, **here)
            stack.callback(ray.shutdown)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        stack.enter_context(_settings(DataContext.get_current()))
        stack.enter_context(_one_sentence(ray.exceptions.RayError))
        yield lambda jobs: _run_jobs(jobs, count, rules, tokenizer_folder)


@contextlib.contextmanager
def _settings(context: Any) -> Iterator[None]:
    """Results in the order of the jobs, blocks of few of them, nothing printed; afterwards all is as it was."""
    ours = {"target_max_block_size": BLOCK_BYTES, "enable_progress_bars": False, "verbose_stats_logs": False}
    before, order = {name: getattr(context, name) for name in ours}, context.execution_options.preserve_order
    for name, value in ours.items():
        setattr(context, name, value)
    context.execution_options.preserve_order = True
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        context.execution_options.preserve_order = order


def _run_jobs(
    jobs: Iterable[list[Chunk]], count: int, rules: Sequence[str], tokenizer_folder: Path | None
) -> Iterator[JobResult]:
    import ray

    actors = ray.data.ActorPoolStrategy(min_size=1, max_size=count)
    constructor = (list(rules), tokenizer_folder and str(tokenizer_folder))
    # Another share of a core than the actors take: else Ray would make one task of reading and working.
    rows = ray.data.read_datasource(_source(jobs), override_num_blocks=1, num_cpus=0.5)
    for row in rows.map(_Work, fn_constructor_args=constructor, compute=actors).iter_rows():
        yield unpack_result(unpack_job(row["job"]), row["answer"], row["ids"])


def _source(jobs: Iterable[list[Chunk]]) -> Any:
    """The jobs as Ray reads them: in one task, a row each."""
    import pyarrow
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    def read() -> Iterator[Any]:
        for job in jobs:
            yield pyarrow.table({"job": [pack_job(job)]})

    class Jobs(Datasource):  # type: ignore[misc]
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
            return [ReadTask(read, unknown)]

    return Jobs()


class _Work:
    """An actor: what a worker process is without Ray."""

    def __init__(self, rules: Sequence[str], tokenizer_folder: str | None) -> None:
        self.rules = rules
        self.tokenizer = Tokenizer.load(Path(tokenizer_folder)) if tokenizer_folder else None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        answer, ids = pack_result(run_job(unpack_job(row["job"]), self.rules, self.tokenizer))
        return {"job": row["job"], "answer": answer, "ids": ids}


@contextlib.contextmanager
def _one_sentence(*errors: type[Exception]) -> Iterator[None]:
    """Turns what Ray ends by into one sentence."""
    try:
        yield
    except errors as error:
        last = str(error).strip().split("\n")[-1]
        raise WarmstartError(
            f"Ray stopped ({type(error).__name__}: {last}); the same command goes on, also without --engine ray"
        ) from error
