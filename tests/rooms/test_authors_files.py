"""Files as their authors distribute them, through all verbs, with flags alone: TREC, SICK, OpenBookQA, CoNLL.

The files here are small ones with the same quirks: Latin-1, ``coarse:fine text`` lines, ``sentence_A``, tables that end in
``.txt``, stems with lettered choices, ``esp.train``, tags that only the test file has, lines without a word.
"""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import warmstart
from warmstart.cli.main import main
from warmstart.tasks.dataset import read_task
from warmstart.tasks.row_source import ReadOptions

QUESTIONS = [
    ("ABBR:exp", "What does ONU stand for ?"), ("LOC:city", "Where is the café Procope ?"),
    ("HUM:ind", "Who sang Ne me quitte pas ?"), ("LOC:city", "What is Perú 's capital ?"),
    ("ABBR:exp", "What is the full form of .com ?"), ("HUM:ind", "Who founded Zürich 's opera ?"),
]  # fmt: skip
PAIRS = [
    ("A dog runs", "An animal runs", "4.5", "ENTAILMENT"), ("A dog runs", 'Nobody says "run"', "1.2", "NEUTRAL"),
    ("A man sings", "A man is silent", "3.3", "CONTRADICTION"), ("Two boys play", "Boys are playing", "4.9", "ENTAILMENT"),
    ("Rain falls", "A cat is asleep", "1", "NEUTRAL"), ("A door is open", "A door is shut", "3.6", "CONTRADICTION"),
]  # fmt: skip
STEMS = [
    ("Which one melts?", ["ice", "iron", "wood", "sand"], "A"), ("What do bees make?", ["milk", "honey", "oil", "tea"], "B"),
    ("Frogs hatch from", ["seeds", "stones", "eggs", "buds"], "C"), ("The sun is a", ["moon", "rock", "lamp", "star"], "D"),
]  # fmt: skip
SPANISH = [["Melbourne B-LOC", "( O", "Año I-MISC", ") O"], ["El O", "señor O", "Peña B-PER", "Ruiz I-PER"]]
CHUNKS = [["He PRP B-NP", "reckons VBZ B-VP", "so RB O"], ["The DT B-NP", "deficit NN I-NP", "grew VBD B-VP", ". . O"]]
NEWS = [["EU NNP I-NP I-ORG", "rejects VBZ I-VP O", "calls NNS I-NP O"], ["Ada NNP I-NP I-PER", "Lee NNP I-NP I-PER"]]


def _sentences(sentences: Sequence[Sequence[str]], times: int = 6) -> str:
    return "".join("\n".join(words) + "\n\n" for words in sentences) * times


def _stems(times: int) -> str:
    rows = []
    for number, (stem, texts, key) in enumerate(STEMS * times):
        choices = [{"text": text, "label": label} for text, label in zip(texts, "ABCD", strict=True)]
        rows.append({"id": f"7-{number}", "question": {"stem": stem, "choices": choices}, "answerKey": key})
    return "".join(json.dumps(row) + "\n" for row in rows)


def _sick(separator: str, times: int) -> str:
    head = ["pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment"]
    quoted = [tuple(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in pair) for pair in PAIRS]
    rows = [[str(n), *pair] for n, pair in enumerate((PAIRS if separator == "\t" else quoted) * times, start=1)]
    return "".join(separator.join(row) + "\n" for row in [head, *rows])


@dataclass(frozen=True)
class Distribution:
    """A data set as its authors distribute it: file → text (or bytes), and the flags that say what the files do not."""

    task: str
    files: dict[str, str]
    flags: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()

    @property
    def read(self) -> list[str]:
        """The flags that say how files are read."""
        encoding = [] if self.encoding == "utf-8" else ["--encoding", self.encoding]
        return [*self.flags, *encoding]

    @property
    def num_training(self) -> int:
        """Examples in the training file: sentences end at empty lines, and tables have a header."""
        text = next(iter(self.files.values()))
        if self.task == "tagging":
            return text.count("\n\n") - text.count("-DOCSTART-")
        return text.count("\n") - ("sentence_A" in text)

    @property
    def names(self) -> list[str]:
        """The files for training, dev and test."""
        return list(self.files)


