"""Predictions per second on this machine: ``warmstart predict`` beside transformers and ONNX Runtime.

    python bench/predict.py [--rows 100000] [--model bert-mini | --start FOLDER] [--texts numbers|sst2|imdb] [--json]

Every competitor is a process of its own and answers some chunks of 1,024 rows in turn (bench/pacing.py), from the line of
the file to the line of the answer, on all threads that OMP_NUM_THREADS allows. Ours is what ``warmstart predict`` runs, in
float32 as it has it by default, and with ``--precision bf16``. The peers do by hand what one would: they encode a chunk,
sort it by length, pad batches of 32 to their longest text, and write label and probabilities in the order of the rows:

transformers_fp32, _bf16   the same folder, loaded in that format
onnx_fp32, onnx_int8       ``warmstart convert --to onnx``, also with ``--quantize int8``, by onnxruntime

Answers in float32 are compared with ours before the race; of the others the share of equal labels is told. ``--start`` takes
the model of a folder (a MiniLM, say), not a fresh one, with a class read at the first token, as transformers has it;
``--texts`` the texts of SST-2's test or of IMDB's, below WARMSTART_DATA, again and again, and not rows of one to nine words
with a number.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory import write_rows
from numpy.typing import NDArray
from pacing import Pace, race, show

from warmstart.evaluation.predict import predict_rows
from warmstart.example.record import Record
from warmstart.readers.documents import read_documents
from warmstart.readers.rows import read_rows
from warmstart.run.loading import load_run
from warmstart.tasks.dataset import read_records
from warmstart.tasks.row_source import ReadOptions
from warmstart.train.precision import default_device
from warmstart.verbs.finetune import finetune
from warmstart.verbs.members import run_predictor
from warmstart.verbs.output import json_lines, write_lines

CHUNK, STEPS, BATCH = 1024, 4, 32


def write_texts(path: Path, kind: str, rows: int) -> None:
    """So many rows: short ones that are made up, or those of a data set from the beginning again and again."""
    if kind == "numbers":
        write_rows(path, rows)
        return
    folder = Path(os.environ["WARMSTART_DATA"])
    if kind == "sst2":
        texts = [row.fields["sentence"] for row in read_rows(str(folder / "sst2" / "test.tsv"), "utf-8")]
    else:
        found = read_documents([str(folder / "imdb" / "imdb_test.tar.gz")], "latin-1")
        texts = list(islice(("".join(document.chunks) for document in found), 4 * CHUNK))
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(islice(cycle(texts), rows)):
            file.write(json.dumps({"id": number, "text": text}) + "\n")


def train(home: Path, start: str | None, model: str) -> None:
    """A run of three classes, hardly trained: how good it is costs no time; and the same as ONNX."""
    from warmstart.config.load import compose
    from warmstart.config.schema import FinetuneRecipe
    from warmstart.verbs.api import convert

    write_rows(home / "train.jsonl", 600)
    flags: dict[str, Any] = (
        {"--start": start, "--head-pool": "sum"}
        if start
        else {"--start": "none", "--model": model, "--vocab-size": 2000}
    )
    flags |= {"--task": "classification", "--train": str(home / "train.jsonl"), "--length": "2 steps"}
    finetune(compose(FinetuneRecipe, flags=flags), str(home / "run"))
    convert(str(home / "run"), str(home / "onnx_fp32"), to="onnx")
    convert(str(home / "run"), str(home / "onnx_int8"), to="onnx", quantize="int8")


def paced(records: Iterable[Record], pace: Pace | None) -> Iterator[Record]:
    """The same Records, each chunk when it is its turn."""
    for number, record in enumerate(records):
        if pace is not None and number % CHUNK == 0:
            pace.step(CHUNK)
        yield record


def run_ours(home: Path, rows: str, pace: Pace | None, precision: str = "fp32", name: str = "ours") -> None:
    """What ``warmstart predict`` does."""
    loaded = load_run(home / "run", precision)
    spec = loaded.task()
    records = read_records(spec.kind, home / rows, spec.label_names, ReadOptions(labelled=False, keeps_texts=True))
    told = predict_rows(run_predictor(loaded), paced(records, pace))
    write_lines(str(home / f"{name}-{rows}"), json_lines(told))


def run_ours_bf16(home: Path, rows: str, pace: Pace | None) -> None:
    """The same in bf16."""
    run_ours(home, rows, pace, "bf16", "ours_bf16")


Answer = Callable[[dict[str, NDArray[np.int64]]], NDArray[np.float32]]


def run_peer(name: str, home: Path, rows: str, pace: Pace | None) -> None:
    """Padded batches, sorted by length within a chunk; ``name`` says what answers them."""
    from transformers import AutoConfig, AutoTokenizer

    answer = (transformers_answer if name.startswith("transformers") else onnx_answer)(home, name)
    tokenizer, config = AutoTokenizer.from_pretrained(home / "run"), AutoConfig.from_pretrained(home / "run")
    most = config.max_position_embeddings
    names = [config.id2label[number] for number in range(config.num_labels)]
    with (home / rows).open() as given, (home / f"{name}-{rows}").open("w") as told:
        while lines := list(islice(given, CHUNK)):
            if pace is not None:
                pace.step(len(lines))
            found = [json.loads(line) for line in lines]
            texts = tokenizer([row["text"] for row in found], truncation=True, max_length=most)
            order = sorted(range(len(lines)), key=lambda number: len(texts["input_ids"][number]))
            shares = np.zeros((len(lines), len(names)), np.float32)
            for start in range(0, len(order), BATCH):
                some = order[start : start + BATCH]
                batch = tokenizer.pad(
                    {key: [texts[key][number] for number in some] for key in texts}, return_tensors="np"
                )
                logits = answer(dict(batch))
                shares[some] = np.exp(logits - logits.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            for row, own in zip(found, shares.tolist(), strict=True):
                best = max(range(len(own)), key=own.__getitem__)
                probabilities = dict(zip(names, own, strict=True))
                told.write(
                    json.dumps(row | {"label": names[best], "score": own[best], "probabilities": probabilities}) + "\n"
                )


def transformers_answer(home: Path, name: str) -> Answer:
    """The folder's model in the format of the name."""
    from transformers import AutoModelForSequenceClassification

    place, dtype = default_device(), torch.bfloat16 if name.endswith("bf16") else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(home / "run", dtype=dtype).to(place).eval()

    def answer(batch: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        with torch.inference_mode():
            tensors = {key: torch.from_numpy(value).to(place) for key, value in batch.items()}
            return model(**tensors).logits.float().cpu().numpy()

    return answer


def onnx_answer(home: Path, name: str) -> Answer:
    """The file of that name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(home / name / "model.onnx", options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda batch: session.run(None, {key: batch[key].astype(np.int64) for key in names})[0]


def runner(name: str) -> Callable[[Path, str, Pace | None], None]:
    """What a competitor runs."""
    return RUNNERS.get(name) or functools.partial(run_peer, name)


RUNNERS = {"ours": run_ours, "ours_bf16": run_ours_bf16}
COMPETITORS = (*RUNNERS, "transformers_fp32", "transformers_bf16", "onnx_fp32", "onnx_int8")


def check(home: Path, texts: str) -> None:
    """Stops where the answers in float32 are not alike; says how many labels are equal in the other formats."""
    write_texts(home / "few.jsonl", texts, 128)
    found = {}
    for name in COMPETITORS:
        runner(name)(home, "few.jsonl", None)
        lines = (home / f"{name}-few.jsonl").read_text().split("\n")[:-1]
        found[name] = np.array([list(json.loads(line)["probabilities"].values()) for line in lines])
        if name.endswith("fp32") and not np.allclose(found[name], found["ours"], atol=1e-4):
            raise SystemExit(f"{name}: the answers differ by {np.abs(found[name] - found['ours']).max()}")
        equal = (found[name].argmax(1) == found["ours"].argmax(1)).mean()
        print(f"{name}: {100 * equal:.1f} % of the labels are those of float32", file=sys.stderr)


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--model", default="bert-mini", help="a preset that transformers has a class for")
    parser.add_argument("--start", metavar="FOLDER", help="the model of this folder")
    parser.add_argument("--texts", choices=("numbers", "sst2", "imdb"), default="numbers")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="8,192 rows")
    parser.add_argument("--compete", choices=("begin", *COMPETITORS), help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete == "begin":
        train(Path(asked.home), asked.start, asked.model)
        check(Path(asked.home), asked.texts)
        return
    if asked.compete:
        runner(asked.compete)(Path(asked.home), "rows.jsonl", Pace())
        return
    steps = STEPS if asked.texts == "numbers" else 1
    rounds = max(1, round((2 * CHUNK * steps if asked.quick else asked.rows) / (CHUNK * steps)))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        me = [sys.executable, __file__, "--home", folder, "--model", asked.model, "--texts", asked.texts]
        me += [*(["--start", asked.start] if asked.start else []), "--compete"]
        # In a process of its own: a competitor's peak memory begins at what the process that starts it has.
        subprocess.run([*me, "begin"], check=True)
        write_texts(home / "rows.jsonl", asked.texts, (rounds + 1) * CHUNK * steps + 1)  # one turn does not count
        result = race({name: [*me, name] for name in COMPETITORS}, rounds, steps)
    if not asked.json:
        show([result], "ours", "rows/s")
        return
    peers = {name: rate for name, rate in result.items() if name != "ours"}
    ratios = {name: result["ours"] / rate for name, rate in peers.items()}
    told = {"ours": result["ours"], "peers": peers, "ratios": ratios, "unit": "rows/s"}
    print(json.dumps(told | {"peak_mb": result.peaks_mb}))


if __name__ == "__main__":
    main()
