"""Long texts in windows: which tokens stand in which, how much each counts, and one answer for each text."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.evaluation.head_predictor import HeadPredictor
from warmstart.example.batch import collate
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.tasks.frames import frame_records
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of, kind_of
from warmstart.tasks.text_windows import split_windows
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

WORDS = ["brook", "delta", "estuary", "ford", "glacier", "inlet", "lagoon", "marsh", "pond", "rapids", "spring", "tarn"]
CONTEXT, STRIDE = 16, 5


def text_of(count: int, seed: int = 0) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=count))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([text_of(900)], 380).with_special_tokens(TASK_TOKENS)


LABELS: dict[str, Any] = {
    "classification": 1,
    "multilabel": (0, 2),
    "regression": 2.5,
    "entailment": 0,
    "similarity": 1,
}
HEADS = {"classification": "class", "multilabel": "multilabel", "regression": "score", "entailment": "class",
         "similarity": "class", "tagging": "class"}  # fmt: skip


def spec_of(kind: str, **frame: Any) -> TaskSpec:
    names = () if kind == "regression" else ("dry", "wet", "salty")
    settings = FrameSettings(**{"context": CONTEXT, "long_text": "windows", "stride": STRIDE, "lm": False} | frame)
    return TaskSpec(kind=kind, label_names=names, frame=settings)


def record_of(kind: str, count: int, labelled: bool = True) -> Record:
    if kind == "tagging":
        words = tuple(text_of(count).split())
        return Record({"tokens": words}, tuple(n % 3 for n in range(count)) if labelled else None, where="here")
    texts = {"text": text_of(count)}
    if kind in ("entailment", "similarity"):
        texts = {"premise": text_of(count), "hypothesis": text_of(3, 1)}
    return Record(texts, LABELS[kind] if labelled else None, where="here")


def model_of(spec: TaskSpec, vocab_size: int) -> Model:
    answer = answer_of(spec)
    head = HeadSettings(kind=HEADS[spec.kind], size=answer.num_outputs(spec.label_names))  # type: ignore[arg-type]
    body = preset("gpt1-tiny", vocab_size=vocab_size, context=64, init_std=0.3)
    return Model.fresh(ModelSettings(backbone=body, heads={answer.goal: head}), 3).eval()


@pytest.mark.parametrize("stride", [1, 3, 10, 100])
@pytest.mark.parametrize("count", [5, 14, 15, 40, 101])
def test_windows_are_those_of_the_tokenizers_package(count: int, stride: int) -> None:
    """Witness: the overflowing parts of ``tokenizers``, whose stride is what two windows have in common."""
    room = CONTEXT - 2
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel({str(n): n for n in range(200)}, unk_token="0"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    backend.enable_truncation(room, stride=room - min(stride, room))
    found = backend.encode(" ".join(map(str, range(count))))
    wanted = [one.ids for one in (found, *found.overflowing)]
    ids = np.arange(count)
    pieces = split_windows(Parts((ids,)), FrameSettings(context=CONTEXT, long_text="windows", stride=stride, lm=False))
    assert [piece.texts[0].tolist() for piece in pieces] == wanted


@pytest.mark.parametrize("how", ["mean", "max", "first"])
@pytest.mark.parametrize("kind", LABELS)
def test_the_answer_of_a_text_is_that_of_its_windows(kind: str, how: str, tokenizer: Tokenizer) -> None:
    """Witness: each window framed by hand as a text of its own, answered alone, and put together in NumPy."""
    spec = spec_of(kind, window_answers=how)
    model, record = model_of(spec, tokenizer.vocab_size), record_of(kind, 30, labelled=False)
    output = next(HeadPredictor.of(model, tokenizer, spec).outputs([record]))
    raws = np.stack([alone(model, spec, piece, record, tokenizer) for piece in by_hand(record, tokenizer)])
    assert len(raws) > 3 and raws.std(0).max() > 1e-3
    if how == "first":
        wanted = raws[0]
    elif kind == "regression":
        wanted = raws.mean(0) if how == "mean" else raws.max(0)
    elif kind == "multilabel":
        shares = 1 / (1 + np.exp(-raws))
        share = shares.mean(0) if how == "mean" else shares.max(0)
        wanted = np.log(share) - np.log(1 - share)
    else:
        shares = np.exp(raws) / np.exp(raws).sum(1, keepdims=True)
        wanted = np.log(shares.mean(0) if how == "mean" else shares.max(0))
    found = output.raw
    if kind not in ("regression", "multilabel"):  # logits of classes are known up to a constant
        found, wanted = found - found.max(), wanted - wanted.max()
    assert np.abs(found - wanted).max() < 1e-4


def by_hand(record: Record, tokenizer: Tokenizer) -> list[list[np.ndarray]]:
    """The ids of the texts of each window: the first text in windows, the second (3 words) whole."""
    first, *second = (tokenizer.encode_batch([str(text)])[0] for text in record.texts.values())
    room = CONTEXT - (3 + len(second[0]) if second else 2)
    starts = [0]
    while starts[-1] + room < len(first):
        starts.append(starts[-1] + STRIDE)
    return [[first[start : start + room], *second] for start in starts]


def alone(model: Model, spec: TaskSpec, texts: list[np.ndarray], record: Record, tokenizer: Tokenizer) -> np.ndarray:
    """The head's output for one window."""
    from warmstart.tasks.frames import build_frame

    frame = build_frame(spec, tokenizer)
    examples = kind_of(spec).examples(record, Parts(tuple(texts)), frame)
    goal = answer_of(spec).goal
    with torch.no_grad():
        return model.answers(collate([examples]))[goal].numpy().reshape(-1)


