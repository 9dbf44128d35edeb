"""What processor a bench runs on, and how fast its products are: the line above every table of a bench.

python bench/processor.py
"""

import os
import platform
import time
from pathlib import Path

FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16", "i8mm")
LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "OMP_NUM_THREADS")
"""Variables that make a processor another one."""
SIZE, TRIES = 1024, 12


def name_and_flags() -> str:
    """Name, cores and the sets of instructions that products use; with the variables that limit them."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().split("\n") if about.exists() else []
    told = {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
    has = set(told.get("flags", told.get("Features", "")).split())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]
    flags = [flag for flag in FLAGS if flag in has]
    return f"{told.get('model name', platform.machine())}, {cores} cores, {' '.join([*flags, *limits])}"


def product_gflops(dtype_name: str) -> float:
    """The best rate of one thread of torch's product of 1,024 x 1,024, by processor time."""
    import torch

    threads, dtype = torch.get_num_threads(), getattr(torch, dtype_name)
    torch.set_num_threads(1)
    a, b = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    times = []
    for _ in range(TRIES):
        began_s = time.process_time()
        a @ b
        times.append(time.process_time() - began_s)
    torch.set_num_threads(threads)
    return 2 * SIZE**3 / min(times) / 1e9


def describe(products: bool = False) -> str:
    """The line; with ``products`` also their rate in float32 and bf16, of one core."""
    if not products:
        return name_and_flags()
    rates = ", ".join(f"{name} {product_gflops(name):,.0f}" for name in ("float32", "bfloat16"))
    return f"{name_and_flags()}; products, GFLOP/s of one core: {rates}"


if __name__ == "__main__":
    print(describe(products=True))
