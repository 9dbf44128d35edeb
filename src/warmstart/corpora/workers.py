"""Cleaning and encoding in several processes, results in the order of the jobs, so any number gives the same bytes.

A worker is this module run as a program: jobs come on its standard input, results go to its standard output, each led by
its length. It ends when its input does, so none is left behind however the parent dies, and the parent's own script is
not run again in it. Few jobs are under way at any time: memory does not grow with the corpus.

Without cleaning no worker is started: the tokenizers library encodes on all cores by itself, and as fast.
"""

import contextlib
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from warmstart.base.errors import WarmstartError
from warmstart.corpora.work import Encoded, Piece, cleaned, encode
from warmstart.text.tokenizer import Tokenizer

_LENGTH = struct.Struct("<q")
_AHEAD = 2
"""Jobs under way per worker: one being done, one waiting."""


class Job(NamedTuple):
    """A job and, once done, its cleaned texts or ids."""

    pieces: list[Piece]
    texts: list[str]
    encoded: Encoded | None


Work = Callable[[Iterable[list[Piece]]], Iterator[Job]]


@contextlib.contextmanager
def working(count: int, rules: Sequence[str], tokenizer_folder: Path | None) -> Iterator[Work]:
    """A function from jobs to done jobs, in order: cleaned and, with a tokenizer, encoded (texts are then left out)."""
    if count == 1 or not rules:
        tokenizer = Tokenizer.load(tokenizer_folder) if tokenizer_folder else None
        yield lambda jobs: (_done(job, rules, tokenizer) for job in jobs)
        return
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(rules, tokenizer_folder)) for _ in range(count)]
        yield lambda jobs: _spread(jobs, workers)


def _done(pieces: list[Piece], rules: Sequence[str], tokenizer: Tokenizer | None) -> Job:
    texts = [cleaned(piece, rules) for piece in pieces]
    return Job(pieces, [], encode(texts, tokenizer)) if tokenizer else Job(pieces, texts, None)


def _spread(jobs: Iterable[list[Piece]], workers: Sequence["_Worker"]) -> Iterator[Job]:
    under_way: deque[Future[Job]] = deque()
    for job, worker in zip(jobs, itertools.cycle(workers), strict=False):
        under_way.append(worker.submit(job))
        if len(under_way) >= _AHEAD * len(workers):
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


class _Worker(contextlib.AbstractContextManager["_Worker"]):
    """The parent's side of one worker process; a thread feeds it and waits for it."""

    def __init__(self, rules: Sequence[str], tokenizer_folder: Path | None) -> None:
        order = json.dumps({"rules": list(rules), "tokenizer": tokenizer_folder and str(tokenizer_folder)})
        package = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(  # noqa: S603  (our own module, our own arguments)
            [sys.executable, "-P", "-m", __name__, order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths, "TOKENIZERS_PARALLELISM": "false"},
        )
        self._thread = ThreadPoolExecutor(1)

    def submit(self, pieces: list[Piece]) -> Future[Job]:
        return self._thread.submit(self._exchange, pieces)

    def _exchange(self, pieces: list[Piece]) -> Job:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            _send(self._process.stdin, json.dumps(pieces, ensure_ascii=False).encode("utf-8"))
            answer = json.loads(_receive(self._process.stdout) or b"{}")
            ids = np.frombuffer(_receive(self._process.stdout), np.int32).astype(np.int64)
        except BrokenPipeError:
            answer = {}
        if "texts" not in answer:
            raise WarmstartError(
                f"a worker process stopped ({answer.get('error', 'was it killed, for want of memory?')}); "
                "run again with --workers 1"
            )
        encoded = Encoded(ids, answer["counts"], answer["text_bytes"]) if answer["counts"] is not None else None
        return Job(pieces, answer["texts"], encoded)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        self._process.communicate()


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
    order = json.loads(sys.argv[1])
    source, target = sys.stdin.buffer, sys.stdout.buffer
    tokenizer = Tokenizer.load(Path(order["tokenizer"])) if order["tokenizer"] else None
    while data := _receive(source):
        try:
            job = _done([Piece(*piece) for piece in json.loads(data)], order["rules"], tokenizer)
        except Exception as error:  # whatever it is, the parent shall say it
            _send(target, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            _send(target, b"")
            return
        counts, text_bytes = (job.encoded.counts, job.encoded.text_bytes) if job.encoded else (None, 0)
        answer = {"texts": job.texts, "counts": counts, "text_bytes": text_bytes}
        _send(target, json.dumps(answer, ensure_ascii=False).encode("utf-8"))
        _send(target, job.encoded.ids.astype(np.int32).tobytes() if job.encoded else b"")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        _main()
