"""What pyproject.toml cannot say: kernels are built where gcc is at hand (docs/models.md, docs/text.md).

With ``WARMSTART_KERNELS=0`` none are: the wheel is then of Python alone, for every machine.
"""

import os

from setuptools import Extension, setup

kernels = Extension(
    "warmstart.models._kernels",
    [f"src/warmstart/models/{name}.c" for name in ("kernels", "tiles", "texts", "passes", "cells")], optional=True,
    depends=[f"src/warmstart/models/{name}.h" for name in ("vectors", "texts", "numbers")],
    extra_compile_args=["-O3", "-g0", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"], extra_link_args=["-fopenmp"],
)  # fmt: skip
words = Extension(
    "warmstart.text._words", ["src/warmstart/text/words.c"], optional=True, extra_compile_args=["-O3", "-g0"]
)
setup(ext_modules=[] if os.environ.get("WARMSTART_KERNELS") == "0" else [kernels, words])
