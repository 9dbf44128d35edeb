"""Training data that do not fit into memory: the same Records, Examples and batches as those that do."""

import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.base import overflow
from warmstart.base.overflow import OverflowList, Selection
from warmstart.build.data_report import report_data
from warmstart.build.labelled_data import LabelledData, divide_rows
from warmstart.config.task_recipe import TaskRecipe
from warmstart.example.example import Example
from warmstart.example.record import digest_records
from warmstart.image.settings import AugmentSettings
from warmstart.streams.stream import Stream
from warmstart.tasks import framed_items
from warmstart.tasks.dataset import read_task, task_from
from warmstart.tasks.framed_items import TrainingData
from warmstart.tasks.frames import build_frame
from warmstart.tasks.hold_out import hold_out
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings, TaggingSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

WORDS = [
    "the",
    "old",
    "house",
    "stands",
    "by",
    "a",
    "river",
    "that",
    "runs",
    "to",
    "the",
    "cold",
    "sea",
    "where",
    "nobody",
    "sings",
    "any",
    "more",
]


def text(n: int) -> str:
    return " ".join([*WORDS[n % 11 : n % 11 + 2 + n % 5], f"no{n % 37}"])


def tags(n: int) -> list[str]:
    return ["B-A", *["O"] * (len(text(n).split()) - 1)]


def answer(n: int) -> dict[str, Any]:
    first, second, *_ = text(n).split()
    return {"answer": second, "start": len(first) + 1}


