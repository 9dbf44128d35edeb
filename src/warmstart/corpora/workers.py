"""Cleaning and encoding in several processes, results in the order of the jobs, so any number gives the same bytes.

A worker is this module run as a program: jobs come on its standard input, results go to its standard output, each led by
its length. It ends when its input does, so none outlives the parent, and it does not run the parent's own script again.
Few jobs wait at any time: memory does not grow with the corpus.

Without cleaning there are no workers: words are looked up faster than text is handed over, or the tokenizers library encodes
on all cores by itself.
"""

import contextlib
import itertools
import json
import signal
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from warmstart.base.errors import WarmstartError
from warmstart.base.worker_process import start_module
from warmstart.corpora.jobs import Chunk, Encoding, clean_chunk, encode_texts
from warmstart.text.tokenizer import Tokenizer

_LENGTH = struct.Struct("<q")
_JOBS_PER_WORKER = 2
"""One in work, one waiting."""


class JobResult(NamedTuple):
    """The chunks of a job with their cleaned texts or, where there is a tokenizer, their ids instead."""

    chunks: list[Chunk]
    texts: list[str]
    encoding: Encoding | None


JobRunner = Callable[[Iterable[list[Chunk]]], Iterator[JobResult]]


@contextlib.contextmanager
def job_runner(count: int, rules: Sequence[str], tokenizer_folder: Path | None) -> Iterator[JobRunner]:
    """A function from jobs to their results, in order, with ``count`` processes while the block lasts."""
    if count == 1 or not rules:
        tokenizer = Tokenizer.load(tokenizer_folder) if tokenizer_folder else None
        yield lambda jobs: (run_job(job, rules, tokenizer) for job in jobs)
        return
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(rules, tokenizer_folder)) for _ in range(count)]
        yield lambda jobs: _run_jobs(jobs, workers)


def run_job(chunks: list[Chunk], rules: Sequence[str], tokenizer: Tokenizer | None) -> JobResult:
    """What every process does with a job."""
    texts = [clean_chunk(chunk, rules) for chunk in chunks]
    return JobResult(chunks, [], encode_texts(texts, tokenizer)) if tokenizer else JobResult(chunks, texts, None)


def _run_jobs(jobs: Iterable[list[Chunk]], workers: Sequence["_Worker"]) -> Iterator[JobResult]:
    pending: deque[Future[JobResult]] = deque()
    for job, worker in zip(jobs, itertools.cycle(workers), strict=False):
        pending.append(worker.submit(job))
        if len(pending) >= _JOBS_PER_WORKER * len(workers):
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


class _Worker(contextlib.AbstractContextManager["_Worker"]):
    """The parent's side of one worker process; a thread feeds it and waits for it."""

    def __init__(self, rules: Sequence[str], tokenizer_folder: Path | None) -> None:
        settings = json.dumps({"rules": list(rules), "tokenizer": tokenizer_folder and str(tokenizer_folder)})
        self._process = start_module(__name__, settings, TOKENIZERS_PARALLELISM="false")
        self._thread = ThreadPoolExecutor(1)

    def submit(self, chunks: list[Chunk]) -> Future[JobResult]:
        return self._thread.submit(self._exchange, chunks)

    def _exchange(self, chunks: list[Chunk]) -> JobResult:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            _send(self._process.stdin, pack_job(chunks))
            answer = _receive(self._process.stdout) or b"{}"
            ids = _receive(self._process.stdout)
        except BrokenPipeError:
            answer, ids = b"{}", b""
        return unpack_result(chunks, answer, ids)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        self._process.communicate()


def pack_job(chunks: list[Chunk]) -> bytes:
    """A job, to be sent to another process."""
    return json.dumps(chunks, ensure_ascii=False).encode("utf-8")


def unpack_job(data: bytes) -> list[Chunk]:
    """The job that :func:`pack_job` has packed."""
    return [Chunk(*chunk) for chunk in json.loads(data)]


def pack_result(result: JobResult) -> tuple[bytes, bytes]:
    """What came of a job but for its chunks, to be sent back: JSON, and its ids."""
    counts, text_bytes = (result.encoding.counts, result.encoding.text_bytes) if result.encoding else (None, 0)
    answer = {"texts": result.texts, "counts": counts, "text_bytes": text_bytes}
    ids = result.encoding.ids.astype(np.int32).tobytes() if result.encoding else b""
    return json.dumps(answer, ensure_ascii=False).encode("utf-8"), ids


def unpack_result(chunks: list[Chunk], data: bytes, ids: bytes) -> JobResult:
    """The result that :func:`pack_result` has packed.

    Raises:
        WarmstartError: an error in its place, or nothing.
    """
    answer = json.loads(data)
    if "texts" not in answer:
        raise WarmstartError(
            f"a worker process stopped ({answer.get('error', 'was it killed, for want of memory?')}); "
            "run again with --workers 1"
        )
    if answer["counts"] is None:
        return JobResult(chunks, answer["texts"], None)
    numbers = np.frombuffer(ids, np.int32).astype(np.int64)
    return JobResult(chunks, answer["texts"], Encoding(numbers, answer["counts"], answer["text_bytes"]))


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    """The next message; empty at the end, or where the other side died while sending."""
    head = stream.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
    data = stream.read(length)
    return data if len(data) == length else b""


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = json.loads(sys.argv[1])
    source, target = sys.stdin.buffer, sys.stdout.buffer
    tokenizer = Tokenizer.load(Path(settings["tokenizer"])) if settings["tokenizer"] else None
    while data := _receive(source):
        try:
            answer, ids = pack_result(run_job(unpack_job(data), settings["rules"], tokenizer))
        except Exception as error:  # whatever it is, the parent reports it
            _send(target, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            _send(target, b"")
            return
        _send(target, answer)
        _send(target, ids)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        _main()
