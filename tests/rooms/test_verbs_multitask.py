"""Several tasks in one run: trained, evaluated, predicted, converted, gone on from."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import warmstart
from warmstart.build.chosen import choose_settings
from warmstart.build.labelled_data import read_tasks
from warmstart.cli.main import main
from warmstart.config.load import changes_to_yaml, compose, to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.files import read_tensors
from warmstart.run.loading import load_run

ROWS: dict[str, list[dict[str, Any]]] = {
    "mood": [{"text": f"the sea on day {n}", "label": ("calm", "wild")[n % 2]} for n in range(12)],
    "pairs": [
        {"premise": f"the sea on day {n}", "hypothesis": f"day {n % 3}", "label": ("no", "yes", "perhaps")[n % 3]}
        for n in range(12)
    ],
    "stars": [{"text": f"an hour by the sea, day {n}", "score": n % 5 + 0.5} for n in range(12)],
    "words": [{"tokens": ["the", "sea", f"day{n}"], "tags": ["O", "PLACE", "O"]} for n in range(12)],
}
KINDS = {"mood": "classification", "pairs": "entailment", "stars": "regression", "words": "tagging"}
RECIPE = """
start: none
model: {{preset: bert-tiny}}
vocab_size: 270
task: {{context: 40}}
tasks:
{tasks}
train: {{length: 1 epochs, batch_size: 4, precision: fp32, optimizer: {{lr: 1e-3}}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all tasks, a recipe and the run that it makes."""
    home = tmp_path_factory.mktemp("several")
    entries = []
    for name, rows in ROWS.items():
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        more = ", weight: 0.5, batch_size: 6, head_dropout: 0.3" if name == "pairs" else ""
        entries.append(f"  {name}: {{name: {KINDS[name]}, train: {home}/{name}.jsonl, dev: {home}/{name}.jsonl{more}}}")
    (home / "recipe.yaml").write_text(RECIPE.format(tasks="\n".join(entries)))
    assert main(["finetune", "--recipe", str(home / "recipe.yaml"), "--out", str(home / "run")]) == 0
    return home


def report(home: Path, run: str = "run") -> dict[str, Any]:
    return json.loads((home / run / "report.json").read_text())  # type: ignore[no-any-return]


def test_each_step_learned_one_task_by_its_own_weight(home: Path) -> None:
    """Witness: the log: each line has the loss of one task; that of pairs counts half in what is minimised."""
    lines = [json.loads(line) for line in (home / "run" / "metrics.jsonl").read_text().strip().split("\n")]
    steps = [line for line in lines if line["kind"] == "train"]
    assert Counter(name for line in steps for name in line["losses"]) == {"mood": 3, "pairs": 2, "stars": 3, "words": 3}
    for line in steps:
        [(name, loss)] = line["losses"].items()
        assert line["loss"] == pytest.approx(loss * (0.5 if name == "pairs" else 1.0))
    settings = load_run(home / "run").model.settings.heads
    assert {name: head.dropout for name, head in settings.items()} == {  # type: ignore[union-attr]
        "mood": 0.1, "pairs": 0.3, "stars": 0.1, "words": 0.1
    }  # fmt: skip


def test_dev_is_the_mean_of_the_tasks(home: Path) -> None:
    """Witness: the mean by hand of each task's own metric; each says when it was best."""
    found = report(home)
    own = {name: one["metrics"][one["metric"]] for name, one in found["tasks"].items()}
    assert found["metrics"] == pytest.approx({"mean": np.mean([*own.values()]), **own}, abs=1e-6)
    assert found["metric"] == "mean" and {*found["best_of_each"]} == {*ROWS}


def test_the_page_has_a_column_for_each_task(home: Path, tmp_path: Path) -> None:
    """Witness: the run's own report: the mean and the metric of each task, in the table of the page."""
    page = tmp_path / "page.html"
    assert main(["report", str(home / "run"), "--out", str(page)]) == 0
    text, found = page.read_text(), report(home)["metrics"]
    assert {*found} == {"mean", *ROWS}
    for name, value in found.items():
        assert name in text and (f"{value:.4f}" in text or f"{100 * value:.1f}" in text or f"{value:.3f}" in text)


def test_evaluate_finds_what_the_training_has_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the report of the run, of all tasks at once and of one on a file."""
    assert main(["evaluate", "--run", str(home / "run"), "--precision", "fp32", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)
    for name, one in report(home)["tasks"].items():
        assert every["tasks"][name]["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    words = ["--task", "words", "--data", str(home / "words.jsonl"), "--precision", "fp32", "--json"]
    assert main(["evaluate", "--run", str(home / "run"), *words]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == every["tasks"]["words"]["metrics"]


@pytest.mark.parametrize("name", ["mood", "pairs", "stars", "words"])
def test_a_task_by_itself_is_a_run_that_transformers_loads(home: Path, tmp_path: Path, name: str) -> None:
    """Witness: transformers' logits of the folder that convert writes, and the answers of the whole run."""
    out = tmp_path / name
    assert main(["convert", str(home / "run"), "--task", name, "--out", str(out)]) == 0
    load = transformers.AutoModelForTokenClassification if name == "words" else (
        transformers.AutoModelForSequenceClassification
    )  # fmt: skip
    theirs, tokenizer = load.from_pretrained(out).eval(), transformers.AutoTokenizer.from_pretrained(out)
    row = ROWS[name][0]
    texts = [row[key] for key in ("text", "premise", "hypothesis") if key in row] or [" ".join(row["tokens"])]
    with torch.no_grad():
        logits = theirs(**tokenizer(*texts, return_tensors="pt")).logits[0].numpy()
    one, whole = load_run(out), load_run(home / "run").select(name)
    for loaded in (one, whole):
        files = [str(tmp_path / "in.jsonl"), str(tmp_path / f"{loaded.folder.name}.jsonl")]
        Path(files[0]).write_text(json.dumps(row) + "\n")
        more = ["--task", name] if loaded is whole else []
        assert main(["predict", "--run", str(loaded.folder), "--input", files[0], "--output", files[1], *more]) == 0
    answers = [json.loads((tmp_path / f"{each}.jsonl").read_text()) for each in (name, "run")]
    assert answers[0] == answers[1]
    if "probabilities" in answers[0]:
        wanted = torch.softmax(torch.from_numpy(logits), -1).numpy()
        shares = dict(zip(theirs.config.id2label.values(), wanted, strict=True))
        assert answers[0]["probabilities"] == pytest.approx(shares, abs=1e-5)
    if name == "stars":
        assert answers[0]["score"] == pytest.approx(float(logits[0]), abs=1e-5)


@pytest.mark.parametrize(("flags", "kept"), [([], False), (["--start-head", "mood"], True)])
def test_a_training_goes_on_with_a_head_or_begins_anew(
    home: Path, tmp_path: Path, flags: list[str], kept: bool
) -> None:
    """Witness: the account and, before the first step, the run's own weights."""
    words = ["--start", str(home / "run"), "--task", "classification", "--train", str(home / "mood.jsonl"), *flags]
    out = tmp_path / "more"
    asked = ["finetune", *words, "--length", "1 steps", "--batch-size", "4", "--lr", "1e-9", "--out", str(out)]
    assert main(asked) == 0
    account = json.loads((out / "account.json").read_text())
    assert account["head"]["sentence"].startswith("kept from the start" if kept else "begun anew")
    ours, theirs = read_tensors(out / "model.safetensors"), read_tensors(home / "run" / "model.safetensors")
    same = torch.allclose(ours["classifier.weight"], theirs["heads.mood.linear.weight"], atol=1e-6)
    assert same == kept
    assert ("heads.mood.linear.weight" in account["weights"]["unused"]) != kept


def test_one_of_several_tasks_has_a_chain(home: Path, tmp_path: Path) -> None:
    """Witness: the heads in the run, and the report's figures of a run that is loaded again."""
    out, words = tmp_path / "chain", ["--recipe", str(home / "recipe.yaml"), "--set", "tasks.words.head_crf=true"]
    assert main(["finetune", *words, "--set", "tasks.words.head_lstm=4", "--out", str(out)]) == 0
    kinds = {name: head.kind for name, head in load_run(out).model.settings.heads.items()}
    assert kinds == {"mood": "class", "pairs": "class", "stars": "score", "words": "crf"}
    found = warmstart.evaluate(str(out), task="words", precision="fp32")["metrics"]
    assert found == pytest.approx(report(out.parent, "chain")["tasks"]["words"]["metrics"], abs=1e-5)


def test_the_recipe_in_the_run_is_the_recipe(home: Path) -> None:
    """Invariant: what is written reads back as the same tree, whole and as what differs from the defaults."""
    recipe = compose(FinetuneRecipe, recipe=str(home / "recipe.yaml"))
    assert recipe.tasks["mood"].context == 40 and recipe.by_task()["pairs"].train.batch_size == 6
    for number, text in enumerate((to_yaml(recipe), changes_to_yaml(recipe))):
        (home / f"again{number}.yaml").write_text(text)
        assert compose(FinetuneRecipe, recipe=str(home / f"again{number}.yaml")) == recipe
    assert compose(FinetuneRecipe, recipe=str(home / "run" / "config.yaml")).tasks == recipe.tasks


def test_the_short_form_names_known_data_sets() -> None:
    """Witness: the same tree as a recipe would write it; the Python face takes a mapping."""
    words = {"--start": "none", "--task": "mrpc=glue/MRPC,rte=glue/RTE", "--context": "60"}
    found = compose(FinetuneRecipe, flags=words, sets=["tasks.rte.weight=2"])
    assert {name: (one.name, one.data, one.context) for name, one in found.tasks.items()} == {
        "mrpc": ("mrpc", "glue/MRPC", 60), "rte": ("rte", "glue/RTE", 60)
    }  # fmt: skip
    assert found.tasks["rte"].weight == 2 and found.task.name == ""
    mapped = compose(FinetuneRecipe, flags=words | {"--task": {"mrpc": "glue/MRPC", "rte": "glue/RTE"}})
    assert {*mapped.tasks} == {"mrpc", "rte"}


REFUSED = {
    "two names": (["--task", "mrpc=a", "--task", "mrpc=b"], ["two tasks of one name", "'mrpc'"]),
    "no folder": (["--task", "mrpc=a", "--task", "rte="], ["'rte='", "NAME=DIR"]),
    "a slip": (["--set", "tasks.mood.wieght=2"], ["did you mean 'tasks.mood.weight'?"]),
    "a weight": (["--set", "tasks.mood.weight=0"], ["tasks.mood.weight", "a number > 0"]),
    "a name": (["--set", "tasks.lm.name=classification", "--set", "tasks.lm.train=mood.jsonl"], ["not a name"]),
    "a score": (["--dev-score", "moods"], ["did you mean 'mood'?"]),
    "an error": (["--set", "tasks.stars.metric=mse"], ["stars (mse)", "--dev-score"]),
    "a share": (["--mixture", "shares", "--mixture-shares", "mood=1,pair=1"], ["'pair'", "did you mean 'pairs'?"]),
    "no rows": (["--set", "tasks.mood.train=empty.jsonl"], ["empty.jsonl"]),
    "a head": (["--start-head", "mood"], ["--start-head", "with --start RUN"]),
    "no head": (["--start", "run", "--start-head", "mood"], ["keep the heads of their own names"]),
    "baselines": (["--baselines", "yes"], ["baselines are of one task", "leave it out"]),
    "a chain": (["--set", "tasks.words.head_crf=true", "--r-drop", "1"], ["--r-drop", "without --head-crf"]),
    "no chain": (["--set", "tasks.mood.head_crf=true"], ["--head-crf", "allowed: tagging"]),
    "a file": (["--set", "tasks.mood.train=moood.jsonl"], ["tasks.mood.train", "did you mean 'mood.jsonl'?"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_sentence(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: exit code 2, one line, nothing written; the dry run says the same."""
    monkeypatch.chdir(home)
    (home / "empty.jsonl").write_text("")
    words, wanted = REFUSED[name]
    recipe = ["--start", "none"] if words[0] == "--task" and "=" in words[1] else ["--recipe", "recipe.yaml"]
    for verb in (["finetune"], ["explain", "finetune"]):
        assert main([*verb, *recipe, *words, "--out", "new"]) == 2
        said = capsys.readouterr().err.strip()
        assert all(word in said for word in wanted), said
        assert said.count("\n") == 0 and not (home / "new").exists()


@pytest.mark.parametrize("words", [["predict", "--run", "run", "--input", "mood.jsonl", "--output", "new"],
                                   ["convert", "run", "--out", "new"]])  # fmt: skip
def test_the_task_has_to_be_named(
    home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the sentence names all of them."""
    monkeypatch.chdir(home)
    assert main(words) == 2
    assert "mood, pairs, stars, words" in capsys.readouterr().err and not Path("new").exists()
    assert [*warmstart.load("run", "mood").classes_] == ["calm", "wild"]


def test_heads_are_fitted_for_a_task_alone(home: Path) -> None:
    """Invariant: steps of other tasks move the states that a head is fitted to, so several tasks draw theirs."""
    recipe = compose(FinetuneRecipe, recipe=str(home / "recipe.yaml"), flags={"--start": str(home / "run")})
    data = read_tasks(recipe)
    assert choose_settings(recipe, data).recipe.head_init == "random"
    alone = choose_settings(recipe.by_task()["mood"], {"": data["mood"]}).recipe
    assert alone.head_init == "fitted"