@pytest.mark.parametrize("frame", [{}, {"lm": True}, {"reads": "rising"}, {"lm": True, "lm_frame": "autoencoder"}])
@pytest.mark.parametrize("kind", LABELS)
def test_a_text_counts_once_however_many_windows(kind: str, frame: dict[str, Any], tokenizer: Tokenizer) -> None:
    """Invariant: the weights of a text's windows are alike and add up to what a short text weighs; nothing is shared."""
    if frame.get("reads") and kind not in ("classification", "entailment"):
        pytest.skip("only one class per text is read at every token")
    spec = spec_of(kind, **frame)
    framed = frame_records(spec, [record_of(kind, 30), record_of(kind, 3)], tokenizer)
    goal = answer_of(spec).goal
    count = framed.windows[0]
    assert count > 3 and framed.windows[1] == 1
    items = kind_of(spec).items(framed.examples, framed.windows)
    assert len(items) == count + 1
    weights = [sum(float(one.goals[goal].weights.sum()) for one in item if goal in one.goals) for item in items]
    if not frame.get("reads"):
        assert weights == pytest.approx([1 / count] * count + [1.0])
    whole, parts = collate([framed.examples[0]]), collate(items[:count])
    for name, asked in whole.goals.items():  # as one group or as many: the same questions
        assert np.array_equal(asked.reads, parts.goals[name].reads)
        assert np.array_equal(asked.question, parts.goals[name].question)
    assert framed.account.windowed == 1 and framed.account.windows == count and framed.account.cut == 0


