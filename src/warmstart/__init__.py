"""warmstart: pre-train or import a language model, start a supervised model from it, measure what that bought.

The names below are the Python face; they are fetched when they are first used, so importing the package is free.
"""

from importlib import import_module
from typing import Any

from warmstart.base.native import set_native

__version__ = "0.1.0"

_FACE = (
    "Classifier", "convert", "evaluate", "explain", "finetune", "generate", "load", "overlap", "predict", "prepare",
    "pretrain", "report", "run_study", "submit", "zero_shot",
)  # fmt: skip

__all__ = [*_FACE, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _FACE:
        set_native()
        return getattr(import_module("warmstart.verbs.api"), name)
    raise AttributeError(f"module 'warmstart' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
