"""Studies: which trials a design asks for, what they see, that nothing is run twice, and what is claimed in the end."""

import html
import json
import math
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmstart
from warmstart.base import files
from warmstart.base.errors import BadInput, TerminationError
from warmstart.base.run_folder import REPORT
from warmstart.build.labelled_data import LabelledData
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe, TaskRecipe
from warmstart.config.study import StudyRecipe
from warmstart.config.variants import variants
from warmstart.example.record import Record
from warmstart.study import store
from warmstart.study.designs import DESIGNS
from warmstart.study.store import Cell, Result, TrialStore
from warmstart.study.subsets import Size, subset, with_test
from warmstart.study.table import StudyTable
from warmstart.train.loop import Trainer

WORDS = {"glad": ["bright", "song", "warm"], "sad": ["dark", "rain", "cold"], "calm": ["slow", "soft", "blue"]}


def records(count: int, seed: int = 0, names: tuple[str, ...] = ("glad", "sad", "calm")) -> list[Record]:
    draw = random.Random(seed)
    labels = [draw.choices(range(len(names)), weights=range(1, len(names) + 1))[0] for _ in range(count)]
    return [Record({"text": f"{' '.join(draw.choices(WORDS[names[k]], k=3))} {n}"}, k) for n, k in enumerate(labels)]


def data(count: int = 300) -> LabelledData:
    names = ("calm", "glad", "sad")
    return LabelledData("classification", names, records(count), records(30, 1), records(60, 2))


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [{"text": " ".join(draw.choices(WORDS[name], k=4)), "label": name}
            for name in (("glad", "sad")[n % 2] for n in range(count))]  # fmt: skip


@pytest.fixture
def flags(tmp_path: Path) -> dict[str, Any]:
    return {
        "start": "none", "task": "classification", "model": "gpt1-tiny", "vocab_size": 270, "length": "1 step",
        "batch_size": 4, "precision": "fp32", "retries": 0, "lr": 1e-3, "seeds": 2, "sizes": "2",
        "train": write(tmp_path / "train.jsonl", rows(16, 0)), "test": write(tmp_path / "test.jsonl", rows(20, 1)),
    }  # fmt: skip


def test_subsets_are_nested_and_hold_each_class_in_proportion():
    """Invariant: of one seed a larger subset holds a smaller one; another seed draws others; none holds a test text."""
    whole, task = data(), TaskRecipe(name="classification")
    sizes = [Size.parse(text) for text in ("4", "16", "10%", "50%", "100%")]
    drawn = {size.text: subset(whole, task, size, 1) for size in sizes}
    texts = {name: {str(one.texts["text"]) for one in (*part.train, *part.dev)} for name, part in drawn.items()}
    assert texts["4"] < texts["16"] and texts["10%"] < texts["50%"] < texts["100%"]
    assert texts["100%"] == {str(one.texts["text"]) for one in whole.train}
    for name, want in (("4", [4, 4, 4]), ("16", [16, 16, 16])):
        assert np.bincount([one.label for one in drawn[name].train], minlength=3).tolist() == want
    counts = np.bincount([one.label for one in whole.train])
    half = np.bincount([one.label for one in drawn["50%"].train])
    assert np.abs(half - counts / 2).max() <= 0.5
    assert drawn["4"].train != subset(whole, task, sizes[0], 2).train
    assert all(part.test is whole.test for part in drawn.values())
    assert drawn["4"].dev_is_train and not drawn["100%"].dev_is_train  # as a fine-tuning on so many would have it


def test_scores_have_no_classes():
    """Invariant: so many in all, from a nested order."""
    scored = LabelledData("regression", (), [Record({"a": str(n), "b": "x"}, n / 9) for n in range(40)], [], [])
    small, large = (subset(scored, TaskRecipe(name="regression"), Size.parse(text), 1).train for text in ("5", "12"))
    assert (len(small), len(large)) == (5, 12) and set(map(str, small)) < set(map(str, large))


