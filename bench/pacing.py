"""Competitors in processes of their own, which take their turns only when told to, one after the other.

A setting that one of them makes in torch or in the C library cannot reach another, each has its own peak memory, and what
the machine does meanwhile falls on all alike.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch


class Pace:
    """In the competitor's process: call :meth:`step` before each step; it waits until the step is wanted.

    ``units`` is what the steps since the last call have worked on: tokens, or examples.
    """

    def __init__(self) -> None:
        self.left, self.done, self.began_at_s = 0, 0.0, 0.0

    def step(self, units: float) -> None:
        """Counts the step before and waits for the go to the next; ends the process when there is none."""
        self.done += units
        if self.left == 0:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            print(json.dumps({"units": self.done, "seconds": time.perf_counter() - self.began_at_s}), flush=True)
            self.left = int(sys.stdin.readline() or 0)
            if self.left == 0:
                print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}), flush=True)
                sys.exit(0)
            self.done, self.began_at_s = 0.0, time.perf_counter()
        self.left -= 1


class Competitor:
    """In the bench's process: one competitor, by its command line, in this environment or another."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        self._told()  # it is ready

    def _told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a competitor ended early, with exit code {self.process.wait()}: {self.process.args}")
        told: dict[str, Any] = json.loads(line)
        return told

    def _tell(self, steps: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self._told()

    def rate(self, steps: int) -> float:
        """Units per second of the next ``steps`` steps."""
        told = self._tell(steps)
        return float(told["units"] / told["seconds"])

    def finish(self) -> float:
        """Ends it and returns its peak resident memory in MB."""
        peak_mb = float(self._tell(0)["peak_mb"])
        self.process.wait()
        return peak_mb


class Result(dict[str, float]):
    """Median rate of each competitor, and its peak memory."""

    def __init__(self, rates: Mapping[str, Sequence[float]], peaks_mb: Mapping[str, float]) -> None:
        super().__init__({name: statistics.median(found) for name, found in rates.items()})
        self.peaks_mb = dict(peaks_mb)


def race(commands: Mapping[str, Sequence[str]], rounds: int, steps: int) -> Result:
    """All competitors in turns, ``steps`` steps a turn, ``rounds`` turns after one that does not count."""
    running = {name: Competitor(command) for name, command in commands.items()}
    rates: dict[str, list[float]] = {name: [] for name in running}
    for number in range(rounds + 1):
        for name, competitor in running.items():
            rate = competitor.rate(steps)
            if number > 0:
                rates[name].append(rate)
    return Result(rates, {name: competitor.finish() for name, competitor in running.items()})


def show(results: Sequence[Result], ours: str, unit: str) -> None:
    """One table per race: rates, ours against each, peak memory."""
    for result in results:
        print(f"{unit:32} {'median':>10} {'ours is':>9} {'peak MB':>9}")
        for name, rate in result.items():
            mine = next(value for other, value in result.items() if other.startswith(ours))
            times = "" if name.startswith(ours) else f"{mine / rate:8.2f}x"
            print(f"{name:32} {rate:10.1f} {times:>9} {result.peaks_mb[name]:9,.0f}")
        print()
