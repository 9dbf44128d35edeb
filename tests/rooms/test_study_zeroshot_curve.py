"""The models of a pre-training on its way: as starts with what they cost, and judged without fine-tuning."""

import json
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.base.run_folder import REPORT, RunFolder
from warmstart.build.labelled_data import LabelledData
from warmstart.cli.main import main
from warmstart.config.schema import TaskRecipe
from warmstart.config.study import StudyRecipe
from warmstart.example.record import Record
from warmstart.study.designs import DESIGNS
from warmstart.study.pretraining_cost import pretraining_cost

WORDS = {"glad": "bright song warm day", "sad": "dark rain cold night"}


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of four words, in turns glad and sad."""
    names = [("glad", "sad")[n % 2] for n in range(count)]
    return [{"text": " ".join(WORDS[name].split()[(n + seed + k) % 4] for k in range(4)), "label": name}
            for n, name in enumerate(names)]  # fmt: skip


def data(count: int) -> LabelledData:
    records = [Record({"text": row["text"]}, int(row["label"] == "glad")) for row in rows(count, 0)]
    return LabelledData("classification", ("sad", "glad"), records, records[:10], records[:10])


@pytest.fixture
def flags(tmp_path: Path) -> dict[str, Any]:
    for name, count in (("train", 16), ("test", 20)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(count, 1)))
    return {
        "task": "classification", "length": "1 step", "batch_size": 4, "precision": "fp32", "retries": 0, "lr": 1e-3,
        "train": str(tmp_path / "train.jsonl"), "test": str(tmp_path / "test.jsonl"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of 6 steps, kept after 2 and 4 and 6."""
    home = tmp_path_factory.mktemp("snapshots")
    lines = [" ".join(row["text"] for row in rows(30, seed)) + "\n" for seed in range(8)]
    (home / "text.txt").write_text("\n".join(lines))
    warmstart.pretrain(
        str(home / "lm"), corpus=[str(home / "text.txt")], model="gpt1-tiny", vocab_size=270, length="6 steps",
        batch_size=4, precision="fp32", evaluate_every="2 steps", snapshots=True, dev_frac=0.2, lr=1e-2, context=32,
    )  # fmt: skip
    return home


def test_every_kept_model_is_a_start_with_what_it_cost(snapshots: Path, tmp_path: Path, flags: dict[str, Any]):
    """Witness: the folders by hand; tokens as the run logged them, and as its report says."""
    start = snapshots / "lm"
    recipe = StudyRecipe(design="pretraining", start=str(start), seeds=1, task=TaskRecipe(name="classification"))
    [cells] = DESIGNS["pretraining"].rounds(recipe, data(20))
    kept = [str(start / "snapshots" / f"step-{step:09d}") for step in (4, 2)]
    assert [cell.recipe.start for cell in cells] == [str(start), *kept, "none"]
    assert [cell.row for cell in cells] == ["full", "full, after 4 steps", "full, after 2 steps", "no pre-training"]
    costs = [pretraining_cost(cell.recipe.start) for cell in cells]
    logged = {row["step"]: row["tokens"] for row in RunFolder(start).read_metrics() if row["kind"] == "train"}
    assert [cost.tokens for cost in costs if cost] == [read_json(start / REPORT)["tokens"], logged[4], logged[2], 0]
    with pytest.raises(BadInput, match=r"no model was kept.*--snapshots"):
        next(DESIGNS["pretraining"].rounds(recipe.model_copy(update={"start": kept[0]}), data(20)))
    found = warmstart.run_study("pretraining", str(tmp_path / "study"), start=str(start), seeds=1, **flags)
    assert [found["costs"][cell.row]["tokens"] for cell in cells] == [cost.tokens for cost in costs if cost]
    page = (tmp_path / "study" / "report.html").read_text()
    assert "tokens of pre-training" in page and "pre-training, time" in page


def test_the_zero_shot_curve_is_what_the_verb_says_of_each_model(
    snapshots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Witness: ``zeroshot`` of each kept model by itself; the last is compared with the first over the same texts."""
    test = tmp_path / "texts.txt"
    test.write_text("\n\n".join(row["text"] for row in rows(12, 9)))
    out = str(tmp_path / "study")
    asked: dict[str, Any] = {"start": str(snapshots / "lm"), "task": "text", "test": str(test)}
    found = warmstart.run_study("zeroshot", out, **asked)
    steps = [one["column"] for one in found["table"]]
    assert steps == ["2", "4", "6"] and found["columns"] == "steps"
    folders = [snapshots / "lm" / "snapshots" / f"step-{int(step):09d}" for step in steps]
    told = [warmstart.zero_shot(str(folder), "text", str(test))["metrics"][found["metric"]] for folder in folders]
    assert [one["mean"] for one in found["table"]] == pytest.approx(told)
    [compared] = found["comparisons"]
    assert compared["gain"] == pytest.approx(told[0] - told[2])  # of a perplexity less is better
    assert "over the examples of the task" in found["answer"]
    assert f"{'lowers' if compared['gain'] >= 0 else 'raises'} {found['metric']} by " in found["answer"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "study" / "trials").iterdir()}
    again = warmstart.run_study("zeroshot", out, **asked)
    assert again["table"] == found["table"]
    words = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items()]
    assert main(["study", "zeroshot", "--out", out, *words]) == 0  # whose tasks are not those of fine-tuning
    assert found["answer"] in capsys.readouterr().out
    assert main(["study", "labels", "--out", f"{out}-2", *words]) == 2
    assert "unknown task; got 'text'" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study" / "trials").iterdir()} == before
    new = str(tmp_path / "new")
    with pytest.raises(BadInput, match=r"--metric.*allowed: .*perplexity"):
        warmstart.run_study("zeroshot", new, metric="accuracy", **asked)
    with pytest.raises(BadInput, match=r"no file to judge.*--test"):
        warmstart.run_study("zeroshot", new, start=str(snapshots / "lm"), task="text")
