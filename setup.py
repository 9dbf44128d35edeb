"""What pyproject.toml cannot say: kernels for decoding on a CPU are built where gcc is at hand (docs/models.md)."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "warmstart.models._kernels", ["src/warmstart/models/kernels.c"], optional=True,
            extra_compile_args=["-O3", "-g0", "-fopenmp"], extra_link_args=["-fopenmp"],
        )
    ]
)  # fmt: skip
