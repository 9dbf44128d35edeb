"""What a start has cost: tokens and time of its pre-training, as its run folder tells; and the models kept on its way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.run_folder import REPORT, SNAPSHOTS, RunFolder
from warmstart.build.start import NO_START


@dataclass(frozen=True, slots=True)
class PretrainingCost:
    """Of one start: tokens read and seconds of training, its own start's not counted."""

    tokens: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """What stands in ``study.json``."""
        return {"tokens": self.tokens, "seconds": self.seconds}


def kept_models(start: str) -> dict[int, Path]:
    """Step → folder of the models that ``pretrain --snapshots`` has kept in a run, without its last step: that is the run.

    Raises:
        BadInput: there is no start.
    """
    if start == NO_START:
        raise BadInput("no start to look into", where="--start", value=NO_START, next_step="give --start RUN")
    folder = RunFolder(start)
    last = int(read_json(folder.path / REPORT).get("steps", 0)) if folder.is_finished else 0
    return {step: path for step, path in folder.snapshots().items() if step != last}


def pretraining_cost(start: str) -> PretrainingCost | None:
    """Nothing for random weights; ``None`` where a folder does not say, as those of other programs do not."""
    if start == NO_START:
        return PretrainingCost(0, 0.0)
    path = Path(start)
    if path.parent.name == SNAPSHOTS:
        return _until(RunFolder(path.parent.parent), int(path.name.removeprefix("step-")))
    folder = RunFolder(path)
    if not folder.is_finished:
        return None
    report = read_json(path / REPORT)
    return PretrainingCost(int(report["tokens"]), float(report["seconds"]))


def _until(folder: RunFolder, step: int) -> PretrainingCost | None:
    """What the steps of a run until one have cost, as it logged them."""
    rows = [row for row in folder.read_metrics() if row["kind"] == "train" and row["step"] <= step]
    return PretrainingCost(int(rows[-1]["tokens"]), float(rows[-1]["elapsed_s"])) if rows else None
