"""Which device to compute on: the one that is named, or the GPU where there is one, else the CPU."""

from collections.abc import Callable

import torch

from warmstart.base.errors import BadInput


def _count_mps() -> int:
    return int(torch.backends.mps.is_available())


DEVICES: dict[str, Callable[[], int]] = {
    "cpu": lambda: 1,
    "cuda": torch.cuda.device_count,
    "mps": _count_mps,
    "xpu": torch.xpu.device_count,
}
"""Kind of device → how many of them this machine has, for torch."""


def find_device(name: str | None, local_rank: int | None = None) -> torch.device:
    """The device of this process.

    Args:
        name: such as ``cpu``, ``cuda`` or ``cuda:1``; ``None``: cuda where there is one, else cpu.
        local_rank: the number of this process on its machine, where several train one model: each has a device of its own.

    Raises:
        BadInput: no such device here, or one device for several processes.
    """
    kind, _, number = (name or ("cuda" if DEVICES["cuda"]() else "cpu")).partition(":")
    count = DEVICES[kind]() if kind in DEVICES else 0
    if not count or (number and not (number.isdecimal() and int(number) < count)):
        raise BadInput("no such device on this machine", where="--device", value=name, allowed=", ".join(_names()))
    if kind == "cpu":
        return torch.device("cpu")
    if local_rank is None:
        return torch.device(kind, int(number)) if number else torch.device(kind)
    if number or local_rank >= count:
        raise BadInput(
            "each process of a training needs a device of its own", where="--device", value=name or kind,
            allowed=f"{kind} without a number, for up to {count} processes on this machine",
            next_step=f"give torchrun --nproc-per-node {count}, or --device cpu",
        )  # fmt: skip
    return torch.device(kind, local_rank)


def _names() -> list[str]:
    """The devices that this machine has."""
    found = []
    for kind, count in DEVICES.items():
        found += [kind] if count() else []
        found += [f"{kind}:{number}" for number in range(count())] if count() > 1 else []
    return found