@pytest.mark.parametrize("text", ["0", "-1", "101%", "1.5", "many", "", "0%"])
def test_a_size_that_is_none_is_refused(text: str):
    """Invariant: one sentence with what would do."""
    with pytest.raises(BadInput, match=r"--sizes.*a whole number, or a share up to 100%"):
        Size.parse(text)


def test_without_a_test_dev_serves_and_without_both_nothing_does():
    """Invariant: what trials are compared on is never what they learn from."""
    whole = data(20)
    assert with_test(whole) is whole
    only_dev = LabelledData("classification", whole.label_names, whole.train, whole.dev)
    assert with_test(only_dev).test is whole.dev
    with pytest.raises(BadInput, match=r"nothing to compare trials on.*add --test FILE"):
        with_test(LabelledData("classification", whole.label_names, whole.train, whole.train, dev_is_train=True))


def test_variants_differ_in_one_field_alone():
    """Witness: the fields of the trees."""
    recipe = StudyRecipe(design="ablation", start="none", task=TaskRecipe(name="classification"))
    found = variants(recipe.base, ("lm_weight=0,0.25", "train.optimizer.lr=1e-4"))
    assert list(found) == ["lm_weight=0", "lm_weight=0.25", "train.optimizer.lr=1e-4"]
    assert [one.lm_weight for one in found.values()] == [0, 0.25, None]
    assert found["train.optimizer.lr=1e-4"].train.optimizer.lr == 1e-4
    plain = recipe.base.model_dump(mode="json")
    assert {k for k, v in found["lm_weight=0"].model_dump(mode="json").items() if plain[k] != v} == {"lm_weight"}
    for text, said in (("lm_wight=1", "lm_weight"), ("seeds", "a.b=value"), ("lm_weight=much", "--vary lm_weight")):
        with pytest.raises(BadInput, match=said):
            variants(recipe.base, (text,))


def test_an_ablation_takes_one_part_away_at_a_time():
    """Witness: the rows by hand; every seed has them all."""
    recipe = StudyRecipe(
        design="ablation", start="none", seeds=2, vary=("lm_weight=0.1",), task=TaskRecipe(name="classification")
    )
    [cells] = DESIGNS["ablation"].rounds(recipe, data(20))
    assert [(cell.row, cell.recipe.train.seed) for cell in cells] == [
        (row, seed) for seed in (1, 2) for row in ("full", "no auxiliary LM", "lm_weight=0.1")
    ]
    assert [cell.recipe.lm_weight for cell in cells[:3]] == [None, 0, 0.1]


