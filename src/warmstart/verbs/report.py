"""``warmstart report``: folders of runs and studies to one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmstart.reporting.study_page import report_folders


def report(runs: Sequence[str], out: str) -> dict[str, Any]:
    """Writes the page ``out`` about ``runs``: {"runs", "out"}."""
    report_folders([Path(run) for run in runs], Path(out))
    return {"runs": list(runs), "out": out}
