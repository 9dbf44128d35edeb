"""What is fast on this processor, measured once and remembered in a small file.

``$WARMSTART_CACHE/machine.json`` (``~/.cache/warmstart`` where that is not set) holds one entry for each processor, version
of torch and number of threads. It is made by the first training or evaluation in about a second. A file that is damaged,
or that cannot be written, only means measuring again; so does a machine that was too busy to be measured well. What
follows from the figures is decided in :mod:`~warmstart.train.precision`.
"""

import contextlib
import functools
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import Field, ValidationError
from torch.nn import functional as F

from warmstart.base.cache import cache_folder
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.base.settings import Settings
from warmstart.models.eager import blocked_attention

LENGTHS = (256, 512, 1024)  # documents whose attention is measured
USUAL_S, LONGEST_S = 0.05, 1.0  # of time for one comparison, and what it may take on a slow or busy machine
ENOUGH = 8  # undisturbed turns of a comparison: the best of fewer says little
UNDISTURBED = 0.8  # of the time of a turn: what this thread computes at least on a machine that does nothing else


class MachineSpeeds(Settings):
    """Figures of one processor; every speed is a number of times.

    Attributes:
        onednn: how fast a float32 product is through oneDNN, against torch's own way.
        onednn_error: relative error of such a product: 1e-7 where it stays float32, 1e-3 where it does not.
        bf16: how fast a bf16 product is against the faster of the two; 0 where it would be emulated.
        plain: dtype → length of a text → how fast eager attention is against SDPA, forward and backward.
        turns: undisturbed ones, of the comparison that had the fewest; 1 where it had none.
    """

    onednn: float = Field(ge=0)
    onednn_error: float = Field(ge=0)
    bf16: float = Field(ge=0)
    plain: dict[str, dict[int, float]]
    turns: int = Field(ge=1)


def machine_speeds(bf16: bool) -> MachineSpeeds:
    """The figures of this processor, from the file or, the first time, by measuring; ``bf16``: whether it has that."""
    return _metadata(key(torch.get_num_threads()), _file(), bf16)


@functools.cache
def _metadata(name: str, path: Path | None, bf16: bool) -> MachineSpeeds:
    known = _entries(path)
    with contextlib.suppress(KeyError, ValidationError):
        return MachineSpeeds.model_validate(known[name])
    found = measure(bf16)
    if path is not None and found.turns >= ENOUGH:
        with contextlib.suppress(OSError, BadInput):
            write_json(path, known | {name: found.model_dump(mode="json")})
    return found


def _entries(path: Path | None) -> dict[str, object]:
    with contextlib.suppress(OSError, BadInput):
        known = None if path is None else read_json(path)
        return known if isinstance(known, dict) else {}
    return {}


def _file() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "machine.json"


def key(threads: int) -> str:
    """What a processor's figures are remembered by."""
    return f"{_processor()}, torch {torch.__version__}, {threads} threads"


def _processor() -> str:
    """Its name and, since virtual machines hide that, its family, model and vector instructions."""
    told = [platform.processor() or platform.machine(), torch.backends.cpu.get_cpu_capability()]
    with contextlib.suppress(OSError):
        lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n"))
        known = {name.strip(): value.strip() for name, _, value in lines}
        told = [known[name] for name in ("model name", "cpu family", "model", "stepping") if name in known] + told
    return " ".join(told)


def measure(bf16: bool) -> MachineSpeeds:
    """Measures now; leaves torch's settings as they were."""
    before = torch.get_float32_matmul_precision()
    try:
        products = _products(bf16)
        error = onednn_error()
    finally:
        torch.set_float32_matmul_precision(before)
    plain_s, onednn_s, bf16_s = products.best_s
    bf16_speed = min(plain_s, onednn_s) / bf16_s if bf16 else 0.0
    tables: dict[str, dict[int, float]] = {}
    fewest = products.turns
    dtypes = (torch.bfloat16, torch.float32) if bf16 else (torch.float32,)
    for dtype in dtypes if fewest >= ENOUGH else ():  # a busy machine need not be measured on
        table = tables[str(dtype).removeprefix("torch.")] = {}
        for length in LENGTHS:
            found = _attention(length, dtype)
            table[length] = found.best_s[1] / found.best_s[0]
            fewest = min(fewest, found.turns)
    return MachineSpeeds(onednn=plain_s / onednn_s, onednn_error=error, bf16=bf16_speed, plain=tables, turns=fewest)


def onednn_error() -> float:
    """Relative error of a float32 product in torch's faster way."""
    before = torch.get_float32_matmul_precision()
    left, right = (torch.randn(64, 64, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    exact = left.double() @ right.double()
    torch.set_float32_matmul_precision("medium")
    error = ((left @ right).double() - exact).norm() / exact.norm()
    torch.set_float32_matmul_precision(before)
    return float(error)


class Race(NamedTuple):
    """Seconds of each work at its best, and the undisturbed turns that each had."""

    best_s: tuple[float, ...]
    turns: int


def _products(bf16: bool) -> Race:
    """A float32 product in torch's two ways, and one in bf16."""
    left, right = torch.ones(256, 768), torch.ones(768, 3072)
    left16, right16 = left.bfloat16(), right.bfloat16()

    def product(way: str) -> None:
        torch.set_float32_matmul_precision(way)
        left @ right

    return race([lambda: product("highest"), lambda: product("medium"), lambda: left16 @ right16 if bf16 else None])


def _attention(length: int, dtype: torch.dtype) -> Race:
    """Eager attention and SDPA for one causal text with 4 heads of 64, there and back."""
    qkv = torch.ones(3, 1, 4, length, 64, dtype=dtype, requires_grad=True)
    pull = torch.ones(1, 4, length, 64, dtype=dtype)

    def plain() -> object:
        return torch.autograd.grad(blocked_attention(qkv, None, causal=True), qkv, pull)

    def sdpa() -> object:
        q, k, v = qkv.unbind(0)
        return torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), qkv, pull)

    return race([plain, sdpa])


def race(works: Sequence[Callable[[], object]]) -> Race:
    """All works in turns, after one turn that does not count.

    In a turn that is disturbed by something else on this machine the thread waits for its core. Only where all turns are
    so, the best of them is taken.
    """
    for work in works:
        work()
    best, undisturbed = [float("inf")] * len(works), 0
    began_at_s = now_s = time.perf_counter()
    while now_s - began_at_s < (USUAL_S if undisturbed >= ENOUGH else LONGEST_S):
        seconds, computed_s = [], -time.thread_time()
        for work in works:
            at_s = time.perf_counter()
            work()
            now_s = time.perf_counter()
            seconds.append(now_s - at_s)
        computed_s += time.thread_time()
        if computed_s >= UNDISTURBED * sum(seconds):
            best = seconds if not undisturbed else [*map(min, best, seconds)]
            undisturbed += 1
        elif not undisturbed:
            best = [*map(min, best, seconds)]
    return Race(tuple(best), max(1, undisturbed))
