"""How this process was started: alone, or by ``torchrun`` as one of several that train one model.

What they are to each other is in :mod:`~warmstart.base.world`.
"""

import os
from collections.abc import Sequence

from warmstart.base.errors import BadInput, WarmstartError


class PeerError(WarmstartError):
    """Another process of this training has failed; without a sentence where that one has said why."""

    def __init__(self, sentence: str = "", exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def num_processes() -> int:
    """How many processes ``torchrun`` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def rank_of_process() -> int:
    """The number that ``torchrun`` has given this process; 0 without it."""
    return int(os.environ["RANK"]) if num_processes() > 1 else 0


def check_single(verb: str, allowed: Sequence[str]) -> None:
    """Refuses a verb that several processes cannot do together.

    Raises:
        BadInput: ``torchrun`` has started several.
    """
    if num_processes() > 1:
        raise BadInput(
            "several processes train one model together, and do nothing else", where=verb,
            value=f"{num_processes()} processes", allowed=f"{' and '.join(allowed)} under torchrun",
            next_step=f"run warmstart {verb} by itself, without torchrun",
        )  # fmt: skip
