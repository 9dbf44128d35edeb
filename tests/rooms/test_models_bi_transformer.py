"""The bidirectional language model: its cloze layer hides the token, and is what the paper says; what its states know."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch, collate
from warmstart.models.attention import Kernels
from warmstart.models.bi_transformer import BiTransformer
from warmstart.models.cloze import ClozeLayer
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.bidirectional import bidirectional

V, SIZES = 40, (5, 1, 7, 2, 5)
FORMS: dict[str, dict[str, Any]] = {
    "sinusoidal": {}, "learned, untied": {"positions": "learned", "tied": False},
    "rotary": {"positions": "rotary", "norm_kind": "rms", "mlp": "gated", "bias": False},
}  # fmt: skip


def make(**changes: Any) -> Model:
    return Model.fresh(
        ModelSettings(backbone=preset("bilm-tiny", vocab_size=V, context=24, init_std=0.3, **changes)), 1
    ).eval()


def texts() -> Batch:
    return collate([bidirectional(np.random.default_rng(size).integers(0, V, size)) for size in SIZES])


@pytest.mark.parametrize("form", FORMS)
def test_no_prediction_knows_its_own_token(form: str) -> None:
    """Brute force: of a text of 6 tokens each is changed: the states of all others change, its own to no bit."""
    body, ids = make(**FORMS[form]).backbone, np.array([3, 1, 4, 1, 5, 9])
    with torch.no_grad():
        plain = body(collate([bidirectional(ids)]))
        for place in range(6):
            for other in (0, 7, 39):
                changed = ids.copy()
                changed[place] = other
                moved = (body(collate([bidirectional(changed)])) != plain).any(1)
                assert moved.tolist() == [n != place or other == ids[place] for n in range(6)] or other == ids[place]
                assert not moved[place]


@pytest.mark.parametrize("form", FORMS)
def test_a_text_does_not_depend_on_its_neighbours(form: str) -> None:
    """Invariant: packed texts have the states of each alone, reads have those of all; gradients reach all weights."""
    model, batch = make(**FORMS[form]), texts()
    body = model.backbone
    starts = np.cumsum(SIZES) - SIZES
    with torch.no_grad():
        for find in (body, lambda batch: body.layer_states(batch)[-1], lambda batch: body.text_states(batch)[-2]):
            alone = [
                find(collate([bidirectional(batch.ids[a : a + n].numpy())])) for a, n in zip(starts, SIZES, strict=True)
            ]
            torch.testing.assert_close(find(batch), torch.cat(alone), atol=2e-5, rtol=2e-5)
        reads = torch.tensor([0, 6, 11])
        torch.testing.assert_close(body(batch, None, reads), body(batch)[reads])
    model(batch)["lm"].sum.backward()
    assert [name for name, own in model.named_parameters() if own.grad is None] == []
    assert {*body.parameter_depths()} == {name for name, _ in body.named_parameters()}


def test_the_cloze_layer_is_the_papers() -> None:
    """Witness: Baevski et al. 2019, token by token: which states are summed, which are read, what is added."""
    settings = preset("bilm-tiny", vocab_size=V, context=24)
    layer, batch = ClozeLayer(settings), texts()  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(0)
    before, behind = (torch.randn(sum(SIZES), 32, generator=draw) for _ in range(2))
    first = 0
    for hide in (True, False):
        with torch.no_grad():
            found = layer(before, behind, batch, Kernels(), hide=hide)
        for start, size in zip(np.cumsum(SIZES) - SIZES, SIZES, strict=True):
            f, b = before[start : start + size], behind[start : start + size]
            for i in range(size):
                query = f[i] + b[i]
                if hide:
                    query = (f[i - 1] if i else torch.zeros(32)) + (b[i + 1] if i + 1 < size else torch.zeros(32))
                read = torch.cat([f[: i + (not hide)], b[i + hide :]])
                keys, values = torch.cat([layer.kv(read), layer.nothing.weight]).chunk(2, 1)
                heads = []
                parts = (layer.q(query)[None], keys, values)
                for q, k, v in zip(*(part.view(-1, 2, 16).unbind(1) for part in parts), strict=True):
                    heads.append((k @ q[0] / 4).softmax(0) @ v)
                x = layer.out(torch.cat(heads))
                x = x + layer.mlp(layer.norm(x))
                torch.testing.assert_close(found[start + i], x, atol=1e-5, rtol=1e-5)
                first += 1
    assert first == 2 * sum(SIZES)


def test_states_for_readers_know_the_token_and_each_half_one_side() -> None:
    """Brute force: of each layer the left half moves with what stands before a place or at it, the right half behind."""
    body, ids = make().backbone, np.array([3, 1, 4, 1, 5, 9])
    assert isinstance(body, BiTransformer)
    with torch.no_grad():
        plain = body.text_states(collate([bidirectional(ids)]))
        assert (len(plain), plain[0].shape[1]) == body.text_shape == (5, 64)
        for place in range(6):
            changed = ids.copy()
            changed[place] = 7
            moved = body.text_states(collate([bidirectional(changed)]))
            for layer in range(3):
                differs = moved[layer] != plain[layer]
                places = np.arange(6) if layer else np.full(6, place)
                expected = (places >= place) if layer else np.arange(6) == place
                assert differs[:, :32].any(1).tolist() == expected.tolist()
                expected = (places <= place) if layer else np.arange(6) == place
                assert differs[:, 32:].any(1).tolist() == expected.tolist()
            assert (moved[-1] != plain[-1]).any(1).all()
        top = plain[-1][:, :32]
        torch.testing.assert_close(plain[-2][1:-1], torch.cat([top[:-2], top[2:]], 1))


def test_it_is_trained_and_read_from_the_command_line(tmp_path: Path) -> None:
    """Invariant: trained by its objective, evaluated, then read by an encoder; a task of its own is refused."""
    (tmp_path / "text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(40)))
    lm, run = str(tmp_path / "lm"), str(tmp_path / "run")
    given: dict[str, Any] = {
        "vocab_size": 257,
        "length": "2 steps",
        "model": "bilm-tiny",
        "precision": "fp32",
    }
    text = str(tmp_path / "text.txt")
    report = warmstart.pretrain(lm, corpus=text, objective="bidirectional", **given)
    assert report["metrics"]["perplexity"] > 1
    assert warmstart.evaluate(lm, text, precision="fp32")["metrics"]["perplexity"] > 1
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"source": f"fox {n}", "target": f"the fox {n}"}) + "\n" for n in range(8)))
    task: dict[str, Any] = {"start": "none", "task": "seq2seq", "train": str(rows), "length": "1 steps", "lr": 1e-3}
    words = {"model": "encoder-decoder-tiny", "source_inputs": lm, "precision": "fp32"}
    assert warmstart.finetune(run, **task, **words)["steps"] == 1
    with pytest.raises(
        BadInput, match=r"a bidirectional language model does not learn this kind of task.*--source-inputs"
    ):
        warmstart.finetune(str(tmp_path / "no"), **(task | {"start": lm}))
    with pytest.raises(BadInput, match="sees all but the token that it predicts"):
        warmstart.pretrain(str(tmp_path / "no"), corpus=text, objective="causal", **given)
