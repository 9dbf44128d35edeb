"""A kind of task is one object: nobody outside its file asks which it is, and a new one costs a class and a line.

Witness: the syntax trees; a toy kind that this file adds from outside the package, which every verb then serves.
"""

import ast
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import warmstart
import warmstart.base.errors
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.readers.rows import Row
from warmstart.run.metadata import read_metadata
from warmstart.tasks.answer import Answer
from warmstart.tasks.classification import CLASS
from warmstart.tasks.columns import Columns, text_at
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import Seq2SeqSettings, SpanSettings, TaggingSettings
from warmstart.tasks.table import KINDS, answer_of, options_of

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]
OTHER_TABLES = ("base/old_names.py", "embed/probes.py")
"""Old names of kinds, and tests of embeddings, two of which are named as kinds of tasks are."""
ANSWERS = {"label", "labels", "score", "choice", "tags", "span"}
KIND_FILES = {f"tasks/{kind}.py" for kind in KINDS}
HEAD_TABLES = ("models/heads.py", "transfer/folder.py", "transfer/bert.py", "transfer/gpt2.py")
"""Tables of heads by name: ours, and those of other libraries' folders."""


def comparisons(source: str) -> Iterator[str]:
    """Comparisons of anything with the name of a kind or of a task's goal, and dictionaries keyed by kinds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            words = {c.value for part in parts for c in ast.walk(part) if isinstance(c, ast.Constant)}
            asked = {n.attr for part in parts for n in ast.walk(part) if isinstance(n, ast.Attribute)}
            asked |= {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
            if words & {*KINDS} or (words & ANSWERS and asked & {"kind", "goal", "name"}):
                yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if len(keys & {*KINDS}) > 1:
                yield f"line {node.lineno}: a table of kinds"


@pytest.mark.parametrize(
    "source",
    [
        'if spec.kind == "seq2seq": pass',
        'x = 1 if kind in ("tagging", "span") else 2',
        'if spec.goal == "label": pass',
        'TABLE = {"span": 1, "choice": 2}',
    ],
)
def test_a_question_for_the_kind_is_seen(source: str) -> None:
    """Witness: lines as they stood in verbs, evaluation and recipes before kinds were objects."""
    assert list(comparisons(source))
    assert not list(comparisons('if path == "-": pass\nTABLE = {"label": 1}'))


def test_nobody_asks_which_kind_a_task_is() -> None:
    """Invariant: 0 comparisons outside the files of the kinds; heads and old names have tables of their own."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place not in (*KIND_FILES, "tasks/table.py", *HEAD_TABLES, *OTHER_TABLES):
            found += [f"{place}, {line}" for line in comparisons(path.read_text("utf-8"))]
    assert found == []


class Chorus(TaskKind):
    """A toy: two columns of one's own, joined by a word, and a class that is read at the end."""

    name = "chorus"
    text_columns = (("verse", "refrain"),)
    label_columns = ("mood",)

    def answer(self, label_names: Sequence[str]) -> Answer:
        """A class."""
        return CLASS

    def find_texts(self, row: Row) -> Columns | None:
        """Both texts as one."""
        if self.missing_columns(row):
            return None
        verse, refrain = (text_at(row, column) for column in self.text_columns[0])
        return Columns({"text": f"{verse} then {refrain}"}, self.text_columns[0])

    def row_of(self, value: Any) -> dict[str, Any]:
        """A verse with its refrain."""
        return {"verse": value, "refrain": "la"}

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """As classification has it."""
        return frame.question(record, [frame.sequence(parts.texts)])


def test_a_kind_from_outside_is_served_by_every_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: trained, explained, evaluated, predicted, loaded and reported like any other; nothing else was changed."""
    monkeypatch.setitem(KINDS, "chorus", Chorus())
    draw = random.Random(0)
    moods = {"glad": ["bright", "song"], "sad": ["dark", "rain"]}
    rows = []
    for number in range(48):
        mood = ("glad", "sad")[number % 2]
        rows.append({"verse": " ".join(draw.choices(moods[mood], k=4)), "refrain": "la la", "mood": mood, "id": number})
    train, dev = tmp_path / "train.jsonl", tmp_path / "dev.jsonl"
    for path, part in ((train, rows[:32]), (dev, rows[32:])):
        path.write_text("".join(json.dumps(row) + "\n" for row in part))
    flags: dict[str, Any] = {
        "start": "none", "task": "chorus", "train": str(train), "dev": str(dev), "model": "gpt1-tiny", "vocab_size": 300,
        "length": "6 epochs", "batch_size": 8, "lr": 3e-3, "precision": "fp32",
    }  # fmt: skip
    words = "\n".join(warmstart.explain("finetune", **flags)["words"])
    assert " then la la" in words and "(glad)" in words
    run = str(tmp_path / "run")
    report = warmstart.finetune(run, **flags)
    assert report["metrics"]["accuracy"] > 0.9
    assert warmstart.evaluate(run, str(dev), precision="fp32")["metrics"] == report["metrics"]
    out = tmp_path / "out.jsonl"
    warmstart.predict(run, str(dev), str(out))
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in told] == list(range(32, 48)) and {row["label"] for row in told} == {"glad", "sad"}
    assert warmstart.load(run).predict([json.loads(dev.read_text().splitlines()[0])]) == [told[0]["label"]]
    assert warmstart.load(run).predict(["bright song bright song"])[0] in ("glad", "sad")
    page = tmp_path / "report.html"
    warmstart.report([run], str(page))
    assert "accuracy" in page.read_text()


OLD = {
    "tagging": {"tags": {"unread": "X", "column": 2}},
    "span": {"span": {"stride": 64, "longest": 9, "threshold": 0.5}},
    "seq2seq": {"seq2seq": {"algorithm": "masked", "target_limit": 20, "cleanup": "question"}},
    "classification": {},
}


@pytest.mark.parametrize("kind", OLD)
def test_tasks_of_older_runs_are_read(kind: str, tmp_path: Path) -> None:
    """Witness: ``warmstart.json`` of older runs: each file has a group of options for every kind, with the old keys."""
    groups: dict[str, Any] = {
        "tags": {"unread": "O", "column": None},
        "span": {"stride": 128, "longest": 30},
        "seq2seq": {},
    }
    task = {"kind": kind, "name": "", "label_names": ["X", "Y"], "frame": {"context": 64, "lm": False}}
    (tmp_path / "warmstart.json").write_text(json.dumps({"task": task | groups | OLD[kind], "clean": []}))
    spec = read_metadata(tmp_path).task
    assert spec is not None and answer_of(spec) is not None
    expected = {
        "tagging": TaggingSettings(unread="X", column=2),
        "span": SpanSettings(stride=64, max_answer=9, threshold=0.5),
        "seq2seq": Seq2SeqSettings(algorithm="masked", target_limit=20, postprocess="question"),
    }
    assert options_of(spec) == expected.get(kind, options_of(spec))
    assert kind in expected or spec.options == {}
