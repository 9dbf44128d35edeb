"""Our own kernels for decoding beside torch's, in one process by turns: milliseconds, weights and tables not in the cache.

    python bench/kernels.py [--rounds 15]

Products: the linears of 6 layers of 768 in bfloat16 (42 million weights, 85 MB), one after the other; torch's are packed for
oneDNN. Reading: keys and values of 8 sources, 12 heads of 64, a different table in each of 12 layers, with a product between
two of them that is not counted; torch's is index put, baddbmm, softmax, bmm.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import torch

from warmstart.base.allocator import keep_freed_memory
from warmstart.decode.packed import by_torch
from warmstart.models import kernels
from warmstart.models.beam_cache import BeamCacheLayer, KernelLayer

SHAPES = ((2304, 768), (768, 768), (3072, 768), (768, 3072))
SOURCES, HEADS, WIDTH, LAYERS = 8, 12, 64, 12
BFLOAT16 = torch.bfloat16


def by_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each way, after one round that does not count; a way tells its seconds."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            took = way()
            if number:
                found[name].append(1000 * took)
    return {name: statistics.median(each) for name, each in found.items()}


def products(rows: int, rounds: int) -> dict[str, float]:
    """All linears of 6 layers for some rows."""
    weights = [torch.randn(shape).to(BFLOAT16) for _ in range(6) for shape in SHAPES]
    given = {width: torch.randn(rows, width).to(BFLOAT16) for width in (768, 3072)}
    ours = [kernels.product(weight, None) for weight in weights]
    theirs = [by_torch(weight, None, rows, "") for weight in weights]

    def timed(every: list[Callable[[torch.Tensor], torch.Tensor]]) -> float:
        began = time.perf_counter()
        for weight, product in zip(weights, every, strict=True):
            product(given[weight.shape[1]])
        return time.perf_counter() - began

    return by_turns({"ours": lambda: timed(ours), "torch": lambda: timed(theirs)}, rounds)


def reading(columns: int, asking: int, rounds: int, groups: int = HEADS) -> dict[str, float]:
    """One layer's step: new keys and values go to their places and all that is there is read."""
    between = [kernels.product(torch.randn(3072, 768).to(BFLOAT16), None) for _ in range(LAYERS)]
    x, shape = torch.randn(40, 768).to(BFLOAT16), (2, SOURCES, groups, columns, WIDTH)
    q = torch.randn(SOURCES, asking, HEADS, WIDTH).to(BFLOAT16).transpose(1, 2)
    kv = torch.randn(SOURCES, asking, 2, groups, WIDTH).to(BFLOAT16)
    each = torch.arange(SOURCES)[:, None]
    places = torch.stack([torch.randperm(columns)[:asking] for _ in range(SOURCES)])
    bias = torch.zeros(SOURCES, 1, asking, columns, dtype=BFLOAT16).expand(-1, HEADS, -1, -1)

    def layers(kind: type[BeamCacheLayer]) -> list[BeamCacheLayer]:
        made = [kind(torch.randn(shape).to(BFLOAT16)) for _ in range(LAYERS)]
        for layer in made:
            layer.rows, layer.places, layer.bias = each, places, kind.shown(bias)
        return made

    def timed(every: list[BeamCacheLayer]) -> float:
        took = 0.0
        for layer, product in zip(every, between, strict=True):
            product(x)
            began = time.perf_counter()
            layer.read(q, kv)
            took += time.perf_counter() - began
        return took / LAYERS

    ours, theirs = layers(KernelLayer), layers(BeamCacheLayer)
    return by_turns({"ours": lambda: timed(ours), "torch": lambda: timed(theirs)}, rounds)


@torch.inference_mode()
def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    if not kernels.usable(BFLOAT16, torch.device("cpu"), WIDTH):
        raise SystemExit("the kernels were not built, or this processor cannot run them")
    keep_freed_memory()
    torch.manual_seed(0)
    print(f"{'milliseconds':40} {'ours':>9} {'torch':>9} {'ours is':>9}")
    for rows in (1, 8, 40, 64, 1272):
        show(f"products of {rows} rows", products(rows, rounds))
    for columns, asking in ((112, 1), (112, 5), (224, 1), (224, 5)):
        show(f"reading {columns} columns, {asking} texts a source", reading(columns, asking, rounds))
    show("the same, 4 heads share keys", reading(columns, asking, rounds, HEADS // 4))


def show(what: str, found: Mapping[str, float]) -> None:
    """One line of the table."""
    print(f"{what:40} {found['ours']:9.3f} {found['torch']:9.3f} {found['torch'] / found['ours']:8.2f}x")


if __name__ == "__main__":
    main()
