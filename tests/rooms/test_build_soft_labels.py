"""A teacher's probabilities, from the rows that predict writes to the loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.build.finetuning import build_finetuning
from warmstart.cli.main import main
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.models.head import LossOptions
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.span_soft import character_shares, window_shares
from warmstart.tasks.windows import Window


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rows(shares: list[Any]) -> list[dict[str, Any]]:
    return [{"text": f"day {n}", "label": "ab"[n % 2], "soft": share} for n, share in enumerate(shares)]


def flags(path: str) -> dict[str, Any]:
    return {
        "--start": "none", "--model": "bert-tiny", "--vocab-size": "260", "--task": "classification", "--train": path,
        "--soft-labels": "soft", "--soft-weight": "2", "--soft-temperature": "3", "--batch-size": "4",
        "--length": "2 steps", "--lr": "1e-3", "--precision": "fp32", "--head-dropout": "0",
    }  # fmt: skip


def test_the_loss_is_that_of_softened_distributions(tmp_path: Path) -> None:
    """Witness: Hinton et al. 2015, section 2, in NumPy, by the model's own logits; the labels are learned beside it."""
    shares = [{"a": 0.9, "b": 0.1}, [0.2, 0.8], {"b": 0.5, "a": 0.5}, [1.0, 0.0]]
    recipe = compose(FinetuneRecipe, flags=flags(write(tmp_path / "rows.jsonl", rows(shares))))
    built = build_finetuning(recipe)
    model = built.fresh(recipe)[0].eval()
    assert built.criterion.coefficients == {"label": 1.0, "soft": 2.0}
    [(_, stream)] = built.stream(recipe).parts
    [batch] = stream.batches(0)
    with torch.no_grad():
        loss = model(batch, LossOptions(temperature=3.0))["soft"]
    logits = model.answers(batch)["label"].double().numpy()
    targets = batch.goals["soft"].targets.double().numpy()
    assert sorted(map(tuple, targets.round(6).tolist())) == sorted([(0.9, 0.1), (0.2, 0.8), (0.5, 0.5), (1.0, 0.0)])
    softened = targets ** (1 / 3) / (targets ** (1 / 3)).sum(1, keepdims=True)
    told = np.exp(logits / 3) / np.exp(logits / 3).sum(1, keepdims=True)
    assert float(loss.sum) == pytest.approx(-9 * (softened * np.log(told)).sum(), rel=1e-3) and loss.weight == 4


def test_a_run_goes_on_with_the_same_answers_of_its_teacher(tmp_path: Path) -> None:
    """Invariant: other soft labels are other data, though texts and labels are the same."""
    found = []
    for number, shares in enumerate(([[0.5, 0.5]] * 4, [[0.5, 0.5]] * 4, [[0.5, 0.5]] * 3 + [[0.4, 0.6]])):
        given = flags(write(tmp_path / f"{number}.jsonl", rows(shares)))
        found.append(build_finetuning(compose(FinetuneRecipe, flags=given)).fingerprints())
    assert found[0] == found[1] != found[2] and {k for k in found[0] if found[0][k] != found[2][k]} == {"soft labels"}


