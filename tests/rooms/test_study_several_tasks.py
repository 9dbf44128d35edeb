"""``study tasks``: what it trains, what it compares, that nothing is run twice, and what it refuses."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.study import StudyRecipe
from warmstart.metrics.jackknife import difference_variance, mean_pseudo_values, metric_pseudo_values
from warmstart.metrics.metric import METRICS
from warmstart.study.several_tasks import run_tasks

RECIPE = """
start: none
model: {{preset: bert-tiny}}
vocab_size: 270
tasks:
  mood: {{name: classification, train: {home}/mood.jsonl, dev: {home}/mood.jsonl, test: {home}/mood-test.jsonl, weight: 0.5}}
  stars: {{name: regression, train: {home}/stars.jsonl, dev: {home}/stars.jsonl}}
train: {{length: 1 epochs, batch_size: 4, precision: fp32, optimizer: {{lr: 1e-3}}}}
retries: 0
"""


def rows(kind: str, count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(["sea", "calm", "wild", "warm", "dark"], k=4)) for _ in range(count)]
    if kind == "mood":
        return [{"text": text, "label": ("calm", "wild")[n % 2]} for n, text in enumerate(texts)]
    return [{"text": text, "score": len(text) + n % 3} for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of two tasks, a recipe, and its study of two seeds."""
    home = tmp_path_factory.mktemp("tasks")
    for name, kind, count in (("mood", "mood", 12), ("mood-test", "mood", 20), ("stars", "stars", 12)):
        made = rows(kind, count, len(name))
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    (home / "recipe.yaml").write_text(RECIPE.format(home=home))
    assert (
        main(["study", "tasks", "--recipe", str(home / "recipe.yaml"), "--seeds", "2", "--out", str(home / "study")])
        == 0
    )
    return home


def study(home: Path) -> dict[str, Any]:
    return json.loads((home / "study" / "study.json").read_text())  # type: ignore[no-any-return]


def trial(home: Path, name: str) -> dict[str, Any]:
    return json.loads((home / "study" / "trials" / name / "report.json").read_text())  # type: ignore[no-any-return]


def test_every_task_is_learned_together_alone_and_after_all(home: Path) -> None:
    """Witness: the reports of the trials themselves, and what their recipes say they started from."""
    table = {(one["column"], one["row"]): one for one in study(home)["table"]}
    assert {*table} == {
        (c, r) for c in ("mood", "stars", "mean") for r in ("together", "alone", "together, then alone")
    }
    for task, metric in (("mood", "accuracy"), ("stars", "pearson")):
        together, alone, after = (table[task, row] for row in ("together", "alone", "together, then alone"))
        for name, value in zip(together["trials"], together["values"], strict=True):
            assert trial(home, name)["test"]["tasks"][task]["metrics"][metric] == value
        for one in (alone, after):
            assert [trial(home, name)["test"]["metrics"][metric] for name in one["trials"]] == one["values"]
        for name, first in zip(after["trials"], together["trials"], strict=True):
            config = (home / "study" / "trials" / name / "config.yaml").read_text()
            assert f"trials/{first}" in config and f"start_head: {task}" in config
    assert table["mood", "together"]["trials"] == table["stars", "together"]["trials"]  # one model


def test_the_mean_is_that_of_each_seed(home: Path) -> None:
    """Witness: the mean by hand; its comparison is with the tasks alone, corrected together with those of each task."""
    found = study(home)
    table = {(one["column"], one["row"]): one["values"] for one in found["table"]}
    for row in ("together", "alone", "together, then alone"):
        assert table["mean", row] == pytest.approx(np.mean([table["mood", row], table["stars", row]], 0))
    pairs = {(one["column"], one["main"], one["other"]): one for one in found["comparisons"]}
    assert len(pairs) == 6 and {other for _, _, other in pairs} == {"alone"}
    one = pairs["mean", "together", "alone"]
    assert one["gain"] == pytest.approx(np.mean(table["mean", "together"]) - np.mean(table["mean", "alone"]))
    assert one["interval"][0] < one["gain"] < one["interval"][1] and one["p_holm"] >= one["p"]
    verb = "gains" if one["gain"] >= 0 else "loses"
    assert found["answer"].startswith(f"together {verb} {abs(100 * one['gain']):.1f} points of the tasks' mean ")


def test_a_second_command_trains_nothing(home: Path) -> None:
    """Witness: the times at which reports were written; the models of all tasks are kept whole, the others slim."""
    before = {path: path.stat().st_mtime_ns for path in (home / "study" / "trials").glob("*/report.json")}
    table = study(home)["table"]
    command = ["study", "tasks", "--recipe", str(home / "recipe.yaml"), "--seeds", "2", "--out", str(home / "study")]
    assert main(command) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (home / "study" / "trials").glob("*/report.json")}
    assert study(home)["table"] == table and len(before) == 2 * (1 + 2 * 2)
    whole = {path.parent.name for path in (home / "study" / "trials").glob("*/model.safetensors")}
    assert whole == {name for one in table if one["row"] == "together" for name in one["trials"] if name}
    page = (home / "study" / "report.html").read_text()
    assert "mood: together over alone" in page and "mean: together, then alone over alone" in page


def test_pseudo_values_of_a_mean_are_those_of_leaving_a_group_out() -> None:
    """Witness: the metric of each set without each of its groups, by brute force; and the sum of both variances."""
    draw = np.random.default_rng(3)
    sets = [(draw.integers(0, 2, n), draw.integers(0, 2, n)) for n in (7, 40)]
    metric = METRICS["accuracy"]
    whole = np.mean([metric(*one) for one in sets])
    left = [
        np.mean([metric(*(np.delete(side, k) for side in one)) if one is own else metric(*one) for one in sets])
        for own in sets
        for k in range(len(own[0]))
    ]
    parts = [metric_pseudo_values("accuracy", *one) for one in sets]
    found = mean_pseudo_values(parts)
    np.testing.assert_allclose(found, 47 * whole - 46 * np.array(left))
    zero = np.zeros_like
    variance = sum(difference_variance(one, zero(one)) for one in parts) / 4
    assert difference_variance(found, zero(found)) == pytest.approx(variance, rel=0.2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"DESIGN": "labels"}, "the design tasks is of several tasks, and every other of one"),
        ({"--vary": "head_dropout=0.2"}, "--vary"),
        ({"--jobs": "2"}, "--jobs"),
        ({"--dev-score": "sea"}, "unknown score of dev"),
    ],
)
def test_what_it_cannot_do_is_refused(home: Path, tmp_path: Path, flags: dict[str, str], said: str) -> None:
    """Invariant: one sentence, and nothing is written."""
    given = {"DESIGN": "tasks", "--seeds": "2"} | flags
    recipe = compose(StudyRecipe, recipe=str(home / "recipe.yaml"), flags=given)
    with pytest.raises(BadInput, match=said):
        run_tasks(recipe, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").iterdir()]


def test_one_task_is_refused(home: Path, tmp_path: Path) -> None:
    """Invariant: the sentence says how several are named."""
    bare = compose(StudyRecipe, flags={"DESIGN": "tasks", "--start": "none", "--task": "classification"})
    several = compose(StudyRecipe, recipe=str(home / "recipe.yaml"), flags={"DESIGN": "tasks"})
    [name, *_] = several.tasks
    for recipe in (bare, several.model_copy(update={"tasks": {name: several.tasks[name]}})):
        with pytest.raises(BadInput, match=r"--task.*NAME=DIR"):
            run_tasks(recipe, str(tmp_path / "out"))
