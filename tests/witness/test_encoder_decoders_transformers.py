"""Encoder-decoders both ways against transformers: states of both stacks, logits, losses, greedy texts and beams of four.

All models are tiny and random, biases and gains shaken so that a swap would show; float32, ≤ 1e-5.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_folders_transformers import shaken

from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.limits import Limits
from warmstart.decode.search import Search, search
from warmstart.decode.settings import GenerateSettings
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.transfer.folder import FolderMetadata, import_model, layout_of, load_model, save_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

IDS = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
T5 = IDS | {
    "vocab_size": 60, "d_model": 32, "d_kv": 12, "d_ff": 48, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10, "n_positions": 24,
}  # fmt: skip
BART = IDS | {
    "vocab_size": 60, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 40, "max_position_embeddings": 24,
    "bos_token_id": 2, "forced_eos_token_id": None,
}  # fmt: skip
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
THEIRS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "t5": ("T5", "T5ForConditionalGeneration", T5),
    "t5 1.1": ("T5", "T5ForConditionalGeneration", T5 | GATED),
    "t5, gated silu, as many layers": (
        "T5", "T5ForConditionalGeneration", T5 | {"feed_forward_proj": "gated-silu", "num_decoder_layers": None},
    ),
    "mt5": ("MT5", "MT5ForConditionalGeneration", T5 | GATED),
    "bart": ("Bart", "BartForConditionalGeneration", BART),
    "bart, scaled": ("Bart", "BartForConditionalGeneration", BART | {"scale_embedding": True}),
    "mbart": ("MBart", "MBartForConditionalGeneration", BART | {"scale_embedding": True}),
    "marian": ("Marian", "MarianMTModel", BART | {"scale_embedding": True, "activation_function": "swish"}),
    "pegasus": ("Pegasus", "PegasusForConditionalGeneration", BART | {"activation_function": "relu"}),
}  # fmt: skip
SIZES = ((11, 6), (3, 9), (1, 1), (7, 7), (7, 2))
RMS = {
    "norm_kind": "rms", "positions": "none", "relative_bins": 8, "relative_distance": 12, "bias": False,
    "attention_scale": 1.0, "norm_eps": 1e-6, "head_width": 12, "embedding_norm": False,
}  # fmt: skip
MARIAN = {"norm": "post", "embedding_norm": False, "positions": "sinusoidal"}
OURS: dict[str, dict[str, Any]] = {
    "t5": RMS | {"logit_scale": 32**-0.5, "activation": "relu", "decoder_layers": 3},
    "t5, of two tables": RMS | {"mlp": "gated", "activation": "gelu_tanh", "tied": False},
    "bart": {"norm": "post", "embedding_norm": True, "activation": "gelu", "decoder_layers": 3, "output_bias": True},
    "mbart": {"embedding_norm": True, "embedding_scale": 32**0.5, "decoder_hidden": 40, "output_bias": True},
    "marian": MARIAN | {"activation": "silu", "output_bias": True},
    "marian, of two tables": MARIAN | {"shared_tokens": False, "decoder_heads": 4},
    "pegasus": {"embedding_norm": False, "positions": "sinusoidal", "activation": "relu", "decoder_layers": 1},
}  # fmt: skip


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Scores of T5 are not divided, so roundings grow."""
    assert found.shape == wanted.shape and float(wanted.std()) > 0.05
    assert float((found - wanted).abs().max()) <= 5e-5 * max(1.0, float(wanted.abs().max()))


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Sources, and what the decoder reads: its first token and a text."""
    every = [np.random.default_rng(number).integers(3, 60, sum(sizes)) for number, sizes in enumerate(SIZES)]
    return [(ids[:source], np.append([0], ids[source:])) for ids, (source, _) in zip(every, SIZES, strict=True)]


def example(source: np.ndarray, target: np.ndarray) -> Example:
    """As the task frames it; each token but the last predicts the next, the last the end."""
    count, first = len(source) + len(target), len(source)
    goal = Goal.each(np.arange(first, count), np.append(target[1:], [1]))
    turns = np.maximum(np.arange(count) - first + 1, 0)
    return Example(np.concatenate([source, target]), turns, np.arange(count), {"lm": goal})


def their_model(name: str, **more: Any) -> Any:
    torch.manual_seed(0)
    family, kind, config = THEIRS[name]
    model = shaken(getattr(transformers, kind)(getattr(transformers, f"{family}Config")(**config, **more)))
    for part_name, part in model.named_modules():
        if part_name.endswith("embed_positions") and hasattr(part, "create_weight"):
            part.weight.data.copy_(part.create_weight())
    if (bias := getattr(model, "final_logits_bias", None)) is not None:
        bias += 0.5 * torch.randn(bias.shape)
    return model


def ours(name: str) -> Model:
    sizes = {"vocab_size": 60, "context": 24, "width": 32, "layers": 2, "heads": 4, "hidden": 48}
    return shaken(Model.fresh(ModelSettings(backbone=preset("encoder-decoder-tiny", **sizes | OURS[name])), 3))  # type: ignore[return-value]


def run_theirs(theirs: Any, source: np.ndarray, target: np.ndarray) -> Any:
    with torch.no_grad():
        return theirs(
            input_ids=torch.from_numpy(source)[None], decoder_input_ids=torch.from_numpy(target)[None],
            output_hidden_states=True,
        )  # fmt: skip


def check_alike(model: Model, theirs: Any) -> None:
    """Logits after every token of the targets, packed together here and one by one there; and the sum of the losses."""
    batch = collate([[example(*pair)] for pair in pairs()])
    with torch.no_grad():
        logits = model.next_token_logits(model.backbone(batch, None, batch.goals["lm"].reads))
        wanted = torch.cat([run_theirs(theirs, *pair).logits[0] for pair in pairs()])
    close(logits, wanted)
    loss = torch.nn.functional.cross_entropy(wanted, batch.goals["lm"].targets, reduction="sum")
    assert model(batch)["lm"].sum.item() == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_their_model_in_ours(name: str, tmp_path: Path) -> None:
    """Witness: transformers' logits and the loss of their labels; every tensor is taken or holds nothing of its own."""
    theirs = their_model(name)
    theirs.save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    assert (imported.unused, imported.note) == ((), "")
    check_alike(imported.model, theirs)


