"""The gradient of one step in several processes: ``python gradients.py SIZE PARALLEL OUT`` leaves losses and gradients."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from fork import fork
from safetensors.torch import save_file

from warmstart.base.world import current_world, join
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.optimizer import Optimizer
from warmstart.train.recompute import recompute_layers
from warmstart.train.settings import OptimizerSettings
from warmstart.train.sharded import ShardedWeights
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights


def stream() -> Stream:
    """Texts of 2 to 16 tokens, seven a step: of four processes one has fewer; the micro-batches are as uneven."""
    draw = np.random.default_rng(0)
    texts = [causal(draw.integers(0, 64, draw.integers(2, 17))) for _ in range(14)]
    return Stream(ListSource(texts), 7, 1, max_tokens=16)


def model() -> Model:
    """A tiny GPT without dropout."""
    changes = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0)
    return Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16, **changes)), 1)


def step_gradients(parallel: str, recompute: bool = False) -> tuple[dict[str, torch.Tensor], dict[str, float], float]:
    """Name → gradient of each parameter in the first step, the losses, and the gradient's norm."""
    world, made = current_world(), model()
    if recompute:
        recompute_layers(made)
    made.train()
    weights = (
        ShardedWeights(made, torch.float32, by_layer=False, world=world, filler=lambda: stream().batches(0)[0])
        if parallel == "fsdp"
        else Weights(made, torch.float32, world=world)
    )
    optimizer = Optimizer(weights, OptimizerSettings())
    batches = stream().batches(0, world.rank, world.size)
    losses = accumulate(made, optimizer, batches, Criterion({"lm": 1.0}), 1)
    norm = float(optimizer.gradient_norm())
    held, total = sum(world.gather(sum(len(group.master) for group in weights.groups))), model().num_parameters
    assert held == (total if parallel == "fsdp" else world.size * total)
    rows = {f"{group.name}.grad": group.grad for group in weights.groups}
    named = {key.partition("/")[2]: value for key, value in weights.named(rows).items()}
    whole = {
        name: (value.full_tensor() if hasattr(value, "full_tensor") else value).clone() for name, value in named.items()
    }
    return whole, {name: float(value) for name, value in losses.items()}, norm


def work(parallel: str, out: Path, recompute: bool) -> int:
    """In each process; the first writes."""
    with join("cpu", "fsdp" if parallel == "fsdp" else "ddp") as world:
        gradients, losses, norm = step_gradients(parallel, recompute)
        assert world.gather({"rank": world.rank, "τ": [0.1]}) == [{"rank": r, "τ": [0.1]} for r in range(world.size)]
        shared = world.share({"a": torch.arange(6).view(2, 3)} if world.leads else None)
        assert shared is not None and shared["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
        if world.leads:
            save_file(gradients, out, {"found": json.dumps({"losses": losses, "norm": norm})})
    return 0


if __name__ == "__main__":
    for size, parallel, recompute in ((2, "ddp", False), (4, "ddp", True), (2, "fsdp", True), (4, "fsdp", False)):
        out = Path(sys.argv[1], f"{size}-{parallel}.safetensors")
        found = fork(size, lambda out=out, parallel=parallel, recompute=recompute: work(parallel, out, recompute))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
