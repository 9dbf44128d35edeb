"""How much longer than bare Python the command line takes to start: for the helps, and for an error on a bad path.

    python bench/start.py [--json] [--runs 15]

Runs are interleaved; figures are medians of whole processes, in milliseconds. Modules are compiled beforehand, as they are
for everyone after the first call.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare Python": [sys.executable, "-c", "pass"],
    "warmstart --help": [sys.executable, "-m", "warmstart", "--help"],
    "warmstart finetune --help": [sys.executable, "-m", "warmstart", "finetune", "--help"],
    "an error on a bad path": [sys.executable, "-m", "warmstart", "evaluate", "--run", "no/such", "--data", "no.jsonl"],
}


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for command in COMMANDS.values():
        subprocess.run(command, capture_output=True, check=False, env=environment)
    times_of: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.runs):
        for name, command in COMMANDS.items():
            began_at_s = time.perf_counter()
            subprocess.run(command, capture_output=True, check=False, env=environment)
            times_of[name].append(1000 * (time.perf_counter() - began_at_s))
    medians = {name: statistics.median(times) for name, times in times_of.items()}
    bare = medians.pop("bare Python")
    if options.json:
        ratios = {name: value / bare for name, value in medians.items()}
        print(json.dumps({"ours": medians, "peers": {"bare Python": bare}, "ratios": ratios, "unit": "ms"}))
        return
    print(f"{'median, ms':26} {'whole':>8} {'beyond Python':>14}\n{'bare Python':26} {bare:8.0f}")
    for name, value in medians.items():
        print(f"{name:26} {value:8.0f} {value - bare:14.0f}")


if __name__ == "__main__":
    main()
