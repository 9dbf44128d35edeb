"""What is said of labelled data before training. Witnesses: counts by hand, and what is known to be wrong with real sets."""

import csv
import gzip
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmstart
from warmstart.build import data_findings
from warmstart.build.data_report import DataReport, report_data
from warmstart.build.labelled_data import divide_rows, read_labelled_data
from warmstart.config.task_recipe import TaskRecipe
from warmstart.tasks.dataset import task_from
from warmstart.tasks.parts import Lengths
from warmstart.tasks.table import KINDS

Rows = list[dict[str, Any]]


def report(kind: str, train: Rows, dev: Rows, lengths: dict[str, Lengths] | None = None) -> DataReport:
    known = task_from(kind, train)
    others = task_from(kind, dev, known.label_names).records
    return report_data(divide_rows(TaskRecipe(name=kind), 0, known, others), lengths or {})


def found(given: DataReport) -> dict[tuple[str, str], tuple[int, int]]:
    return {(finding.split, finding.kind): (finding.count, finding.of) for finding in given.findings}


FILMS: Rows = [{"text": f"the film number {n} is long", "label": "np"[n % 2]} for n in range(20)]
GRAPE = np.full((2, 2, 3), 9, np.uint8)
CONTEXT = "Ada Byron left Rio in the morning and came to Lisbon in the evening of the next day"


@pytest.mark.parametrize(
    ("kind", "train", "dev", "labels", "expected"),
    [
        ("classification", [*FILMS, FILMS[0], FILMS[2] | {"label": "p"}],
         [{"text": " The FILM number 3  is long", "label": "n"}], {"n": 11, "p": 11},
         {("train", "contradiction"): (1, 22), ("dev", "shared"): (1, 1), ("dev", "missing"): (1, 2),
          ("dev", "one_sided"): (1, 1)}),
        ("entailment", [{"premise": "a b", "hypothesis": f"c {n}", "label": n % 2} for n in range(4)],
         [{"premise": "a b", "hypothesis": "other", "label": 0}, {"premise": "a b", "hypothesis": " ", "label": 1}],
         {"0": 2, "1": 2}, {("dev", "empty"): (1, 2)}),
        ("similarity", [{"sentence1": "a", "sentence2": f"b {n}", "score": n / 4} for n in range(5)],
         [{"sentence1": "A", "sentence2": "B 3", "score": 0.5}], {}, {("dev", "shared"): (1, 1)}),
        ("similarity", [{"sentence1": "a", "sentence2": f"b {n}", "label": n % 2} for n in range(4)]
         + [{"sentence1": "b 1", "sentence2": "A", "label": 0}], [{"sentence1": "B 3", "sentence2": " a", "label": 1}],
         {"0": 3, "1": 2}, {("train", "contradiction"): (1, 5), ("dev", "shared"): (1, 1), ("dev", "missing"): (1, 2),
                            ("dev", "one_sided"): (1, 1)}),
        ("regression", [{"text": f"day {n}", "score": n} for n in range(5)], [{"text": "night", "score": 1}], {}, {}),
        ("choice", [{"context": f"he {n}", "choices": ["x", "y"], "label": 0} for n in range(10)],
         [{"context": "", "question": question, "choices": ["x", "y"], "label": int(question > " ")}
          for question in ("who", " ")],
         {"choice 1": 10}, {("train", "one_sided"): (10, 10), ("dev", "empty"): (1, 2)}),
        ("multilabel", [{"text": f"song {n}", "labels": ["sad"] * (n % 3 > 0) + ["old"] * (n % 2)} for n in range(6)],
         [{"text": "Song 5", "labels": ["old", "sad"]}], {"sad": 4, "old": 3}, {("dev", "shared"): (1, 1)}),
        ("tagging", [{"tokens": ["Ada", "left", f"Rio{n}"], "tags": ["B-PER", "O", "B-LOC"]} for n in range(4)],
         [{"tokens": ["ada", "LEFT", "rio2"], "tags": ["B-PER", "O", "O"]}],
         {"LOC": 4, "PER": 4}, {("dev", "shared"): (1, 1), ("dev", "missing"): (1, 2)}),
        ("tagging", [{"tokens": [f"u{n}"], "tags": ["O"]} for n in range(2)] + [{"tokens": ["u"], "tags": ["B-ILL"]}] * 2,
         [{"tokens": ["a", *"b" * 19], "tags": ["B-ILL", *"O" * 19]}], {"ILL": 2}, {}),
        ("span", [{"context": CONTEXT, "question": f"who {n}", "answer": "Ada" * (n > 0), "start": 0} for n in range(4)],
         [{"context": CONTEXT.lower(), "question": "where", "answer": "rio", "start": 15},
          {"context": CONTEXT.replace("evening", "evenings"), "question": "when", "answer": "", "start": 0}],
         {"no answer": 1}, {("dev", "shared"): (1, 2), ("dev", "near"): (1, 1)}),
        ("seq2seq", [{"source": "a b", "target": "c"}, {"source": "a b", "target": "d"}, {"source": "e", "target": "f"}],
         [{"source": "A  b", "target": "c"}], {}, {("dev", "shared"): (1, 1)}),
        ("images", [{"image": GRAPE + n % 2, "label": ("grape", "plum")[n > 0]} for n in range(3)],
         [{"image": GRAPE + 1, "label": "plum"}, {"image": GRAPE + 2, "label": "grape"}], {"plum": 2, "grape": 1},
         {("train", "contradiction"): (1, 3), ("dev", "shared"): (1, 2)}),
    ],
)  # fmt: skip
def test_each_kind_is_counted(
    kind: str, train: Rows, dev: Rows, labels: dict[str, int], expected: dict[tuple[str, str], tuple[int, int]]
) -> None:
    """Witness: the rows counted by hand: labels, repetitions, contradictions, empty texts, what two parts share."""
    given = report(kind, train, dev)
    assert given.splits["train"].labels == labels and given.splits["train"].examples == len(train)
    assert found(given) == expected
    assert json.loads(json.dumps(given.to_dict()))["splits"]["dev"]["examples"] == len(dev)


