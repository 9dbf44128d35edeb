"""The run folder: where everything about one training stands.

::

    RUN/  config.yaml   the resolved recipe          config.json, model.safetensors,
          manifest.json versions, seeds, argv          tokenizer.json: the model for everybody
          metrics.jsonl what was measured, by step   warmstart.json: its task, keys and labels
          account.json  of weights and records       README.md: the model card
          report.json   the result; written last

    while it trains:    resume/  the newest checkpoint       best/  the weights that did best on dev
"""

import json
import shutil
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import disk_errors, read_json, write_json, write_text

CONFIG, MANIFEST, METRICS, ACCOUNT, REPORT = (
    "config.yaml",
    "manifest.json",
    "metrics.jsonl",
    "account.json",
    "report.json",
)
CORPUS = "corpus"  # made in the run's folder before the run begins, where it was given as text


class RunFolder:
    """Paths and files of one run. Nothing is written before :meth:`create`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def is_started(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / CONFIG).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run here came to its end."""
        return (self.path / REPORT).is_file()

    def check_free(self, *, resume: bool, config: str) -> None:
        """Refuses a folder that holds anything but the unfinished run that ``resume`` asks for.

        Raises:
            BadInput: another run, a finished run, other files, or nothing to resume with another recipe.
        """
        where = str(self.path)
        if self.path.is_file():
            raise BadInput("this is a file, not a folder", where=where, next_step="choose another --out")
        if not self.is_started:
            if self.path.is_dir() and any(
                not path.name.startswith((CORPUS, f".{CORPUS}")) for path in self.path.iterdir()
            ):
                raise BadInput(
                    "the output folder holds other files", where=where, next_step="choose an empty or new --out"
                )
            return
        if (self.path / CONFIG).read_text(encoding="utf-8") != config:
            raise BadInput(
                "the output folder holds another run, made by another recipe",
                where=where,
                next_step=f"choose another --out, or repeat the command that {CONFIG} there records",
            )
        if self.is_finished:
            raise BadInput(
                "the output folder holds this very run, finished",
                where=where,
                next_step=f"read {REPORT} there, or choose another --out to run again",
            )
        if not resume:
            raise BadInput(
                "the output folder holds this run, unfinished",
                where=where,
                next_step="add --resume to continue it, or choose another --out",
            )

    def create(self, config: str, manifest: dict[str, Any]) -> None:
        """Makes the folder and notes what is about to run."""
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / MANIFEST, manifest)
        write_text(self.path / CONFIG, config)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """One more line of measurements."""
        with disk_errors(self.path), open(self.path / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All measurements; a last line cut off by a crash is left out."""
        path = self.path / METRICS
        rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def truncate_metrics(self, step: int) -> None:
        """Forgets what was measured after ``step``, since those steps will be taken again."""
        kept = [json.dumps(row) for row in self.read_metrics() if row["step"] <= step]
        write_text(self.path / METRICS, "".join(line + "\n" for line in kept))

    def write_account(self, account: dict[str, Any]) -> None:
        """Adds to the account of weights moved and records used."""
        path = self.path / ACCOUNT
        write_json(path, (read_json(path) if path.is_file() else {}) | account)

    def finish(self, report: dict[str, Any]) -> None:
        """Writes the result, which marks the run as finished, and drops what only an unfinished run needs."""
        write_json(self.path / REPORT, report)
        for name in ("resume", "best"):
            shutil.rmtree(self.path / name, ignore_errors=True)
