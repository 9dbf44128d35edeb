"""Preparing text: learning a vocabulary, encoding, and the whole command, beside tokenizers and transformers with datasets.

    python bench/prepare.py [--data FOLDER] [--mb 100] [--rounds 3] [--only learn|encode|all] [--json]

The text is the files of FOLDER (default: books/train below WARMSTART_DATA), again and again until there is enough, with one
long word of forty misspelled from the second time on, so that new words keep coming. Each side is a process of its own on
all cores; the sides take turns. A figure is the median rate in MB of text by the clock, and by the processor time of all its
threads and processes, which other work on the machine changes less. Reading the text counts on no side, but for the command.

learn     ours, and tokenizers' own trainer: the vocabularies have to be equal
encode    ours, tokenizers' encode_batch_fast in batches of 256, and datasets' ``map`` (batched, a process a core) with
          transformers' fast tokenizer: the ids have to be equal; texts of 4,096 characters at most
all       ``warmstart prepare`` from the file to the corpus, vocabulary included
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from processor import describe

VOCAB_SIZE = 8192
SIDES = {"learn": ("ours", "tokenizers"), "encode": ("ours", "tokenizers", "datasets_map"), "all": ("ours",)}


def write_text(path: Path, folder: Path, megabytes: float) -> None:
    """Real text, and from its second repetition on with misspelled words."""
    files = sorted(p for p in folder.rglob("*") if p.name.endswith((".txt", ".txt.gz")))
    rng, size, turn = random.Random(0), 0, 0  # noqa: S311  (no secret)
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1e6:
            for source in files:
                with gzip.open(source, "rt", encoding="utf-8") if source.suffix == ".gz" else source.open() as text:
                    words = text.read().split(" ")
                for place in range(turn, len(words) if turn else 0, 40):
                    words[place] = misspell(words[place], rng)
                size += file.write(" ".join(words) + "\n\n")
                if size >= megabytes * 1e6:
                    return
            turn += 1


def misspell(word: str, rng: random.Random) -> str:
    """A long word with another letter in one place."""
    if len(word) < 4 or not word.isalpha():
        return word
    place = rng.randrange(1, len(word))
    return word[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[place + 1 :]


def read_parts(home: Path) -> list[str]:
    """The text in the parts that a tokenizer is given."""
    from warmstart.readers.documents import TOKENIZER_CHARS, split_chunks

    return list(split_chunks([(home / "text.txt").read_text(encoding="utf-8")], TOKENIZER_CHARS))


def learn_ours(home: Path) -> Callable[[], str]:
    """Tokenizer.train, as ``warmstart prepare`` has it."""
    from warmstart.text.tokenizer import Tokenizer

    parts = read_parts(home)
    return lambda: Tokenizer.train(iter(parts), VOCAB_SIZE).fingerprint


def learn_tokenizers(home: Path) -> Callable[[], str]:
    """The library's own trainer, with the same settings."""
    from warmstart.text import word_table

    word_table._library.cache_clear()
    word_table._library = lambda: None  # so that nothing but the library is left
    return learn_ours(home)


def fingerprint(parts: Iterator[list[int]]) -> str:
    """Of the ids of all parts."""
    import numpy as np

    digest = hashlib.sha256()
    for ids in parts:
        digest.update(np.array(ids, "<u4").tobytes())
    return digest.hexdigest()


def encode_ours(home: Path) -> Callable[[], str]:
    """Jobs of 256 parts, about a megabyte, as ``warmstart prepare`` has them."""
    from warmstart.text.tokenizer import Tokenizer

    parts, tokenizer = read_parts(home), Tokenizer.load(home)

    def run() -> str:
        found: list[Any] = []
        for start in range(0, len(parts), 256):
            found += tokenizer.encode_batch(parts[start : start + 256])
        stop_clock()
        return fingerprint(iter(found))

    return run


