"""In which number format to compute. Master weights are float32 always; this is about products and activations."""

import time

import torch

from warmstart.base.errors import BadInput

_FP32_ERROR = 1e-5  # well above float32's own rounding in a product of this size (1e-6), well below bf16's (1e-2)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 products are computed by hardware there."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype that ``precision`` means on ``device``.

    Raises:
        BadInput: bf16 asked for where it would be emulated.
    """
    if precision == "fp32":
        return torch.float32
    if has_fast_bf16(device):
        return torch.bfloat16
    if precision == "auto":
        return torch.float32
    raise BadInput(
        "this processor has no bf16 arithmetic", where="--precision", value=precision, allowed="auto, fp32",
        next_step="use --precision auto",
    )  # fmt: skip


def use_fast_fp32() -> None:
    """Lets float32 products on a CPU go through oneDNN where they stay float32.

    torch's default library runs at half speed on some processors. On processors with AMX the same setting would really
    compute in bf16, so the error is measured once and the setting kept only where it is float32's own.
    """
    left, right = (torch.randn(64, 64, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    exact = left.double() @ right.double()
    torch.set_float32_matmul_precision("medium")
    error = ((left @ right).double() - exact).norm() / exact.norm()
    if error > _FP32_ERROR:
        torch.set_float32_matmul_precision("highest")


def measured_flops(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations per second of one product of middling size, measured now (about 0.1 s)."""
    use_fast_fp32()
    left, right = (torch.ones(1024, 1024, dtype=dtype, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        began_at_s = time.perf_counter()
        total = float((left @ right)[0, 0])
        best = min(best, time.perf_counter() - began_at_s) if total else best
    return 2 * 1024**3 / best
