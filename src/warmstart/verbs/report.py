"""``warmstart report``: folders of runs and studies to one self-contained HTML page."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder
from warmstart.reporting.study_page import STUDY, report_folders

REFRESH_S = 10


def report(runs: Sequence[str], out: str, export: str | None = None, watch: bool = False) -> dict[str, Any]:
    """Writes the page ``out`` about ``runs``: {"runs", "out"}.

    Args:
        runs: folders of runs and studies.
        out: the page.
        export: a folder, empty or new, for the same as Markdown, CSV and SVG.
        watch: whether to write it again and again, as far as runs are, until all have ended (or Ctrl-C).

    Raises:
        BadInput: no folder, one without a finished run or study, or a page or folder that must not be written.
    """
    folders, kept = [Path(run) for run in runs], None if export is None else Path(export)
    if kept is not None and kept.exists() and (not kept.is_dir() or any(kept.iterdir())):
        raise BadInput(
            "this holds other files", where="--export", value=export, next_step="choose an empty or new folder"
        )
    with contextlib.suppress(KeyboardInterrupt):
        while watch and not all(map(_is_finished, folders)):
            report_folders(folders, Path(out), unfinished=True, refresh_s=REFRESH_S)
            say(f"{out}: written; again in {REFRESH_S} seconds (Ctrl-C ends this)")
            time.sleep(REFRESH_S)
    report_folders(folders, Path(out), kept, unfinished=watch)
    return {"runs": list(runs), "out": out}


def _is_finished(folder: Path) -> bool:
    """Whether a run, or a study, has ended; a file of zero-shot scores is there as a whole."""
    return folder.is_file() or RunFolder(folder).is_finished or (folder / STUDY).is_file()
