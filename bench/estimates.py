"""What the dry run says of trainings (time, memory, disk), beside what they then take, on this machine.

    python bench/estimates.py [--only NAME …] [--json] [--quick]

Every training is a process of its own that runs as from the command line: the lines that it shows before its first step are
read as a user reads them, and compared with the life of the whole process from its start to its end, with its peak memory
and with the most that its run folder ever took. A ratio above 1: it took more than was said. Data are short texts of the
English that this Python installation carries, as in the other benchmarks.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, NamedTuple

SAID_MEMORY = re.compile(r"about ([\d,]+) MB of memory")
SAID_DISK = re.compile(r"^disk +at most ([\d,.]+) MB", re.MULTILINE)
SAID_TIME = re.compile(r"^time +about (\S+) on this machine", re.MULTILINE)
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
POLL_S = 0.05


class Training(NamedTuple):
    """A command line, the steps of a whole and of a quick run, and the training whose run it starts from."""

    flags: tuple[str, ...]
    length: int
    quick: int
    verb: str = "finetune"
    start: str | None = None


CLASSES = ("--task", "classification", "--train", "{home}/rows.jsonl", "--evaluate-every", "100 steps")
TEXTS = ("--task", "seq2seq", "--train", "{home}/pairs.jsonl", "--decoded-dev", "8", "--evaluate-every", "50 steps")
SMALL = ("--vocab-size", "2000")
TRAININGS = {
    "pretrain gpt1-micro": Training(
        ("--corpus", "{home}/text.txt", "--model", "gpt1-micro", *SMALL, "--optimizer", "adamw",
         "--evaluate-every", "8 steps"),
        8, 2, "pretrain",
    ),
    "gpt1-micro": Training(("--start", "none", "--model", "gpt1-micro", *SMALL, *CLASSES), 30, 2),
    "bert-tiny": Training(("--start", "none", "--model", "bert-tiny", *SMALL, *CLASSES), 30, 2),
    "lstm-mini": Training(("--start", "none", "--model", "lstm-mini", *SMALL, *CLASSES), 30, 2),
    "generator": Training(("--start", "none", "--model", "gpt1-micro", *SMALL, *TEXTS), 20, 2),
    "control, two seeds": Training(
        ("--control", "--seeds", "2", *CLASSES), 20, 2, start="pretrain gpt1-micro"
    ),
}  # fmt: skip


def write_data(home: Path, count: int) -> None:
    """A labelled file, one of sources and targets, and a text."""
    words = " ".join(topics.values()).split()
    rows, pairs = [], []
    for number in range(count):
        start = number * 31 % (len(words) - 60)
        text = " ".join(words[start : start + 5 + number % 40])
        rows.append({"text": text, "label": f"l{number % 3}"})
        pairs.append({"source": text, "target": " ".join(text.split()[: 4 + number % 8])})
    for name, found in (("rows", rows), ("pairs", pairs[: count // 2])):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    (home / "text.txt").write_text("\n\n".join(topics.values()), encoding="utf-8")


def seconds_of(words: str) -> float:
    """``1m15s`` as a number."""
    found = DURATION.fullmatch(words)
    if found is None:
        raise SystemExit(f"not a length of time: {words}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def folder_mb(folder: Path) -> float:
    """What its files take now; one that goes meanwhile is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total / 1e6


def watch(home: Path, name: str, training: Training, length: int) -> dict[str, dict[str, float]]:
    """Runs one training; what was said of it and what it took."""
    out, log = home / name.replace(" ", "_"), home / "log.txt"
    flags = [flag.format(home=home) for flag in training.flags]
    if training.start is not None:
        flags += ["--start", str(home / training.start.replace(" ", "_"))]
    command = [
        sys.executable,
        "-m",
        "warmstart",
        training.verb,
        *flags,
        "--length",
        f"{length} steps",
        "--out",
        str(out),
    ]
    with log.open("w") as file:
        began_at_s = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        disk_mb, done = 0.0, 0
        while not done:
            time.sleep(POLL_S)
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            disk_mb = max(disk_mb, folder_mb(out))
        took_s = time.perf_counter() - began_at_s
    process.returncode = os.waitstatus_to_exitcode(status)
    words = log.read_text()
    if process.returncode:
        raise SystemExit(f"{name} ended with exit code {process.returncode}:\n{words}")
    memory, disk, duration = SAID_MEMORY.search(words), SAID_DISK.search(words), SAID_TIME.search(words)
    if memory is None or disk is None or duration is None:
        raise SystemExit(f"{name}: the dry run does not say what it takes:\n{words}")
    numbers = [float(found[1].replace(",", "")) for found in (memory, disk)]
    said = {"seconds": seconds_of(duration[1]), "memory_mb": numbers[0], "disk_mb": numbers[1]}
    took = {"seconds": took_s, "memory_mb": used.ru_maxrss / 1000, "disk_mb": disk_mb}
    return {"said": said, "took": took, "ratios": {key: took[key] / max(said[key], 0.1) for key in said}}


def show(name: str, found: dict[str, dict[str, float]]) -> None:
    """One line of the table."""
    said, took, ratios = found["said"], found["took"], found["ratios"]
    cells = "".join(f"{said[key]:9.1f} {took[key]:9.1f} {ratios[key]:6.2f}x" for key in said)
    print(f"{name:22}{cells}", flush=True)


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(TRAININGS), default=list(TRAININGS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a few steps each")
    asked = parser.parse_args()
    wanted = set(asked.only) | {start for name in asked.only if (start := TRAININGS[name].start)}
    results: dict[str, Any] = {}
    if not asked.json:
        print(f"{'':22}{'said s':>9} {'took':>9} {'':7}{'said MB':>9} {'peak':>9} {'':7}{'disk MB':>9} {'took':>9}")
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), 100 if asked.quick else 1500)
        for name, training in TRAININGS.items():
            if name not in wanted:
                continue
            results[name] = watch(Path(folder), name, training, training.quick if asked.quick else training.length)
            if not asked.json:
                show(name, results[name])
    if asked.json:
        took = {name: found["took"]["seconds"] for name, found in results.items()}
        said = {name: found["said"]["seconds"] for name, found in results.items()}
        ratios = {name: found["ratios"]["seconds"] for name, found in results.items()}
        print(json.dumps({"ours": took, "peers": {"said": said}, "ratios": ratios, "unit": "s", "all": results}))


if __name__ == "__main__":
    main()
