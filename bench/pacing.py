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
from processor import describe


class Pace:
    """In the competitor's process: call :meth:`step` before each step; it waits until the step is wanted.

    ``units`` is what the steps since the last call have worked on: tokens, or examples.
    """

    def __init__(self) -> None:
        self.left, self.done, self.began_at_s, self.processor_s = 0, 0.0, 0.0, 0.0

    def step(self, units: float) -> None:
        """Counts the step before and waits for the go to the next; ends the process when there is none."""
        self.done += units
        if self.left == 0:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            took = {
                "seconds": time.perf_counter() - self.began_at_s,
                "processor": time.process_time() - self.processor_s,
            }
            print(json.dumps({"units": self.done, **took}), flush=True)
            self.left = int(sys.stdin.readline() or 0)
            if self.left == 0:
                print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}), flush=True)
                sys.exit(0)
            self.done, self.began_at_s, self.processor_s = 0.0, time.perf_counter(), time.process_time()
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
        return self.rates(steps)[0]

    def rates(self, steps: int) -> tuple[float, float]:
        """Units per second of the next ``steps`` steps, by the clock and by the processor time of all threads."""
        told = self._tell(steps)
        return float(told["units"] / told["seconds"]), float(told["units"] / told["processor"])

    def finish(self) -> float:
        """Ends it and returns its peak resident memory in MB."""
        peak_mb = float(self._tell(0)["peak_mb"])
        self.process.wait()
        return peak_mb


class Result(dict[str, float]):
    """Median rate of each competitor by the clock, the same by processor time, and its peak memory."""

    def __init__(self, rates: Mapping[str, Sequence[tuple[float, float]]], peaks_mb: Mapping[str, float]) -> None:
        by_clock, by_processor = (
            {name: statistics.median(one[way] for one in found) for name, found in rates.items()} for way in (0, 1)
        )
        super().__init__(by_clock)
        self.by_processor, self.peaks_mb = by_processor, dict(peaks_mb)


def race(commands: Mapping[str, Sequence[str]], rounds: int, steps: int) -> Result:
    """All competitors in turns, ``steps`` steps a turn, ``rounds`` turns after one that does not count."""
    running = {name: Competitor(command) for name, command in commands.items()}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    for number in range(rounds + 1):
        for name, competitor in running.items():
            found = competitor.rates(steps)
            if number > 0:
                rates[name].append(found)
    return Result(rates, {name: competitor.finish() for name, competitor in running.items()})


def show(results: Sequence[Result], ours: str, unit: str) -> None:
    """What machine this is; one table per race: rates by the clock and by the processor, ours against each, peak memory."""
    print(describe(products=True))
    for result in results:
        mine = next(name for name in result if name.startswith(ours))
        print(f"{unit:32} {'median':>10} {'ours is':>9} {'a core':>10} {'ours is':>9} {'peak MB':>9}")
        for name, rate in result.items():
            core = result.by_processor[name]
            both = (result[mine] / rate, result.by_processor[mine] / core)
            times, core_times = ("" if name == mine else f"{one:8.2f}x" for one in both)
            print(f"{name:32} {rate:10.1f} {times:>9} {core:10.1f} {core_times:>9} {result.peaks_mb[name]:9,.0f}")
        print()