def encode_tokenizers(home: Path) -> Callable[[], str]:
    """The library, which encodes a batch on all cores."""
    import tokenizers

    parts, backend = read_parts(home), tokenizers.Tokenizer.from_file(str(home / "tokenizer.json"))

    def run() -> str:
        found: list[list[int]] = []
        for start in range(0, len(parts), 256):
            found += [e.ids for e in backend.encode_batch_fast(parts[start : start + 256], add_special_tokens=False)]
        stop_clock()
        return fingerprint(iter(found))

    return run


def encode_datasets_map(home: Path) -> Callable[[], str]:
    """What most people do."""
    import datasets
    from transformers import AutoTokenizer

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(home)
    rows = datasets.Dataset.from_dict({"text": read_parts(home)})

    def encode(some: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": tokenizer(some["text"], add_special_tokens=False)["input_ids"]}

    def run() -> str:
        cores = len(os.sched_getaffinity(0))
        done = rows.map(
            encode, batched=True, num_proc=cores, remove_columns=["text"], cache_file_name=str(home / "map.arrow")
        )
        stop_clock()
        return fingerprint(row["input_ids"] for row in done)

    return run


def all_ours(home: Path) -> Callable[[], str]:
    """The command, in a process of its own."""
    out = home / "corpus"
    command = [sys.executable, "-m", "warmstart", "prepare", str(home / "text.txt"), "--out", str(out), "--quiet"]

    def run() -> str:
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return ""

    return run


def clock() -> tuple[float, float]:
    """Seconds by the clock, and of the processor for this process and those that it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


_stopped: list[tuple[float, float]] = []


def stop_clock() -> None:
    """What comes after this does not count: it compares."""
    _stopped.append(clock())


def compete(home: Path, stage: str, side: str) -> None:
    """One side of one stage, once: prints its seconds and what it found."""
    run = globals()[f"{stage}_{side}"](home)
    began = clock()
    found = run()
    ended = (_stopped or [clock()])[0]
    print(json.dumps({"clock": ended[0] - began[0], "processor": ended[1] - began[1], "found": found}))


def race(home: Path, stage: str, rounds: int) -> dict[str, dict[str, float]]:
    """Median MB/s of each side, by the clock and by the processor."""
    megabytes, told = (home / "text.txt").stat().st_size / 1e6, {side: [] for side in SIDES[stage]}
    for _ in range(rounds):
        for side, results in told.items():
            command = [sys.executable, __file__, "--home", str(home), "--compete", stage, side]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
    if len({result["found"] for results in told.values() for result in results}) > 1:
        raise SystemExit(f"{stage}: the sides found different things")
    kinds = ("clock", "processor")
    return {
        side: {kind: statistics.median(megabytes / result[kind] for result in results) for kind in kinds}
        for side, results in told.items()
    }


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=f"{os.environ.get('WARMSTART_DATA', '.')}/books/train")
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=SIDES, action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compete", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete:
        compete(Path(asked.home), *asked.compete)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_text(home / "text.txt", Path(asked.data), asked.mb)
        from warmstart.text.tokenizer import Tokenizer

        Tokenizer.train(iter(read_parts(home)[:5000]), VOCAB_SIZE).save(home)
        found = {stage: race(home, stage, asked.rounds) for stage in asked.only or SIDES}
    if asked.json:
        rates = {(stage, side): rate["clock"] for stage, sides in found.items() for side, rate in sides.items()}
        ours = {stage: rates[stage, "ours"] for stage in found}
        peers = {f"{stage}_{side}": rate for (stage, side), rate in rates.items() if side != "ours"}
        ratios = {f"{stage}_{side}": ours[stage] / rate for (stage, side), rate in rates.items() if side != "ours"}
        print(json.dumps({"ours": ours, "peers": peers, "ratios": ratios, "unit": "MB/s"}))
        return
    print(describe())
    print(f"{'MB/s of text':24} {'by the clock':>12} {'a core':>8} {'ours is':>8}")
    for stage, sides in found.items():
        for side, rate in sides.items():
            times = "" if side == "ours" else f"{sides['ours']['processor'] / rate['processor']:7.2f}x"
            print(f"{stage + ', ' + side:24} {rate['clock']:12.1f} {rate['processor']:8.1f} {times:>8}")


if __name__ == "__main__":
    main()
