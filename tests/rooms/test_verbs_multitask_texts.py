"""Tasks that are answered by generating among others, in one model."""

import json
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.cli.main import main
from warmstart.models.settings import HeadSettings
from warmstart.run.loading import load_run

ROWS: dict[str, list[dict[str, Any]]] = {
    "subjects": [{"source": f"the sea on day {n}", "target": f"day {n}"} for n in range(8)],
    "echoes": [{"source": f"day {n}", "target": f"day {n} day {n}"} for n in range(8)],
    "mood": [{"text": f"the sea on day {n}", "label": ("calm", "wild")[n % 2]} for n in range(8)],
}
KINDS = {"subjects": "seq2seq", "echoes": "seq2seq", "mood": "classification"}
RECIPE = """
start: none
model: {{preset: encoder-decoder-tiny}}
vocab_size: 270
tasks:
{tasks}
dev_score: mood
train: {{length: 1 epochs, batch_size: 4, precision: fp32, optimizer: {{lr: 1e-3}}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all tasks, a recipe and the run that it makes."""
    home = tmp_path_factory.mktemp("texts")
    entries = []
    for name, rows in ROWS.items():
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        entries.append(f"  {name}: {{name: {KINDS[name]}, train: {home}/{name}.jsonl, dev: {home}/{name}.jsonl}}")
    (home / "recipe.yaml").write_text(RECIPE.format(tasks="\n".join(entries)))
    assert main(["finetune", "--recipe", str(home / "recipe.yaml"), "--out", str(home / "run")]) == 0
    return home


def test_each_step_is_of_one_task_and_all_texts_share_a_softmax(home: Path) -> None:
    """Witness: the log: each line has the loss of one task by its name; classes have a head, texts the vocabulary's."""
    lines = [json.loads(line) for line in (home / "run" / "metrics.jsonl").read_text().strip().split("\n")]
    losses = [tuple(line["losses"]) for line in lines if line["kind"] == "train"]
    assert sorted(losses) == sorted([(name,) for name in ROWS for _ in range(2)])
    heads = load_run(home / "run").model.settings.heads
    assert [name for name, head in heads.items() if isinstance(head, HeadSettings)] == ["mood"]


@pytest.mark.parametrize("name", ROWS)
def test_each_task_answers_in_its_own_way(name: str, home: Path, tmp_path: Path) -> None:
    """Witness: the figures of the training's report; a text where texts are generated, a class where there are classes."""
    data = str(home / f"{name}.jsonl")
    report = json.loads((home / "run" / "report.json").read_text())["tasks"][name]
    found = warmstart.evaluate(str(home / "run"), data, task=name, precision="fp32")["metrics"]
    assert found == pytest.approx({key: report["metrics"][key] for key in found}, abs=1e-4)
    assert (
        main(["predict", "--run", str(home / "run"), "--task", name, "--input", data, "--output", str(tmp_path / "o")])
        == 0
    )
    rows = [json.loads(line) for line in (tmp_path / "o").read_text().strip().split("\n")]
    key = "label" if name == "mood" else "prediction"
    assert len(rows) == 8 and all(isinstance(row[key], str) for row in rows)


def test_one_softmax_has_one_smoothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: one sentence, exit code 2, nothing written."""
    words = ["--recipe", str(home / "recipe.yaml"), "--set", "tasks.echoes.seq2seq.smoothing=0.2"]
    words += ["--set", "tasks.subjects.seq2seq.smoothing=0.1"]
    assert main(["finetune", *words, "--out", str(home / "new")]) == 2
    assert "share one softmax" in capsys.readouterr().err and not (home / "new").exists()
