"""In which number format to compute, and by which kernels. Master weights are float32 always; this is about the rest.

These settings are a value: it follows from what was measured on this processor (:mod:`~warmstart.train.machine`), goes into
the model and torch, and is stored with a run, so that a resumed run computes as it began.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.old_names import KERNEL_KEYS, rename_keys
from warmstart.base.run_folder import COMPUTE, RunFolder
from warmstart.base.world import current_world
from warmstart.models.attention import Kernels
from warmstart.models.backbone import Backbone
from warmstart.models.kernels import onednn_has_bf16
from warmstart.models.model import Model
from warmstart.train.machine import ENOUGH, MachineSpeeds, machine_speeds

FP32_ERROR = 1e-5  # well above float32's own rounding in a product of this size (1e-6), well below bf16's (1e-2)
CLEARLY = 1.1  # times as fast, for a choice that costs digits or is not the usual one
ON_GPU = Kernels(eager_max_len=0, eager_dropout=False, group=64)
NO_BF16 = "this run began in bfloat16, which this processor does not have: it goes on in float32, not bit for bit"


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """How a run computes: its ``dtype``, torch's way of float32 products on a CPU, and the kernels of attention."""

    dtype: torch.dtype
    fp32_products: str
    kernels: Kernels

    def apply(self, model: Model) -> None:
        """Sets torch and ``model``; the dtype is that of the weights, which their owner sets."""
        torch.set_float32_matmul_precision(self.fp32_products)
        for part in model.modules():
            if isinstance(part, Backbone):  # one may hold others
                part.kernels = self.kernels

    def to_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self) | {"dtype": str(self.dtype).removeprefix("torch.")}

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "ComputeSettings":
        """What :meth:`to_dict` gave."""
        return ComputeSettings(
            getattr(torch, stored["dtype"]),
            stored["fp32_products"],
            Kernels(**rename_keys(stored["kernels"], KERNEL_KEYS)),
        )


def default_device() -> torch.device:
    """The device of this process: the one that ``--device`` names, or the GPU where there is one, else the CPU."""
    return current_world().device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 products are computed by hardware there.

    On a CPU both have to agree: the processor, and oneDNN, which multiplies and which ``ONEDNN_MAX_CPU_ISA`` can hold back.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    hardware = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and bool(hardware) and onednn_has_bf16()


def compute_settings(precision: str, device: torch.device) -> ComputeSettings:
    """How to compute on ``device``; the first call ever measures the processor.

    Raises:
        BadInput: bf16 asked for where it would be emulated.
    """
    bf16 = has_fast_bf16(device)
    if precision == "bf16" and not bf16:
        raise BadInput(
            "this processor has no bf16 arithmetic", where="--precision", value=precision, allowed="auto, fp32",
            next_step="use --precision auto",
        )  # fmt: skip
    if device.type != "cpu":
        dtype = torch.bfloat16 if bf16 and precision != "fp32" else torch.float32
        return ComputeSettings(dtype, "highest", ON_GPU)
    return fastest_settings(precision, machine_speeds(bf16))


def settings_of_run(folder: RunFolder, precision: str, device: torch.device) -> ComputeSettings:
    """How the run in ``folder`` computes: as it began; where it has not begun, as is fastest on ``device``.

    So all trainings of a run compute alike, and those of a run that goes on too, whatever is measured meanwhile; and all
    processes of a training.

    Raises:
        BadInput: as :func:`compute_settings`, or a damaged file.
    """
    world = current_world()
    with world.together():
        found = _settings_of_run(folder, precision, device).to_dict() if world.leads else None
    return ComputeSettings.from_dict(world.agree(found))


def _settings_of_run(folder: RunFolder, precision: str, device: torch.device) -> ComputeSettings:
    """The same as one process sees it."""
    path = folder.path / COMPUTE
    if not folder.is_started or not path.is_file():
        return compute_settings(precision, device)
    stored = read_json(path)
    try:
        compute = ComputeSettings.from_dict(stored)
    except (AttributeError, KeyError, TypeError):
        raise BadInput(
            "these are no compute settings", where=str(path), value=stored, next_step="restore the file from a copy"
        ) from None
    if compute.dtype == torch.bfloat16 and not has_fast_bf16(device):
        say(NO_BF16)
        return compute_settings("fp32", device)
    return compute


def fastest_settings(precision: str, figures: MachineSpeeds) -> ComputeSettings:
    """The fastest settings for a processor with these figures; plain float32 where it was too busy to be measured.

    Figures of a busy machine are chance: two runs of one command would compute differently.
    """
    if figures.turns < ENOUGH:
        return ComputeSettings(torch.bfloat16 if precision == "bf16" else torch.float32, "highest", Kernels())
    bf16 = precision == "bf16" or (precision == "auto" and figures.bf16 > CLEARLY)
    dtype = torch.bfloat16 if bf16 else torch.float32
    exact = figures.onednn_error <= FP32_ERROR
    products = "medium" if exact and figures.onednn > CLEARLY else "highest"
    return ComputeSettings(
        dtype, products, Kernels(_eager_max_len(figures.plain.get(str(dtype).removeprefix("torch."), {})))
    )


def _eager_max_len(speeds: dict[int, float]) -> int:
    """The longest text up to which eager attention is the faster at every length that was measured."""
    if not speeds:
        return Kernels().eager_max_len
    longest = 0
    for length in sorted(speeds):
        if speeds[length] < 1:
            break
        longest = length
    return longest


def measured_flops(compute: ComputeSettings, device: torch.device) -> float:
    """Floating-point operations per second of one product of middling size, measured now (about 0.1 s)."""
    torch.set_float32_matmul_precision(compute.fp32_products)
    left, right = (torch.ones(1024, 1024, dtype=compute.dtype, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        began_at_s = time.perf_counter()
        total = float((left @ right)[0, 0])
        best = min(best, time.perf_counter() - began_at_s) if total else best
    return 2 * 1024**3 / best
