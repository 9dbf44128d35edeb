"""UniLM folders against a dense reference written here, since transformers has no class for them; float32, ≤ 1e-5.

The reference knows BERT's equations, one padded row at a time, from the tensors of the file alone; the bins of distances
are transformers' T5's.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from warmstart.base.errors import BadInput
from warmstart.build.finetuning import build_finetuning
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.evaluation.text_predictor import decode_mode
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.attention import Kernels
from warmstart.models.relative import bins
from warmstart.tasks.frames import build_frame, frame_records
from warmstart.tasks.table import options_of
from warmstart.transfer.folder import import_model, save_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

VOCAB, WIDTH, HEADS, HIDDEN, CONTEXT, LAYERS = 60, 32, 4, 48, 160, 2
CONFIG = {
    "model_type": "unilm", "vocab_size": VOCAB, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "hidden_act": "gelu",
    "num_attention_heads": HEADS, "intermediate_size": HIDDEN, "max_position_embeddings": CONTEXT,
}  # fmt: skip
CONFIGS = {
    "v1": CONFIG | {"type_vocab_size": 6, "source_type_id": 4, "target_type_id": 5},
    "v2": CONFIG | {"type_vocab_size": 6, "rel_pos_bins": 32, "max_rel_pos": 128, "layer_norm_eps": 1e-5},
}
Tensors = dict[str, torch.Tensor]


def their_tensors(kind: str) -> Tensors:
    """The names of the authors' files: v1's are BERT's of 2018, v2's have joint projections and biases of distances."""
    draw = torch.Generator().manual_seed(4)
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (VOCAB, WIDTH),
        "bert.embeddings.position_embeddings.weight": (CONTEXT, WIDTH),
        "bert.embeddings.token_type_embeddings.weight": (6, WIDTH),
        "cls.predictions.transform.dense.weight": (WIDTH, WIDTH),
        "cls.predictions.transform.dense.bias": (WIDTH,),
        "cls.predictions.bias": (VOCAB,),
    }
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for layer in range(LAYERS):
        place = f"bert.encoder.layer.{layer}"
        norms += [f"{place}.attention.output.LayerNorm", f"{place}.output.LayerNorm"]
        if kind == "v2":
            shapes[f"{place}.attention.self.qkv_linear.weight"] = (3 * WIDTH, WIDTH)
            shapes |= {f"{place}.attention.self.{part}_bias": (1, 1, WIDTH) for part in "qv"}
        else:
            for part in ("query", "key", "value"):
                shapes[f"{place}.attention.self.{part}.weight"] = (WIDTH, WIDTH)
                shapes[f"{place}.attention.self.{part}.bias"] = (WIDTH,)
        for name, out, given in (
            ("attention.output.dense", WIDTH, WIDTH), ("intermediate.dense", HIDDEN, WIDTH), ("output.dense", WIDTH, HIDDEN)
        ):  # fmt: skip
            shapes |= {f"{place}.{name}.weight": (out, given), f"{place}.{name}.bias": (out,)}
    gain, bias = ("gamma", "beta") if kind == "v1" else ("weight", "bias")
    shapes |= {f"{norm}.{part}": (WIDTH,) for norm in norms for part in (gain, bias)}
    if kind == "v2":
        shapes["bert.encoder.rel_pos_bias.weight"] = (HEADS, 32)
    gains = {f"{norm}.{gain}" for norm in norms}
    return {name: 0.4 * torch.randn(shape, generator=draw) + (name in gains) for name, shape in shapes.items()}


def write(folder: Path, kind: str) -> Tensors:
    tensors = their_tensors(kind)
    (folder / "config.json").write_text(json.dumps(CONFIGS[kind]))
    save_file(tensors, folder / "model.safetensors")
    return tensors


def reference(kind: str, found: Tensors, row: Example, allowed: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[type-arg]
    """States [T, D] and logits [T, V] of one row; ``allowed`` [T, T] says who reads whom."""
    eps = CONFIGS[kind].get("layer_norm_eps", 1e-12)
    gain, shift = ("gamma", "beta") if kind == "v1" else ("weight", "bias")

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (WIDTH,), found[f"{name}.{gain}"], found[f"{name}.{shift}"], eps)

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ found[f"{name}.weight"].T + found[f"{name}.bias"]

    ids, positions = torch.from_numpy(row.ids), torch.from_numpy(row.positions)
    tables = "bert.embeddings."
    x = found[f"{tables}word_embeddings.weight"][ids] + found[f"{tables}position_embeddings.weight"][positions]
    x = norm(x + found[f"{tables}token_type_embeddings.weight"][torch.from_numpy(row.segments)], f"{tables}LayerNorm")
    mask = torch.where(torch.from_numpy(allowed), 0.0, -torch.inf)[None]
    if kind == "v2":
        distance = positions[None, :] - positions[:, None]
        bucket = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket(distance, True, 32, 128)
        mask = mask + found["bert.encoder.rel_pos_bias.weight"][:, bucket]
    for layer in range(LAYERS):
        place = f"bert.encoder.layer.{layer}"
        own = f"{place}.attention.self"
        if kind == "v2":
            q, k, v = (x @ found[f"{own}.qkv_linear.weight"].T).chunk(3, -1)
            q, v = q + found[f"{own}.q_bias"][0], v + found[f"{own}.v_bias"][0]
        else:
            q, k, v = (dense(x, f"{own}.{part}") for part in ("query", "key", "value"))
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(0, 1) for part in (q, k, v))
        scores = q @ k.transpose(1, 2) / math.sqrt(WIDTH / HEADS) + mask
        mixed = (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)
        x = norm(x + dense(mixed, f"{place}.attention.output.dense"), f"{place}.attention.output.LayerNorm")
        inner = F.gelu(dense(x, f"{place}.intermediate.dense"))
        x = norm(x + dense(inner, f"{place}.output.dense"), f"{place}.output.LayerNorm")
    words = F.gelu(dense(x, "cls.predictions.transform.dense"))
    words = norm(words, "cls.predictions.transform.LayerNorm")
    return x, words @ found[f"{tables}word_embeddings.weight"].T + found["cls.predictions.bias"]


def row(source: int, target: int, pseudo: bool, segments: tuple[int, int]) -> tuple[Example, np.ndarray]:  # type: ignore[type-arg]
    """Source and target in one row, with or without pseudo tokens, and the matrix of who reads whom, by s2s-ft's rule."""
    turns = [0] * source + list(range(1, target + 1)) + [-t for t in range(1, target + 1)] * pseudo
    positions = list(range(source + target)) + list(range(source, source + target)) * pseudo
    kinds = [segments[0]] * source + [segments[1]] * (len(turns) - source)
    ids = np.random.default_rng(len(turns)).integers(0, VOCAB, len(turns))
    w = np.array(turns)
    real = (w[:, None] >= 0) & (w[None] >= 0) & (w[None] <= w[:, None])
    masked = (w[:, None] < 0) & (((w[None] >= 0) & (w[None] < -w[:, None])) | (w[None] == w[:, None]))
    return Example(ids, w, np.array(positions), {}, np.array(kinds)), real | masked


