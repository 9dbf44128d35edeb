"""Rows of a sentence encoder, what is learned of them, and how it is evaluated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.record import Record
from warmstart.tasks.answer import RawOutput
from warmstart.tasks.dataset import task_from
from warmstart.tasks.embedding_answer import EMBEDDING, Found, TextVectors, find_right, metrics_of
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import EmbeddingSettings, FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS

SPEC = TaskSpec(kind="embedding", frame=FrameSettings(context=64, sight="full", lm=False, apart=True))


@pytest.mark.parametrize(
    ("row", "texts", "label"),
    [
        ({"anchor": "a", "positive": "b"}, {"anchor": "a", "positive": "b"}, 1.0),
        ({"query": "a", "document": "b", "id": 3}, {"anchor": "a", "positive": "b"}, 1.0),
        (
            {"question": "a", "answer": "b", "negative": "c"},
            {"anchor": "a", "positive": "b", "negative 1": "c"},
            1.0,
        ),
        (
            {"anchor": "a", "positive": "b", "negatives": ["c", "d"]},
            {"anchor": "a", "positive": "b", "negative 1": "c", "negative 2": "d"},
            1.0,
        ),
        (
            {"anchor": "a", "positive": "b", "negative_1": "c", "negative_2": ""},
            {"anchor": "a", "positive": "b", "negative 1": "c"},
            1.0,
        ),
        ({"sentence1": "a", "sentence2": "b", "score": "3,5"}, {"sentence1": "a", "sentence2": "b"}, 3.5),
        ({"text_a": "a", "text_b": "b", "label": True}, {"sentence1": "a", "sentence2": "b"}, 1.0),
    ],
)
def test_rows_of_every_form_are_read(row: dict[str, Any], texts: dict[str, str], label: float) -> None:
    """Witness: written out by hand; other columns are carried along."""
    other = dict(row, score=0.5) if "score" in row else dict(row, label=False) if "label" in row else row
    [record, _] = task_from("embedding", [row, other]).records
    assert (record.texts, record.label) == (texts, label)
    assert record.extra == ({"id": 3} if "id" in row else {})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"anchor": "a", "text": "b"}], "missing key"),
        ([{"anchor": "a", "positive": "b", "score": 1.0}], "a query and its text have no score"),
        ([{"sentence1": "a", "sentence2": "b", "score": "much"}], "not a finite number"),
        ([{"sentence1": "a", "sentence2": "b", "score": 1}] * 2, "all labels are the same"),
        ([{"anchor": "a", "positive": "b", "negatives": [1]}], "not texts"),
        ([{"anchor": "a", "positive": 1}], "not text"),
    ],
)
def test_rows_that_say_something_else_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    """Witness: the words of the error."""
    with pytest.raises(BadInput, match=message):
        task_from("embedding", rows)


def records(*rows: dict[str, Any]) -> list[Record]:
    return task_from("embedding", rows).records


def chosen(asked: EmbeddingSettings, found: list[Record]) -> EmbeddingSettings:
    options = KINDS["embedding"].learn_options(asked, found, (), (0, 0))
    assert isinstance(options, EmbeddingSettings)
    return options


SCORES = [{"sentence1": "a", "sentence2": "b", "score": 4.0}, {"sentence1": "c", "sentence2": "d", "score": 1.5}]
MARKS = [dict(SCORES[0], score=1), dict(SCORES[1], score=0)]
PAIR = {"anchor": "a", "positive": "b"}


def test_the_loss_follows_from_the_rows() -> None:
    """Witness: the table in docs/embed.md."""
    asked = EmbeddingSettings()
    assert [chosen(asked, records(*rows)).loss for rows in ([PAIR], SCORES, MARKS)] == [
        "ranking",
        "cosent",
        "contrastive",
    ]
    cosine = EmbeddingSettings(loss="cosine")
    assert chosen(cosine, records(*SCORES)).most == 4.0 and chosen(cosine, records(*MARKS)).most == 1.0


@pytest.mark.parametrize(
    ("loss", "rows", "message"),
    [
        ("cosent", [PAIR], "does not learn from queries"),
        ("ranking", SCORES, "does not learn from scores"),
        ("contrastive", SCORES, "does not learn from scores"),
        ("triplet", [dict(PAIR, negative="c"), PAIR], "a triplet without a negative"),
        ("cosine", [SCORES[0], dict(SCORES[1], score=-1)], "a score below 0"),
    ],
)
def test_a_loss_for_other_rows_is_refused(loss: Any, rows: list[dict[str, Any]], message: str) -> None:
    """Witness: the words of the error."""
    with pytest.raises(BadInput, match=message):
        chosen(EmbeddingSettings(loss=loss), records(*rows))


def test_a_query_stands_in_one_part_alone() -> None:
    """Invariant: the other texts of a query of dev are not trained on; of two texts either order is the same."""
    kind = KINDS["embedding"]
    first, second = records(PAIR, dict(PAIR, positive="c"))
    assert kind.content(first) == kind.content(second)
    left, right = records(SCORES[0], dict(SCORES[1], sentence1="b", sentence2="a"))
    assert kind.content(left) == kind.content(right)


def vectors(rng: np.random.Generator, texts: dict[str, str], known: dict[str, Any]) -> TextVectors:
    for text in texts.values():
        known.setdefault(text, rng.normal(size=5).astype(np.float32))
    raw = np.stack([known[text] for text in texts.values()])
    return EMBEDDING.predict(SPEC, RawOutput(Record(texts), Parts(()), raw))


def test_the_right_text_is_looked_for_among_those_of_all_records() -> None:
    """Witness: brute force over the distinct texts, without other right ones of the query and the query itself."""
    rng, known = np.random.default_rng(0), dict[str, Any]()
    rows = [
        {"anchor": f"q{n % 6}", "positive": f"p{n}", **({"negative 1": f"n{n % 4}"} if n % 2 else {})}
        for n in range(12)
    ]
    rows.append({"anchor": "q0", "positive": "q1"})
    found = [vectors(rng, row, known) for row in rows]
    candidates = {text for row in rows for name, text in row.items() if name != "anchor"}

    def cosine(a: str, b: str) -> float:
        return float(known[a] @ known[b] / np.linalg.norm(known[a]) / np.linalg.norm(known[b]))

    for row, one in zip(rows, find_right(found), strict=True):
        mine = row["anchor"]
        others = {other["positive"] for other in rows if other["anchor"] == mine} - {row["positive"]}
        left = candidates - others - {mine, row["positive"]}
        own = cosine(mine, row["positive"])
        assert one.rank == 1 + sum(cosine(mine, text) >= own for text in left)
        if "negative 1" in row:
            assert one.margin == pytest.approx(own - cosine(mine, row["negative 1"]), abs=1e-5)
        else:
            assert np.isnan(one.margin)


def test_metrics_follow_from_the_form_of_the_records() -> None:
    """Witness: by hand."""
    triplets = records(dict(PAIR, negative="c"))
    assert [metrics_of(found)[0] for found in (records(PAIR), triplets, records(*SCORES), records(*MARKS))] == [
        "mrr@10", "accuracy", "spearman", "average_precision"
    ]  # fmt: skip
    found = [Found(1, 0.2), Found(4, -0.1), Found(20, 0.1)]
    scores = EMBEDDING.evaluate(SPEC, [1.0] * 3, found, None)
    assert scores.metrics == pytest.approx(
        {"accuracy": 2 / 3, "mrr@10": 1.25 / 3, "recall@1": 1 / 3, "recall@10": 2 / 3}
    )
    assert not scores.collapsed and EMBEDDING.evaluate(SPEC, [1.0] * 2, [Found(9, 0.0)] * 2, None).collapsed
    scores = EMBEDDING.evaluate(SPEC, [1.0, 3.0, 2.0], [0.1, 0.9, 0.2], 0)
    assert scores.metrics["spearman"] == 1.0 and {*scores.intervals} == {"spearman", "pearson"}
    scores = EMBEDDING.evaluate(SPEC, [1.0, 0.0, 1.0], [0.9, 0.5, 0.1], None)
    assert scores.metrics["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


QUICK: dict[str, Any] = {
    "start": "none", "task": "embedding", "model": "bert-mini", "layers": 1, "width": 16, "heads": 2, "vocab_size": 300,
    "precision": "fp32", "lr": 3e-3, "batch_size": 8,
}  # fmt: skip
WORDS = ("red", "green", "blue", "black", "white", "brown")


def test_a_run_learns_from_pairs_and_is_asked_in_every_form(tmp_path: Path) -> None:
    """Invariant: a colour finds its sentence; scored pairs evaluate and are predicted by the cosine of the same vectors."""
    pairs = [{"anchor": f"{a} {b}", "positive": f"it is {b} and {a}"} for a in WORDS for b in WORDS if a != b]
    train, dev = write(tmp_path / "train.jsonl", pairs), write(tmp_path / "dev.jsonl", pairs[::3])
    run = str(tmp_path / "run")
    report = warmstart.finetune(run, train=train, dev=dev, length="5 epochs", evaluate_every="1 run", **QUICK)
    assert report["metric"] == "mrr@10" and report["metrics"]["mrr@10"] > 0.9
    scored = [{"sentence1": row["anchor"], "sentence2": row["positive"], "score": 1} for row in pairs[:6]]
    scored += [{"sentence1": row["anchor"], "sentence2": pairs[-1]["positive"], "score": 0} for row in pairs[:6]]
    found = warmstart.evaluate(run, write(tmp_path / "scored.jsonl", scored), precision="fp32")
    assert found["metrics"]["average_precision"] > 0.9
    cosines = warmstart.load(run).predict([[row["sentence1"], row["sentence2"]] for row in scored])
    assert min(cosines[:6]) > max(cosines[6:]) and max(map(abs, cosines)) <= 1.0
    words = "\n".join(warmstart.explain("finetune", train=train, dev=dev, **QUICK)["words"])
    assert "by the loss ranking: which belongs to the text below" in words


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"pair_encoder": "cross"}, "makes one vector of each text"),
        ({"head_pool": "concat"}, "makes one vector of each text"),
        ({"head_hidden": 4}, "has no classifier"),
        ({"r_drop": 1.0}, "gives vectors, which these terms do not compare"),
        ({"matryoshka": "64,8"}, "more numbers than a vector has"),
        ({"metric": "spearman"}, "metric for this task"),
        ({"embedding_loss": "cosent"}, "does not learn from queries"),
    ],
)
def test_what_a_sentence_encoder_has_not_is_refused(flags: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Witness: the words of the error; nothing is written."""
    train = write(tmp_path / "train.jsonl", [{"anchor": f"a {n}", "positive": f"b {n}"} for n in range(12)])
    with pytest.raises(BadInput, match=message):
        warmstart.finetune(str(tmp_path / "run"), train=train, dev=train, length="1 step", **QUICK | flags)
    assert not (tmp_path / "run").exists()
