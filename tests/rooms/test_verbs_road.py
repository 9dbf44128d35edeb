"""The whole road with a tiny model: text → corpus → language model → task → predictions, by the verbs and by the face."""

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.corpora.corpus import Corpus
from warmstart.models.files import read_tensors

GOOD, BAD = ["great", "fine", "lovely", "superb"], ["awful", "poor", "sad", "dull"]
COMMON = ["the", "film", "was", "a", "story", "of", "people", "in", "town"]


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    for number in range(count):
        good = draw.random() < 0.5
        words = [draw.choice(COMMON) for _ in range(draw.randint(2, 9))] + [draw.choice(GOOD if good else BAD)]
        draw.shuffle(words)
        yield {"id": number, "text": " ".join(words), "label": "good" if good else "bad"}


def write(path: Path, found: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return str(path)


TINY: dict[str, Any] = {"model": "gpt1-tiny", "precision": "fp32", "batch_size": 8}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text, files of labels, a corpus, a language model ``lm`` and a fine-tuned ``task``."""
    home = tmp_path_factory.mktemp("road")
    text = "\n".join(row["text"].capitalize() + "." for row in rows(600, 1))
    (home / "text.txt").write_text(text)
    write(home / "train.jsonl", rows(96, 2))
    write(home / "dev.jsonl", rows(40, 3))
    warmstart.prepare(str(home / "text.txt"), str(home / "corpus"), vocab_size=300, clean=("lower",), workers=1)
    warmstart.pretrain(str(home / "lm"), corpus=str(home / "corpus"), length="2 epochs", lr=3e-3, **TINY)
    files = {"train": str(home / "train.jsonl"), "dev": str(home / "dev.jsonl")}
    warmstart.finetune(
        str(home / "task"), start=str(home / "lm"), task="classification", length="12 epochs", lr=3e-3, dropout=0.0,
        head_dropout=0.0, precision="fp32", batch_size=8, **files,
    )  # fmt: skip
    return home


def test_the_task_is_learned_and_measured_rightly(road: Path) -> None:
    """Witness: scikit-learn on the labels that ``predict`` wrote."""
    report = warmstart.evaluate(str(road / "task"), str(road / "dev.jsonl"), precision="fp32")
    out = road / "predictions.jsonl"
    warmstart.predict(str(road / "task"), str(road / "dev.jsonl"), str(out))
    truth = [row["label"] for row in rows(40, 3)]
    told = [json.loads(line) for line in out.read_text().splitlines()]
    labels = [row["label"] for row in told]
    assert report["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, labels)) and report["examples"] == 40
    assert report["metrics"]["f1"] == pytest.approx(f1_score(truth, labels, pos_label="good"))
    assert report["metrics"]["accuracy"] > 0.8
    assert [row["id"] for row in told] == list(range(40)) and set(labels) <= {"good", "bad"}
    assert all(row["score"] == max(row["probabilities"].values()) for row in told)
    final = json.loads((road / "task" / "report.json").read_text())
    assert final["metrics"] == pytest.approx(report["metrics"])


def test_cleaning_rules_travel_with_the_model(road: Path) -> None:
    """Invariant: the corpus was lower-cased, so capitals change nothing that the task's model says."""
    model = warmstart.load(str(road / "task"))
    texts = [row["text"] for row in rows(10, 4)]
    assert np.array_equal(model.predict_proba(texts), model.predict_proba([text.upper() for text in texts]))


def test_the_face_equals_the_verbs(road: Path) -> None:
    """Witness: the command's own run: the same rows and options fitted in Python give the same weights."""
    fitted = warmstart.Classifier(
        str(road / "lm"), length="12 epochs", lr=3e-3, dropout=0.0, head_dropout=0.0, precision="fp32", batch_size=8
    ).fit(rows(96, 2), dev=rows(40, 3))
    ours, theirs = (read_tensors(Path(p) / "model.safetensors") for p in (fitted.report_["run"], road / "task"))
    assert ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)
    assert fitted.classes_.tolist() == ["bad", "good"]
    fitted.save(road / "saved")
    texts = [row["text"] for row in rows(7, 5)]
    assert warmstart.load(road / "saved").predict(texts).tolist() == fitted.predict(texts).tolist()
    with pytest.raises(BadInput, match="the folder exists"):
        fitted.save(road / "saved")