ROWS = [(9, 5, True), (140, 11, True), (3, 20, False), (1, 1, True), (30, 0, False)]


@pytest.mark.parametrize("kernels", [Kernels(), Kernels(eager_max_len=0), Kernels(group=1)], ids=str)
@pytest.mark.parametrize("kind", CONFIGS)
def test_states_and_logits(kind: str, kernels: Kernels, tmp_path: Path) -> None:
    """Check 3 of the specification: the dense reference, on sources, targets, pseudo tokens and great distances, packed."""
    found = write(tmp_path, kind)
    imported = import_model(tmp_path)
    assert imported.unused == ()
    model, size = imported.model, imported.model.settings.backbone
    assert size.text_segments == ((4, 5) if kind == "v1" else (0, 1))
    assert size.relative_bins == (32 if kind == "v2" else 0)
    model.backbone.kernels = kernels
    rows = [row(*sizes, size.text_segments) for sizes in ROWS]
    with torch.no_grad():
        states = model.backbone(collate([[example] for example, _ in rows]))
        logits = model.next_token_logits(states)
        wanted = [reference(kind, found, example, allowed) for example, allowed in rows]
    for ours, theirs in zip((states, logits), map(torch.cat, zip(*wanted, strict=True)), strict=True):
        assert float(theirs.std()) > 0.05
        assert float((ours - theirs).abs().max()) <= 1e-5 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("kind", CONFIGS)
