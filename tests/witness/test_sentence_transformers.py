"""Sentence encoders: what the library's folders say of how a text is read, and our runs as the library loads them."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
from test_runs_transformers import QUICK, bert, rows, write  # noqa: F401 a fixture

import warmstart
from warmstart.base.errors import BadInput
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.transfer.folder import load_settings
from warmstart.transfer.sentence import SentenceModules, read_modules

library = pytest.importorskip("sentence_transformers", minversion="5")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code


def encoder(bert: Path, folder: Path, mode: str) -> str:  # noqa: F811
    """A folder as the library writes it, which reads a text by ``mode``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the place of these two has moved
        from sentence_transformers.models import Pooling, Transformer
    transformer = Transformer(str(bert))
    pooling = Pooling(32, pooling_mode=mode)
    library.SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
    return str(folder)


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_a_folder_says_how_a_text_is_read(mode: str, bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Witness: the library's own folder; a folder without its modules says nothing."""
    found = read_modules(Path(encoder(bert, tmp_path / "encoder", mode)))
    assert isinstance(found, SentenceModules) and found.pooling == mode
    assert read_modules(bert) is None


@pytest.mark.parametrize("kind", ["classification", "entailment", "similarity"])
def test_a_run_from_a_sentence_encoder_is_one_of_theirs(kind: str, bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Witness: SentenceTransformer on raw texts gives the head's numbers; there and back through our own names."""
    data = rows(24, kind != "classification")
    if kind == "similarity":
        data = [
            {"sentence1": row["premise"], "sentence2": row["hypothesis"], "score": float(len(row["premise"]) % 5)}
            for row in data
        ]
    start = encoder(bert, tmp_path / "start", "mean")
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    run, given = tmp_path / "run", {"task": kind, **files, **QUICK, "lr": 3e-3}
    given |= {} if kind == "classification" else {"pair_encoder": "cross"}
    warmstart.finetune(str(run), start=start, **given)
    [head] = load_settings(run).heads.values()
    assert head.is_pooled and not load_settings(run).backbone.pooler
    texts: list[Any] = [[text for key, text in row.items() if key not in ("label", "score")] for row in data]
    numbers = library.SentenceTransformer(str(run), device="cpu").encode([t[0] if len(t) == 1 else t for t in texts])
    model = warmstart.load(run)
    inputs = [{key: text for key, text in row.items() if key not in ("label", "score")} for row in data]
    if kind == "similarity":
        found, wanted = np.array(model.predict(inputs)), numbers[:, 0]
    else:
        powers = np.exp(numbers - numbers.max(1, keepdims=True))
        found, wanted = model.predict_proba(inputs), powers / powers.sum(1, keepdims=True)
    assert wanted.std() > 1e-3 and np.abs(found - wanted).max() <= 1e-5
    warmstart.convert(str(run), str(tmp_path / "own"), to="warmstart")
    warmstart.convert(str(tmp_path / "own"), str(tmp_path / "theirs"))
    assert not (tmp_path / "own" / "2_Dense").exists()
    for name in ("model.safetensors", "2_Dense/model.safetensors", "modules.json"):
        assert (run / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


@pytest.mark.parametrize("kind", ["entailment", "similarity"])
def test_a_bi_encoder_compares_the_vectors_that_theirs_gives(kind: str, bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Witness: SentenceTransformer's vectors and cosine, and the head's linear over them; few pairs are so read unasked."""
    data = rows(24, True)
    if kind == "similarity":
        data = [
            {"sentence1": row["premise"], "sentence2": row["hypothesis"], "score": float(len(row["premise"]) % 5)}
            for row in data
        ]
    run, train = tmp_path / "run", write(tmp_path / "train.jsonl", data)
    start = encoder(bert, tmp_path / "start", "mean")
    warmstart.finetune(str(run), start=start, task=kind, train=train, dev=train, **QUICK | {"lr": 3e-3})
    [head] = load_settings(run).heads.values()
    assert head.pair == {"similarity": "symmetric", "entailment": "ordered"}[kind]
    model = library.SentenceTransformer(str(run), device="cpu")
    texts = [[text for key, text in row.items() if key not in ("label", "score")] for row in data]
    first, second = (model.encode(list(side)) for side in zip(*texts, strict=True))
    u, v = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (first, second))
    own = [] if kind == "similarity" else [u, v]
    rows_ = np.hstack([*own, np.abs(u - v), 10 * library.util.pairwise_cos_sim(first, second).numpy()[:, None]])
    linear = {name: tensor.numpy() for name, tensor in load_file(run / "pair_head" / "model.safetensors").items()}
    numbers = rows_ @ linear["linear.weight"].T + linear["linear.bias"]
    ours = warmstart.load(run)
    inputs = [{key: text for key, text in row.items() if key not in ("label", "score")} for row in data]
    if kind == "similarity":
        found, wanted = np.array(ours.predict(inputs)), numbers[:, 0]
        swapped = [{"sentence1": row["sentence2"], "sentence2": row["sentence1"]} for row in inputs]
        assert np.abs(np.array(ours.predict(swapped)) - found).max() <= 1e-5  # in either order the same
    else:
        powers = np.exp(numbers - numbers.max(1, keepdims=True))
        found, wanted = ours.predict_proba(inputs), powers / powers.sum(1, keepdims=True)
    assert wanted.std() > 1e-3 and np.abs(found - wanted).max() <= 1e-5
    warmstart.convert(str(run), str(tmp_path / "own"), to="warmstart")
    warmstart.convert(str(tmp_path / "own"), str(tmp_path / "theirs"))
    for name in ("model.safetensors", "pair_head/model.safetensors", "modules.json"):
        assert (run / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    again = tmp_path / "again"  # more pairs go on with the head that has learned them
    warmstart.finetune(str(again), start=str(run), task=kind, train=train, dev=train, **QUICK | {"lr": 1e-9})
    kept = load_file(again / "pair_head" / "model.safetensors")
    assert np.abs(kept["linear.weight"].numpy() - linear["linear.weight"]).max() <= 1e-6


@pytest.mark.parametrize("mode", ["mean", "cls"])
def test_a_run_that_learned_vectors_gives_them_in_theirs(mode: str, bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Witness: SentenceTransformer's vectors of the run; its cosines are what is predicted; there and back."""
    data = [{"anchor": row["premise"], "positive": row["hypothesis"]} for row in rows(24, True)]
    run, train = tmp_path / "run", write(tmp_path / "train.jsonl", data)
    start = encoder(bert, tmp_path / "start", mode)
    warmstart.finetune(str(run), start=start, task="embedding", train=train, dev=train, **QUICK | {"lr": 3e-3})
    model = library.SentenceTransformer(str(run), device="cpu")
    texts = sorted({text for row in data for text in row.values()})
    ours = ContextualEncoder.load(str(run), EncoderOptions())
    assert ours.pooling == mode and np.abs(ours.encode(texts) - model.encode(texts)).max() <= 1e-5
    pairs = [[row["anchor"], row["positive"]] for row in data]
    first, second = (model.encode(list(side)) for side in zip(*pairs, strict=True))
    cosines = library.util.pairwise_cos_sim(first, second).numpy()
    assert np.abs(np.array(warmstart.load(run).predict(pairs)) - cosines).max() <= 1e-5
    warmstart.convert(str(run), str(tmp_path / "own"), to="warmstart")
    warmstart.convert(str(tmp_path / "own"), str(tmp_path / "theirs"))
    for name in ("model.safetensors", "modules.json", "1_Pooling/config.json"):
        assert (run / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


def test_vectors_have_no_onnx_form(bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Bad input: one sentence, and nothing is written."""
    train = write(tmp_path / "train.jsonl", [{"anchor": f"a {n}", "positive": f"b {n}"} for n in range(8)])
    warmstart.finetune(str(tmp_path / "run"), start=str(bert), task="embedding", train=train, dev=train, **QUICK)
    with pytest.raises(BadInput, match="vectors of texts have no ONNX form here"):
        warmstart.convert(str(tmp_path / "run"), str(tmp_path / "onnx"), to="onnx")
    assert not (tmp_path / "onnx").exists()


def test_a_left_to_right_run_that_learned_vectors_gives_them_in_theirs(tmp_path: Path) -> None:
    """Witness: as above; the tokens before and behind a text are those of the folder's tokenizer."""
    data = [{"anchor": row["premise"], "positive": row["hypothesis"]} for row in rows(24, True)]
    run, train = tmp_path / "run", write(tmp_path / "train.jsonl", data)
    quick = QUICK | {"lr": 3e-3, "start": "none", "model": "gpt1-tiny", "hidden": 128, "vocab_size": 300}
    warmstart.finetune(str(run), task="embedding", train=train, dev=train, **quick)
    texts = sorted({text for row in data for text in row.values()})
    numbers = library.SentenceTransformer(str(run), device="cpu").encode(texts)
    assert np.abs(ContextualEncoder.load(str(run), EncoderOptions()).encode(texts) - numbers).max() <= 1e-5


def test_the_control_of_a_sentence_encoder_reads_alike(bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Invariant: both arms are the same model; another pool can be asked for."""
    data = rows(24)
    given = {"task": "classification", "train": write(tmp_path / "train.jsonl", data), **QUICK, "length": "1 step"}
    start = encoder(bert, tmp_path / "start", "mean")
    warmstart.finetune(str(tmp_path / "run"), start=start, control=True, **given)
    for arm in ("pretrained", "scratch"):
        assert load_settings(tmp_path / "run" / f"{arm}-seed1").heads["label"].is_pooled
    warmstart.finetune(str(tmp_path / "other"), start=start, head_pool="sum", **given)
    said = json.loads((tmp_path / "other" / "config.json").read_text())
    assert said["architectures"] == ["BertForSequenceClassification"]