def test_pre_training_learned_and_is_accounted_for(road: Path) -> None:
    """Witness: the uniform distribution, which a model that learned nothing has the perplexity of."""
    report = json.loads((road / "lm" / "report.json").read_text())
    assert report["metrics"]["perplexity"] < 100 < 300
    account = json.loads((road / "task" / "account.json").read_text())
    moved, made = account["weights"]["weights_loaded"], account["weights"]["weights_initialised"]
    assert moved + made == sum(t.numel() for t in read_tensors(road / "task" / "model.safetensors").values())
    assert "heads.label.linear.weight" in account["weights"]["initialised"]
    assert account["records"]["used"] == 96


def test_pre_training_goes_on_from_a_start(road: Path) -> None:
    """Invariant: all weights come from the start; text is cleaned and encoded as the start's was, so a tenth of a step at
    rate 1e-9 changes nothing that ``evaluate`` can see; a corpus of another vocabulary is refused."""
    text = str(road / "text.txt")
    warmstart.pretrain(
        str(road / "on"), start=str(road / "lm"), corpus=text, length="1 step", lr=1e-9, precision="fp32", dev_frac=0
    )
    account = json.loads((road / "on" / "account.json").read_text())["weights"]
    assert account["initialised"] == [] and account["unused"] == []
    evaluated = [warmstart.evaluate(str(road / run), data)["metrics"]["loss"] for run, data in (
        ("lm", text), ("lm", str(road / "corpus")), ("on", text),
    )]  # fmt: skip
    assert evaluated == pytest.approx([evaluated[0]] * 3, rel=1e-6)
    warmstart.prepare(text, str(road / "elsewhere"), vocab_size=280, workers=1)
    with pytest.raises(BadInput, match="another tokenizer"):
        warmstart.pretrain(str(road / "no"), start=str(road / "lm"), corpus=str(road / "elsewhere"))
    with pytest.raises(BadInput, match="another tokenizer"):
        warmstart.evaluate(str(road / "lm"), str(road / "elsewhere"))
    with pytest.raises(BadInput, match=r"--clean: .*other rules; got 'gpt1'; allowed: lower"):
        warmstart.pretrain(str(road / "no"), start=str(road / "lm"), corpus=text, clean="gpt1")
    assert not (road / "no").exists()


