"""Peak memory of preparing and of pre-training, for a 10 MB and for a 1 GB corpus: it must not grow with the text.

    python bench/memory.py [--json] [--large-mb 1000]

Text is the English of this Python installation, repeated with a running number in front of every paragraph. Each figure
is the peak resident memory of a process of its own.
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


def peak_mb(verb: str, **arguments: object) -> float:
    """Peak resident memory in MB of one verb in a process of its own."""
    command = [sys.executable, "-c", CHILD, verb, json.dumps(arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1000


def main() -> None:
    """Measures both sizes and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--large-mb", type=int, default=1000)
    asked = parser.parse_args()
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home, tokenizer = Path(folder), None
        for size in (10, asked.large_mb):
            text, corpus = home / f"{size}.txt", str(home / f"corpus{size}")
            write_text(text, size)
            prepare = peak_mb("prepare", paths=str(text), out=corpus, vocab_size=4096, tokenizer=tokenizer)
            text.unlink()
            tokenizer = corpus
            pretrain = peak_mb(
                "pretrain", corpus=[corpus], out=str(home / f"run{size}"), model="gpt1-micro", length="30 steps",
                dev_frac=0.0001,
            )  # fmt: skip
            found[size] = {"prepare": prepare, "pretrain": pretrain}
    small, large = found.values()
    if asked.json:
        ratios = {name: large[name] / small[name] for name in small}
        print(json.dumps({"ours": large, "peers": {"10 MB": small}, "ratios": ratios, "unit": "MB of memory"}))
        return
    print(f"{'peak memory, MB':16} {'10 MB':>8} {f'{asked.large_mb} MB':>8} {'more':>8}")
    for name in small:
        print(f"{name:16} {small[name]:8.0f} {large[name]:8.0f} {large[name] - small[name]:+8.0f}")


if __name__ == "__main__":
    main()