ROWS: dict[str, list[dict[str, Any]]] = {
    "classification": [{"text": text(n), "label": f"l{n % 3}", "id": n} for n in range(120)],
    "entailment": [{"premise": text(n), "hypothesis": text(3 * n), "label": n % 2} for n in range(80)],
    "regression": [{"text": text(n), "score": n / 7} for n in range(60)],
    "choice": [
        {"context": text(n), "question": "", "choices": [text(n + 1), text(n + 2)], "label": n % 2} for n in range(60)
    ],
    "multilabel": [{"text": text(n), "labels": [f"l{n % 3}", "x"][: n % 3]} for n in range(60)],
    "tagging": [{"tokens": text(n).split(), "tags": tags(n)} for n in range(60)],
    "span": [{"context": text(n), "question": "who?"} | answer(n) for n in range(60)],
    "ranking": [{"query": text(n), "candidates": [text(n + 1), text(n + 2)], "label": n % 2} for n in range(60)],
    "embedding": [{"sentence1": text(n), "sentence2": text(n + 1), "score": n / 60} for n in range(60)],
    "seq2seq": [{"source": text(n), "target": text(n + 5)} for n in range(60)],
}  # fmt: skip


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for a few Records and Examples."""
    monkeypatch.setattr(overflow, "MEMORY_BYTES", 9000)
    monkeypatch.setattr(overflow, "BLOCK", 16)
    monkeypatch.setattr(framed_items, "MEMORY_BYTES", 20_000)
    monkeypatch.setattr(framed_items, "CHUNK", 16)


def options_of(kind: str) -> Any:
    return {"seq2seq": Seq2SeqSettings(algorithm="causal"), "tagging": TaggingSettings()}.get(kind)


def training(kind: str, records: Any, names: tuple[str, ...], long_text: str = "cut") -> TrainingData:
    """What a small causal model reads of the Records."""
    tokenizer = Tokenizer.train([text(n) for n in range(50)], 300).with_special_tokens(TASK_TOKENS)
    spec = TaskSpec(
        kind=kind, label_names=names, frame=FrameSettings(context=24, lm=kind != "seq2seq", long_text=long_text)
    )
    if options_of(kind) is not None:
        spec = spec.with_options(options_of(kind))
    return KINDS[kind].training_data(records, build_frame(spec, tokenizer), tokenizer, AugmentSettings())


def as_bytes(example: Example) -> Any:
    """All arrays of an Example."""
    goals = {
        name: [
            None if one is None else (one.dtype.str, one.tobytes())
            for one in (g.reads, g.question, g.targets, g.weights)
        ]
        for name, g in example.goals.items()
    }
    return example.ids.tobytes(), example.turns.tobytes(), example.positions.tobytes(), goals


def read(kind: str, path: Path) -> Any:
    return read_task(kind, path, None, ReadOptions())


@pytest.mark.parametrize("kind", ROWS)
def test_every_kind_reads_the_same_from_a_file_that_does_not_fit(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Witness: the same file in memory: Records, label names, account, lengths, Examples bit for bit, and noise."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[kind]))
    whole = read(kind, path)
    expected = training(kind, whole.records, whole.label_names)
    request.getfixturevalue("small_memory")
    found = read(kind, path)
    assert isinstance(found.records, OverflowList) and isinstance(whole.records, list)
    assert list(found.records) == whole.records and found.label_names == whole.label_names
    assert digest_records(found.records) == digest_records(whole.records) and found.label_values == whole.label_values
    read_again = training(kind, found.records, found.label_names)
    assert read_again.account == expected.account and len(read_again.items) == len(expected.items)
    assert [part.tolist() for part in read_again.lengths[:2]] == [part.tolist() for part in expected.lengths[:2]]
    if expected.redraw is not None and read_again.redraw is not None:
        one, other = (
            [as_bytes(e) for i in (0, 41, 59) for e in redraw(i, np.random.default_rng(i))]
            for redraw in (expected.redraw, read_again.redraw)
        )
        assert one == other
        return
    batches = [Stream(data.items, 7, 3, by_length=True) for data in (expected, read_again)]
    for step in range(batches[0].steps_per_epoch):
        one, other = ([b.ids.tolist() for b in stream.batches(step)] for stream in batches)
        assert one == other
    one, other = ([as_bytes(e) for item in data.items for e in item] for data in (expected, read_again))
    assert one == other


def test_a_row_that_lies_in_a_file_takes_a_few_bytes(small_memory: None) -> None:
    """Witness: what Python and NumPy have allocated for 2,500 rows more: their lengths, and no more of each."""
    held: list[int] = []
    for count in (500, 3000):
        rows = ({"text": f"{text(n)} {n}", "label": n % 2} for n in range(count))
        tracemalloc.start()
        task = task_from("classification", rows)
        data = training("classification", task.records, task.label_names)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(data.items) == count
    assert held[1] - held[0] < 2500 * 6 + 40_000


def test_windows_of_a_text_that_does_not_fit(small_memory: None) -> None:
    """Invariant: an item that is read alone, in a slice or in order is the same, whichever window of its Record it is."""
    rows = [{"text": " ".join(WORDS[: 3 + n % 17] * 3), "label": n % 2} for n in range(50)]
    task = task_from("classification", rows)
    items = training("classification", task.records, task.label_names, "windows").items
    assert len(items) > 2 * len(rows)
    in_order = [[as_bytes(e) for e in item] for item in items]
    assert [[as_bytes(e) for e in items[n]] for n in range(len(items))] == in_order
    assert [[as_bytes(e) for e in item] for item in items[1::7]] == in_order[1::7]


def test_the_same_examples_are_held_out(request: pytest.FixtureRequest) -> None:
    """Witness: the same of a list in memory; what is reported of the data as well."""
    rows = [{"text": text(n % 90), "label": f"l{n // 50 % 3}"} for n in range(260)] + [{"text": " ", "label": "l0"}]
    whole = task_from("classification", rows)
    expected = hold_out(KINDS["classification"], whole.records, 0.2, 3)
    recipe = TaskRecipe(name="classification")

    def report(data: LabelledData) -> Any:
        return report_data(data, {}).to_dict()

    reported = report(divide_rows(recipe, 0, whole, None))
    request.getfixturevalue("small_memory")
    task = task_from("classification", rows)
    found = hold_out(KINDS["classification"], task.records, 0.2, 3)
    assert all(isinstance(part, Selection) for part in found) and list(map(list, found)) == list(map(list, expected))
    assert report(divide_rows(recipe, 0, task, None)) == reported
    assert {warning["kind"] for warning in reported["warnings"]} >= {"contradiction", "empty"}


def test_dates_and_images_stay_in_memory(small_memory: None) -> None:
    """Witness: the objects themselves come back."""
    import datetime

    rows = [{"text": text(n), "label": n % 2, "day": datetime.date(2026, 1, 1 + n % 20)} for n in range(60)]
    assert [r.extra["day"] for r in task_from("classification", rows).records] == [row["day"] for row in rows]
    images = [{"image": np.full((2, 2, 3), n, np.uint8), "label": n % 2} for n in range(60)]
    assert [r.image.array[0, 0, 0] for r in task_from("images", images).records if r.image] == list(range(60))