@pytest.mark.parametrize("name", THEIRS)
def test_the_states_of_both_stacks_are_theirs(name: str, tmp_path: Path) -> None:
    """Witness: transformers' hidden states of the encoder and of the decoder, after each layer."""
    theirs = their_model(name)
    theirs.save_pretrained(tmp_path)
    model = import_model(tmp_path).model
    for source, target in pairs():
        found = run_theirs(theirs, source, target)
        with torch.no_grad():
            layers = model.backbone.layer_states(collate([[example(source, target)]]))
        for states, first, count in (
            (found.encoder_hidden_states, 0, len(source)), (found.decoder_hidden_states, len(source), len(target)),
        ):  # fmt: skip
            for number, wanted in enumerate(states):
                close(layers[number][first : first + count], wanted[0])


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize(("beam", "penalty"), [(1, 0.0), (4, 0.0), (4, 1.3)])
def test_its_texts_are_theirs(name: str, beam: int, penalty: float, tmp_path: Path) -> None:
    """Witness: transformers' generate, greedy and with a beam of four, also where scores are divided by lengths."""
    theirs = their_model(name)
    theirs.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    settings = GenerateSettings(
        max_new=8, greedy=beam == 1, beam=beam, best=beam, length_penalty=penalty, length_norm="power"
    )
    asked = Search(DecodeMode(), settings, Limits(1))
    given = [pair[0] for pair in pairs()]
    texts = search(model, [Source(ids, 0) for ids in given], asked)
    for ids, found in zip(given, texts, strict=True):
        wanted = theirs.generate(
            torch.from_numpy(ids)[None], max_new_tokens=8, num_beams=beam, num_return_sequences=beam, length_penalty=penalty,
            do_sample=False, forced_eos_token_id=None, early_stopping="never",
        )  # fmt: skip
        theirs_texts = [row[1:] for row in wanted.tolist()]
        theirs_texts = [tuple(row[: row.index(1)] if 1 in row else row) for row in theirs_texts]
        assert [text.ids for text in found] == theirs_texts


@pytest.mark.parametrize("name", OURS)
def test_our_model_in_theirs(name: str, tmp_path: Path) -> None:
    """Witness: transformers' logits and texts of the folder that we write, which loads without a complaint."""
    model = ours(name)
    layout = layout_of(model.settings)
    assert layout is not None and layout.model_type == name.split(",")[0]
    save_model(model, tmp_path, FolderMetadata(pad_id=0, end_id=1, stated_ids={"decoder_start_token_id": 0}))
    theirs, info = getattr(transformers, layout.language_model).from_pretrained(tmp_path, output_loading_info=True)
    assert not info["mismatched_keys"] and not info["unexpected_keys"]
    assert {key for key in info["missing_keys"] if "embed_positions" not in key} <= {"final_logits_bias"}
    check_alike(model, theirs.eval())
    again = load_model(tmp_path)
    for key, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor)
