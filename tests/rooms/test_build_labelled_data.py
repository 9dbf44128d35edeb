"""From a recipe's task to Records: files, known data sets, the hub; what is held out, shared, and said."""

import json
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.build.evaluation_data import evaluation_records
from warmstart.build.labelled_data import FEW, TRAINED_ON, read_labelled_data
from warmstart.config.task_recipe import TaskRecipe
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def films(count: int, word: str = "film") -> list[dict[str, object]]:
    return [{"text": f"{word} {n}", "label": "np"[n % 2]} for n in range(count)]


def test_what_is_held_out_is_said(tmp_path: Path) -> None:
    """Witness: a tenth of ten, or none of so few; nothing where dev is given."""
    train = jsonl(tmp_path / "train.jsonl", films(10))
    assert read_labelled_data(TaskRecipe(name="classification", train=train, dev=train), 0).note == ""
    for share, note in (
        (0.1, "1 of 10 training examples held out as dev"),
        (None, f"0 of 10 training examples held out as dev: {TRAINED_ON}"),
    ):
        assert read_labelled_data(TaskRecipe(name="classification", train=train, dev_frac=share), 0).note == note


def test_few_examples_are_all_trained_on(tmp_path: Path) -> None:
    """Invariant: below the number that docs/train.md states nothing is held out, from it on a tenth is."""
    for count in (FEW - 1, FEW):
        train = jsonl(tmp_path / "train.jsonl", films(count))
        found = read_labelled_data(TaskRecipe(name="classification", train=train), 0)
        few = count < FEW
        assert found.dev_is_train == few and len(found.train) == (count if few else count * 9 // 10)
        assert (found.dev == found.train) == few


def test_a_known_data_set_without_dev_has_some_of_its_training_examples_held_out(tmp_path: Path) -> None:
    """Witness: the counts, and the entry's own metric and name."""
    for part in ("train", "test"):
        for label in ("pos", "neg"):
            for n in range(10):
                path = tmp_path / part / label / f"{n}_{9 if label == 'pos' else 2}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{part} {label} {n}")
    found = read_labelled_data(TaskRecipe(name="imdb", data=str(tmp_path), dev_frac=0.2), 0)
    assert [len(found.train), len(found.dev), len(found.test or [])] == [16, 4, 20]
    assert (found.name, found.metric, found.label_names) == ("imdb", "accuracy", ("negative", "positive"))
    assert "4 of 20 training examples held out as dev" in found.note


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "rte"}, "the folder of 'rte' is not given; add --data DIR"),
        ({"name": "rte", "data": "hf:glue:rte"}, "with a hub id goes the kind: --task entailment"),
        ({"name": "xnli", "data": "."}, "'xnli' has no training examples.*warmstart evaluate --task xnli"),
        ({"name": "choice", "data": "."}, "a folder does not go with a kind of task; got '.'; allowed: hf:owner/name"),
        ({"name": "choice", "data": "hf:x", "train": "a.jsonl"}, "a data set of the hub brings its own splits"),
        (
            {"name": "rte", "data": ".", "columns": {"premise": "a"}},
            "--columns: a known data set has columns .* of its own",
        ),
        (
            {"name": "rte", "data": ".", "format": "csv"},
            "--format: a known data set has columns and formats of its own",
        ),
        ({"name": "choice", "data": "hf:x", "format": "csv"}, "--format: a data set of the hub has no format to name"),
        ({"name": "chioce"}, "--task: unknown task.*did you mean 'choice'"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], words: str) -> None:
    """Witness: the sentences."""
    with pytest.raises(BadInput, match=words):
        read_labelled_data(TaskRecipe(**given), 0)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A local folder that the library reads as a data set of three parts, the last without labels."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    jsonl(tmp_path / "set" / "train.jsonl", films(10))
    jsonl(tmp_path / "set" / "validation.jsonl", films(4, "other"))
    jsonl(tmp_path / "set" / "test.jsonl", [{"text": "x", "label": None}])
    return f"hf:{tmp_path / 'set'}"


def test_a_data_set_of_the_hub_is_learned_and_judged_by_its_parts(hub: str) -> None:
    """Witness: the rows that were written; a test part without labels is not evaluated by."""
    found = read_labelled_data(TaskRecipe(name="classification", data=hub), 0)
    assert [len(found.train), len(found.dev), found.test, found.name] == [10, 4, None, ""]
    assert (found.label_names, found.train[1].texts["text"], found.train[1].label) == (("n", "p"), "film 1", 1)
    assert found.note == "not read, of another name or without labels: test"
    spec = TaskSpec(kind="classification", label_names=("n", "p"), frame=FrameSettings(context=8))
    assert [r.texts["text"] for r in evaluation_records(spec, hub)] == [f"other {n}" for n in range(4)]
    assert len(list(evaluation_records(spec, hub, split="train"))) == 10
    for split in ("test", "validatoin"):
        with pytest.raises(BadInput, match=f"no such labelled split; got '{split}'; allowed: train, validation, test"):
            evaluation_records(spec, hub, split=split)


def test_columns_of_the_hub_may_have_other_names(hub: str) -> None:
    """Witness: the same rows under the task's own keys; a test part without labels is left out as before."""
    folder = Path(hub.removeprefix("hf:")).parent / "renamed"
    for part in ("train", "validation", "test"):
        rows = [json.loads(line) for line in (folder.parent / "set" / f"{part}.jsonl").read_text().splitlines()]
        jsonl(folder / f"{part}.jsonl", [{"review": row["text"], "mood": row["label"]} for row in rows])
    task = TaskRecipe(name="classification", data=f"hf:{folder}", columns=("text=review", "label=mood"))
    found, plain = (read_labelled_data(one, 0) for one in (task, TaskRecipe(name="classification", data=hub)))
    for ours, theirs in ((found.train, plain.train), (found.dev, plain.dev)):
        assert [(r.texts, r.label) for r in ours] == [(r.texts, r.label) for r in theirs]
    assert found.note == plain.note


def test_a_data_set_of_the_hub_must_have_the_keys_of_the_kind(hub: str) -> None:
    """Witness: the missing key, in the first row of the part."""
    with pytest.raises(BadInput, match=r"hf:.*, train:1: missing key 'premise'"):
        read_labelled_data(TaskRecipe(name="entailment", data=hub), 0)