SICK_TEXTS = "premise=sentence_A,hypothesis=sentence_B,label=entailment_judgment"
SICK_SCORES = "sentence1=sentence_A,sentence2=sentence_B,score=relatedness_score"
DISTRIBUTIONS = {
    "trec": Distribution(
        "classification",
        {name: "".join(f"{label} {text}\n" for label, text in QUESTIONS * times)
         for name, times in (("train_5500.label", 4), ("dev.label", 1), ("TREC_10.label", 2))},
        ("--format", "lines"), encoding="latin-1",
    ),
    "sick": Distribution(
        "entailment", {"SICK_train.txt": _sick("\t", 4), "SICK_trial.txt": _sick("\t", 1), "SICK_test.txt": _sick("\t", 2)},
        ("--format", "tsv", "--columns", SICK_TEXTS),
    ),
    "sick.csv": Distribution(
        "similarity", {"train.csv": _sick(",", 4), "dev.csv": _sick(",", 1), "test.csv": _sick(",", 2)},
        ("--columns", SICK_SCORES),
    ),
    "openbookqa": Distribution(
        "choice", {"train.jsonl": _stems(4), "dev.jsonl": _stems(1), "test.jsonl": _stems(2)},
    ),
    "conll2000": Distribution(
        "tagging",
        {"train.txt": _sentences(CHUNKS), "dev.txt": _sentences(CHUNKS, 1),
         "test.txt": _sentences([*CHUNKS, ["1 CD B-LST", ") ) I-LST"]], 1)},
        training=("--unseen-labels", "count"),
    ),
    "conll2002": Distribution(
        "tagging",
        {"esp.train": _sentences(SPANISH), "esp.testa": _sentences(SPANISH, 1),
         "esp.testb": _sentences([*SPANISH, ["Peña\tB-PER", "\tO"]], 1)},
        ("--format", "conll", "--bad-rows", "skip"), encoding="latin-1",
    ),
    "conll2003": Distribution(
        "tagging",
        {name: "-DOCSTART- -X- O O\n\n" + _sentences(NEWS, times)
         for name, times in (("eng.train", 6), ("eng.testa", 1), ("eng.testb", 2))},
        ("--format", "conll"),
    ),
}  # fmt: skip