def test_there_and_back(kind: str, tmp_path: Path) -> None:
    """Invariant: what is written has BERT's names and comes back bit for bit; queries and values are the file's rows."""
    found = write(tmp_path, kind)
    model = import_model(tmp_path).model
    save_model(model, tmp_path / "again")
    written = load_file(tmp_path / "again" / "model.safetensors")
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    assert {name: config[name] for name in CONFIGS[kind]} == CONFIGS[kind]
    if kind == "v2":
        place = "bert.encoder.layer.1.attention.self"
        assert torch.equal(written[f"{place}.key.weight"], found[f"{place}.qkv_linear.weight"][WIDTH : 2 * WIDTH])
        assert torch.equal(written[f"{place}.value.bias"], found[f"{place}.v_bias"].flatten())
        assert not written[f"{place}.key.bias"].any()
    again = import_model(tmp_path / "again").model
    assert again.settings == model.settings
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_bins_are_those_of_t5() -> None:
    """Witness: transformers' T5, all distances to well beyond the longest, several tables."""
    bucket = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket
    ahead = torch.arange(-700, 701)
    for count, longest in ((32, 128), (8, 20), (64, 256), (4, 2)):
        assert torch.equal(bins(ahead, count, longest), bucket(ahead, True, count, longest))


@pytest.mark.parametrize(
    ("changes", "weights", "said"),
    [
        ({"rel_pos_bins": 30}, {}, "got 30; allowed: a multiple of 4"),
        ({"rel_pos_bins": 64}, {}, "'bert.rel_pos_bias.weight' has another shape than config.json says; got (32, 4)"),
        ({"target_type_id": 6}, {}, "a segment that the segment table does not have; got (0, 6); allowed: 0 to 5"),
        ({}, {"bert.encoder.layer.1.attention.self.qkv_linear.weight": (95, WIDTH)}, "got (95, 32); allowed: (96, 32)"),
        ({}, {"bert.embeddings.position_embeddings.weight": (64, WIDTH)}, "got (64, 32); allowed: (160, 32)"),
    ],
)
def test_what_does_not_fit_is_named(
    changes: dict[str, Any], weights: dict[str, tuple[int, ...]], said: str, tmp_path: Path
) -> None:
    """Bad input: one sentence with the file's value and what the config asks for."""
    tensors = their_tensors("v2") | {name: torch.zeros(shape) for name, shape in weights.items()}
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["v2"] | changes))
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(BadInput) as caught:
        import_model(tmp_path)
    assert said in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_task_takes_the_segments_of_its_start(tmp_path: Path) -> None:
    """Witness: UniLM's 4 and 5, in the Examples, in decoding and in what the run remembers; what is said goes before."""
    write(tmp_path, "v1")
    words = [chr(ord("a") + n % 26) * (1 + n // 26) for n in range(VOCAB - 5)]
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"src": "a b c", "tgt": "d e"}\n' * 4)
    given = {
        "--start": str(tmp_path),
        "--task": "seq2seq",
        "--train": str(rows),
        "--dev": str(rows),
        "--metric": "loss",
    }
    built = build_finetuning(compose(FinetuneRecipe, flags=given))
    [example] = frame_records(built.task.spec, built.task.data.train, built.tokenizer).examples[0]
    assert example.segments.tolist() == [4] * 5 + [5] * 6
    way = decode_mode(build_frame(built.task.spec, built.tokenizer))
    assert (way.source_segment, way.segment) == options_of(built.task.spec).segments == (4, 5)
    asked = compose(FinetuneRecipe, flags=given, sets=["task.seq2seq.source_segment=0"])
    assert options_of(build_finetuning(asked).task.spec).segments == (0, 5)
