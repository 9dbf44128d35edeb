"""Trackers: programs that show trainings, fed with the rows of ``metrics.jsonl`` and with nothing else.

None is used unless a run names it, and what they write stays on this machine, unless their own environment variables
(``MLFLOW_TRACKING_URI``, ``WANDB_MODE``, ``TRACKIO_SPACE_ID``) say otherwise. A run that goes on is the same run there.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.files import read_json, write_json

IDS = "trackers.json"
"""In the run folder: what each tracker calls the run."""
PROJECT = "warmstart"
Row = Mapping[str, Any]
Track = Callable[[Row], None]


class Tracker(Protocol):
    """Takes the numbers of a run."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """The numbers of one row, by names such as ``train/loss``."""
        ...

    def close(self) -> None:
        """All is written."""
        ...


class TensorBoardTracker:
    """Event files in ``tensorboard/`` of the run: ``tensorboard --logdir RUN``."""

    def __init__(self, folder: Path, step: int) -> None:
        """``step``: that the run goes on from; what was written of later ones is hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """A scalar each."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


class MLflowTracker:
    """A run of MLflow, in ``mlflow.db`` of the run: ``mlflow ui --backend-store-uri sqlite:///RUN/mlflow.db``."""

    def __init__(self, folder: Path, step: int) -> None:
        """The run that was begun before, or a new one."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        self._client: Any = MlflowClient(uri)
        self._id = kept_id(folder, "mlflow") or self._begin(folder)
        keep_id(folder, "mlflow", self._id)

    def _begin(self, folder: Path) -> str:
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = self._client.create_experiment(PROJECT) if found is None else found.experiment_id
        return str(self._client.create_run(experiment, run_name=folder.name).info.run_id)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """A metric each."""
        for name, value in numbers.items():
            self._client.log_metric(self._id, name, value, step=step)

    def close(self) -> None:
        """The run has ended."""
        self._client.set_terminated(self._id)


class WandbTracker:
    """A run of Weights & Biases, in ``wandb/`` of the run; offline unless ``WANDB_MODE`` says otherwise."""

    def __init__(self, folder: Path, step: int) -> None:
        """The run that was begun before, or a new one."""
        import wandb

        self._run: Any = wandb.init(
            project=PROJECT, name=folder.name, dir=str(folder), id=kept_id(folder, "wandb"), resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"), settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        keep_id(folder, "wandb", str(self._run.id))

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """All at one step."""
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        """Ends the run."""
        self._run.finish()


class TrackioTracker:
    """A run of trackio, where that keeps its runs on this machine; its words go to standard error."""

    def __init__(self, folder: Path, step: int) -> None:
        """The run that was begun before, or a new one."""
        import trackio

        with contextlib.redirect_stdout(sys.stderr):
            self._run: Any = trackio.init(
                project=PROJECT, name=folder.resolve().name, resume="allow", embed=False, auto_log_cpu=False,
                auto_log_gpu=False,
            )  # fmt: skip

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """All at one step."""
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        """Ends the run."""
        with contextlib.redirect_stdout(sys.stderr):
            self._run.finish()


class Kind(NamedTuple):
    """A tracker that may be named: its package, and what opens it."""

    package: str
    open: Callable[[Path, int], Tracker]


TRACKERS = {
    "tensorboard": Kind("tensorboard", TensorBoardTracker),
    "mlflow": Kind("mlflow", MLflowTracker),
    "wandb": Kind("wandb", WandbTracker),
    "trackio": Kind("trackio", TrackioTracker),
}
"""Name → the tracker."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuses a tracker that is unknown or not installed.

    Raises:
        BadInput: the first such name.
    """
    for name in names:
        if name not in TRACKERS:
            raise unknown_name_error("tracker", name, TRACKERS, "--track")
        if find_spec(TRACKERS[name].package) is None:
            raise BadInput(
                "this tracker is not installed", where="--track", value=name,
                next_step=f"pip install {TRACKERS[name].package}, or leave it out: metrics.jsonl has all its numbers",
            )  # fmt: skip


def no_tracking(row: Row) -> None:
    """Nobody looks on."""


@contextlib.contextmanager
def open_trackers(names: Sequence[str], folder: Path, step: int) -> Iterator[Track]:
    """What takes the rows of a run while the block runs; ``step``: that the run goes on from."""
    opened = [TRACKERS[name].open(folder, step) for name in names]

    def write(row: Row) -> None:
        numbers = numbers_of(row) if opened else {}
        for tracker in opened:
            tracker.write(int(row["step"]), numbers)

    try:
        yield write
    finally:
        for tracker in opened:
            tracker.close()


def numbers_of(row: Row) -> dict[str, float]:
    """The numbers of a row of ``metrics.jsonl``, by their kind and name.

    >>> numbers_of({"kind": "dev", "step": 9, "tokens": 80, "metrics": {"accuracy": 0.5}})
    {'dev/tokens': 80.0, 'dev/accuracy': 0.5}
    """
    found: dict[str, float] = {}
    for name, value in row.items():
        inner = value if isinstance(value, dict) else {name: value}
        found |= {key: number for key, number in inner.items() if isinstance(number, int | float) and key != "step"}
    return {f"{row['kind']}/{name}": float(number) for name, number in found.items()}


def kept_id(folder: Path, name: str) -> str | None:
    """What a tracker has called the run before."""
    path = folder / IDS
    return read_json(path).get(name) if path.is_file() else None


def keep_id(folder: Path, name: str, given: str) -> None:
    """Remembers it."""
    path = folder / IDS
    write_json(path, (read_json(path) if path.is_file() else {}) | {name: given})
