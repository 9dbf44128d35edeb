"""Files as people have them: other columns, other endings, several at once; one tiny run for every verb that reads rows."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.tasks.dataset import read_task
from warmstart.tasks.row_source import ReadOptions

FLAGS: dict[str, Any] = {
    "start": "none", "model": "gpt1-tiny", "vocab_size": 260, "length": "1 step", "batch_size": 4, "precision": "fp32",
}  # fmt: skip
COLUMNS = {"text": "review", "label": "mood"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows in three files, and a run that was trained on two of them."""
    folder = tmp_path_factory.mktemp("home")
    rows = [(f"{'fine' if n % 2 else 'poor'} film {n}", "good" if n % 2 else "bad") for n in range(12)]
    (folder / "a.csv").write_text("id;review;mood\n" + "".join(f"{n};{t};{m}\n" for n, (t, m) in enumerate(rows)))
    (folder / "b.txt").write_text("".join(json.dumps({"review": f"{t}!", "mood": m}) + "\n" for t, m in rows))
    train = [str(folder / "a.csv"), str(folder / "a2.csv")]
    (folder / "a2.csv").write_text("mood,review\n" + "".join(f"{m},again {t}\n" for t, m in rows))
    warmstart.finetune(str(folder / "run"), task="classification", train=train, columns=COLUMNS, **FLAGS)
    return folder


def test_a_run_remembers_its_columns(home: Path) -> None:
    """Witness: the same evaluation and predictions with the columns named again."""
    run, data = str(home / "run"), str(home / "b.txt")
    named = warmstart.evaluate(run, data, columns=COLUMNS, format="jsonl", precision="fp32")
    assert named["examples"] == 12
    assert warmstart.evaluate(run, data, format="jsonl", precision="fp32") == named
    warmstart.predict(run, data, str(home / "out.jsonl"), format="jsonl")
    found = [json.loads(line) for line in (home / "out.jsonl").read_text().split("\n") if line]
    assert [row["mood"] for row in found] == ["bad", "good"] * 6
    assert [row["review"] for row in found[:2]] == ["poor film 0!", "fine film 1!"] and "text" not in found[0]
    loaded = warmstart.load(run)
    assert loaded.predict([{"review": "fine film 1!"}]) == [found[1]["label"]] == loaded.predict(["fine film 1!"])
    with pytest.raises(BadInput, match=r"no such column; got 'review'; allowed: text; name the file's columns"):
        loaded.predict([{"text": "fine film 1"}])
    other = home / "plain.csv"
    other.write_text("text,label\nfine film,good\n")
    assert warmstart.evaluate(run, str(other), columns="text=text,label=label")["examples"] == 1


def test_standard_input_has_the_columns_of_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same texts from a file; lines of text have no columns and are read too, as is a named format."""
    texts = [f"film {n}; fine" for n in range(4)]
    lines = "".join(json.dumps({"review": text}) + "\n" for text in texts)
    (home / "new.jsonl").write_text(lines)
    given: list[tuple[str, dict[str, Any]]] = [
        (lines, {}),
        ("id;review\n" + "".join(f'{n};"{text}"\n' for n, text in enumerate(texts)), {}),
        ("id\treview\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(texts)), {}),
        ("".join(f"{text}\n" for text in texts), {}),
        ("text,other\n" + "".join(f"{text},\n" for text in texts), {"format": "csv", "columns": {"text": "text"}}),
    ]
    warmstart.predict(str(home / "run"), str(home / "new.jsonl"), str(home / "new.out"))
    wanted = [json.loads(line)["probabilities"] for line in (home / "new.out").read_text().splitlines()]
    for number, (text, flags) in enumerate(given):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        warmstart.predict(str(home / "run"), "-", str(home / f"new{number}.out"), **flags)
        found = [json.loads(line) for line in (home / f"new{number}.out").read_text().splitlines()]
        assert [row["probabilities"] for row in found] == wanted, number
        assert [row["text" if number > 2 else "review"] for row in found] == texts, number


def test_rows_of_a_program_may_have_other_keys() -> None:
    """Witness: classes and a prediction, from rows that have no key of the task."""
    rows = [{"review": f"film {n}", "mood": "good" if n % 2 else "bad"} for n in range(20)]
    one = warmstart.Classifier(**{key: value for key, value in FLAGS.items() if key != "start"}, columns=COLUMNS)
    one.fit(rows)
    assert list(one.classes_) == ["bad", "good"] and one.predict(rows[:2])[0] in one.classes_
    assert one.evaluate(rows)["examples"] == 20


def test_a_recipe_and_repeated_flags_name_several_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the number of training examples in words: those of both files, less those held out."""
    recipe = home / "r.yaml"
    recipe.write_text("start: none\nvocab_size: 260\nmodel: {preset: gpt1-tiny}\n"
                      "task: {name: classification, columns: {text: review, label: mood}}\n")  # fmt: skip
    files = [str(home / "a.csv"), str(home / "a2.csv")]
    for train in (["--train", ",".join(files)], ["--train", files[0], "--train", files[1]]):
        assert main(["explain", "finetune", "--recipe", str(recipe), *train]) == 0
        shown = capsys.readouterr()
        assert "24 training, no dev" in shown.out + shown.err


def test_formats_stand_in_for_endings(tmp_path: Path) -> None:
    """Witness: the same words read by their usual endings."""
    forms = {
        "conll": ("x.conll", "EU B-ORG\ncalls O\n", "tagging"),
        "conllu": ("x.conllu", "1\tEU\t_\tPROPN\t_\t_\t0\t_\t_\t_\n2\tis\t_\tAUX\t_\t_\t0\t_\t_\t_\n", "tagging"),
        "tsv": ("x.tsv", "text\tlabel\na\t1\nb\t2\n", "classification"),
        "csv": ("x.csv", "text,label\na,1\nb,2\n", "classification"),
        "jsonl": ("x.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n', "classification"),
    }
    for name, (usual, content, kind) in forms.items():
        (tmp_path / usual).write_text(content)
        (tmp_path / "esp.train").write_text(content)
        found = read_task(kind, tmp_path / "esp.train", read=ReadOptions(format=name))
        wanted = read_task(kind, tmp_path / usual)
        assert [(r.texts, r.label) for r in found.records] == [(r.texts, r.label) for r in wanted.records]
        with pytest.raises(BadInput, match=r"name its format, as in --format [cl]"):
            read_task(kind, tmp_path / "esp.train")
    with pytest.raises(BadInput, match=r"--format: a span task does not read this format; got 'conll'; .*squad"):
        read_task("span", tmp_path / "x.conll", read=ReadOptions(format="conll"))


def test_several_pairs_of_parallel_files(tmp_path: Path) -> None:
    """Witness: the lines by hand; tables are read one by one."""
    for name, text in {"a.s": "one\ntwo\n", "a.t": "eins\nzwei\n", "b.s": "three\n", "b.t": "drei\n"}.items():
        (tmp_path / name).write_text(text)
    found = read_task("seq2seq", ",".join(f"{tmp_path}/{name}" for name in ("a.s", "a.t", "b.s", "b.t")))
    assert [record.texts["source"] for record in found.records] == ["one", "two", "three"]
    for name in "cd":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"source": name, "target": "x"}))
    found = read_task("seq2seq", f"{tmp_path}/c.jsonl,{tmp_path}/d.jsonl")
    assert [record.texts["source"] for record in found.records] == ["c", "d"]
