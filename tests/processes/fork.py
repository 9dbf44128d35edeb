"""Starts N processes of one Python that has imported torch once, and tells each who it is, as ``torchrun`` does.

``python fork.py '[{"size": 2, "argv": ["pretrain", …], "strike": [9, 1, 5]}, …]'`` runs one command after the other, each in
all of its processes, and writes one line of JSON for each: exit codes, what each wrote to standard error, seconds.
``strike``: signal, rank and step: that process gets that signal at the end of that step. ``phase``: the second process gets
SIGTERM while all wait in an evaluation (``dev``), or it for the first, which makes the final one alone (``final``).
A number: it lacks memory for more tokens at once. ``after`` and a number: behind that step its states are no numbers.
"""

import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The store is in the first process here, not in a launcher that outlives all: whoever asks it too late is not to say so.
os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"
import torch

import warmstart.study.trial
import warmstart.train.loop
import warmstart.verbs.finetune
import warmstart.verbs.pretrain
from warmstart.cli.main import main, silence_libraries

torch.optim.AdamW([torch.zeros(1)])  # which imports torch's compiler: here once for all


def _strike(number: int, rank: int, step: int) -> None:
    if rank != int(os.environ["RANK"]):
        return
    trainer: Any = warmstart.train.loop.Trainer
    before = trainer._step

    def step_and_strike(self: Any, bar: Any) -> None:
        before(self, bar)
        if self.state.step == step:
            os.kill(os.getpid(), number)

    trainer._step = step_and_strike


def _strike_phase(phase: str) -> None:
    """Evaluations that wait for a signal, of which the second process alone gets one from outside."""
    rank = int(os.environ["RANK"])
    if phase.isdecimal():
        most = int(phase)
        _spoil(lambda states, _: _check_memory(states, most))
        return
    if phase.startswith("after "):
        last = int(phase.removeprefix("after "))
        _spoil(lambda states, step: states * float("nan") if step >= last else states)
        return
    if phase == "dev":
        trainer: Any = warmstart.train.loop.Trainer
        before = trainer._evaluate

        def wait(model: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM) if rank == 1 else signal.pause()

        trainer._evaluate = lambda self, own, stop: before(self, own._replace(evaluate=wait), stop)
        return

    def strike_and_wait(*given: Any) -> Any:
        os.kill(int(Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()[1]), signal.SIGTERM)
        signal.pause()

    warmstart.study.trial.close_scheme = strike_and_wait


def _check_memory(states: Any, most: int) -> Any:
    """No memory for more tokens than that at once."""
    if len(states) > most:
        raise torch.OutOfMemoryError("of the test")
    return states


def _spoil(change: Callable[[Any, int], Any]) -> None:
    """What the second process makes of its states in training, which steps have been done before."""
    trainer: Any = warmstart.train.loop.Trainer
    begin = trainer.__init__

    def make(self: Any, *given: Any) -> None:
        begin(self, *given)

        def hook(module: Any, taken: object, states: Any) -> Any:
            return change(states, self.state.step) if module.training else states

        if os.environ["RANK"] == "1":
            self.model.backbone.blocks[-1].register_forward_hook(hook)

    trainer.__init__ = make


def _child(rank: int, size: int, port: int, work: Callable[[], int], log: Path) -> int:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    return work()


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def fork(size: int, work: Callable[[], int]) -> dict[str, Any]:
    """Runs ``work`` in ``size`` processes; returns their exit codes, minus the signal that ended one, and their words."""
    silence_libraries()
    began_at_s, port, children = time.monotonic(), _free_port(), []
    with tempfile.TemporaryDirectory() as place:
        logs = [Path(place, str(rank)) for rank in range(size)]
        for rank in range(size):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = _child(rank, size, port, work, logs[rank])
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        words = [log.read_text("utf-8") for log in logs]
    return {"codes": codes, "words": words, "seconds": time.monotonic() - began_at_s}


def command(argv: list[str], strike: list[int] | None = None, phase: str = "") -> Callable[[], int]:
    """Runs one warmstart command, its result nowhere."""

    def work() -> int:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if strike:
            _strike(*strike)
        if phase:
            _strike_phase(phase)
        return main(argv)

    return work


if __name__ == "__main__":
    for job in json.loads(sys.argv[1]):
        found = fork(job["size"], command(job["argv"], job.get("strike"), job.get("phase", "")))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