def test_what_is_said_in_words() -> None:
    """Witness: the lines by hand, with the rows that they name."""
    many = [{"text": f"row {n}", "label": f"class {n % 8}"} for n in range(80)] + [{"text": "rare", "label": "odd"}]
    lines = report("classification", many, many[:3], {"train": Lengths.of([9, 3, 4, 5], 1)}).describe()
    assert lines[:2] == [
        "labels     train 9 labels: class 0 10, class 1 10 … odd 1; dev class 0 1, class 1 1, class 2 1",
        "lengths    train 3 to 9 tokens, half up to 4, 95 % up to 9, 1 cut",
    ]
    assert lines[2:] == [
        "warning    dev has no example of 6 of the 9 labels: 'class 3', 'class 4', 'class 5', 'class 6', 'class 7', 'odd'",
        "warning    1 of 9 labels have fewer than 8 training examples: 'odd'",
        "warning    3 of 3 dev examples have the texts of a training example (row 1 = row 1)",
    ]
    [scores, repeated] = report(
        "regression", [{"text": "a b", "score": n} for n in (1, 4, 2)], [{"text": "x", "score": 1}]
    ).describe()[:2]
    assert (
        scores == "labels     train 1 to 4, half up to 2; dev 1 to 1, half up to 1" and repeated == "repeated   train 2"
    )


@pytest.mark.parametrize("blank", [" ", "  ", "\n", "\t", "\xa0", "\u2003", "\u3000", "\x1f", "\x85", ""])
def test_texts_are_the_same_however_they_are_spaced(blank: str) -> None:
    """Witness: str.split, of blanks of every kind within a text and at its ends."""
    for text in (f"Ada{blank}Byron", f"{blank}Ada Byron", f"ADA Byron{blank}", f"Straße{blank}ß", blank):
        assert data_findings.content_key((text,)) == (" ".join(text.casefold().split()),)


