"""The kernels of passes over memory against torch's own functions, for both widths of vectors."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as F
from torch.optim.adamw import adamw

from warmstart.models import dropout, passes
from warmstart.models.gelu import gelu, gelu_tanh
from warmstart.models.kernels import wide_vectors
from warmstart.models.passes import AdamRow, AdamRule, adam

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(
    not passes.passes(torch.float32, CPU), reason="the kernels were not built, or this processor has no AVX2"
)
WEIGHTS = 40_003  # more than two blocks, and no multiple of anything


@pytest.fixture(params=[0, 1], ids=["AVX2", "AVX-512"])
def vectors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both kinds of processors, where this is the greater one."""
    if request.param > (wide_vectors() or 0):
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setattr(passes, "wide_vectors", lambda: request.param)
    return


def drawn(count: int = WEIGHTS, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def rule_of(step: int, decay: float = 0.01, divisor: float = 2.0) -> AdamRule:
    return AdamRule(1 - 1e-3 * decay, 1e-3 / (1 - 0.9**step), 0.9, 0.999, 1e-8, divisor, (1 - 0.999**step) ** 0.5)


@pytest.mark.usefixtures("vectors")
def test_adam_is_torchs_and_rounds_the_copy() -> None:
    """Witness: torch's fused AdamW, five steps."""
    row = AdamRow(drawn(), drawn(), torch.zeros(WEIGHTS), torch.zeros(WEIGHTS), torch.zeros(WEIGHTS).bfloat16())
    theirs, mean, square, count = row.master.clone(), torch.zeros(WEIGHTS), torch.zeros(WEIGHTS), torch.zeros(())
    for step in range(1, 6):
        grad = drawn(seed=step)
        adam(row._replace(grad=grad), rule_of(step))
        adamw(
            [theirs], [grad.clone()], [mean], [square], [], [count], fused=True, grad_scale=torch.tensor(2.0),
            found_inf=torch.zeros(()), amsgrad=False, beta1=0.9, beta2=0.999, lr=1e-3, weight_decay=0.01, eps=1e-8,
            maximize=False,
        )  # fmt: skip
    torch.testing.assert_close((row.master, row.mean, row.square), (theirs, mean, square), rtol=1e-5, atol=1e-6)
    assert row.work is not None
    assert torch.equal(row.work, row.master.bfloat16())


@pytest.mark.usefixtures("vectors")
def test_adam_reads_a_rounded_gradient_as_it_is() -> None:
    """Witness: the same numbers in float32, to the last bit."""
    grad, rows = drawn(seed=1).bfloat16(), []
    for given in (grad, grad.float()):
        row = AdamRow(drawn(), given, torch.zeros(WEIGHTS), torch.zeros(WEIGHTS), torch.zeros(WEIGHTS).bfloat16())
        adam(row, rule_of(1))
        rows.append(row._replace(grad=grad))
    assert all(torch.equal(one, other) for one, other in zip(*rows, strict=True))


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("count", [0, 1, 15, WEIGHTS])
def test_norms(count: int) -> None:
    """Witness: torch's norm in float64."""
    x = (1e-3 * drawn(count)).bfloat16()
    torch.testing.assert_close(passes.norm(x).double(), torch.linalg.vector_norm(x.double()), rtol=1e-6, atol=0)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tanh", [False, True])
def test_gelu_there_and_back(tanh: bool, dtype: torch.dtype) -> None:
    """Witness: torch's in float64, and its own derivative of it; numbers from far below 0 to far above, and none."""
    x = torch.cat([torch.linspace(-30, 30, 40_003), drawn(1000), torch.tensor([0.0, 1e20, float("nan")])]).to(dtype)
    grad = drawn(len(x), seed=1).to(dtype)
    exact = x.double().requires_grad_()
    theirs = F.gelu(exact, approximate="tanh" if tanh else "none")
    theirs.backward(grad.double())
    ours = x.clone().requires_grad_()
    found = (gelu_tanh if tanh else gelu)(ours)
    found.backward(grad)
    close = {"rtol": 2**-8 if dtype == torch.bfloat16 else 1e-5, "atol": 3e-6, "equal_nan": True}
    torch.testing.assert_close(found.double(), theirs, **close)
    assert ours.grad is not None and exact.grad is not None
    torch.testing.assert_close(ours.grad.double(), exact.grad, **close)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_rows_without_a_gradient_yet_are_the_same_to_the_last_bit(decay: float) -> None:
    """Witness: the whole formula over gradients that are 0, three steps; some rows have their first one at the second."""
    rows, width = 300, 48
    had, masters = torch.zeros(rows, dtype=torch.uint8), []
    for by_rows in (False, True):
        start = drawn(rows * width)
        row = AdamRow(start, start, torch.zeros_like(start), torch.zeros_like(start), start.bfloat16())
        had.zero_()
        for step in range(1, 4):
            grad = torch.zeros(rows, width)
            grad[step - 1 : 200 : 7] = drawn(len(grad[step - 1 : 200 : 7]) * width, step).view(-1, width)
            had[step - 1 : 200 : 7] = 1
            adam(row._replace(grad=grad.view(-1)), rule_of(step, decay), had if by_rows else None)
        masters.append((row.master, row.mean, row.square, row.work))
    assert all(torch.equal(one, other) for one, other in zip(*masters, strict=True))


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [1, 2, 777, 40_003, dropout.PART + 5])
def test_dropout_is_that_of_plain_torch(dtype: torch.dtype, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the mask written out as passes of torch, to the last bit."""
    x = drawn(count).to(dtype)
    found = dropout._apply_mask(x, 0.3, 12345)
    monkeypatch.setattr(dropout, "passes", lambda *_: False)
    assert torch.equal(found, dropout._apply_mask(x, 0.3, 12345))
