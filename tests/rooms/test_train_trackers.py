"""Trackers: event files read back by TensorBoard; the others by their own readers, where they are installed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import RunFolder
from warmstart.train.trackers import check_trackers, numbers_of, open_trackers


def logged(folder: Path) -> dict[tuple[str, int], float]:
    """(name, step) → number, of the run's own log."""
    rows = RunFolder(folder).read_metrics()
    return {(name, row["step"]): value for row in rows for name, value in numbers_of(row).items()}


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"kind": "train", "step": n, "loss": 1 / n, "losses": {"lm": 2 / n}} for n in range(first, last + 1)]


def test_the_numbers_of_a_row_are_named_by_its_kind():
    """Witness: rows as the log has them, by hand."""
    row = {"kind": "train", "step": 2, "loss": 3.0, "losses": {"lm": 1.0, "label": 2.0}, "note": "x"}
    assert numbers_of(row) == {"train/loss": 3.0, "train/lm": 1.0, "train/label": 2.0}
    assert numbers_of({"kind": "dev", "step": 1, "metrics": {"f1": 1}}) == {"dev/f1": 1.0}


def test_a_training_is_in_its_event_files(tmp_path: Path):
    """Witness: TensorBoard's own reader; a run that goes on hides what was written of later steps."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def told(folder: Path) -> dict[tuple[str, int], float]:
        found = EventAccumulator(str(folder / "tensorboard"))
        found.Reload()
        return {(name, one.step): one.value for name in found.Tags()["scalars"] for one in found.Scalars(name)}

    texts = [{"text": f"{word} {n}", "label": word} for n in range(8) for word in ("glad", "sad")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    warmstart.finetune(
        str(tmp_path / "run"), start="none", model="gpt1-tiny", vocab_size=270, length="3 steps", batch_size=4,
        precision="fp32", retries=0, lr=1e-3, task="classification", train=str(tmp_path / "rows.jsonl"),
        track="tensorboard",
    )  # fmt: skip
    assert told(tmp_path / "run") == pytest.approx(logged(tmp_path / "run"))
    for first, last in ((1, 4), (3, 5)):
        with open_trackers(["tensorboard"], tmp_path / "again", first - 1) as write:
            for row in rows(first, last):
                write(row)
    assert told(tmp_path / "again") == pytest.approx({("train/loss", n): 1 / n for n in range(1, 6)} | {
        ("train/lm", n): 2 / n for n in range(1, 6)
    })  # fmt: skip


def test_mlflow_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Witness: MLflow's own client."""
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for first, last in ((1, 2), (3, 4)):
        with open_trackers(["mlflow"], tmp_path, first - 1) as write:
            for row in rows(first, last):
                write(row)
    client = tracking.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "warmstart"]
    [run] = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert {one.step: one.value for one in history} == pytest.approx({n: 1 / n for n in range(1, 5)})


@pytest.mark.parametrize(
    ("name", "said"), [("tensorbord", "did you mean 'tensorboard'"), ("wandb", "pip install wandb")]
)
def test_a_tracker_that_is_not_there_is_refused(name: str, said: str, monkeypatch: pytest.MonkeyPatch):
    """Invariant: one sentence, before anything is read."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(BadInput, match=said):
        check_trackers([name])
