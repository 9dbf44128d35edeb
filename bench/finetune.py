"""Examples per second of fine-tuning a classifier on SST-2's sentences, beside transformers, on this machine.

    python bench/finetune.py [--data DIR] [--text train|whole] [--start FOLDER] [--rounds 10] [--dropout 0.1]

Needs SST-2's files in ``--data`` or ``$WARMSTART_DATA/sst2``. ``train`` is what one trains on, mostly phrases; ``whole`` are
the test set's whole sentences, 25 tokens in the middle. Every competitor is a process of its own and takes some steps of 32
examples in turn (bench/pacing.py), all on the same examples and the same ids. Ours is what ``warmstart finetune``
runs, without the auxiliary language model; the peer is transformers' GPT-2 for classification with a loop that does what
its Trainer does: each batch padded to its longest text, bf16 by autocast or float32 as torch has it by default.

Both have 12 layers of 768 and a table of 40,478 tokens, and both keep their dropout of 0.1 unless told otherwise. With
``--start`` both begin with the model of a folder (a MiniLM, say) and keep its own dropout; the peer's batches are then of
similar lengths: 50 batches at a time are sorted by length, as its Trainer's ``group_by_length`` does.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pacing import Pace, race, show

from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.example import Example
from warmstart.train.precision import default_device

VOCABULARY, BATCH, STEPS, RATE = 40478, 32, 4, 6.25e-5
FILES = {"train": "train.tsv.gz", "whole": "test.tsv"}
SORTED = 50
"""Batches that are sorted by length together."""
COMPETITORS = ("ours", "transformers_bf16", "transformers_fp32")


def recipe_of(data: str, text: str, dropout: float, start: str | None) -> FinetuneRecipe:
    """Fine-tuning a model of GPT-1's size or a given one, long enough for any number of rounds."""
    model = {"start": start} if start else {"start": "none", "model": {"preset": "gpt1", "dropout": dropout}}
    return FinetuneRecipe.model_validate(
        {
            **model,
            "task": {"name": "classification", "train": f"{data}/{FILES[text]}", "dev": f"{data}/dev.tsv"},
            "lm_weight": 0.0,
            "head_dropout": dropout,
            "train": {
                "length": "1000 epochs",
                "optimizer": {"kind": "adamw", "lr": RATE},
                "batch_size": BATCH,
                "evaluate_every": "1000 epochs",
                "save_every_s": 1e9,
            },
        }
    )


def built(recipe: FinetuneRecipe) -> Finetuning:
    """The task, with the table grown to GPT-1's size: the ids stay those of a small vocabulary."""
    found = build_finetuning(recipe)
    if recipe.start != "none":
        return found
    backbone = found.settings.backbone.model_copy(update={"vocab_size": VOCABULARY})
    return dataclasses.replace(found, settings=found.settings.model_copy(update={"backbone": backbone}))


class Paced:
    """A source whose batches wait for their turn."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.pace = inner, None

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, epoch: int, indices: NDArray[np.int64]) -> list[list[Example]]:
        """The same Examples as ever."""
        if self.pace is not None:
            self.pace.step(len(indices))
        found: list[list[Example]] = self.inner.take(epoch, indices)
        return found


def run_ours(recipe: FinetuneRecipe) -> None:
    """The Trainer that ``warmstart finetune`` makes."""
    from warmstart.base.run_folder import RunFolder
    from warmstart.train.loop import Trainer

    task = built(recipe)
    model, _ = task.fresh(recipe)
    [(_, stream)] = task.stream(recipe).parts
    source = Paced(stream.source)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        stream = dataclasses.replace(stream, source=source)
        trainer = Trainer(model, stream, recipe.train, task.criterion, run, None, default_device())
        run.create("a recipe", {})
        source.pace = Pace()
        trainer.run()


def run_transformers(recipe: FinetuneRecipe, bf16: bool) -> None:
    """What transformers' Trainer does in a step, on the records of ours, padded on the right to the longest."""
    task, place = built(recipe), default_device()
    model = peer_model(recipe).to(place).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)
    pace = Pace()
    for examples in peer_batches(task.stream(recipe), SORTED if recipe.start != "none" else 1):
        pace.step(len(examples))
        width = max(map(len, examples))
        ids, mask = torch.zeros(2, len(examples), width, dtype=torch.int64)
        for row, example in enumerate(examples):
            ids[row, : len(example)], mask[row, : len(example)] = torch.from_numpy(example.ids), 1
        labels = torch.tensor([int(example.goals["label"].targets[0]) for example in examples])
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            loss = model(input_ids=ids.to(place), attention_mask=mask.to(place), labels=labels.to(place)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def peer_model(recipe: FinetuneRecipe) -> torch.nn.Module:
    """The peer's model of the same size, or of the same folder."""
    from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

    if recipe.start != "none":
        return AutoModelForSequenceClassification.from_pretrained(recipe.start, num_labels=2, dtype=torch.float32)
    rate = recipe.model.dropout
    config = GPT2Config(
        n_layer=12, n_embd=768, n_head=12, n_positions=512, vocab_size=VOCABULARY, num_labels=2, pad_token_id=0,
        embd_pdrop=rate, attn_pdrop=rate, resid_pdrop=rate, use_cache=False,
    )  # fmt: skip
    return GPT2ForSequenceClassification(config)


def peer_batches(stream: Any, together: int) -> Iterator[list[Example]]:
    """Batches of the stream without end; so many at a time are sorted by length and come in random order."""
    rng = np.random.default_rng(0)
    for first in count(0, together):
        taken = [stream.source.take(*stream.indices(step)) for step in range(first, first + together)]
        examples = [record[0] for some in taken for record in some]
        if together > 1:
            examples.sort(key=len)
        starts = range(0, len(examples), BATCH)
        for start in rng.permutation(starts).tolist():
            yield examples[start : start + BATCH]


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.path.join(os.environ.get("WARMSTART_DATA", ""), "sst2"))
    parser.add_argument("--text", choices=FILES, default="train")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--start", metavar="FOLDER", help="fine-tune the model of this folder, not one of 12 x 768")
    parser.add_argument("--compete", choices=COMPETITORS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not Path(asked.data).is_dir():
        parser.error(f"{asked.data!r} is no folder: give --data, or set WARMSTART_DATA to the folder that holds sst2")
    recipe = recipe_of(asked.data, asked.text, asked.dropout, asked.start)
    if asked.compete == "ours":
        run_ours(recipe)
    elif asked.compete:
        run_transformers(recipe, asked.compete.endswith("bf16"))
    else:
        chosen = ["--data", asked.data, "--text", asked.text, "--dropout", str(asked.dropout)]
        chosen += ["--start", asked.start] if asked.start else []
        me = [sys.executable, __file__, *chosen, "--compete"]
        rounds, steps = 2 if asked.quick else asked.rounds, 20 * STEPS if torch.cuda.is_available() else STEPS
        result = race({name: [*me, name] for name in COMPETITORS}, rounds, steps)
        if not asked.json:
            show([result], "ours", "examples/s")
            return
        peers = {name: rate for name, rate in result.items() if name != "ours"}
        ratios = {name: result["ours"] / rate for name, rate in peers.items()}
        told = {"ours": result["ours"], "peers": peers, "ratios": ratios, "unit": "examples/s"}
        print(json.dumps(told | {"peak_mb": result.peaks_mb}))


if __name__ == "__main__":
    main()
