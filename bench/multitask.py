"""What a step of several tasks costs beside its parts, and what smoothness, R-Drop and FreeLB cost beside a plain step.

    python bench/multitask.py --start MINILM [--data DIR] [--json] [--quick]

Needs a BERT-like folder that transformers loads too, and folders ``mrpc`` and ``rte`` in ``--data`` or ``$WARMSTART_DATA``.
All is processor time of one thread, in float32 or with ``--precision bf16`` as a run computes where the processor has that,
taken in turns on the same batches of 16, so what else the machine does counts little. The peer is the same model in
transformers, padded to the longest text of a batch, with SMART's step as its authors' code has it: a forward with noise, the
gradient of the noise alone, and a forward that is learned from.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax

from warmstart.base.console import silence
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.build.training import build_criterion
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.batch import Batch
from warmstart.models.attention import Kernels
from warmstart.streams.stream import Stream
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import SmoothnessSettings, TrainSettings
from warmstart.train.step import train_step
from warmstart.train.weights import Weights

TASKS = ("mrpc", "rte")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TERMS: dict[str, dict[str, Any]] = {
    "smoothness, K = 1": {"smoothness": SmoothnessSettings(weight=1.0)},
    "smoothness, K = 0": {"smoothness": SmoothnessSettings(weight=1.0, steps=0)},
    "R-Drop": {"r_drop": 1.0},
    "FreeLB, K = 2": {"freelb": 1.0, "smoothness": SmoothnessSettings(steps=2)},
}


def recipe_of(start: str, data: str, precision: str) -> FinetuneRecipe:
    """Both tasks, by size."""
    flags = {"--start": start, "--task": {name: f"{data}/{name}" for name in TASKS}, "--context": "128"}
    flags |= {
        "--batch-size": "16",
        "--length": "1 epochs",
        "--lr": "1e-5",
        "--head-init": "random",
        "--pair-encoder": "cross",
    }
    return compose(FinetuneRecipe, flags=flags | {"--evaluate-every": "1 run", "--precision": precision})


class Ours:
    """A model with its optimizer, and the steps that it can make."""

    def __init__(self, built: Finetuning, recipe: FinetuneRecipe) -> None:
        self.built, self.recipe = built, recipe
        self.model = built.fresh(recipe)[0].train()
        self.optimizer = Optimizer(Weights(self.model, DTYPES[recipe.train.precision]), recipe.train.optimizer)

    def step(self, batches: list[Batch], **terms: Any) -> None:
        """One step on these micro-batches."""
        train: TrainSettings = self.recipe.train.model_copy(update=terms)
        goals = {task.goal: 1.0 for task in self.built.tasks}
        train_step(self.model, self.optimizer, batches, build_criterion(goals, train), 1.0, 1)


class Theirs:
    """The same model in transformers, on the same ids."""

    def __init__(self, start: str, precision: str) -> None:
        from transformers import AutoModelForSequenceClassification

        self.dtype = DTYPES[precision]

        self.model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=2).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, fused=True)

    def step(self, batches: list[Batch], *, smooth: bool) -> None:
        """One step; with SMART's regulariser or without."""
        self.optimizer.zero_grad()
        with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
            self.add_gradients(batches, smooth=smooth)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def add_gradients(self, batches: list[Batch], *, smooth: bool) -> None:
        """Those of all micro-batches."""
        for batch in batches:
            ids, mask = padded(batch)
            embed = self.model.get_input_embeddings()(ids)
            told = self.model(inputs_embeds=embed, attention_mask=mask).logits
            [goal] = batch.goals.values()
            loss = torch.nn.functional.cross_entropy(told, goal.targets)
            if smooth:
                noise = (torch.randn_like(embed) * 1e-3).requires_grad_()
                moved = self.model(inputs_embeds=embed.detach() + noise, attention_mask=mask).logits
                [grad] = torch.autograd.grad(apart(moved, told.detach()), noise)
                noise = (noise.detach() + 1e-2 * grad / grad.abs().amax((1, 2), keepdim=True)).clamp(-1e-2, 1e-2)
                moved = self.model(inputs_embeds=embed + noise, attention_mask=mask).logits
                loss = loss + apart(moved, told)
            loss.backward()