def test_the_texts_of_a_known_data_set_are_a_corpus(tmp_path: Path) -> None:
    """Witness: the file itself, read by hand: no label, no text of dev and test, texts beside it are taken too."""
    (tmp_path / "sst2").mkdir()
    lines = {"train": ["a fine film\t1", "a dull one\t0"], "dev": ["unseen\t1"]}
    for part, rows in lines.items():
        (tmp_path / "sst2" / f"{part}.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
    (tmp_path / "more.txt").write_text("more of it\n")
    asked = {"task": "sst2", "data": str(tmp_path / "sst2"), "vocabulary": "bytes", "workers": 1}
    found = {}
    for name, paths in (("alone", ()), ("both", str(tmp_path / "more.txt"))):
        warmstart.prepare(paths, str(tmp_path / name), **asked)
        corpus = Corpus.open(str(tmp_path / name))
        texts = [corpus.tokenizer().decode(corpus.tokens(a, b)).strip() for a, b in pairwise(corpus.offsets.tolist())]
        found[name] = set(texts)
    assert found["alone"] == {"a fine film", "a dull one"}
    assert found["both"] == found["alone"] | {"more of it"}
    for flags, sentence in (
        ({"task": "sst3", "data": str(tmp_path)}, "--task: unknown data set; got 'sst3'"),
        ({"data": str(tmp_path)}, "--data: a folder of a data set, and no name"),
        ({}, "TEXT: missing"),
    ):
        with pytest.raises(BadInput, match=sentence):
            warmstart.prepare((), str(tmp_path / "no"), **flags)
    assert not (tmp_path / "no").exists()


def test_generate_continues(road: Path) -> None:
    """Invariant: the same seed gives the same text; greedy needs none."""
    first, again = (warmstart.generate(str(road / "lm"), "The film", max_new=8, seed=3) for _ in range(2))
    assert first == again and first[0]["tokens"] <= 8
    assert warmstart.generate(str(road / "lm"), ["a", "the"], greedy=True, max_new=4)[1]["prompt"] == "the"


def test_seeds_and_control(road: Path) -> None:
    """Invariant: two arms of two seeds; the folder's own model is the best of the pre-trained arm on dev."""
    out = road / "compared"
    report = warmstart.finetune(
        str(out), start=str(road / "lm"), task="classification", train=str(road / "train.jsonl"), seeds=2, control=True,
        dev=str(road / "dev.jsonl"), length="1 epoch", lr=1e-3, batch_size=16, precision="fp32",
    )  # fmt: skip
    assert [run["arm"] for run in report["runs"]] == ["pretrained", "scratch", "pretrained", "scratch"]
    assert len(report["pretrained"]["values"]) == len(report["scratch"]["values"]) == 2
    assert report["comparison"]["gain"] == pytest.approx(report["pretrained"]["mean"] - report["scratch"]["mean"])
    own = [run for run in report["runs"] if run["arm"] == "pretrained"]
    assert report["metrics"]["accuracy"] == max(run["metrics"]["accuracy"] for run in own)
    best = read_tensors(Path(report["best"]) / "model.safetensors")
    assert all(tensor.equal(best[name]) for name, tensor in read_tensors(out / "model.safetensors").items())
    page = warmstart.report([str(out)], str(road / "page.html"))
    assert "pretrained" in Path(page["out"]).read_text()


def test_first_layers_only(road: Path) -> None:
    """Invariant: with no layer taken, the embeddings alone come from the start."""
    report = warmstart.finetune(
        str(road / "partial"), start=str(road / "lm"), task="classification", train=str(road / "train.jsonl"),
        transfer_layers=0, length="1 step", precision="fp32",
    )  # fmt: skip
    account = json.loads((Path(report["run"]) / "account.json").read_text())["weights"]
    assert sorted(account["loaded"]) == ["backbone.positions.weight", "backbone.tokens.weight[:300]"]
    assert any(name.startswith("backbone.blocks.0") for name in account["unused"])


def test_explain_says_and_writes_nothing(road: Path) -> None:
    """Witness: the folder's listing before and after."""
    before = sorted(road.rglob("*"))
    told = warmstart.explain(
        "finetune", start=str(road / "lm"), task="classification", train=str(road / "train.jsonl"), context=12
    )
    assert sorted(road.rglob("*")) == before
    words = "\n".join(told["words"])
    for part in ("example 3", "label", "<|extract|>", "parameters", "steps", "memory", "records"):
        assert part in words
    assert "longer than 12 tokens" in words


@pytest.mark.parametrize("kind", ["entailment", "similarity", "regression", "choice", "multilabel"])
def test_every_kind_runs(road: Path, kind: str) -> None:
    """Invariant: each kind trains, is evaluated by its own metrics, and predicts what it is asked."""
    draw = random.Random(7)

    def row(number: int) -> dict[str, Any]:
        texts = [" ".join(draw.choices(COMMON, k=draw.randint(1, 6))) for _ in range(3)]
        return {
            "entailment": {"premise": texts[0], "hypothesis": texts[1], "label": number % 3},
            "similarity": {"sentence1": texts[0], "sentence2": texts[1], "score": draw.random() * 5},
            "regression": {"text": texts[0], "score": draw.random()},
            "choice": {"context": texts[0], "question": "", "choices": texts[: 2 + number % 2], "label": number % 2},
            "multilabel": {"text": texts[0], "labels": [n for n in "abc" if draw.random() < 0.5]},
        }[kind]

    data = [row(number) for number in range(40)]
    fitted = warmstart.Classifier(str(road / "lm"), task=kind, length="2 epochs", precision="fp32").fit(data)  # type: ignore[arg-type]
    told = fitted.predict(data[:6])
    told = told if isinstance(told, list) else told.tolist()
    assert len(told) == 6
    expected = {"entailment": int, "similarity": float, "regression": float, "choice": int}
    if kind in expected:
        assert all(isinstance(value, expected[kind]) for value in told)
    metrics = fitted.evaluate(data)["metrics"]
    assert metrics and all(np.isfinite(value) for value in metrics.values())


def test_what_a_run_folder_refuses(road: Path) -> None:
    """Invariant: a finished run, another recipe and another tokenizer are refused, and nothing in the folder changes."""
    before = {path: path.read_bytes() for path in road.rglob("*") if path.is_file()}
    same = {"corpus": str(road / "corpus"), "length": "2 epochs", "lr": 3e-3, **TINY}
    with pytest.raises(BadInput, match="finished"):
        warmstart.pretrain(str(road / "lm"), **same)
    with pytest.raises(BadInput, match="another run"):
        warmstart.pretrain(str(road / "lm"), **(same | {"lr": 1e-3}))
    with pytest.raises(BadInput, match="other files"):
        warmstart.pretrain(str(road / "corpus"), **same)
    warmstart.prepare(str(road / "text.txt"), str(road / "other"), vocab_size=270, workers=1)
    with pytest.raises(BadInput, match="another tokenizer"):
        warmstart.finetune(
            str(road / "new"), start=str(road / "lm"), tokenizer=str(road / "other"), task="classification",
            train=str(road / "train.jsonl"),
        )  # fmt: skip
    with pytest.raises(BadInput, match="another tokenizer"):
        warmstart.pretrain(str(road / "new"), **(same | {"tokenizer": str(road / "other")}))
    assert not (road / "new").exists()
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_broken_row_leaves_no_predictions(road: Path) -> None:
    """Invariant: file and line are named, and the output file does not exist."""
    bad = road / "bad.jsonl"
    bad.write_text('{"text": "the film"}\n{"text": "the fi\n')
    with pytest.raises(BadInput, match=r"bad\.jsonl:2"):
        warmstart.predict(str(road / "task"), str(bad), str(road / "none.jsonl"))
    assert not (road / "none.jsonl").exists()
    taken = write(road / "taken.jsonl", [{"text": "x"}])
    with pytest.raises(BadInput, match="exists"):
        warmstart.predict(str(road / "task"), str(road / "dev.jsonl"), taken)


def test_labels_of_another_name_need_a_map(road: Path) -> None:
    """Witness: the same rows under the run's own names; without the map the label is refused by name."""
    numbered = [row | {"label": int(row["label"] == "good")} for row in rows(40, 3)]
    data = write(road / "numbered.jsonl", numbered)
    with pytest.raises(BadInput, match=r"label unseen in training; got '[01]'"):
        warmstart.evaluate(str(road / "task"), data)
    own = warmstart.evaluate(str(road / "task"), str(road / "dev.jsonl"))
    renamed = warmstart.evaluate(str(road / "task"), data, label_map=("good=1", "bad=0"))
    assert own["confusion"]["labels"] == ["bad", "good"] and renamed["confusion"]["labels"] == ["0", "1"]
    own["confusion"]["labels"] = renamed["confusion"]["labels"]
    assert renamed == own
    warmstart.predict(str(road / "task"), data, str(road / "renamed.jsonl"), label_map=("good=1", "bad=0"))
    assert {json.loads(line)["label"] for line in (road / "renamed.jsonl").read_text().splitlines()} == {"0", "1"}
    for wrong, sentence in (
        ("godo=1", "did you mean 'good'"),
        ("good", "not a pair"),
        ("good=bad", "of one name"),
    ):
        with pytest.raises(BadInput, match=sentence):
            warmstart.evaluate(str(road / "task"), data, label_map=(wrong,))


def test_a_run_that_generates_nothing_names_the_flags_it_cannot_take(
    road: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input: each flag that was typed and no other; nothing is written."""
    out = tmp_path / "predictions.jsonl"
    words = ["predict", "--run", str(road / "task"), "--input", str(road / "dev.jsonl"), "--output", str(out)]
    assert main([*words, "--beam", "3", "--no-repeat", "2", "--lattices", str(tmp_path / "lattices.jsonl")]) == 2
    assert capsys.readouterr().err.endswith("leave out --lattices and --beam and --no-repeat.\n")
    assert main(["evaluate", *words[1:3], "--data", str(road / "dev.jsonl"), "--metrics", "bleu"]) == 2
    assert capsys.readouterr().err.endswith("leave out --metrics.\n")
    assert not list(tmp_path.iterdir())
