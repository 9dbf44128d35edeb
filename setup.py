"""What pyproject.toml cannot say: kernels for a CPU are built where gcc is at hand (docs/models.md).

With ``WARMSTART_KERNELS=0`` none are: the wheel is then of Python alone, for every machine.
"""

import os

from setuptools import Extension, setup

kernels = Extension(
    "warmstart.models._kernels", ["src/warmstart/models/kernels.c", "src/warmstart/models/tiles.c"], optional=True,
    depends=["src/warmstart/models/vectors.h"],
    extra_compile_args=["-O3", "-g0", "-fopenmp"], extra_link_args=["-fopenmp"],
)  # fmt: skip
setup(ext_modules=[] if os.environ.get("WARMSTART_KERNELS") == "0" else [kernels])