def test_clean_data_are_passed_over_in_silence() -> None:
    """Invariant: balanced labels, different texts: lines, and no warning; dev that is train is not compared with itself."""
    given = report("classification", FILMS, [{"text": f"a book of {n} pages", "label": "np"[n % 2]} for n in range(9)])
    assert given.findings == [] and given.splits["dev"].repeated == 0
    task = task_from("classification", FILMS)
    alone = report_data(divide_rows(TaskRecipe(name="classification"), 0, task, None), {})
    assert alone.findings == [] and list(alone.splits) == ["train"]


def test_samples_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: with room for a third of dev and half of train every third is looked for among every second."""
    text = "the quick brown fox jumps over the lazy dog and runs away into the dark wood number"
    train = [{"text": f"{text} {n} {n}", "label": n % 2} for n in range(100, 130)]
    dev = [row | {"text": row["text"] + "s"} for row in train] + train[:2]
    monkeypatch.setattr(data_findings, "MOST_ASKED", 10)
    monkeypatch.setattr(data_findings, "MOST_CHARACTERS", sum(len(row["text"]) for row in train) // 2)
    given = report("classification", train, dev)
    assert found(given)["dev", "shared"] == (2, 32) and found(given)["dev", "near"] == (5, 10)
    assert (
        "5 dev examples with nearly the texts of a training example, of 10 of them and one in 2 training examples"
        in given.findings[-1].text
    )


def test_explain_and_the_training_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the words, the object of ``--json``, what the training says and what its manifest keeps."""
    rows = [*FILMS, {"text": " ", "label": "n"}]
    for name, some in (("train", rows), ("dev", FILMS[:4])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    flags = {
        "start": "none", "model": "gpt1-tiny", "vocab_size": 300, "task": "classification", "length": "1 step",
        "train": str(tmp_path / "train.jsonl"), "dev": str(tmp_path / "dev.jsonl"),
    }  # fmt: skip
    explained = warmstart.explain("finetune", **flags)
    warnings = [line for line in explained["words"] if line.startswith("warning    ")]
    assert [line.partition(" (")[0] for line in warnings] == [
        "warning    1 of 21 train examples have an empty text",
        "warning    4 of 4 dev examples have the texts of a training example",
    ]
    assert warnings[1].endswith(f"({tmp_path}/dev.jsonl:1 = {tmp_path}/train.jsonl:1)")
    assert [f"warning    {one['text']}" for one in explained["data"]["warnings"]] == warnings
    assert explained["data"]["splits"]["train"]["lengths"][0] == 3  # the blank text, and the tokens at its ends
    warmstart.finetune(str(tmp_path / "run"), **flags)
    said = capsys.readouterr().err
    assert all(said.count(line) == 1 for line in warnings)
    kept = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert kept["data"]["warnings"] == [line.removeprefix("warning    ") for line in warnings]


def _write(path: Path, rows: Iterator[dict[str, Any]] | Rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _of_files(kind: str, tmp_path: Path, **parts: Any) -> DataReport:
    files = {part: _write(tmp_path / f"{part}.jsonl", rows) for part, rows in parts.items()}
    return report_data(read_labelled_data(TaskRecipe(name=kind, **files), 0), {})


@pytest.mark.data
def test_sst2_stands_in_rt_polarity(tmp_path: Path, data_dir: Path) -> None:
    """Witness: three of four sentences of SST-2's dev and test are known to be of Pang and Lee's."""
    train = [
        {"text": line.decode("cp1252").strip(), "label": label}
        for label in ("neg", "pos")
        for line in gzip.decompress((data_dir / f"rt_polarity/rt-polarity.{label}.gz").read_bytes()).splitlines()
    ]
    with open(data_dir / "sst2/dev.tsv", encoding="utf-8") as file:
        dev = [
            {"text": row[0], "label": ("neg", "pos")[int(row[1])]}
            for row in list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
        ]
    given = found(_of_files("classification", tmp_path, train=train, dev=dev))
    texts = {row["text"] for row in train}
    assert given["dev", "shared"][0] >= sum(row["text"].strip() in texts for row in dev) > 300
    assert given["dev", "shared"][0] + given["dev", "near"][0] > 0.76 * 872


@pytest.mark.data
def test_counterfactual_pairs_are_edits_of_snli(tmp_path: Path, data_dir: Path) -> None:
    """Witness: 205 pairs of its dev are known to be SNLI's dev pairs, tokenised there and raw here."""
    with open(data_dir / "snli_cad/dev.tsv", encoding="utf-8") as file:
        own = [
            {"premise": row["sentence1"], "hypothesis": row["sentence2"], "label": row["gold_label"]}
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    with gzip.open(data_dir / "snli/dev.tsv.gz", "rt", encoding="utf-8") as file:
        snli = [
            dict(zip(("label", "premise", "hypothesis"), line.rstrip("\n").split("\t"), strict=True)) for line in file
        ]
    given = found(_of_files("entailment", tmp_path, train=snli, dev=own))
    assert given["dev", "shared"] == (1, 1000) and 205 <= given["dev", "near"][0] < 250


@pytest.mark.data
def test_the_headers_of_newsgroups_name_the_group(tmp_path: Path, data_dir: Path) -> None:
    """Witness: the raw posts have a line with their group; the known data set leaves it out, and nothing is said."""

    def posts() -> Iterator[dict[str, Any]]:
        with tarfile.open(data_dir / "20news/20news_test.tar.gz") as archive:
            for member in archive:
                if (file := archive.extractfile(member)) and int(member.name[-1]) < 3:
                    yield {"text": file.read().decode("latin-1"), "label": member.name.split("/")[-2]}

    rows = list(posts())
    assert ("train", "named") in found(_of_files("classification", tmp_path, train=rows))
    clean = read_labelled_data(TaskRecipe(name="20news", data=str(data_dir / "20news")), 0)
    assert list(data_findings.find_named_labels(KINDS[clean.kind], clean.label_names, clean.train[::10])) == []


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rte", {}),
        (
            "cola",
            {("train", "contradiction"): 11, ("dev", "contradiction"): 3, ("dev", "shared"): 16, ("dev", "near"): 5},
        ),
        ("wikigold_ner", {}),
        ("copa", {}),
    ],
)
def test_published_sets(name: str, expected: dict[tuple[str, str], int], data_dir: Path) -> None:
    """Witness: equal and contradicting sentences counted over the files themselves; sets that are clean are so here."""
    data = read_labelled_data(TaskRecipe(name=name, data=str(data_dir / name)), 0)
    given = {key: count for key, (count, _) in found(report_data(data, {})).items()}
    assert given == expected
    if name == "cola":
        lines = gzip.decompress((data_dir / "cola/train.tsv.gz").read_bytes()).decode().splitlines()
        train = [(" ".join(line.split("\t")[3].lower().split()), line.split("\t")[1]) for line in lines]
        dev = [line.split("\t")[3] for line in (data_dir / "cola/dev.tsv").read_text().splitlines()]
        known = {text for text, _ in train}
        assert sum(" ".join(text.lower().split()) in known for text in dev) == expected["dev", "shared"]
        first = dict(reversed(train))
        assert sum(first[text] != label for text, label in train) == expected["train", "contradiction"]
        assert Counter(text for text, _ in train).total() - len(known) == report_data(data, {}).splits["train"].repeated


@pytest.mark.data
def test_a_right_choice_that_always_stands_first(tmp_path: Path, data_dir: Path) -> None:
    """Witness: so it is in the file of WSC273."""
    blocks = [block.split("\n") for block in (data_dir / "wsc273/wsc273.txt").read_text().strip().split("\n\n")]
    rows = [
        {"context": one[0], "choices": [name.strip() for name in one[2].split(",")], "answer": one[3].strip()}
        for one in blocks
    ]
    rows = [row for row in rows if row["answer"] in row["choices"]]
    assert found(_of_files("choice", tmp_path, train=rows, dev=rows[:9]))["train", "one_sided"] == (
        len(rows),
        len(rows),
    )
