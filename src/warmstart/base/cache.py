"""Where what was found out once is kept: figures of this machine, and helps."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """``$WARMSTART_CACHE``, else ``~/.cache/warmstart``; ``None`` for an account without a home. It need not exist."""
    try:
        return Path(os.environ.get("WARMSTART_CACHE") or Path.home() / ".cache" / "warmstart")
    except RuntimeError:
        return None