TASKS: dict[str, list[dict[str, Any]]] = {
    "classification": [{"text": f"day {n}", "label": "ab"[n % 2]} for n in range(6)],
    "multilabel": [{"text": f"day {n}", "labels": [["a"], ["a", "b"]][n % 2]} for n in range(6)],
    "regression": [{"text": f"day {n}", "score": n / 2} for n in range(6)],
    "choice": [
        {"context": f"day {n}", "question": "", "choices": ["sun", "rain", "a storm"][: 2 + n % 2], "label": n % 2}
        for n in range(6)
    ],
    "ranking": [
        {"query": f"day {n}", "candidates": ["sun", "rain", "a storm"][: 2 + n % 2], "labels": [1, 0, 1][: 2 + n % 2]}
        for n in range(6)
    ],
    "tagging": [{"tokens": ["the", "sea", f"day{n}"], "tags": ["O", "PLACE", "O"]} for n in range(6)],
    "span": [
        {"context": f"on day {n} he sings in the old town by the sea", "question": "who", "answer": "he", "start": 9}
        for n in range(6)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Teachers of all kinds of task."""
    home = tmp_path_factory.mktemp("soft")
    for kind, examples in TASKS.items():
        write(home / f"{kind}.jsonl", examples)
        assert main(["finetune", *words_of(kind, home), "--seed", "1", "--out", str(home / kind)]) == 0
    return home


def words_of(kind: str, home: Path, *, context: int = 60) -> list[str]:
    given = flags(str(home / f"{kind}.jsonl")) | {"--task": kind, "--context": str(context), "--length": "1 steps"}
    return [word for pair in given.items() for word in pair if not pair[0].startswith("--soft")]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().strip().split("\n")]


@pytest.mark.parametrize("kind", TASKS)
def test_a_student_of_the_same_answers_has_the_least_loss(kind: str, home: Path, tmp_path: Path) -> None:
    """Invariants: rows stay as they are, labels too; and where teacher and student answer alike, the gradient is 0.

    The student begins as the teacher, so every logit's derivative of the soft loss is 0 to the digits of the file.
    """
    soft = tmp_path / "soft.jsonl"
    asked = ["predict", "--soft", "--run", str(home / kind), "--input", str(home / f"{kind}.jsonl")]
    assert main([*asked, "--precision", "fp32", "--output", str(soft)]) == 0
    assert [{k: row[k] for k in old} for row, old in zip(read(soft), TASKS[kind], strict=True)] == TASKS[kind]
    words = words_of(kind, home)
    words[words.index("--train") + 1], words[words.index("none")] = str(soft), str(home / kind)
    given = dict(zip(words[::2], words[1::2], strict=True)) | {"--soft-labels": "soft", "--soft-weight": "2"}
    del given["--vocab-size"], given["--model"]
    recipe = compose(FinetuneRecipe, flags=given)
    built = build_finetuning(recipe)
    model = built.fresh(recipe)[0].eval()
    [(_, stream)] = built.stream(recipe).parts
    for step in range(stream.steps_per_epoch):
        [batch] = stream.batches(step)
        loss = model(batch)["soft"]
        assert loss.weight == batch.goals[built.task.goal].total_weight
        grads = torch.autograd.grad(loss.sum, [*model.heads.parameters()], allow_unused=True)
        hard = torch.autograd.grad(model(batch)[built.task.goal].sum, [*model.heads.parameters()], allow_unused=True)
        norms = [max(float(g.norm()) for g in some if g is not None) for some in (grads, hard)]
        assert norms[0] < 1e-3 * max(norms[1], 1.0), norms


@pytest.mark.parametrize("kind", ["classification", "tagging", "span"])
def test_two_teachers_say_the_mean_and_a_student_learns_it(kind: str, home: Path, tmp_path: Path) -> None:
    """Witness: the mean by hand of what each says alone; the losses of both in the student's log.

    The second teacher has another vocabulary, and reads a context in other windows.
    """
    other = words_of(kind, home, context=40)
    other[other.index("--vocab-size") + 1] = "300"
    assert main(["finetune", *other, "--seed", "2", "--out", str(tmp_path / "other")]) == 0
    asked = ["--input", str(home / f"{kind}.jsonl"), "--precision", "fp32"]
    runs = [str(home / kind), str(tmp_path / "other")]
    said = []
    for number, some in enumerate(([runs[0]], [runs[1]], runs)):
        out = tmp_path / f"{number}.jsonl"
        assert (
            main(["predict", "--soft", *[w for run in some for w in ("--run", run)], *asked, "--output", str(out)]) == 0
        )
        said.append([flat(row["soft"]) for row in read(out)])
    for first, second, both in zip(*said, strict=True):
        keys = {*first} | {*second}
        assert {*both} == keys
        mean = {key: (first.get(key, 0.0) + second.get(key, 0.0)) / 2 for key in keys}
        assert both == pytest.approx(mean, abs=2e-6)
    words = words_of(kind, home)
    words[words.index("--train") + 1] = str(tmp_path / "2.jsonl")
    assert main(["finetune", *words, "--soft-labels", "soft", "--out", str(tmp_path / "student")]) == 0
    log = read(tmp_path / "student" / "metrics.jsonl")
    assert "soft" in log[0]["losses"] and len(log[0]["losses"]) == 2


def flat(value: Any, key: str = "") -> dict[str, float]:
    """Every number of a nested value, by its place."""
    if not isinstance(value, dict | list):
        return {key: value}
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return {name: number for k, v in pairs for name, number in flat(v, f"{key}.{k}").items()}


def test_characters_of_other_tokens_and_windows_are_found_again() -> None:
    """Witness: by hand: three words of which a window has two; what stands outside of it is "no answer" there."""
    offsets = np.array([[0, 2], [3, 6], [7, 9]])
    parts = Parts((np.arange(1), np.arange(3)), offsets=offsets)
    sides = [{-1: 0.1, 0: 0.2, 4: 0.3, 7: 0.4}, {-1: 0.1, 2: 0.2, 6: 0.3, 9: 0.4}]
    found = window_shares(sides, Window(0, 2, np.array([0, 1])), parts)
    assert found == pytest.approx(np.array([[0.5, 0.5], [0.2, 0.2], [0.3, 0.3]]))
    frame, raw = (
        FrameSettings(context=8, lm=False, sight="full"),
        np.log(np.array([[0.2, 0.4], [0.3, 0.1], [0.5, 0.5]])),
    )
    # Two windows, of one word each but for the second, which both have: [start] q [delimiter] two words [extract].
    raw = np.concatenate([raw, np.log(np.array([[0.5, 0.5], [0.2, 0.2], [0.3, 0.3]]))])
    shares = character_shares(parts, raw, frame.model_copy(update={"context": 6}), SpanSettings(stride=1))
    odds = {"none": 1.0, "0": 0.3 / 0.2, "3": max(0.5 / 0.2, 0.2 / 0.5), "7": 0.3 / 0.5}
    assert shares["start"] == pytest.approx({name: value / sum(odds.values()) for name, value in odds.items()})


BAD = {
    "choice": ([0.5, 0.25, 0.25], ["no soft labels of these choices", "2 probabilities"]),
    "tagging": ([{"O": 1.0}], ["no soft labels of these words", "3 words"]),
    "span": ({"start": {"none": 1}, "end": {"999": 1}}, ["characters that the context has not"]),
    "regression": ("many", ["not a finite number"]),
    "multilabel": ({"a": 0.5, "b": 1.5}, ["no probabilities", "0 to 1"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_soft_labels_of_other_answers(
    kind: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the row, exit code 2, nothing written."""
    share, wanted = BAD[kind]
    words = words_of(kind, home)
    words[words.index("--train") + 1] = write(tmp_path / "rows.jsonl", [row | {"soft": share} for row in TASKS[kind]])
    assert main(["finetune", *words, "--soft-labels", "soft", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in [*wanted, "rows.jsonl:1"]) and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ([0.5, 0.4], ["no probabilities", "1 in all"]),
        ([0.5, 0.3, 0.2], ["no soft labels of these classes", "a, b"]),
        ({"a": 0.5, "c": 0.5}, ["no soft labels of these classes"]),
        ([1.5, -0.5], ["no probabilities"]),
        (["half", "half"], ["no probabilities"]),
        (None, ["no soft labels of these classes", "warmstart predict"]),
    ],
)
def test_bad_soft_labels_are_one_sentence(
    tmp_path: Path, share: Any, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the row, exit code 2, nothing written."""
    path = write(tmp_path / "rows.jsonl", rows([[0.5, 0.5], share, [0.5, 0.5], [0.5, 0.5]]))
    given = [word for pair in flags(path).items() for word in pair]
    assert main(["finetune", *given, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in [*words, "rows.jsonl:2"]) and not (tmp_path / "run").exists()


def test_who_can_neither_teach_nor_learn_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: one sentence each, exit code 2, nothing written: chains, other labels, no texts."""
    crf = [*words_of("tagging", home), "--head-crf"]
    assert main(["finetune", *crf, "--out", str(tmp_path / "crf")]) == 0
    other = write(tmp_path / "other.jsonl", [{"text": f"day {n}", "label": "xy"[n % 2]} for n in range(6)])
    words = words_of("classification", home)
    words[words.index("--train") + 1] = other
    assert main(["finetune", *words, "--out", str(tmp_path / "xy")]) == 0
    capsys.readouterr()
    out, tags = str(tmp_path / "out.jsonl"), str(home / "tagging.jsonl")
    soft = ["predict", "--soft", "--output", out]
    one = ["--run", str(home / "classification"), "--input", str(home / "classification.jsonl")]
    refused = [
        ([*soft, "--run", str(tmp_path / "crf"), "--input", tags], "without --head-crf"),
        (["finetune", *crf, "--soft-labels", "soft", "--out", out], "without --head-crf"),
        ([*soft, *one, "--run", str(tmp_path / "xy")], "different labels"),
        ([*soft, *one, "--no-texts"], "rows to learn from have texts"),
    ]
    for asked, said in refused:
        assert main(asked) == 2
        assert said in capsys.readouterr().err and not Path(out).exists()
