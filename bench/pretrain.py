"""Tokens per second of pre-training, beside transformers, on this machine.

    python bench/pretrain.py [--json] [--quick] [--shape full|mini] [--rounds 8]

Every competitor is a process of its own and takes one step in turn (bench/pacing.py). Ours is the Trainer with its
defaults, on rows of a corpus of random ids. The peer is transformers' GPT-2 of the same shape with a loop that does what
its Trainer does: float32 as torch has it by default, or bf16 by autocast; the fused AdamW; clipping at 1.

Shapes: 12 layers of 768, context 512, 40,478 tokens (GPT-1's); ``mini``: 6 of 384, context 256, 8,192 tokens.
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

Ints = NDArray[np.int64]


class Shape(NamedTuple):
    """A model, and the rows of a step."""

    layers: int
    width: int
    context: int
    vocab_size: int
    rows: int


SHAPES = {"full": Shape(12, 768, 512, 40478, 4), "mini": Shape(6, 384, 256, 8192, 8)}
DROPOUT = 0.1
RACES = (
    ("ours", "transformers_bf16", "transformers_fp32"),
    ("ours_dropout", "transformers_bf16_dropout", "transformers_fp32_dropout"),
)


def drawn(shape: Shape) -> Drawn:
    """The text of both sides."""
    return Drawn(shape.vocab_size, shape.rows, shape.context)


def run_ours(shape: Shape, dropout: float) -> None:
    """The Trainer."""
    from warmstart.models.presets import preset

    rates = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), dropout)
    size: dict[str, Any] = {"layers": shape.layers, "width": shape.width, "hidden": 4 * shape.width}
    backbone = preset(
        "gpt1", **size, heads=shape.width // 64, context=shape.context, vocab_size=shape.vocab_size, **rates
    )
    train(backbone, drawn(shape))


def run_transformers(shape: Shape, dropout: float, bf16: bool) -> None:
    """What transformers' Trainer does in a step."""
    from transformers import GPT2Config, GPT2LMHeadModel

    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = GPT2Config(
        n_layer=shape.layers, n_embd=shape.width, n_head=shape.width // 64, n_positions=shape.context,
        vocab_size=shape.vocab_size, embd_pdrop=dropout, attn_pdrop=dropout, resid_pdrop=dropout, use_cache=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).to(place).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2.5e-4, fused=True)
    source, pace = drawn(shape), Pace()
    for step in range(10_000):
        pace.step(shape.rows * shape.context)
        start = step * shape.rows * shape.context
        ids = torch.from_numpy(source.tokens(start, start + shape.rows * shape.context)).view(shape.rows, -1).to(place)
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def compete(name: str, shape: Shape) -> None:
    """Becomes the competitor ``name``."""
    dropout = DROPOUT if name.endswith("dropout") else 0.0
    if name.startswith("ours"):
        run_ours(shape, dropout)
    else:
        run_transformers(shape, dropout, "bf16" in name)


def to_json(plain: Result, dropped: Result) -> dict[str, Any]:
    """The shape that others rely on; with dropout ours is compared with dropout."""
    rates = plain | dropped
    peers = {name: rate for name, rate in rates.items() if not name.startswith("ours")}
    ours = {name: rates["ours_dropout" if name.endswith("dropout") else "ours"] for name in peers}
    return {
        "ours": rates["ours"],
        "ours_dropout": rates["ours_dropout"],
        "peers": peers,
        "ratios": {name: ours[name] / rate for name, rate in peers.items()},
        "unit": "tokens/s",
        "peak_mb": plain.peaks_mb | dropped.peaks_mb,
    }


def main() -> None:
    """Measures and prints a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--shape", choices=SHAPES, default="full")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--compete", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete:
        compete(asked.compete, SHAPES[asked.shape])
        return
    rounds, steps = 2 if asked.quick else asked.rounds, 20 if torch.cuda.is_available() else 1
    me = [sys.executable, __file__, "--shape", asked.shape, "--compete"]
    results = [race({name: [*me, name] for name in names}, rounds, steps) for names in RACES]
    if asked.json:
        print(json.dumps(to_json(*results)))
        return
    show(results, "ours", "tokens/s")


if __name__ == "__main__":
    main()
