"""``warmstart report``: run folders to one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmstart.reporting.page import report_runs


def report(runs: Sequence[str], out: str) -> dict[str, Any]:
    """Writes the page ``out`` about ``runs``: {"runs", "out"}."""
    report_runs([Path(run) for run in runs], Path(out))
    return {"runs": list(runs), "out": out}
