"""Peak memory of preparing, pre-training and fine-tuning on 20 MB and 2 GB, of predicting and evaluating few and many rows.

    python bench/memory.py [--json] [--large-mb 2000] [--large-rows 1000000] [--only text|labelled|rows] [--folder DIR]

It must not grow with the input. Text is the English of this Python installation, repeated with a running number in front of
every paragraph; rows are short sentences of it. Each figure is the peak resident memory of a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

CHILD = """
import json, resource, sys
verb, arguments = sys.argv[1], json.loads(sys.argv[2])
import warmstart
getattr(warmstart, verb)(**arguments)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_text(path: Path, megabytes: int) -> None:
    """Paragraphs of the language reference until ``megabytes`` are written."""
    paragraphs = [p for topic in topics.values() for p in topic.split("\n\n")]
    size = number = 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1_000_000:
            line = f"{number} {paragraphs[number % len(paragraphs)]}\n\n"
            size += file.write(line)
            number += 1


def write_rows(path: Path, count: int) -> None:
    """Short labelled rows, each with its number."""
    words = " ".join(topics.values()).split()
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            start = number * 7 % (len(words) - 8)
            text = " ".join(words[start : start + 1 + number % 8])
            file.write(json.dumps({"id": number, "text": f"{text} {number}", "label": f"l{number % 3}"}) + "\n")


def write_labelled(path: Path, megabytes: int) -> None:
    """Labelled paragraphs of the language reference, each with a running number, until ``megabytes`` are written."""
    paragraphs = [p for topic in topics.values() for p in topic.split("\n\n") if len(p) > 40]
    size = number = 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1_000_000:
            row = {"text": f"{number} {paragraphs[number % len(paragraphs)]}", "label": f"l{number % 3}"}
            size += file.write(json.dumps(row) + "\n")
            number += 1


def peak_mb(verb: str, **arguments: object) -> float:
    """Peak resident memory in MB of one verb in a process of its own."""
    command = [sys.executable, "-c", CHILD, verb, json.dumps(arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1000


def of_text(home: Path, sizes_mb: tuple[int, int]) -> dict[str, list[float]]:
    """Peak memory of prepare and of pretrain, for each size of text."""
    found: dict[str, list[float]] = {"prepare": [], "pretrain": []}
    tokenizer = None
    for size in sizes_mb:
        text, corpus = home / f"{size}.txt", str(home / f"corpus{size}")
        write_text(text, size)
        prepared = peak_mb("prepare", paths=str(text), out=corpus, vocab_size=4096, tokenizer=tokenizer)
        found["prepare"].append(prepared)
        text.unlink()
        tokenizer = corpus
        trained = peak_mb(
            "pretrain", corpus=[corpus], out=str(home / f"run{size}"), model="gpt1-micro", length="30 steps",
            optimizer="adamw", dev_frac=0.0001,
        )  # fmt: skip
        found["pretrain"].append(trained)
    return found


def of_labelled(home: Path, sizes_mb: tuple[int, int]) -> dict[str, list[float]]:
    """Peak memory of finetune, for each size of the training file; few steps, since all rows are read before the first."""
    write_labelled(home / "dev.jsonl", 1)
    write_labelled(home / "vocabulary.jsonl", 1)
    start = {"start": "none", "model": "gpt1-micro", "vocab_size": 4096, "task": "classification"}
    dev, vocabulary, found = str(home / "dev.jsonl"), str(home / "vocabulary"), []
    peak_mb("finetune", out=vocabulary, train=str(home / "vocabulary.jsonl"), dev=dev, length="2 steps", **start)
    for size in sizes_mb:
        rows = home / f"{size}.jsonl"
        write_labelled(rows, size)
        out = str(home / f"tuned{size}")
        found.append(
            peak_mb("finetune", out=out, train=str(rows), dev=dev, length="30 steps", tokenizer=vocabulary, **start)
        )
        rows.unlink()
    return {"finetune": found}


def of_rows(home: Path, counts: tuple[int, int]) -> dict[str, list[float]]:
    """Peak memory of predict and of evaluate, for each number of rows."""
    write_rows(home / "train.jsonl", 300)
    run = str(home / "task")
    peak_mb(
        "finetune", out=run, start="none", model="gpt1-tiny", vocab_size=400, task="classification",
        train=str(home / "train.jsonl"), length="2 steps",
    )  # fmt: skip
    found: dict[str, list[float]] = {"predict": [], "evaluate": []}
    for count in counts:
        write_rows(home / "rows.jsonl", count)
        out = home / f"predictions{count}.jsonl"
        found["predict"].append(peak_mb("predict", run=run, input=str(home / "rows.jsonl"), output=str(out)))
        with out.open() as file:
            written = sum(1 for _ in file)
        if written != count:
            raise SystemExit(f"{written} predictions for {count} rows")
        found["evaluate"].append(peak_mb("evaluate", run=run, data=str(home / "rows.jsonl")))
    return found


def main() -> None:
    """Measures both sizes and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--large-mb", type=int, default=2000)
    parser.add_argument("--large-rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["text", "labelled", "rows"])
    parser.add_argument("--folder", help="where files are made; they go at the end")
    asked = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        home, sizes = Path(folder), (20, asked.large_mb)
        if asked.only in (None, "text"):
            found |= of_text(home, sizes)
        if asked.only in (None, "labelled"):
            found |= of_labelled(home, sizes)
        if asked.only in (None, "rows"):
            found |= of_rows(home, (10_000, asked.large_rows))
    if asked.json:
        ours, small = {name: both[1] for name, both in found.items()}, {name: both[0] for name, both in found.items()}
        ratios = {name: ours[name] / small[name] for name in ours}
        print(json.dumps({"ours": ours, "peers": {"small": small}, "ratios": ratios, "unit": "MB of memory"}))
        return
    print(f"{'peak memory, MB':16} {'small':>8} {'large':>8} {'more':>8}   small and large")
    for name, (small_mb, large_mb) in found.items():
        is_rows = name in ("predict", "evaluate")
        words = f"10,000 and {asked.large_rows:,} rows" if is_rows else f"20 and {asked.large_mb:,} MB"
        print(f"{name:16} {small_mb:8.0f} {large_mb:8.0f} {large_mb - small_mb:+8.0f}   {words}")


if __name__ == "__main__":
    main()