def test_a_label_curve_takes_other_starts_beside(tmp_path: Path):
    """Witness: the cells by hand: every size has the row of each start, on the same subset."""
    recipe = StudyRecipe(
        design="labels", start="none", seeds=1, sizes=("2", "100%"), vary=("start=a,b",),
        task=TaskRecipe(name="classification"),
    )  # fmt: skip
    [cells] = DESIGNS["labels"].rounds(recipe, data(20))
    assert [(cell.column, cell.row, cell.recipe.start) for cell in cells] == [
        (size, row, start)
        for size in ("2", "100%")
        for row, start in (("scratch", "none"), ("start=a", "a"), ("start=b", "b"))
    ]
    assert all(cell.data is cells[3 * (place // 3)].data for place, cell in enumerate(cells))


def test_a_search_is_the_same_for_both_sides_and_keeps_the_best_on_dev(tmp_path: Path):
    """Witness: results made by hand: of the start the third setting is best on dev, of random weights the one by default."""
    warmstart.finetune(
        str(tmp_path / "start"), start="none", model="gpt1-tiny", vocab_size=270, length="1 step", batch_size=4,
        precision="fp32", retries=0, task="classification", train=write(tmp_path / "rows.jsonl", rows(8, 0)),
    )  # fmt: skip
    recipe = StudyRecipe(
        design="search", start=str(tmp_path / "start"), task=TaskRecipe(name="classification"), trainings=4, seeds=2,
        vary=("head_dropout=0.3,0.5",),
    )  # fmt: skip
    rounds = DESIGNS["search"].rounds(recipe, data(40))
    dev, tried = iter([0.1, 0.2, 0.9, 0.3, 0.8, 0.2, 0.4, 0.1]), []
    cells = next(rounds)
    for count in (1, 3, 1, 3):  # of each side the settings by default, then what chance draws
        assert len(cells) == count and all(cell.tried and cell.recipe.train.seed == 1 for cell in cells)
        tried += cells
        cells = rounds.send([Result("x", 0.0, next(dev), [], 1.0) for _ in cells])
    rates = [one.recipe.train.optimizer.peak for one in tried]
    shares = [[rate / part[0] for rate in part] for part in (rates[:4], rates[4:])]
    assert shares[0] == pytest.approx(shares[1], rel=0.05) and all(0.24 <= share <= 4.1 for share in shares[0])
    confirmed = [*cells]
    assert not list(rounds) and not any(one.tried for one in confirmed)
    assert {one.recipe.train.seed for one in confirmed} == {1001, 1002}
    found, *others = [one for one in confirmed if one.recipe.train.seed == 1001]
    assert found.row == tried[2].row and found.recipe.train.optimizer.lr == rates[2]
    assert [one.row for one in others] == ["pretrained: as by default", "scratch: as by default"]
    with pytest.raises(BadInput, match="nothing to choose settings by"):
        next(
            DESIGNS["search"].rounds(recipe, LabelledData("classification", ("a", "b"), [], [], [], dev_is_train=True))
        )


def test_trials_on_the_same_data_share_what_they_frame(tmp_path: Path):
    """Invariant: arms that frame alike have the same Examples, not equal ones; another frame or other data have others."""
    made = TrialStore(
        tmp_path, StudyRecipe(design="ablation", start="none", task=TaskRecipe(name="classification")).base
    )
    base = compose(FinetuneRecipe, flags={"--start": "none", "--task": "classification", "--model": "gpt1-tiny"})
    whole, other = data(30), data(30)

    def training(recipe: FinetuneRecipe, records: LabelledData) -> Any:
        return made._build(Cell("x", "", recipe, records))[1].task.training

    first = training(base, whole)
    changed = base.model_copy(update={"head_dropout": 0.5})
    assert training(changed, whole) is first
    plain = training(base.model_copy(update={"lm_weight": 0.0}), whole)
    assert plain is not first and training(base, whole) is first
    weighted = base.model_copy(update={"task": base.task.model_copy(update={"class_weights": "balanced"})})
    assert training(weighted, whole) is not first
    assert training(base, other) is not first


class Killed(BaseException):
    """What stands for a kill: nothing catches it."""


def die_at_write(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The process dies before its ``number``-th file is in its place."""
    real, count = files.write_atomic, [0]

    def write(path: Path, write: Callable[[Any], object]) -> None:
        count[0] += 1
        if count[0] == number:
            raise Killed
        real(path, write)

    monkeypatch.setattr(files, "write_atomic", write)


def test_a_study_that_dies_anywhere_loses_nothing_and_repeats_nothing(
    tmp_path: Path, flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    """Witness: the study that nothing stopped; a report of a trial that once stood is never written again."""
    whole = warmstart.run_study("labels", str(tmp_path / "whole"), **flags)
    out, trained = tmp_path / "cut", []
    real = store.run_trial

    def counted(trial: Any, *args: Any, **more: Any) -> Any:
        report = real(trial, *args, **more)
        trained.append(trial.folder.path.name)
        return report

    monkeypatch.setattr(store, "run_trial", counted)
    stood: dict[str, int] = {}
    for number in (3, 8, 14):
        with monkeypatch.context() as patch:
            die_at_write(patch, number)
            with pytest.raises(Killed):
                warmstart.run_study("labels", str(out), **flags)
        for path in out.rglob(REPORT):
            assert stood.setdefault(path.parent.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    found = warmstart.run_study("labels", str(out), **flags)
    assert len(trained) == len(set(trained)) == 2  # two seeds
    assert {len(one["values"]) for one in found["baselines"]} == {2}  # each seed draws its own examples
    for key in ("table", "baselines", "comparisons", "answer"):
        for own in (found, whole):
            for one in own["table"]:
                one.pop("seconds", None)
            for one in own["baselines"]:
                one.pop("seconds", None)
        assert found[key] == whole[key]
    again = warmstart.run_study("labels", str(out), **flags | {"sizes": "2,50%"})
    assert len(trained) == 4 and [one["column"] for one in again["table"]] == ["2", "50%"]
    assert not list(out.rglob("*.safetensors"))  # of a study one wants the figures


def untimed(study: dict[str, Any]) -> list[Any]:
    """All figures of a study but the time that it took."""
    rows = [{key: one[key] for key in one if key != "seconds"} for one in [*study["table"], *study["baselines"]]]
    return [rows, study["comparisons"], study["answer"]]


def test_studies_that_share_a_folder_train_nothing_twice(
    tmp_path: Path, flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    """Witness: the same studies, each with a folder of its own: equal figures, and which trials they have in common."""
    warmstart.finetune(str(tmp_path / "start"), **{k: v for k, v in flags.items() if k not in ("sizes", "seeds")})
    words = {k: v for k, v in flags.items() if k not in ("sizes", "model", "vocab_size")}
    words |= {"start": str(tmp_path / "start"), "seeds": 1}
    alone = {
        design: warmstart.run_study(design, str(tmp_path / "alone" / design), **words)
        for design in ("ablation", "layers")
    }
    parts = [{name for one in study["table"] for name in one["trials"]} for study in alone.values()]
    assert len(parts[0] & parts[1]) == 2  # all layers, and random weights
    real, trained = store.run_trial, list[str]()

    def counted(trial: Any, *args: Any, **more: Any) -> Any:
        trained.append(trial.folder.path.name)
        return real(trial, *args, **more)

    monkeypatch.setattr(store, "run_trial", counted)
    shared = tmp_path / "shared"
    for design, want in alone.items():
        found = warmstart.run_study(design, str(tmp_path / design), trials=str(shared), **words)
        assert untimed(found) == untimed(want)
        assert (tmp_path / design / "study.json").is_file() and not (tmp_path / design / "trials").exists()
    assert sorted(trained) == sorted(parts[0] | parts[1])
    page = tmp_path / "page.html"
    warmstart.report([str(tmp_path / design) for design in alone], str(page))
    before, *sections = html.unescape(page.read_text()).split("<h2>Study: ")
    assert all(f"<p>{design}: {study['answer']}</p>" in before for design, study in alone.items())  # the answers first
    assert [text.partition("<")[0] for text in sections] == [*alone]
    assert all(text.count("<h3>Results</h3>") == 1 and "<h2>" not in text for text in sections)
    warmstart.run_study("layers", str(tmp_path / "layers"), trials=str(shared), **words)  # it is still a study's folder
    assert len(trained) == len(parts[0] | parts[1])


def test_a_study_that_is_stopped_goes_on_by_the_same_command(
    tmp_path: Path, flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    """Witness: the signals themselves, in a training and while what a finished trial needs no more is removed."""
    out, real = tmp_path / "study", store.slim
    said = rf"^{out}: stopped by SIGTERM; run the same command again to go on\.$"

    def stopped(folder: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_evaluate_if_due", lambda *_: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(TerminationError, match=said):
            warmstart.run_study("labels", str(out), **flags)
    with monkeypatch.context() as patch:
        patch.setattr(store, "slim", stopped)
        with pytest.raises(TerminationError, match=said):
            warmstart.run_study("labels", str(out), **flags)
    assert len(list(out.rglob(REPORT))) == 1
    assert len(warmstart.run_study("labels", str(out), **flags)["table"][0]["values"]) == 2


def test_a_study_ends_in_a_page(tmp_path: Path, flags: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    """Witness: the answer and the baselines in the page, in the table of the command and in another page made of it."""
    from warmstart.cli.main import main

    words = ["study", "ablation", "--out", str(tmp_path / "study")]
    for name, value in flags.items():
        if name != "sizes":
            words += [f"--{name.replace('_', '-')}", str(value)]
    assert main(words) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "study" / "study.json").read_text())
    assert found["answer"] in said and "no auxiliary LM" in said and "words" in said
    page = (tmp_path / "study" / "report.html").read_text()
    assert "Run it again" in page and "no auxiliary LM" in page
    assert "guess, the commonest class; words, regression on TF-IDF" in page
    other = tmp_path / "page.html"
    warmstart.report([str(tmp_path / "study")], str(other))
    assert "no auxiliary LM" in other.read_text()


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, flags: dict[str, Any]):
    """Invariant: one sentence, and nothing is written."""
    (tmp_path / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match="something else than a study"):
        warmstart.run_study("labels", str(tmp_path), **flags)
    new = str(tmp_path / "new")
    with pytest.raises(BadInput, match="no start to take layers of"):
        warmstart.run_study("layers", new, **flags)
    with pytest.raises(BadInput, match=r"more examples than there are.*'9'; allowed: up to 8"):
        warmstart.run_study("labels", new, **flags | {"sizes": "2,9"})
    with pytest.raises(BadInput, match=r"--vary.*allowed: with .* and search and"):
        warmstart.run_study("layers", new, vary=["lm_weight=1"], **flags)
    with pytest.raises(BadInput, match=r"--jobs.*cannot read the standard input.*allowed: 1"):
        warmstart.run_study("labels", new, **flags | {"train": "-", "jobs": 2})
    with pytest.raises(BadInput, match=r"--trials: .* else than trials of studies.*; allowed: an empty or new folder"):
        warmstart.run_study("labels", new, trials=str(tmp_path), **flags)
    assert sorted(tmp_path.rglob("*")) == before


def result(right: np.ndarray[Any, Any]) -> Result:
    return Result("x", float(right.mean()), 0.0, right.astype(float).tolist(), 1.0)


def test_twenty_equal_rows_are_seldom_called_different():
    """Witness: simulated studies of ten rows that are equally good: a false claim in 5 of 100, give or take 4.

    Without Holm's correction there would be one in every third.
    """
    draw, claims, plain, studies = np.random.default_rng(0), 0, 0, 120
    for _ in range(studies):
        rows = {}
        for name in range(10):
            shift = draw.normal(0, 0.02, 3)  # what the seed of a training is good for
            rows[f"row {name}"] = [result(draw.random(200) < 0.7 + one) for one in shift]
        found = StudyTable("accuracy", "test", 200, {"": rows}).comparisons()
        claims += any(one.p < 0.05 for one in found)
        plain += any(one.found.p < 0.05 for one in found)
    assert claims / studies <= 0.09 < plain / studies


def test_the_answer_names_the_best_baseline_and_what_is_sure():
    """Witness: read in full."""
    draw = np.random.default_rng(1)
    ours, theirs = ([result(draw.random(400) < share) for _ in range(3)] for share in (0.9, 0.6))
    words, guess = result(draw.random(400) < 0.7), result(draw.random(400) < 0.5)
    table = StudyTable(
        "accuracy", "test", 400, {"": {"full": ours, "half": theirs}}, {"": {"guess": [guess], "words": [words]}}
    )
    found = table.to_dict()
    gain = 100 * (found["table"][0]["mean"] - words.value)
    assert found["answer"].startswith(f"full gains {gain:.1f} points of accuracy over words (95 % interval ")
    assert found["answer"].endswith(": significant.") and "points of accuracy over half" in found["answer"]
    assert [one["other"] for one in found["comparisons"]] == ["half", "words"]
    assert math.isclose(found["comparisons"][1]["gain"], gain / 100)
    rows, plain = {"full": ours, "half": theirs}, {"guess": [guess], "words": [words]}
    sizes = StudyTable(
        "accuracy", "test", 400, dict.fromkeys(("8", "32", "50%"), rows), dict.fromkeys(("8", "32", "50%"), plain)
    )
    said = [
        one.split(" points of accuracy over ")[1].split(" (")[0] for one in sizes.to_dict()["answer"].split(". With ")
    ]
    assert said == ["words", "half", "words", "half"]  # with 8 labels, and with half of them
