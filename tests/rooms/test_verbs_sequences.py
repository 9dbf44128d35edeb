"""The whole road of tagging and span questions with a tiny model: training, resuming, evaluating, predicting, a stream."""

import io
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from seqeval.metrics import f1_score

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.metrics.spans import span_ratios
from warmstart.models.files import read_tensors
from warmstart.tasks.framed_items import ExampleItems

PLACES, PEOPLE, OTHER = ["Rio", "Oslo", "La Paz"], ["Ada Byron", "Max", "Emmy"], ["saw", "left", "and", "the", "river"]
SEVERAL = "".join(f"a N\nb{number} V\n\n" for number in range(20))
TINY: dict[str, Any] = {
    "start": "none", "model": "gpt1-tiny", "precision": "fp32", "dropout": 0.0, "head_dropout": 0.0, "lr": 1e-2,
    "batch_size": 8, "vocab_size": 300,
}  # fmt: skip


def sentences(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Sentences of known names: a tagger that reads can learn them all."""
    draw = random.Random(seed)
    for number in range(count):
        tokens: list[str] = []
        tags: list[str] = []
        for _ in range(draw.randint(1, 4)):
            kind, name = draw.choice([("LOC", PLACES), ("PER", PEOPLE), ("", OTHER), ("", OTHER)])
            words = draw.choice(name).split()
            tokens += words
            tags += [f"{'B' if i == 0 else 'I'}-{kind}" if kind else "O" for i in range(len(words))]
        yield {"id": number, "tokens": tokens, "tags": tags}


def questions(count: int, seed: int, unanswered: bool = True) -> dict[str, Any]:
    """SQuAD 2.0: when something was; every fourth context does not say it."""
    draw = random.Random(seed)
    paragraphs = []
    for number in range(count):
        words = [draw.choice(OTHER) for _ in range(draw.randint(3, 14))]
        year = str(draw.randint(1000, 1999))
        lacking = unanswered and number % 4 == 3
        place = draw.randint(0, len(words))
        context = " ".join(words if lacking else [*words[:place], year, *words[place:]])
        answers = [] if lacking else [{"text": year, "answer_start": context.index(year)}]
        asked = {"id": f"q{number}", "question": "When?", "answers": answers, "is_impossible": lacking}
        paragraphs.append({"context": context, "qas": [asked]})
    return {"version": "v2.0", "data": [{"title": "Years", "paragraphs": paragraphs}]}


def jsonl(path: Path, rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def conll(path: Path, rows: Any) -> str:
    text = ("".join(f"{w} {t}\n" for w, t in zip(row["tokens"], row["tags"], strict=True)) + "\n" for row in rows)
    path.write_text("-DOCSTART- O\n\n" + "".join(text), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of both kinds and a run of each."""
    home = tmp_path_factory.mktemp("road")
    files = {
        "train": conll(home / "train.conll", sentences(160, 1)),
        "dev": jsonl(home / "dev.jsonl", sentences(40, 2)),
    }
    warmstart.finetune(
        str(home / "tags"), task="tagging", length="5 epochs", evaluate_every="5 epochs", **files, **TINY
    )
    for name, count in (("train", 200), ("dev", 40), ("test", 60)):
        (home / f"{name}.json").write_text(json.dumps(questions(count, count)))
    files = {name: str(home / f"{name}.json") for name in ("train", "dev", "test")}
    warmstart.finetune(
        str(home / "spans"), task="span", length="8 epochs", evaluate_every="4 epochs", stride=24, **files, **TINY
    )
    return home


def test_tags_are_learned_and_measured_rightly(road: Path) -> None:
    """Witness: seqeval on the tags that ``predict`` wrote; a file of CoNLL and one of rows are one data set."""
    report = warmstart.evaluate(str(road / "tags"), str(road / "dev.jsonl"))
    out = road / "tags.jsonl"
    assert warmstart.predict(str(road / "tags"), str(road / "dev.jsonl"), str(out))["examples"] == 40
    told = [json.loads(line) for line in out.read_text().splitlines()]
    truth = list(sentences(40, 2))
    assert [row["id"] for row in told] == list(range(40))
    assert [row["tokens"] for row in told] == [row["tokens"] for row in truth]
    expected = f1_score([row["tags"] for row in truth], [row["tags"] for row in told])
    assert report["metrics"]["f1"] == pytest.approx(expected) and expected > 0.9
    again = conll(road / "dev.conll", sentences(40, 2))
    assert warmstart.evaluate(str(road / "tags"), again) == report
    final = json.loads((road / "tags" / "report.json").read_text())
    assert final["metrics"] == pytest.approx(report["metrics"]) and final["metric"] == "f1"
    assert final["intervals"]["f1"][0] <= expected <= final["intervals"]["f1"][1]


def test_answers_are_learned_and_measured_rightly(road: Path) -> None:
    """Witness: the answers that ``predict`` wrote, cut out of the contexts; "no answer" is told where it is due."""
    report = warmstart.evaluate(str(road / "spans"), str(road / "test.json"))
    out = road / "answers.jsonl"
    warmstart.predict(str(road / "spans"), str(road / "test.json"), str(out))
    told = [json.loads(line) for line in out.read_text().splitlines()]
    paragraphs = questions(60, 60)["data"][0]["paragraphs"]
    right = [[answer["text"] for answer in p["qas"][0]["answers"]] for p in paragraphs]
    for row, paragraph in zip(told, paragraphs, strict=True):
        assert row["id"] == paragraph["qas"][0]["id"] and row["title"] == "Years"
        piece = "" if row["start"] is None else paragraph["context"][row["start"] : row["end"]]
        assert row["answer"] == piece
    expected = {name: tally.value for name, tally in span_ratios(right, [row["answer"] for row in told]).items()}
    assert report["metrics"] == pytest.approx(expected)
    assert expected["has_answer_f1"] > 0.8 and expected["no_answer_accuracy"] > 0.8
    final = json.loads((road / "spans" / "report.json").read_text())
    assert final["test"]["metrics"] == pytest.approx(expected) and final["metric"] == "f1"
    metadata = json.loads((road / "spans" / "warmstart.json").read_text())["task"]
    assert metadata["frame"]["stride"] == 24 and isinstance(metadata["options"]["threshold"], float)


def test_data_without_impossible_questions_is_always_answered(road: Path) -> None:
    """Invariant: no threshold, and no empty answer, even where the text has none."""
    path = road / "v1.json"
    path.write_text(json.dumps(questions(24, 5, unanswered=False)))
    out = road / "v1"
    warmstart.finetune(str(out), task="span", train=str(path), length="1 step", **TINY)
    assert json.loads((out / "warmstart.json").read_text())["task"]["options"]["threshold"] is None
    model = warmstart.load(str(out))
    assert model.predict([{"context": "the river", "question": "When?"}]) != [""]
    assert set(model.evaluate([{"context": "in 1923", "question": "When?", "answer": "1923", "start": 3}])["metrics"]) == {
        "f1", "exact_match",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["tags", "spans"])
def test_a_stream_is_answered_line_by_line(
    road: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the file's own predictions; rows come through standard input without labels and keep their columns."""
    rows = {
        "tags": [{"tokens": row["tokens"], "n": row["id"]} for row in sentences(5, 9)],
        "spans": [{"context": c, "question": "When?", "n": n} for n, c in enumerate(["in 1923 the", "left " * 40, ""])],
    }[kind]
    file = jsonl(road / f"{kind}-in.jsonl", rows)
    warmstart.predict(str(road / kind), file, str(road / f"{kind}-out.jsonl"))
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    capsys.readouterr()
    assert main(["predict", "--run", str(road / kind), "--input", "-", "--output", "-"]) == 0
    out = capsys.readouterr().out
    assert out == (road / f"{kind}-out.jsonl").read_text()
    assert [json.loads(line)["n"] for line in out.splitlines()] == list(range(len(rows)))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("kind", "more"), [("tagging", {}), ("span", {}), ("tagging", {"head_crf": True, "head_lstm": 6})]
)
def test_killed_and_resumed_is_the_uninterrupted_run(
    road: Path, tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    """Witness: the uninterrupted run; the process dies inside step 5, the checkpoints are of every step."""
    train = str(road / ("train.conll" if kind == "tagging" else "train.json"))
    same: dict[str, Any] = {"task": kind, "train": train, "length": "8 steps", "save_every": 0, **TINY, "dropout": 0.1}
    same |= more
    warmstart.finetune(str(tmp_path / "whole"), **same)
    child = os.fork()
    if child == 0:
        taken, real = 0, ExampleItems.take

        def deadly(self: ExampleItems, epoch: int, indices: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == 8:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, epoch, indices)

        ExampleItems.take = deadly  # type: ignore[method-assign]
        warmstart.finetune(str(tmp_path / "cut"), **same)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    warmstart.finetune(str(tmp_path / "cut"), resume=True, **same)
    whole, cut = (read_tensors(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(tensor.equal(cut[name]) for name, tensor in whole.items())
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "cut")]
    assert reports[0]["metrics"] == reports[1]["metrics"]


def test_seeds_and_control_keep_the_best_threshold(road: Path) -> None:
    """Invariant: the folder's own model and threshold are those of the best run on dev."""
    report = warmstart.finetune(
        str(road / "compared"), start=str(road / "spans"), task="span", train=str(road / "train.json"), stride=24,
        dev=str(road / "dev.json"), seeds=2, control=True, length="2 steps", precision="fp32",
    )  # fmt: skip
    assert len(report["pretrained"]["values"]) == len(report["scratch"]["values"]) == 2
    kept = json.loads((road / "compared" / "warmstart.json").read_text())
    assert kept == json.loads((Path(report["best"]) / "warmstart.json").read_text())
    thresholds = {
        json.loads((Path(run["run"]) / "warmstart.json").read_text())["task"]["options"]["threshold"]
        for run in report["runs"]
    }
    assert len(thresholds) > 1


def test_the_face_takes_sentences_and_rows(road: Path) -> None:
    """Invariant: a list of words is a row; a fitted tagger says a tag per word, and no probabilities of rows."""
    tagger = warmstart.load(str(road / "tags"))
    words = [["Ada", "Byron", "left", "Rio"], ["river"]]
    told = tagger.predict(words)
    assert told == tagger.predict([{"tokens": each} for each in words]) and [len(tags) for tags in told] == [4, 1]
    with pytest.raises(BadInput, match="a row has no class"):
        tagger.predict_proba(words)
    assert tagger.predict(["Ada Byron  left Rio", {"text": "river"}]) == told  # a text is split at blanks
    fitted = warmstart.Classifier(task="tagging", length="1 step", model="gpt1-tiny", vocab_size=300).fit(
        sentences(40, 3)
    )
    assert fitted.classes_.tolist() == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    assert fitted.evaluate(sentences(5, 4))["examples"] == 5


def test_explain_says_what_is_read(road: Path) -> None:
    """Witness: the folder's listing before and after; counts of windows and of what is read nowhere."""
    before = sorted(road.rglob("*"))
    short = {"start": "none", "model": "gpt1-tiny", "vocab_size": 300, "context": 8, "stride": 4}
    spans = "\n".join(warmstart.explain("finetune", task="span", train=str(road / "train.json"), **short)["words"])
    tags = "\n".join(warmstart.explain("finetune", task="tagging", train=str(road / "train.conll"), **short)["words"])
    assert sorted(road.rglob("*")) == before
    assert "windows    180 questions are read in" in spans and "for no answer; learns" in spans
    assert "words at their first token, learns" in tags
    assert "words have no token, or were cut away; each gets the tag 'O'" in tags


@pytest.mark.parametrize(
    ("argv", "name", "text", "parts"),
    [
        (["--task", "tagging"], "x.conll", "Rio B-LOC\nand\n", ["x.conll:2", "wrong number of columns"]),
        (["--task", "tagging"], "x.conll", "Rio\nand\n", ["x.conll:1", "missing key 'tags'"]),
        (["--task", "tagging"], "x.conll", "a O\nb O\n", ["x.conll", "all labels are the same"]),
        (
            ["--task", "tagging", "--tag-column", "5"],
            "x.conll",
            "a O\nb X\n",
            ["x.conll:1", "no such column", "--tag-column"],
        ),
        (["--task", "tagging", "--tag-column", "0"], "x.conll", "a O\nb X\n", ["--tag-column: out of range"]),
        (
            ["--task", "tagging"],
            "x.jsonl",
            '{"tokens": ["a", "b"], "tags": ["O"]}\n',
            ["x.jsonl:1", "1 tags for 2 words"],
        ),
        (["--task", "tagging", "--class-weights", "balanced"], "x.conll", SEVERAL, ["class weights"]),
        (["--task", "tagging", "--metric", "f1"], "x.conll", SEVERAL, ["--metric", "accuracy"]),
        (["--task", "span"], "x.json", "{}", ["x.json: not a file in SQuAD's format"]),
        (["--task", "span", "--stride", "0"], "x.json", "{}", ["--stride: out of range"]),
        (["--task", "span"], "x.jsonl", '{"context": "a", "question": "b"}\n', ["x.jsonl:1", "missing key 'answers'"]),
        (
            ["--task", "span"],
            "x.conll",
            "a O\n",
            ["x.conll: not a file for a span task by its ending", ".json[.gz|.zst]"],
        ),
    ],
)
def test_bad_input_ends_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], name: str, text: str, parts: list[str]
) -> None:
    """Witness: what is broken; exit code 2, one line, no run folder."""
    (tmp_path / name).write_text(text)
    out = tmp_path / "run"
    words = [
        "finetune",
        *argv,
        "--train",
        str(tmp_path / name),
        "--start",
        "none",
        "--model",
        "gpt1-tiny",
        "--out",
        str(out),
    ]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and [part for part in parts if part not in error] == [], error
    assert not out.exists()


def test_entities_need_seqeval_before_training(
    road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invariant: training, and evaluating, do not begin without it; predicting does not need it."""
    monkeypatch.setitem(sys.modules, "seqeval", None)
    out, train = str(tmp_path / "run"), str(road / "train.conll")
    for words in (
        ["finetune", "--task", "tagging", "--start", "none", "--train", train, "--out", out],
        ["evaluate", "--run", str(road / "tags"), "--data", train],
    ):
        assert main(words) == 2
        assert "needs the seqeval package; pip install 'warmstart[tagging]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert warmstart.load(str(road / "tags")).predict([["Rio"]]) == [["B-LOC"]]
