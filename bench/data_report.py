"""CPU seconds of the checks of labelled data before a training (docs/build.md), by their parts, on this machine.

    python bench/data_report.py [--json] [--rows 560000] [--profile]

Rows as DBpedia has them: 14 classes, texts of 20 to 80 words, a test part of an eighth; words as frequent as in English
(Zipf). Some test rows stand in training, exactly or with a word changed. The time of reading files is not in it.
"""

import argparse
import cProfile
import json
import pstats
import sys
import time

import numpy as np

from warmstart.build.data_report import DataReport, report_data
from warmstart.build.labelled_data import LabelledData
from warmstart.example.record import Record

CLASSES = 14
SHARED = 50  # one test row in so many stands in training, another one nearly


def drawn_texts(count: int, seed: int) -> list[str]:
    """Texts of words that are drawn by their rank."""
    draw = np.random.default_rng(seed)
    letters = np.random.default_rng(0).integers(97, 123, (50_000, 12)).astype(np.uint8)
    sizes = np.random.default_rng(1).integers(2, 13, 50_000)
    words = np.array([row[:size].tobytes().decode() for row, size in zip(letters, sizes, strict=True)])
    lengths = draw.integers(20, 81, count)
    ranks = (len(words) ** draw.random(int(lengths.sum()))).astype(np.int64) - 1  # p of rank r is about 1 / r
    found = np.split(words[ranks], np.cumsum(lengths)[:-1])
    return [" ".join(row).capitalize() + "." for row in found]


def drawn_data(rows: int) -> LabelledData:
    """Training and test Records."""
    texts = {"train": drawn_texts(rows, 2), "test": drawn_texts(rows // 8, 3)}
    texts["test"][::SHARED] = texts["train"][: len(texts["test"][::SHARED])]
    texts["test"][1::SHARED] = [f"{text} Indeed" for text in texts["train"][-len(texts["test"][1::SHARED]) :]]
    records = {
        part: [Record({"text": text}, n % CLASSES, where=f"{part}.csv:{n + 1}") for n, text in enumerate(own)]
        for part, own in texts.items()
    }
    names = tuple(f"class {n}" for n in range(CLASSES))
    return LabelledData("classification", names, records["train"], [], records["test"], dev_is_train=True)


def timed(data: LabelledData) -> tuple[DataReport, float]:
    """The report, and its seconds of CPU."""
    begun = time.process_time()
    report = report_data(data, {})
    return report, time.process_time() - begun


def main() -> None:
    """Prints the report and its time, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=560_000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    data = drawn_data(given.rows)
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    report, seconds = timed(data)
    profile.disable()
    if given.json:
        print(json.dumps({"ours": seconds, "peers": {}, "ratios": {}, "unit": "CPU seconds"}))
        return
    print("\n".join(report.describe()))
    print(f"{seconds:.2f} s of CPU for {given.rows:,} training and {given.rows // 8:,} test rows")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    sys.exit(main())
