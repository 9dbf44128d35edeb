"""SetFit's way: pairs of texts by their labels, and a head that is fitted to the vectors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.label_pairs import with_label_pairs
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.example.batch import collate
from warmstart.example.example import PAIRS, Example, Goal
from warmstart.example.record import Record
from warmstart.models.linear_heads import STRENGTH
from warmstart.streams.sources import AugmentedSource
from warmstart.tasks.kind import TrainingData
from warmstart.tasks.parts import Account
from warmstart.transfer.folder import load_settings

ZERO, ONE = np.zeros(1, np.int64), np.ones(1, np.float32)


def training(labels: list[int]) -> TrainingData:
    """Text i is the token i, read where it stands."""
    items = [
        [Example.full_sight(np.array([n]), {"label": Goal(ZERO, ZERO, ZERO + c, ONE)})] for n, c in enumerate(labels)
    ]
    return with_label_pairs(TrainingData(items, None, Account()), [Record({}, c) for c in labels], "label")


def test_each_text_meets_one_of_its_class_and_one_of_another() -> None:
    """Invariant: over many epochs every partner comes, and none else; the marks are 1 and 0."""
    labels = [0, 1, 1, 0, 2, 1]
    redraw = training(labels).redraw
    assert redraw is not None
    met: dict[int, tuple[set[int], set[int]]] = {n: (set(), set()) for n in range(6)}
    source = AugmentedSource(6, redraw, seed=3)
    for epoch in range(40):
        taken = source.take(epoch, np.arange(6))
        batch = collate(taken)
        assert batch.goals[PAIRS].targets.tolist() == [1.0, 0.0] * 6 and batch.goals[PAIRS].answer == "cosine"
        assert batch.goals[PAIRS].question.tolist() == [n // 2 for n in range(24)]
        for number, item in enumerate(taken):
            first, same, again, other = (int(example.ids[0]) for example in item)
            assert first == again == number
            met[number][0].add(same)
            met[number][1].add(other)
    for number, (same, other) in met.items():
        alike = {n for n in range(6) if labels[n] == labels[number]}
        assert same == (alike - {number} or {number}) and other == {*range(6)} - alike


def test_the_pairs_of_an_epoch_follow_from_the_seed() -> None:
    """Invariant (law 3): the same numbers give the same pairs, other epochs others."""
    redraw = training([0, 1] * 8).redraw
    assert redraw is not None

    def pairs(seed: int, epoch: int) -> list[int]:
        taken = AugmentedSource(16, redraw, seed).take(epoch, np.arange(16))
        return [int(example.ids[0]) for item in taken for example in item]

    assert pairs(1, 0) == pairs(1, 0)
    assert len({tuple(pairs(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_one_class_makes_no_pairs() -> None:
    """Witness: the words of the error."""
    with pytest.raises(BadInput, match="need two classes"):
        training([1, 1])


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


WORDS = {"warm": ("red", "orange", "yellow"), "cold": ("blue", "green", "violet")}
SMALL: dict[str, Any] = {"precision": "fp32", "evaluate_every": "1 run", "batch_size": 8}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small sentence encoder that has learned nothing of the classes."""
    folder = tmp_path_factory.mktemp("start")
    rows = [{"anchor": f"the {word} one", "positive": f"it is {word}"} for words in WORDS.values() for word in words]
    sizes = {"model": "bert-mini", "layers": 1, "width": 16, "heads": 2, "vocab_size": 300}
    train = write(folder / "pairs.jsonl", rows)
    warmstart.finetune(
        str(folder / "run"), start="none", task="embedding", train=train, length="4 steps", lr=1e-3, **sizes, **SMALL
    )
    return str(folder / "run")


def test_few_labels_teach_vectors_and_a_head_over_them(start: str, tmp_path: Path) -> None:
    """Witness: scikit-learn's regression on the vectors that the run gives, with the same rows; the classes are apart."""
    rows = [{"text": f"the {word} one", "label": name} for name, words in WORDS.items() for word in words]
    train, run = write(tmp_path / "train.jsonl", rows), tmp_path / "run"
    report = warmstart.finetune(
        str(run), start=start, task="classification", train=train, scheme="setfit", length="12 steps", lr=3e-3, **SMALL
    )
    assert report["metrics"]["accuracy"] == 1.0 and {*load_settings(run).heads} == {"label"}
    vectors = ContextualEncoder.load(str(run), EncoderOptions(pooling="mean")).encode([row["text"] for row in rows])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines, alike = units @ units.T, np.equal.outer([row["label"] for row in rows], [row["label"] for row in rows])
    assert cosines[alike].min() > cosines[~alike].max()
    scaled = (vectors - vectors.mean(0)) / vectors.std(0)
    # Two rows of weights that mirror each other are held back by half as much as the one of theirs.
    theirs = LogisticRegression(C=2 * STRENGTH).fit(scaled, [row["label"] for row in rows]).predict_proba(scaled)
    assert warmstart.load(run).predict_proba([row["text"] for row in rows]) == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"start": "none", "model": "bert-tiny"}, "teach no model from random weights"),
        ({"head_hidden": 4}, "the head is one linear"),
        ({"task": "regression"}, "texts with one label each"),
    ],
)
def test_what_has_no_pairs_is_refused(start: str, flags: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Witness: the words of the error; nothing is written."""
    rows = [{"text": f"text {n}", "label": n % 2, "score": n} for n in range(8)]
    given = {"start": start, "task": "classification", "train": write(tmp_path / "train.jsonl", rows)}
    with pytest.raises(BadInput, match=message):
        warmstart.finetune(str(tmp_path / "run"), scheme="setfit", length="1 step", **given | SMALL | flags)
    assert not (tmp_path / "run").exists()
