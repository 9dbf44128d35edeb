"""Settings of ``prepare``. Light to import."""

import os
from typing import Annotated, Literal

from warmstart.base.settings import Setting
from warmstart.text.settings import TextSettings


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PrepareSettings(TextSettings):
    """From raw text to a corpus folder."""

    title = "Output"

    paths: tuple[str, ...]
    out: Annotated[str, Setting(help="corpus folder to create", flag="--out", metavar="CORPUS")]
    workers: int = Setting(
        help="processes that clean and encode; the result does not depend on their number (default: all cores)",
        flag="--workers", metavar="N", ge=1, default_factory=num_cores,
    )  # fmt: skip
    engine: Literal["local", "ray"] = Setting(
        "local", "local: processes of this machine; ray: Ray Data, there or in a cluster (RAY_ADDRESS), the same bytes",
        flag="--engine",
    )  # fmt: skip
