"""Tokens per second of pre-training an LSTM, beside a plain PyTorch loop, on this machine.

    python bench/lstm.py [--json] [--quick] [--shape full|mini] [--rounds 8]

Each competitor is a process of its own and takes one step in turn (bench/pacing.py). Ours is the Trainer with its defaults,
on rows of a corpus of random ids. The peer is ``nn.LSTM`` with an embedding and a linear over the whole vocabulary, in
float32 as torch has it by default: cross-entropy of all logits, clipping at 1, the fused AdamW.

Shapes: one layer of 1,024 cells, embeddings of 512, 30,000 tokens, 8 rows of 400; ``mini``: 512, 256, 8,192, 8 rows of 400.
"""

import argparse
import json
import sys
from typing import Any, NamedTuple

import numpy as np
import torch
from drawn import Drawn, train
from numpy.typing import NDArray
from pacing import Pace, Result, race, show
from torch import nn
from torch.nn import functional as F

Ints = NDArray[np.int64]


class Shape(NamedTuple):
    """A model, and the rows of a step."""

    cells: int
    embedding: int
    vocab_size: int
    rows: int = 8
    context: int = 400


SHAPES = {"full": Shape(1024, 512, 30000), "mini": Shape(512, 256, 8192)}


def drawn(shape: Shape) -> Drawn:
    """The text of both sides."""
    return Drawn(shape.vocab_size, shape.rows, shape.context)


def run_ours(shape: Shape) -> None:
    """The Trainer."""
    from warmstart.models.presets import preset

    size = {"width": shape.cells, "embedding_width": shape.embedding}
    train(preset("lstm", **size, vocab_size=shape.vocab_size, context=shape.context), drawn(shape))


class Plain(nn.Module):
    """The language model that everybody writes first."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocab_size, shape.embedding)
        self.lstm = nn.LSTM(shape.embedding, shape.cells, batch_first=True)
        self.output = nn.Linear(shape.cells, shape.vocab_size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The mean loss of the next tokens of [rows, T + 1] ids."""
        logits = self.output(self.lstm(self.tokens(ids[:, :-1]))[0])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def run_torch(shape: Shape) -> None:
    """A loop of a few lines."""
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, source, pace = Plain(shape).to(place), drawn(shape), Pace()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2.5e-4, fused=True)
    count = shape.rows * (shape.context + 1)
    for step in range(10_000):
        pace.step(shape.rows * shape.context)
        ids = torch.from_numpy(source.tokens(step * count, (step + 1) * count)).view(shape.rows, -1).to(place)
        model(ids).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def to_json(rates: Result) -> dict[str, Any]:
    """The shape that others rely on."""
    peers = {name: rate for name, rate in rates.items() if name != "ours"}
    return {
        "ours": rates["ours"],
        "peers": peers,
        "ratios": {name: rates["ours"] / rate for name, rate in peers.items()},
        "unit": "tokens/s",
        "peak_mb": rates.peaks_mb,
    }


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--shape", choices=SHAPES, default="full")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--compete", choices=("ours", "torch_loop"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    shape = SHAPES[asked.shape]
    if asked.compete:
        (run_ours if asked.compete == "ours" else run_torch)(shape)
        return
    me = [sys.executable, __file__, "--shape", asked.shape, "--compete"]
    steps = 20 if torch.cuda.is_available() else 1
    result = race({name: [*me, name] for name in ("ours", "torch_loop")}, 2 if asked.quick else asked.rounds, steps)
    if asked.json:
        print(json.dumps(to_json(result)))
        return
    show([result], "ours", "tokens/s")


if __name__ == "__main__":
    main()
