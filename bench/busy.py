"""Tokens per second of training on a quiet machine and beside one busy process, as torch waits and as we let it wait.

    python bench/busy.py [--json] [--quick] [--rounds 6]

Both sides train the demo's model with the Trainer's defaults and take their turns, quiet and beside a Python loop that
keeps one core busy. ``torch_defaults`` has the environment as it is, ours what ``warmstart`` sets before torch is loaded
(base/native.py).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drawn import Drawn, train
from pacing import Competitor

from warmstart.base.native import set_native

CONTEXT, VOCABULARY, ROWS = 128, 4096, 32
STEPS = 3  # of a turn: two seconds on a quiet machine
LOOP = "while True: pass"
BUSY = "_busy"


def compete() -> None:
    """Becomes a competitor."""
    from warmstart.models.presets import preset

    train(preset("gpt1-micro", context=CONTEXT, vocab_size=VOCABULARY), Drawn(VOCABULARY, ROWS, CONTEXT))


@contextmanager
def one_busy_process() -> Iterator[None]:
    """A process that takes what it gets of one core, until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", LOOP])
    try:
        time.sleep(0.5)  # until it runs
        yield
    finally:
        process.kill()
        process.wait()


def race(rounds: int) -> dict[str, float]:
    """Median tokens per second of both sides, quiet and (``_busy``) beside one busy process."""
    ours = dict(os.environ)
    set_native(ours)
    command = [sys.executable, __file__, "--compete"]
    running = {"ours": Competitor(command, ours), "torch_defaults": Competitor(command)}
    rates: dict[str, list[float]] = {name + case: [] for name in running for case in ("", BUSY)}
    for competitor in running.values():
        competitor.rate(STEPS)  # does not count
    for _ in range(rounds):
        for name, competitor in running.items():
            rates[name].append(competitor.rate(STEPS))
            with one_busy_process():
                rates[name + BUSY].append(competitor.rate(STEPS))
    for competitor in running.values():
        competitor.finish()
    return {name: statistics.median(found) for name, found in rates.items()}


def to_json(rates: dict[str, float]) -> dict[str, Any]:
    """The shape that others rely on; ``kept`` is what is left beside a busy process of each side's quiet speed."""
    ours, theirs = ("ours", "ours" + BUSY), ("torch_defaults", "torch_defaults" + BUSY)
    return {
        "ours": rates["ours"],
        "ours_busy": rates["ours_busy"],
        "peers": {name: rates[name] for name in theirs},
        "ratios": {name: rates[mine] / rates[name] for mine, name in zip(ours, theirs, strict=True)},
        "kept": {quiet: rates[busy] / rates[quiet] for quiet, busy in (ours, theirs)},
        "unit": "tokens/s",
    }


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--compete", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete:
        compete()
        return
    rates = race(2 if asked.quick else asked.rounds)
    result = to_json(rates)
    if asked.json:
        print(json.dumps(result))
        return
    print(f"{'tokens/s, medians':20} {'quiet':>10} {'busy':>10} {'kept':>8}")
    for name, kept in result["kept"].items():
        print(f"{name:20} {rates[name]:10,.0f} {rates[name + BUSY]:10,.0f} {kept:8.2f}")
    quiet, busy = result["ratios"].values()
    print(f"{'ours is':20} {quiet:9.2f}x {busy:9.2f}x")


if __name__ == "__main__":
    main()
