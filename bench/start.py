"""How long people wait for a command: for the helps and for an error, and with --start for the first answer of a model.

    python bench/start.py [--json] [--runs 15] [--start FOLDER]

Runs are interleaved; figures are medians of whole processes, in milliseconds: by the clock, and of processor time, which
other work on the machine disturbs less. Modules are compiled beforehand, as they are for everyone after the first call.
``--start`` names a model folder with a tokenizer: ``predict`` of one row by a classifier made from it, and ``finetune`` up
to its first step (the rest of a training of one step is in it), beside ``import torch`` and reading the same weights.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

OURS = [sys.executable, "-m", "warmstart"]
COMMANDS = {
    "bare Python": [sys.executable, "-c", "pass"],
    "warmstart --help": [*OURS, "--help"],
    "warmstart finetune --help": [*OURS, "finetune", "--help"],
    "an error on a bad path": [*OURS, "evaluate", "--run", "no/such", "--data", "no.jsonl"],
}
READ = "import torch; from safetensors.torch import load_file; load_file({!r})"


class Cost(NamedTuple):
    """Of one process, in ms."""

    wall: float
    processor: float


def first_answers(start: str, home: Path) -> dict[str, list[str]]:
    """The commands of ``--start``, the peer first; makes a classifier with two training steps for them."""
    rows = home / "rows.jsonl"
    texts = (("a fine film", "good"), ("a dull film", "bad"))
    rows.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in 8 * texts))
    (home / "one.jsonl").write_text('{"text": "a fine film"}\n')
    train = [*OURS, "finetune", "--start", start, "--task", "classification", "--train", str(rows), "--quiet"]
    subprocess.run([*train, "--length", "2 steps", "--out", str(home / "run")], check=True, capture_output=True)
    answer = ["--run", str(home / "run"), "--input", str(home / "one.jsonl"), "--output", "-", "--quiet"]
    return {
        "import torch, read weights": [sys.executable, "-c", READ.format(str(home / "run" / "model.safetensors"))],
        "predict of one row": [*OURS, "predict", *answer],
        "finetune, one step": [*train, "--length", "1 steps", "--out", str(home / "first")],
    }


def run(command: list[str], environment: dict[str, str]) -> Cost:
    """One process."""
    began_at_s = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0
    return Cost(1000 * (time.perf_counter() - began_at_s), 1000 * (used.ru_utime + used.ru_stime))


def measure(commands: dict[str, list[str]], runs: int, home: Path) -> dict[str, Cost]:
    """Medians of each command."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            shutil.rmtree(home / "first", ignore_errors=True)
            cost = run(command, environment)
            if turn:  # the first one compiles
                found[name].append(cost)
    return {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in found.items()}


def show(medians: dict[str, Cost]) -> None:
    """The table; ratios are to its first row."""
    peer = next(iter(medians.values()))
    print(f"{'median, ms':28} {'clock':>8} {'processor':>10} {'ratio':>6}")
    for name, cost in medians.items():
        print(f"{name:28} {cost.wall:8.0f} {cost.processor:10.0f} {cost.processor / peer.processor:6.2f}")


def main() -> None:
    """Measures and prints tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--start", help="a model folder, for first answers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = first_answers(options.start, Path(folder)) if options.start else COMMANDS
        medians = measure(commands, options.runs, Path(folder))
    peer, *ours = medians
    if not options.json:
        show(medians)
        return
    values = {name: medians[name].processor for name in medians}
    ratios = {name: values[name] / values[peer] for name in ours}
    named = {name: values[name] for name in ours}
    print(json.dumps({"ours": named, "peers": {peer: values[peer]}, "ratios": ratios, "unit": "ms"}))


if __name__ == "__main__":
    main()