class Homes:
    """A folder for each data set with its files and a run, trained one step by the command line when it is asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __getitem__(self, name: str) -> Path:
        home = self._root / name
        if not home.exists():
            home.mkdir()
            one = DISTRIBUTIONS[name]
            for file, text in one.files.items():
                (home / file).write_bytes(text.encode(one.encoding))
            assert main(["finetune", *self.words(name), "--out", str(home / "run"), "--quiet"]) == 0, name
        return home

    def words(self, name: str) -> list[str]:
        """What follows the verb in a command that trains."""
        one, small = DISTRIBUTIONS[name], ["--model", "bert-tiny", "--vocab-size", "300", "--precision", "fp32"]
        train, dev, test = (str(self._root / name / file) for file in one.names)
        files = ["--task", one.task, "--train", train, "--dev", dev, "--test", test]
        return ["--start", "none", "--length", "1 step", "--batch-size", "4", *small, *files, *one.read, *one.training]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """The folders of this file's tests."""
    return Homes(tmp_path_factory.mktemp("homes"))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _json(words: Sequence[str]) -> dict[str, Any]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*words, "--json", "--quiet"]) == 0, words
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_all_verbs_take_the_files_as_they_are(name: str, homes: Homes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the counts of rows by hand; a file and standard input, a run and its folder for transformers answer alike."""
    one, home = DISTRIBUTIONS[name], homes[name]
    run, test = str(home / "run"), home / one.names[2]
    report = json.loads((home / "run" / "report.json").read_text())
    unseen = ["--unseen-labels", "count"] if one.training else []
    evaluated = _json(["evaluate", "--run", run, "--data", str(test), *one.read, *unseen, "--precision", "fp32"])
    assert evaluated["metrics"] == pytest.approx(report["test"]["metrics"])
    assert main(["predict", "--run", run, "--input", str(test), "--output", str(home / "a"), *one.read, "--quiet"]) == 0
    rows = _lines(home / "a")
    assert len(rows) == evaluated["examples"] == report["test"]["examples"] > 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(test.read_bytes())))
    piped = one.read if "--format" in one.read or one.task != "tagging" else ["--format", "conll"]
    assert main(["predict", "--run", run, "--input", "-", "--output", str(home / "b"), *piped, "--quiet"]) == 0
    assert _lines(home / "b") == rows
    assert main(["report", run, "--out", str(home / "page.html"), "--quiet"]) == 0
    to = "warmstart" if one.task in ("choice", "similarity") else "hf"
    assert main(["convert", run, "--out", str(home / to), "--to", to, "--quiet"]) == 0
    if to == "hf" and one.task == "tagging":
        again = [
            "predict",
            "--run",
            str(home / to),
            "--input",
            str(test),
            "--output",
            str(home / "c"),
            *one.read,
            "--quiet",
        ]
        assert main(again) == 0
        assert [row["tags"] for row in _lines(home / "c")] == [row["tags"] for row in rows]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_explain_takes_them_too(name: str, homes: Homes) -> None:
    """Witness: the number of training examples by hand."""
    words = [*homes.words(name), "--out", "RUN"]
    counts = f"records    {DISTRIBUTIONS[name].num_training} training"
    assert homes[name] and counts in "\n".join(_json(["explain", "finetune", *words])["words"])


def test_what_was_read_is_what_stands_there(homes: Homes) -> None:
    """Witness: the lists that the files were written from."""
    latin = ReadOptions("latin-1", format="lines")
    trec = read_task("classification", homes["trec"] / "train_5500.label", read=latin)
    assert [record.texts["text"] for record in trec.records[:6]] == [text for _, text in QUESTIONS]
    assert trec.label_names == ("ABBR:exp", "HUM:ind", "LOC:city")
    coarse = ReadOptions("latin-1", format="lines", columns=("label=coarse",))
    assert read_task("classification", homes["trec"] / "train_5500.label", read=coarse).label_names == (
        "ABBR",
        "HUM",
        "LOC",
    )
    sick = ReadOptions(format="tsv", columns=tuple(SICK_TEXTS.split(",")))
    pairs = read_task("entailment", homes["sick"] / "SICK_train.txt", read=sick)
    assert [tuple(record.texts.values()) for record in pairs.records[:6]] == [pair[:2] for pair in PAIRS]
    scores = read_task(
        "similarity", homes["sick.csv"] / "train.csv", read=ReadOptions(columns=tuple(SICK_SCORES.split(",")))
    )
    assert [record.label for record in scores.records[:6]] == [float(pair[2]) for pair in PAIRS]
    assert [tuple(record.texts.values()) for record in scores.records[:6]] == [pair[:2] for pair in PAIRS]
    stems = read_task("choice", homes["openbookqa"] / "dev.jsonl")
    assert [record.label for record in stems.records] == [0, 1, 2, 3]
    assert [(r.texts["question"], list(r.texts["choices"])) for r in stems.records] == [
        (s, texts) for s, texts, _ in STEMS
    ]
    spanish = read_task("tagging", homes["conll2002"] / "esp.testa", read=ReadOptions("latin-1", format="conll"))
    assert [list(r.texts["tokens"]) for r in spanish.records] == [[w.split()[0] for w in s] for s in SPANISH]
    news = read_task("tagging", homes["conll2003"] / "eng.testa", read=ReadOptions(format="conll"))
    assert news.label_names == ("B-ORG", "B-PER", "I-PER", "O") and len(news.records) == 2


def test_what_the_test_file_alone_has_is_counted_and_said(homes: Homes, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: by hand: the one sentence of a list has two such tags; the one line without a word is in one sentence."""
    chunks, spanish = homes["conll2000"], homes["conll2002"]
    manifest = json.loads((chunks / "run" / "manifest.json").read_text())
    assert "unseen in training, counted as errors of the model: 2 labels: 'B-LST' (1), 'I-LST' (1)" in str(manifest)
    assert main(["evaluate", "--run", str(chunks / "run"), "--data", str(chunks / "test.txt")]) == 2
    assert "--unseen-labels count" in capsys.readouterr().err
    words = ["--run", str(spanish / "run"), "--format", "conll", "--encoding", "latin-1"]
    assert main(["evaluate", *words, "--data", str(spanish / "esp.testb")]) == 2
    assert "this line has no word" in capsys.readouterr().err
    assert main(["evaluate", *words, "--data", str(spanish / "esp.testb"), "--bad-rows", "skip"]) == 0
    said = capsys.readouterr()
    assert "1 row left out: wrong number of columns" in said.err or "1 row left out: this line has no word" in said.err


def test_a_program_takes_the_authors_rows(homes: Homes) -> None:
    """Witness: the same rows from their files."""
    rows = [json.loads(line) for line in (homes["openbookqa"] / "train.jsonl").read_text().splitlines()]
    one = warmstart.Classifier(
        task="choice", model="bert-tiny", vocab_size=300, length="1 step", batch_size=4, precision="fp32"
    )
    one.fit(rows[:12], dev=rows[12:])
    loaded = warmstart.load(str(homes["openbookqa"] / "run"))
    assert loaded.evaluate(rows)["examples"] == len(rows) and one.predict(rows[:1])[0] in range(4)
    pairs = [
        dict(zip(("sentence_A", "sentence_B", "entailment_judgment"), (a, b, j), strict=True)) for a, b, _, j in PAIRS
    ]
    assert len(warmstart.load(str(homes["sick"] / "run")).predict(pairs)) == len(PAIRS)
    questions = warmstart.load(str(homes["trec"] / "run"))
    labels = [label for label, _ in QUESTIONS]
    assert questions.evaluate([text for _, text in QUESTIONS], labels)["examples"] == 6


def test_a_program_skips_and_counts_as_the_command_line_does() -> None:
    """Witness: the number of such rows by hand."""
    small: dict[str, Any] = {"model": "bert-tiny", "vocab_size": 300, "length": "1 step", "batch_size": 4}
    one = warmstart.Classifier(precision="fp32", bad_rows="skip", unseen_labels="count", **small)
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(6)]
    one.fit([*rows, {"text": "no label", "label": None}], dev=[*rows, {"text": "other", "label": "c"}])
    assert list(one.classes_) == ["a", "b"] and one.report_["examples"] == 7
