"""Our own kernels against float32 arithmetic by torch, and their two promises: threads and neighbours change nothing."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from warmstart.models import kernels

BFLOAT16, CPU = torch.bfloat16, torch.device("cpu")
needs_kernels = pytest.mark.skipif(
    not kernels.usable(BFLOAT16, CPU, 32), reason="the kernels were not built, or this processor cannot run them"
)


needs_tiles = pytest.mark.skipif(
    not kernels.splits(torch.float32, CPU, 32), reason="the kernel was not built, or this processor has no AMX"
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(BFLOAT16)


def test_they_are_built_where_they_can_be(tmp_path: Path) -> None:
    """Witness: what the system says of the processor, and gcc of the file."""
    about, gcc = Path("/proc/cpuinfo"), shutil.which("gcc")
    flags = about.read_text().split() if about.exists() else []
    if "avx512_bf16" not in flags or gcc is None or "CC" in os.environ:
        pytest.skip("no AVX-512 BF16, or another compiler than gcc")
    sources = [str(Path(kernels.__file__).with_name(name)) for name in ("kernels.c", "tiles.c", "texts.c", "passes.c")]
    built = subprocess.run(
        [gcc, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fopenmp", *sources, "-o", str(tmp_path / "it.so")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if "unrecognized" in built.stderr or "libgomp" in built.stderr:
        pytest.skip("a gcc before 10, or one without OpenMP")
    emulated = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper().startswith(("SSE", "AVX2"))  # a lesser processor
    amx = "amx_tile" in flags
    found = kernels.usable(BFLOAT16, CPU, 64), kernels.splits(torch.float32, CPU, 64)
    assert (built.returncode, built.stderr, found) == (0, "", (not emulated and not amx, not emulated and amx))


@needs_kernels
def test_what_they_cannot_take() -> None:
    assert not kernels.usable(torch.float32, CPU, 64)
    assert not kernels.usable(BFLOAT16, torch.device("meta"), 64)
    assert not kernels.usable(BFLOAT16, CPU, 48)
    product = kernels.product(drawn(50, 64), None)
    for wrong in (torch.zeros(2, 64), drawn(2, 32)):
        with pytest.raises(ValueError, match="rows of 64 numbers"):
            product(wrong)
    table, q, kv = torch.zeros(2, 1, 2, 16, 32, dtype=BFLOAT16), drawn(1, 2, 1, 32), drawn(1, 1, 2, 2, 32)
    for bias in (torch.zeros(1, 2, 1, 16), drawn(1, 2, 1, 32)):
        with pytest.raises(ValueError, match="with a bias of"):
            kernels.read(q, kv, table, torch.zeros(1, 1, dtype=torch.int64), bias)


@needs_kernels
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 150), columns=st.integers(1, 200), width=st.sampled_from([32, 96, 256]),
    gelu=st.sampled_from(["", "none", "tanh"]), biased=st.booleans(),
)  # fmt: skip
def test_products(rows: int, columns: int, width: int, gelu: kernels.Gelu, biased: bool) -> None:
    """Witness: torch's float32 product and GELU of the same numbers, to the rounding of the result."""
    x, weight, bias = drawn(rows, width), drawn(columns, width, seed=1), drawn(columns, seed=2) if biased else None
    exact = F.linear(x.float(), weight.float(), None if bias is None else bias.float())
    exact = F.gelu(exact, approximate=gelu) if gelu else exact
    torch.testing.assert_close(kernels.product(weight, bias, gelu, single=True)(x), exact, rtol=2e-5, atol=5e-5)
    torch.testing.assert_close(kernels.product(weight, bias, gelu)(x).float(), exact, rtol=2**-8, atol=5e-5)


