"""ONNX files against onnxruntime: for every head the same answers as our packed model, at any batch and length."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from test_folders_transformers import HEADS, OURS, batched, framed, ours
from test_unilm_dense import write

import warmstart
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.transfer.folder import import_model
from warmstart.transfer.onnx import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.filterwarnings("default")  # the exporter's, about its own code

MEAN = {"mean": HeadSettings(kind="class", size=3, pool="mean")}
EACH = {"tags": HeadSettings(kind="class", size=5), "span": HeadSettings(kind="span")}  # an answer for each token


def rows(*lengths: int) -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(1, 60, n) for n in lengths]


def session(path: Path) -> object:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def close(found: np.ndarray, wanted: torch.Tensor) -> None:
    assert found.shape == tuple(wanted.shape)
    assert float(np.abs(found - wanted.numpy()).max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("gpt1", "score"),
        ("bert_task", "label"),
        ("llama", "labels"),
        ("bert_task", "choice"),
        ("gpt2", "tags"),
        ("bert_task", "span"),
        ("gpt2", ""),
        ("bert_task", "mean"),
    ],
)
def test_answers_equal_ours(name: str, goal: str, tmp_path: Path) -> None:
    """Witness: onnxruntime, on two batches of other sizes than the one that was traced."""
    full = name == "bert_task"
    head = (HEADS | EACH | MEAN).get(goal)
    heads = {} if head is None else {goal: head.model_copy(update={"pooled": full and goal not in EACH | MEAN})}
    model = ours(name, heads).eval()
    export_onnx(model, tmp_path / "model.onnx")
    runtime = session(tmp_path / "model.onnx")
    for lengths in ((5, 11, 3), (24, 1)):
        texts = rows(*lengths)
        ids, mask, segments = batched(texts)
        given = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": segments * 0} if full else {})
        if goal == "choice":
            given = {key: value[None] for key, value in given.items()}
        [found] = runtime.run(None, {key: value.numpy() for key, value in given.items()})
        examples = [framed(model.settings.backbone, one, {}) for one in texts]
        states = model.backbone(collate([[e] for e in examples])).split([len(t) for t in texts])
        if goal == "" or goal in EACH:
            answer = model.next_token_logits if goal == "" else model.heads[goal].linear
            for row, one in zip(found, states, strict=True):
                with torch.no_grad():
                    close(row[: len(one)], answer(one))
            continue
        read = torch.stack([one.mean(0) if goal in MEAN else one[0 if full else -1] for one in states])
        with torch.no_grad():
            wanted = model.heads[goal].linear(model.pool(goal, read))
        close(found, wanted.T if goal == "choice" else wanted)


def test_biases_of_distances_go_along(tmp_path: Path) -> None:
    """Witness: onnxruntime on a UniLMv2 folder, on texts beyond the distance that has a bin of its own."""
    write(tmp_path, "v2")
    model = import_model(tmp_path).model.eval()
    export_onnx(model, tmp_path / "model.onnx")
    for lengths in ((5, 150), (24, 1)):
        texts = rows(*lengths)
        ids, mask, segments = batched(texts)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments * 0}
        [found] = session(tmp_path / "model.onnx").run(None, {key: value.numpy() for key, value in given.items()})
        for row, one in zip(found, texts, strict=True):
            with torch.no_grad():
                close(
                    row[: len(one)], model.next_token_logits(model.backbone(collate([[Example.full_sight(one, {})]])))
                )


FULL = {"sight": "full", "windows": (3, None), "positions": "rotary", "local_rotary_base": 50.0}
DISTANCES = {
    "sight": "full", "disentangled": ("c2p", "p2c"), "positions": "none", "distance_buckets": 8,
    "shared_distance_keys": True,
}  # fmt: skip
CAUSAL = {
    "norm": "both", "attention_cap": 1.5, "attention_scale": 0.5, "logit_cap": 2.0, "embedding_scale": 3.0,
    "windows": (4,), "positions": "rotary", "rotary_width": 6,
    "rotary_scaling": {"kind": "llama3", "factor": 4, "original_context": 16},
}  # fmt: skip


@pytest.mark.parametrize(
    "changes", [FULL, DISTANCES, CAUSAL, {"positions": "alibi", "norm": "pre", "parallel": "own_norms"}]
)
def test_what_attention_has_beyond_its_law_goes_along(changes: dict[str, Any], tmp_path: Path) -> None:
    """Witness: onnxruntime: windows, bases of their own, disentangled and bounded scores, scaled positions, slopes."""
    backbone = preset("gpt1-tiny", vocab_size=60, **changes)
    make = Example.full_sight if backbone.sight == "full" else Example.left_to_right
    model = Model.fresh(ModelSettings(backbone=backbone), 3).eval()
    export_onnx(model, tmp_path / "model.onnx")
    texts = rows(5, 40, 1)
    ids, mask, _ = batched(texts)
    given = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    [found] = session(tmp_path / "model.onnx").run(None, given)
    for row, one in zip(found, texts, strict=True):
        with torch.no_grad():
            close(row[: len(one)], model.next_token_logits(model.backbone(collate([[make(one, {})]]))))


PROJECTED = {"cells": 40, "embedding_width": 32, "cell_clip": 0.4}
POOLED = HeadSettings(kind="class", size=3, pool="concat", hidden=7, norm="batch")


@pytest.mark.parametrize(
    ("changes", "heads"), [(PROJECTED, {"label": POOLED}), ({"layers": 2, "residual": True}, {"tags": EACH["tags"]})]
)
def test_an_lstm_reads_padded_rows(changes: dict[str, Any], heads: dict[str, HeadSettings], tmp_path: Path) -> None:
    """Witness: onnxruntime on ragged batches: a projection, clipped cells, sums; a class of three pools, and tags."""
    settings = ModelSettings(backbone=preset("lstm-tiny", vocab_size=60, init_std=0.2, **changes), heads=heads)
    model = Model.fresh(settings, 3).eval()
    export_onnx(model, tmp_path / "model.onnx")
    runtime = session(tmp_path / "model.onnx")
    for lengths in ((5, 40, 1), (24,)):
        texts = rows(*lengths)
        ids, mask, _ = batched(texts)
        [found] = runtime.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        for row, one in zip(found, texts, strict=True):
            count = len(one)
            every = Goal(np.arange(count), np.zeros(count, np.int64), np.zeros(1, np.int64), np.ones(1, np.float32))
            batch = collate([[Example.left_to_right(one, {"label": every} if "label" in heads else {})]])
            if "label" in heads:
                close(row, model.answers(batch)["label"][0])
                continue
            with torch.no_grad():
                close(row[:count], model.heads["tags"].linear(model.backbone(batch)))


def test_a_whole_choice_goes_through_the_head(tmp_path: Path) -> None:
    """Invariant: the graph and :meth:`Model.answers` say the same of one question with three choices."""
    model = ours("gpt2", {"choice": HEADS["choice"]}).eval()
    export_onnx(model, tmp_path / "model.onnx")
    texts = rows(6, 9, 4)
    examples = []
    for place, ids in enumerate(texts):
        owned = 1 if place == 0 else 0
        goal = Goal(np.array([len(ids) - 1]), np.array([0]), np.zeros(owned, np.int64), np.ones(owned, np.float32))
        examples.append(framed(model.settings.backbone, ids, {"choice": goal}))
    ids, mask, _ = batched(texts)
    [found] = session(tmp_path / "model.onnx").run(
        None, {"input_ids": ids[None].numpy(), "attention_mask": mask[None].numpy()}
    )
    close(found[0], model.answers(collate([examples]))["choice"])
    assert "gpt2" in OURS


@pytest.mark.parametrize(("pair", "pool"), [("ordered", "mean"), ("symmetric", "mean"), ("symmetric", "sum")])
def test_two_texts_apart(pair: Any, pool: Any, tmp_path: Path) -> None:
    """Invariant: the graph and :meth:`Model.answers` say the same, of other numbers and lengths than were traced."""
    head = HeadSettings(kind="class", size=3, pair=pair, pool=pool)
    model = ours("bert_task", {"label": head}).eval()
    export_onnx(model, tmp_path / "model.onnx")
    texts = rows(6, 9, 4, 20, 1, 7, 3, 3, 2, 12)
    examples = []
    for place, ids in enumerate(texts):
        owned, read = 1 - place % 2, np.arange(len(ids) if pool == "mean" else 1)
        goal = Goal(read, read * 0, np.zeros(owned, np.int64), np.ones(owned, np.float32))
        examples.append(framed(model.settings.backbone, ids, {"label": goal}))
    ids, mask, segments = batched(texts)
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments * 0}
    [found] = session(tmp_path / "model.onnx").run(
        None, {name: rows.reshape(5, 2, -1).numpy() for name, rows in given.items()}
    )
    close(found, model.answers(collate([examples[n : n + 2] for n in range(0, 10, 2)]))["label"])


@pytest.mark.parametrize("task", ["classification", "tagging", "similarity"])
def test_8_bits_are_smaller_and_say_what_they_cost(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the answers of onnxruntime by hand, row by row; onnx's own reader of the file."""
    words = ["river", "stone", "bird", "night", "rain", "harbour"]
    texts = [[words[(n * k) % 6] for k in range(1, 3 + n % 4)] for n in range(12)]
    classes = [{"text": " ".join(text), "label": text[-1][0]} for text in texts]
    tags = [{"tokens": text, "tags": [word[0] for word in text]} for text in texts]
    rows = tmp_path / "rows.jsonl"
    pairs = [{"sentence1": " ".join(text), "sentence2": text[0], "label": n % 2} for n, text in enumerate(texts)]
    given = {"classification": classes, "tagging": tags, "similarity": pairs}[task]
    rows.write_text("".join(json.dumps(row) + "\n" for row in given))
    run, out = str(tmp_path / "run"), tmp_path / "onnx"
    warmstart.finetune(
        run, start="none", model="gpt1-tiny", task=task, train=str(rows), dev=str(rows), length="20 steps", lr=1e-2,
        precision="fp32", vocab_size=270, retries=0, **({"pair_encoder": "bi"} if task == "similarity" else {}),
    )  # fmt: skip
    said = warmstart.convert(run, str(out), to="onnx", quantize="int8")["quantised"]
    assert said["examples"] >= 12 and 0 <= said["same"] <= 1 and abs(said["after"] - said["before"]) <= 1 - said["same"]
    assert f"{said['after']:.4f}, {said['before']:.4f} without" in capsys.readouterr().err
    assert warmstart.evaluate(run, str(rows), precision="fp32")["metrics"][said["metric"]] == pytest.approx(
        said["before"]
    )
    large = [one for one in onnx.load(out / "model.onnx").graph.initializer if np.prod(one.dims) > 1000]
    assert large and {one.data_type for one in large} <= {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    assert not (out / "whole.onnx").exists()
    if task == "classification":
        tokenizer = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
        names = warmstart.load(run).classes_
        right = 0
        for row in classes:
            ids = np.array([tokenizer.encode(row["text"]).ids])
            [logits] = session(out / "model.onnx").run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            right += names[logits[0].argmax()] == row["label"]
        assert said["metric"] != "accuracy" or said["after"] == pytest.approx(right / 12)
