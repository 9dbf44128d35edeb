"""Rows per second and peak memory of predictions for many rows, beside a plain loop of transformers, on this machine.

    python bench/predict.py [--rows 100000] [--model bert-mini] [--json] [--quick]

Rows are short texts of the English that this Python installation carries, as JSON lines; ``--rows 1000000`` answers a
million. Every competitor is a process of its own and answers some chunks of 1,024 rows in turn (bench/pacing.py), from the
line of the file to the line of the answer. Ours is what ``warmstart predict`` runs, in float32 as it has it by default. The
peer loads the same folder with transformers and does by hand what one would: encodes a chunk, sorts it by length, pads
batches of 32 to their longest text, answers in float32, and writes label and probabilities in the order of the rows. Its
answers are compared with ours before the race.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
from memory import write_rows
from pacing import Pace, race, show

from warmstart.evaluation.predict import predict_rows
from warmstart.example.record import Record
from warmstart.run.loading import load_run
from warmstart.tasks.dataset import read_records
from warmstart.tasks.row_source import ReadOptions
from warmstart.train.precision import default_device
from warmstart.verbs.finetune import finetune
from warmstart.verbs.members import run_predictor
from warmstart.verbs.output import json_lines, write_lines

CHUNK, STEPS, BATCH = 1024, 4, 32
COMPETITORS = ("ours", "transformers")


def train(home: Path, model: str) -> None:
    """A run of three classes, hardly trained: how good it is costs no time."""
    from warmstart.config.load import compose
    from warmstart.config.schema import FinetuneRecipe

    write_rows(home / "train.jsonl", 600)
    flags = {
        "--start": "none", "--model": model, "--task": "classification", "--train": str(home / "train.jsonl"),
        "--vocab-size": 2000, "--length": "2 steps",
    }  # fmt: skip
    finetune(compose(FinetuneRecipe, flags=flags), str(home / "run"))


def paced(records: Iterable[Record], pace: Pace | None) -> Iterator[Record]:
    """The same Records, each chunk when it is its turn."""
    for number, record in enumerate(records):
        if pace is not None and number % CHUNK == 0:
            pace.step(CHUNK)
        yield record


def run_ours(home: Path, rows: str, pace: Pace | None) -> None:
    """What ``warmstart predict`` does."""
    loaded = load_run(home / "run")
    spec = loaded.task()
    records = read_records(spec.kind, home / rows, spec.label_names, ReadOptions(labelled=False, keeps_texts=True))
    told = predict_rows(run_predictor(loaded), paced(records, pace))
    write_lines(str(home / f"ours-{rows}"), json_lines(told))


def run_transformers(home: Path, rows: str, pace: Pace | None) -> None:
    """Padded batches, sorted by length within a chunk."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = default_device()
    tokenizer = AutoTokenizer.from_pretrained(home / "run")
    model = AutoModelForSequenceClassification.from_pretrained(home / "run").to(place).eval()
    most = model.config.max_position_embeddings
    names = [model.config.id2label[number] for number in range(model.config.num_labels)]
    with (home / rows).open() as given, (home / f"transformers-{rows}").open("w") as told, torch.inference_mode():
        while lines := list(islice(given, CHUNK)):
            if pace is not None:
                pace.step(CHUNK)
            found = [json.loads(line) for line in lines]
            texts = tokenizer([row["text"] for row in found], truncation=True, max_length=most)["input_ids"]
            order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
            shares = torch.zeros(len(texts), len(names))
            for start in range(0, len(order), BATCH):
                some = order[start : start + BATCH]
                batch = tokenizer.pad({"input_ids": [texts[number] for number in some]}, return_tensors="pt").to(place)
                shares[some] = model(**batch).logits.softmax(-1).cpu()
            for row, own in zip(found, shares.tolist(), strict=True):
                best = max(range(len(own)), key=own.__getitem__)
                own_row = {
                    "label": names[best],
                    "score": own[best],
                    "probabilities": dict(zip(names, own, strict=True)),
                }
                told.write(json.dumps(row | own_row) + "\n")


RUNNERS = {"ours": run_ours, "transformers": run_transformers}


def check(home: Path) -> None:
    """Stops where the two do not answer alike."""
    write_rows(home / "few.jsonl", 200)
    found = []
    for name, run in RUNNERS.items():
        run(home, "few.jsonl", None)
        lines = (home / f"{name}-few.jsonl").read_text().splitlines()
        found.append(torch.tensor([list(json.loads(line)["probabilities"].values()) for line in lines]))
    if not torch.allclose(*found, atol=1e-4):
        raise SystemExit(f"the answers differ by {float((found[0] - found[1]).abs().max())}")


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--model", default="bert-mini", help="a preset that transformers has a class for")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="8,192 rows")
    parser.add_argument("--compete", choices=("begin", *COMPETITORS), help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete == "begin":
        train(Path(asked.home), asked.model)
        check(Path(asked.home))
        return
    if asked.compete:
        RUNNERS[asked.compete](Path(asked.home), "rows.jsonl", Pace())
        return
    rounds = max(1, round((2 * CHUNK * STEPS if asked.quick else asked.rows) / (CHUNK * STEPS)))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        me = [sys.executable, __file__, "--home", folder, "--model", asked.model, "--compete"]
        # In a process of its own: a competitor's peak memory begins at what the process that starts it has.
        subprocess.run([*me, "begin"], check=True)
        write_rows(home / "rows.jsonl", (rounds + 1) * CHUNK * STEPS + 1)  # one turn does not count
        result = race({name: [*me, name] for name in COMPETITORS}, rounds, STEPS)
    if not asked.json:
        show([result], "ours", "rows/s")
        return
    told = {"ours": result["ours"], "peers": {"transformers": result["transformers"]}, "unit": "rows/s"}
    ratio = result["ours"] / result["transformers"]
    print(json.dumps(told | {"ratios": {"transformers": ratio}, "peak_mb": result.peaks_mb}))


if __name__ == "__main__":
    main()