@needs_tiles
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 300), columns=st.integers(1, 200), width=st.sampled_from([32, 96, 256]),
    gelu=st.sampled_from(["", "none", "tanh"]), biased=st.booleans(), threads=st.integers(1, 3),
    halves=st.sampled_from([1, 2]),
)  # fmt: skip
def test_split_products(
    rows: int, columns: int, width: int, gelu: kernels.Gelu, biased: bool, threads: int, halves: Literal[1, 2]
) -> None:
    """Witness: torch's product in float64, of one half that of numbers which torch has rounded, to the bound that three
    roundings to 2^-18 of the terms have, and GELU's slope; and any rows alone, by one thread, bit for bit."""
    x, weight = (torch.randn(n, width, generator=torch.Generator().manual_seed(n)) for n in (rows, columns))
    bias = torch.linspace(-1, 1, columns) if biased else None
    read = [part.bfloat16().double() if halves == 1 else part.double() for part in (x, weight)]
    exact = F.linear(*read, None if bias is None else bias.double())
    exact = F.gelu(exact, approximate=gelu) if gelu else exact
    bound = 2e-5 * float(F.linear(x.abs(), weight.abs()).max()) if rows else 0
    multiply = kernels.split_product(weight, bias, gelu, halves)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = multiply(x)
    torch.set_num_threads(before)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=bound)
    assert torch.equal(multiply(x[rows // 3 :]), found[rows // 3 :])
    if halves == 1:
        assert torch.equal(multiply(x.bfloat16()), found)
        tiny = torch.finfo(BFLOAT16).tiny  # the processor writes 0 for what is smaller
        rounded = found.bfloat16().masked_fill(found.abs() < tiny, 0)
        assert torch.equal(kernels.split_product(weight, bias, gelu, 1, BFLOAT16)(x), rounded)


@needs_tiles
def test_split_products_keep_what_bfloat16_loses() -> None:
    """Numbers of 16 bits come back exactly, others to 2^-16 of them; other rows are refused. Witness: float32 itself."""
    x = torch.tensor([[1 + 2**-15, -3 + 2**-13, 2**-30, 1e30, 0.0, 0.1, -0.7, 123456.789] + [0.0] * 24])
    found = kernels.split_product(torch.eye(32), None)(x)
    assert torch.equal(found[0, :3], x[0, :3])
    torch.testing.assert_close(found, x, rtol=2**-16, atol=0)
    for wrong in (torch.zeros(2, 64), drawn(2, 32)):
        with pytest.raises(ValueError, match="float32 rows of 32 numbers"):
            kernels.split_product(torch.eye(32), None)(wrong)
    assert not kernels.splits(BFLOAT16, CPU, 32)
    assert not kernels.splits(torch.float32, CPU, 48)


@needs_kernels
@pytest.mark.parametrize("gelu", ["none", "tanh"])
def test_gelu_everywhere(gelu: kernels.Gelu) -> None:
    """From far below to far above 0. Witness: torch's."""
    x = torch.linspace(-100, 100, 32 * 400).to(BFLOAT16).view(-1, 32)
    found = kernels.product(torch.eye(32, dtype=BFLOAT16), None, gelu, single=True)(x)
    torch.testing.assert_close(found, F.gelu(x.float(), approximate=gelu), rtol=1e-5, atol=2e-6)


class Table:
    """Keys and values by the kernel, and beside them in float32, laid out plainly."""

    def __init__(self, sources: int, groups: int, columns: int, width: int) -> None:
        self.ours = torch.zeros(2, sources, groups, columns, width, dtype=BFLOAT16)
        self.exact = torch.zeros(2, sources, groups, columns, width)

    def step(self, heads: int, fresh: int, asking: int, seed: int, spread: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Reads some new tokens, of which the last ask, together and alone; ``spread``: each head with a bias of its own."""
        _, sources, groups, columns, width = self.ours.shape
        qkv = drawn(sources, fresh, (heads + 2 * groups) * width, seed=seed)
        q, kv = qkv.split([heads * width, 2 * groups * width], -1)
        q = q.view(sources, fresh, heads, width)[:, fresh - asking :].transpose(1, 2)
        kv = kv.view(sources, fresh, 2, groups, width)
        order = torch.Generator().manual_seed(seed)
        places = torch.stack([torch.randperm(columns, generator=order)[:fresh] for _ in range(sources)])
        hidden = torch.rand(sources, 1, asking, columns, generator=order) < 0.7
        hidden.scatter_(3, places[:, None, fresh - asking :, None], False)
        bias = torch.zeros(hidden.shape, dtype=BFLOAT16).masked_fill(hidden, -torch.inf)
        bias = bias + drawn(1, columns, asking, heads).permute(0, 3, 2, 1) if spread else bias.expand(-1, heads, -1, -1)
        for source in range(sources):
            self.exact[:, source, :, places[source]] = kv[source].permute(1, 2, 0, 3).float()
        keys, values = self.exact.repeat_interleave(heads // groups, 2).unbind()
        weights = (q.float() @ keys.transpose(2, 3) * width**-0.5 + bias.float()).softmax(-1)
        bias = kernels.in_rows(bias)
        read = kernels.read(q, kv, self.ours, places, bias)
        for token in range(asking):  # the same columns are written again
            one = kernels.read(q[:, :, token : token + 1], kv, self.ours, places, bias[:, :, token : token + 1])
            assert torch.equal(one[:, :, 0], read[:, :, token])
        return read, weights @ values


@needs_kernels
@settings(max_examples=40, deadline=None)
@given(
    sources=st.integers(1, 3), groups=st.integers(1, 3), shared=st.integers(1, 3), tiles=st.integers(1, 5),
    width=st.sampled_from([32, 64, 96]), fresh=st.integers(1, 16), asked=st.integers(-1, 15), spread=st.booleans(),
)  # fmt: skip
def test_reading(
    sources: int, groups: int, shared: int, tiles: int, width: int, fresh: int, asked: int, spread: bool
) -> None:
    """Three steps, so that columns are written again. Witness: softmax(q·kᵀ/√K + bias)·v in float32."""
    table = Table(sources, groups, 16 * tiles, width)
    for step in range(3):
        found, exact = table.step(groups * shared, fresh, min(fresh, 1 + asked), step, spread)
        torch.testing.assert_close(found.float(), exact, rtol=2**-8, atol=2e-3)


@needs_kernels
def test_what_is_no_number_stays_so() -> None:
    """A key that is seen, a value, and a query that sees nothing. Witness: torch's softmax and product."""
    for broken in ("key", "value", "sight"):
        kv = drawn(1, 16, 2, 1, 32)
        bias = torch.zeros(1, 1, 2, 16, dtype=BFLOAT16)
        if broken == "sight":
            bias[:, :, 1] = -torch.inf
        else:
            bias[:, :, 0, 3], kv[0, 3, int(broken == "value"), 0, 5] = -torch.inf, torch.nan
        q, table = drawn(1, 1, 2, 32, seed=1), torch.zeros(2, 1, 1, 16, 32, dtype=BFLOAT16)
        keys, values = kv.float().permute(2, 0, 3, 1, 4).unbind()
        exact = (q.float() @ keys.transpose(2, 3) * 32**-0.5 + bias.float()).softmax(-1) @ values
        found = kernels.read(q, kv, table, torch.arange(16)[None], bias)
        assert exact.isnan().any() and torch.equal(found.isnan(), exact.isnan())


@needs_kernels
def test_threads_and_neighbours_change_nothing() -> None:
    """Bit for bit. Witness: the same rows alone, and on one thread."""
    x, product = drawn(150, 96), kernels.product(drawn(100, 96, seed=1), drawn(100, seed=2), "tanh")
    whole, threads = product(x), torch.get_num_threads()
    assert all(torch.equal(product(x[row : row + 1])[0], whole[row]) for row in range(len(x)))
    read = Table(3, 2, 48, 64).step(4, 9, 9, 1, spread=False)[0]
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            assert torch.equal(product(x), whole)
            assert torch.equal(Table(3, 2, 48, 64).step(4, 9, 9, 1, spread=False)[0], read)
    finally:
        torch.set_num_threads(threads)