def test_a_word_is_answered_where_it_has_most_context(tokenizer: Tokenizer) -> None:
    """Witness: every window of the sentence by brute force; and the whole sentence where it fits."""
    spec = spec_of("tagging")
    record = record_of("tagging", 40)
    framed = frame_records(spec, [record], tokenizer)
    (parts,) = framed.parts
    assert parts.word_starts is not None and framed.windows[0] > 3 and framed.account.unread == 0
    room, length = CONTEXT - 2, len(parts.texts[0])
    starts = list(range(0, length - room + STRIDE, STRIDE))
    seen = [
        (int(example.ids[read]), number)
        for number, example in enumerate(framed.examples[0])
        for read in example.goals["tags"].reads
    ]
    wanted = []
    for place in parts.word_starts.tolist():
        context = [min(place - s, min(s + room, length) - 1 - place) if s <= place < s + room else -1 for s in starts]
        wanted.append((int(parts.texts[0][place]), context.index(max(context))))
    assert seen == wanted
    weights = np.concatenate([example.goals["tags"].weights for example in framed.examples[0]])
    targets = np.concatenate([example.goals["tags"].targets for example in framed.examples[0]])
    assert weights.tolist() == [1.0] * 40 and targets.tolist() == list(record.label)  # type: ignore[arg-type]
    model = model_of(spec, tokenizer.vocab_size)
    output = next(HeadPredictor.of(model, tokenizer, spec).outputs([record]))
    assert output.raw.shape == (40, 3) and len(answer_of(spec).predict(spec, output)) == 40
    short = record_of("tagging", 4)
    cut, windows = (
        next(HeadPredictor.of(model, tokenizer, one).outputs([short])).raw
        for one in (spec, spec_of("tagging", long_text="cut"))
    )
    assert np.array_equal(cut, windows)


def test_few_long_texts_are_read_at_a_time(tokenizer: Tokenizer) -> None:
    """Invariant: the first answer comes when 64 of 1,000 Records are taken, not a chunk of texts of many windows each."""
    spec, taken = spec_of("classification"), []

    def records() -> Any:
        for number in range(1000):
            taken.append(number)
            yield record_of("classification", 20, labelled=False)

    next(HeadPredictor.of(model_of(spec, tokenizer.vocab_size), tokenizer, spec).outputs(records()))
    assert len(taken) == 64


def test_a_run_that_reads_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the word that decides stands behind the cut of every text: cut, nothing can be learned."""
    draw = random.Random(1)
    rows = []
    for number in range(40):
        label = ("fresh", "salt")[number % 2]
        words = ["".join(draw.choices("abc", k=3)) for _ in range(12)]
        rows.append(
            {"text": " ".join([*words, *[{"fresh": "LAKE", "salt": "SEA"}[label]] * 4]), "label": label, "id": number}
        )
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags: dict[str, Any] = {
        "start": "none", "task": "classification", "train": str(path), "dev": str(path), "model": "gpt1-tiny",
        "vocab_size": 262, "length": "10 epochs", "lr": 4e-3, "batch_size": 16, "context": 24, "lm_weight": 0.0,
        "precision": "fp32", "retries": 0, "long_text": "windows", "window_answers": "max",
    }  # fmt: skip
    report = warmstart.finetune(str(tmp_path / "run"), **flags)
    said = capsys.readouterr().err
    assert "windows    40 of 40 training texts are longer than 24 tokens and are read in " in said
    account = json.loads((tmp_path / "run" / "account.json").read_text())["records"]
    assert account["windowed"] == 40 and account["windows"] > 120 and account["cut"] == 0
    assert report["metrics"]["accuracy"] > 0.9
    assert warmstart.evaluate(str(tmp_path / "run"), str(path), precision="fp32")["metrics"] == report["metrics"]
    for how in (None, "first"):
        out = tmp_path / f"{how}.jsonl"
        warmstart.predict(str(tmp_path / "run"), str(path), str(out), window_answers=how)
        told = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["id"] for row in told] == list(range(40))
        assert (sum(a["label"] == b["label"] for a, b in zip(told, rows, strict=True)) > 36) == (how is None)
    assert "texts were read in" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["choice", "seq2seq"])
def test_a_kind_that_reads_none_refuses_windows(task: str, tmp_path: Path) -> None:
    """Bad input: one sentence, nothing is written."""
    row = {
        "choice": {"context": "rain", "choices": ["a", "b"], "label": 0},
        "seq2seq": {"source": "rain", "target": "a"},
    }
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row[task] | {"label": n % 2}) + "\n" for n in range(8)))
    with pytest.raises(BadInput, match=f"--long-text: .* not read in windows; got 'windows, for {task}'"):
        warmstart.finetune(
            str(tmp_path / "run"), start="none", task=task, train=str(path), dev=str(path), model="gpt1-tiny",
            vocab_size=262, long_text="windows",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
