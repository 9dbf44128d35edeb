"""The kernel of LSTM cells against torch's autograd in double precision, for both widths of vectors."""

import math
from collections.abc import Iterator

import pytest
import torch

from warmstart.models import cells
from warmstart.models.cells import cells_backward, cells_forward, has_kernel
from warmstart.models.kernels import wide_vectors

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(
    not has_kernel(torch.float32, CPU), reason="the kernels were not built, or this processor has no AVX2"
)
ROWS, WIDTH = 5, 37  # no multiple of a vector
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2e-2}


@pytest.fixture(params=[0, 1], ids=["AVX2", "AVX-512"])
def vectors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both kinds of processors, where this is the greater one."""
    if request.param > (wide_vectors() or 0):
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setattr(cells, "wide_vectors", lambda: request.param)
    return


def drawn(*shape: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def by_torch(
    entering: torch.Tensor, before: torch.Tensor, clip: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gates, the cells and the output, by the equations of torch.nn.LSTM's page."""
    i, f, g, o = entering.chunk(4, 1)
    gates = torch.cat([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], 1)
    i, f, g, o = gates.chunk(4, 1)
    after = f * before + i * g
    after = after if clip is None else after.clamp(-clip, clip)
    return gates, after, o * after.tanh()


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_step_there_and_back_is_torchs(dtype: torch.dtype, clip: float | None) -> None:
    """Witness: autograd in double precision, with a gradient from the output and one from later steps' cells."""
    gates = drawn(ROWS, 4 * WIDTH, seed=1, scale=2).to(dtype)
    product, before = drawn(ROWS, 4 * WIDTH, seed=2).to(dtype), drawn(ROWS, WIDTH, seed=3)
    entering = (gates.double() + product.double()).requires_grad_()
    start = before.double().requires_grad_()
    expected = by_torch(entering, start, clip)
    after, out = torch.empty(ROWS, WIDTH), torch.empty(ROWS, WIDTH, dtype=dtype)
    cells_forward(gates, product, before, after, out, clip)
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype], "check_dtype": False}
    torch.testing.assert_close((gates, after, out), tuple(x.detach() for x in expected), **close)

    by_out, later = drawn(ROWS, WIDTH, seed=4).to(dtype), drawn(ROWS, WIDTH, seed=5)
    slopes = torch.autograd.grad(expected[1:], (entering, start), (later.double(), by_out.double()))
    back = cells_backward(gates, before, after, ROWS, clip)
    assert isinstance(back, cells._KernelBackward)
    back._by_cells.copy_(later)
    back.step(slice(0, ROWS), by_out)
    # Where bfloat16 puts a cell on the other side of the bound, the gradient is another: only numbers well inside or out.
    sure = torch.ones(ROWS, WIDTH, dtype=torch.bool) if clip is None else (expected[1].abs() - clip).abs() > 0.05
    sure |= expected[1].abs() == (clip or math.inf)
    found = torch.where(sure.repeat(1, 4), back.by_gates, 0), torch.where(sure, back._by_cells, 0)
    torch.testing.assert_close(
        found, (torch.where(sure.repeat(1, 4), slopes[0], 0), torch.where(sure, slopes[1], 0)), **close
    )


@pytest.mark.usefixtures("vectors")
def test_far_numbers_saturate_and_what_is_no_number_stays_so() -> None:
    """Witness: torch's sigmoid and tanh, of numbers up to the largest and of NaN."""
    far = torch.tensor([[-3e38, -100.0, -20.0, -1e-3, -1e-30, 0.0, 1e-7, 0.19, 0.21, 9.0, 100.0, 3e38, math.nan]])
    gates = far.repeat(1, 4)
    before, after = torch.zeros_like(far), torch.empty_like(far)
    expected = by_torch(gates.double(), before.double(), None)
    cells_forward(gates, torch.zeros_like(gates), before, after, out := torch.empty_like(far), None)
    torch.testing.assert_close((gates, after, out), expected, rtol=2e-6, atol=1e-9, equal_nan=True, check_dtype=False)
    back = cells_backward(gates, before, after, 1, None)
    back.step(slice(0, 1), torch.ones_like(far))
    assert back.by_gates[0].isnan().tolist() == ([False] * 12 + [True]) * 4


def test_the_kernel_and_torchs_operators_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the other way, through a whole layer of ragged sequences, float32."""
    from warmstart.models.recurrence import State, Weights, run_steps

    sizes = [4, 4, 3, 1]
    weights = Weights(
        drawn(4 * 8, 6, seed=1), drawn(4 * 8, seed=2), drawn(4 * 8, 5, seed=3), drawn(5, 8, seed=4).requires_grad_()
    )
    x, pull = drawn(sum(sizes), 6, seed=5), drawn(sum(sizes), 5, seed=6)
    found = []
    for kernel in (True, False):
        monkeypatch.setattr(cells, "has_kernel", lambda dtype, device, kernel=kernel: kernel)
        own, given = Weights(*(w.detach().clone().requires_grad_() for w in weights)), x.clone().requires_grad_()
        outputs, after = run_steps(given, own, State.zeros(own, 4), sizes, 0.9)
        found.append((outputs.detach(), after, *torch.autograd.grad(outputs, (given, *own), pull)))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)
