"""Trials one after the other in this process, or some at once, each in a process of its own.

A worker is this module run as a program. It is told the recipe of the study and walks its design by itself, so that only
the number of a trial goes to it and a :class:`~warmstart.study.store.Result` comes back; all else is in the store on the
disk. It saves what it trains and ends where its input does, so none outlives the parent.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from warmstart.base.console import print_json, set_quiet
from warmstart.base.errors import WarmstartError
from warmstart.base.worker_process import start_module
from warmstart.build.labelled_data import read_labelled_data
from warmstart.config.study import StudyRecipe
from warmstart.corpora.settings import num_cores
from warmstart.study.designs import find_design
from warmstart.study.folder import stopped_as_study
from warmstart.study.store import Cell, Result, TrialStore
from warmstart.study.subsets import with_test

TrialRunner = Callable[[Sequence[Cell]], Iterator[Result]]
"""The trials of the next round → their results, in order."""


@contextlib.contextmanager
def trial_runner(recipe: StudyRecipe, store: TrialStore) -> Iterator[TrialRunner]:
    """What runs the rounds of a study while the block lasts, ``recipe.jobs`` trials at once."""
    if recipe.jobs == 1:
        yield lambda cells: map(store.run, cells)
        return
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(recipe, store.path)) for _ in range(recipe.jobs)]
        yield stack.enter_context(_Pool(workers)).run


class _Pool(contextlib.AbstractContextManager["_Pool"]):
    """Gives each trial to the first worker that is free."""

    def __init__(self, workers: Sequence["_Worker"]) -> None:
        self._threads, self._free, self._round = ThreadPoolExecutor(len(workers)), queue.SimpleQueue["_Worker"](), 0
        for worker in workers:
            self._free.put(worker)

    def run(self, cells: Sequence[Cell]) -> Iterator[Result]:
        """The results of the next round, in order; all of it is under way when this returns."""
        places = [(self._round, place) for place in range(len(cells))]
        self._round += 1
        futures = [self._threads.submit(self._exchange, *place) for place in places]
        return (future.result() for future in futures)

    def _exchange(self, round_number: int, place: int) -> Result:
        worker = self._free.get()
        try:
            return worker.run(round_number, place)
        finally:
            self._free.put(worker)

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Worker(contextlib.AbstractContextManager["_Worker"]):
    """The parent's side of one worker process."""

    def __init__(self, recipe: StudyRecipe, trials: Path) -> None:
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, num_cores() // recipe.jobs))
        self._process = start_module(__name__, group=0, OMP_NUM_THREADS=threads)  # the parent passes Ctrl-C on
        self._send({"recipe": recipe.model_dump(mode="json", exclude_none=True), "trials": str(trials)})

    def run(self, round_number: int, place: int) -> Result:
        """The result of one trial, by its place in the design."""
        assert self._process.stdout is not None
        answer: dict[str, Any] = {}
        with contextlib.suppress(BrokenPipeError):
            self._send({"round": round_number, "place": place})
            answer = json.loads(self._process.stdout.readline() or b"{}")
        if "result" in answer:
            return Result(**answer["result"])
        failure = WarmstartError(
            answer.get("error")
            or "a process of this study has stopped (was it killed, for want of memory?); run the same "
            "command again, with fewer --jobs"
        )
        failure.exit_code = answer.get("exit_code", failure.exit_code)
        raise failure

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # in a training it saves first
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate()


class _Design:
    """The worker's side: the design of the study, walked as far as the parent is."""

    def __init__(self, recipe: StudyRecipe, trials: Path) -> None:
        self._store, data = (
            TrialStore(trials, recipe.base),
            with_test(read_labelled_data(recipe.task, recipe.train.seed)),
        )
        self._rounds = find_design(recipe).rounds(recipe, data)
        self._cells, self._number = next(self._rounds), 0

    def run(self, round_number: int, place: int) -> Result:
        """Runs one trial; all of the rounds before have been finished, so their results are read."""
        while self._number < round_number:
            self._cells = self._rounds.send([self._store.run(cell) for cell in self._cells])
            self._number += 1
        return self._store.run(self._cells[place])


def _listen(messages: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Takes what the parent sends; where that ends, so does this process, as by SIGTERM."""
    with open(0, "rb", closefd=False) as source:
        for line in source:
            messages.put(json.loads(line))
    os.kill(os.getpid(), signal.SIGTERM)


def _main() -> int:
    set_quiet(True)
    messages = queue.SimpleQueue[dict[str, Any]]()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    try:
        first = messages.get()
        with stopped_as_study(first["trials"]):
            design = _Design(StudyRecipe.model_validate(first["recipe"]), Path(first["trials"]))
            while True:
                print_json({"result": asdict(design.run(**_place(messages.get())))})
    except WarmstartError as failure:
        print_json({"error": str(failure), "exit_code": failure.exit_code})
        return failure.exit_code
    except Exception as failure:  # whatever it is, the parent reports it
        print_json({"error": f"{type(failure).__name__}: {failure}"})
        return WarmstartError.exit_code


def _place(message: dict[str, Any]) -> dict[str, int]:
    return {"round_number": message["round"], "place": message["place"]}


if __name__ == "__main__":
    os._exit(_main())  # the thread that listens must not hold up the end