def apart(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The symmetric divergence."""
    p, q = log_softmax(first, -1), log_softmax(second, -1)
    return kl_div(p, q, log_target=True, reduction="batchmean") + kl_div(q, p, log_target=True, reduction="batchmean")


def padded(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """[B, T] ids and mask."""
    rows = torch.split(batch.ids, batch.lengths.tolist())
    ids = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    mask = torch.arange(ids.shape[1])[None] < torch.from_numpy(batch.lengths)[:, None]
    return ids, mask.long()


def race(steps: dict[str, Callable[[int], None]], rounds: int) -> dict[str, float]:
    """Name → median processor seconds of a step, taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            began_at_s = time.thread_time()
            step(number)
            seconds[name] += [time.thread_time() - began_at_s] * (number > 0)  # the first sets things up
    return {name: statistics.median(found) for name, found in seconds.items()}


def choosing_seconds(locate: Callable[[int], Any], times: int = 1000) -> float:
    """Processor seconds in which a mixture says which task a step is of, and which batch of it."""
    began_at_s = time.thread_time()
    for step in range(times):
        locate(step)
    return (time.thread_time() - began_at_s) / times


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", required=True)
    parser.add_argument("--data", default=os.environ.get("WARMSTART_DATA", "data"))
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two rounds instead of ten")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recipe = recipe_of(asked.start, asked.data, asked.precision)
    with silence():
        built = build_finetuning(recipe)
        ours = Ours(built, recipe)
    ours.model.backbone.kernels = Kernels()
    mixed, theirs = built.stream(recipe), Theirs(asked.start, asked.precision)
    streams: list[Stream] = [part.stream for part in mixed.parts]
    places = [mixed.mixture.locate(step) for step in range(mixed.steps_per_epoch)]  # type: ignore[attr-defined]
    rounds = 2 if asked.quick else 10
    # The steps of an epoch of the mixture beside the same batches asked of the tasks' own streams.
    seconds = race(
        {
            "mixture": lambda n: [ours.step(mixed.batches(step)) for step in (2 * n, 2 * n + 1)] and None,
            "parts": lambda n: [
                ours.step(streams[place.task].batches(place.batch)) for place in places[2 * n : 2 * n + 2]
            ] and None,
        },
        rounds,
    )  # fmt: skip
    first = streams[0]
    steps: dict[str, Callable[[int], None]] = {"plain": lambda n: ours.step(first.batches(n))}
    for name, terms in TERMS.items():
        steps[name] = lambda n, terms=terms: ours.step(first.batches(n), **terms)  # type: ignore[misc]
    steps["transformers"] = lambda n: theirs.step(first.batches(n), smooth=False)
    steps["transformers, SMART"] = lambda n: theirs.step(first.batches(n), smooth=True)
    seconds |= race(steps, rounds)
    seconds["choosing a task"] = choosing_seconds(mixed.mixture.locate)  # type: ignore[attr-defined]
    ratios = {"mixture": seconds["mixture"] / seconds["parts"]}
    ratios |= {name: seconds[name] / seconds["plain"] for name in ("choosing a task", *TERMS)}
    ratios["transformers, SMART"] = seconds["transformers, SMART"] / seconds["transformers"]
    if asked.json:
        peers = {f"transformers_{asked.precision}": seconds["transformers, SMART"]}
        shown = {"ours": seconds["smoothness, K = 1"], "peers": peers, "ratios": ratios, "unit": "s a step"}
        print(json.dumps(shown))
        return
    beside = {"mixture": "its parts", "transformers, SMART": "transformers"}
    for name, ratio in ratios.items():
        print(f"{name:<22} {seconds[name]:8.4f} s   {ratio:7.4f} times {beside.get(name, 'a plain step')}")
    print(f"{'plain':<22} {seconds['plain']:8.3f} s\n{'transformers':<22} {seconds['transformers']:8.3f} s")


if __name__ == "__main__":
    main()
