"""Decoder families both ways against transformers: states, logits, heads and greedy texts of tiny random models.

Biases and gains are shaken, so that a swap would show; float32, ≤ 1e-5.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_folders_transformers import batched, close, framed, our_logits, shaken, texts, their_logits

from warmstart.decode.generate import generate
from warmstart.decode.settings import GenerateSettings
from warmstart.example.batch import collate
from warmstart.example.example import Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.folder import FolderMetadata, import_model, load_model, save_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

LLAMA = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 24, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 59,
}  # fmt: skip
NEOX = {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"}
OPT = {
    "vocab_size": 60, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "max_position_embeddings": 24, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 2,
}  # fmt: skip
BLOOM = {"vocab_size": 60, "hidden_size": 32, "n_layer": 3, "n_head": 4, "pad_token_id": 0}
NARROW = "opt, narrow table"  # whose classes but the language model's read narrow states
GEMMA = LLAMA | {"head_dim": 10, "attn_implementation": "eager"}
GEMMA2 = GEMMA | {
    "sliding_window": 5, "query_pre_attn_scalar": 7, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 3.0
}  # fmt: skip
GEMMA3 = GEMMA | {"sliding_window": 5, "query_pre_attn_scalar": 12, "sliding_window_pattern": 3}


def rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 300.0, **more}}


THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, biases": ("Llama", LLAMA | {"attention_bias": True, "mlp_bias": True}),
    "llama, linear": ("Llama", LLAMA | rope("linear", factor=2.5)),
    "llama, dynamic": ("Llama", LLAMA | rope("dynamic", factor=2.0)),
    "llama, llama3": (
        "Llama",
        LLAMA
        | rope("llama3", factor=4.0, low_freq_factor=0.5, high_freq_factor=2.0, original_max_position_embeddings=12),
    ),
    "llama, yarn": (
        "Llama", LLAMA | rope("yarn", factor=2.0, original_max_position_embeddings=12, beta_fast=2.0, beta_slow=0.3)
    ),
    "llama, deepseek's yarn": (
        "Llama",
        LLAMA
        | rope(
            "yarn", factor=2.0, original_max_position_embeddings=12, beta_fast=4, mscale=0.7, mscale_all_dim=0.2,
            truncate=False,
        ),
    ),
    "mistral": ("Mistral", LLAMA | {"sliding_window": 5}),
    "mistral, no window": ("Mistral", LLAMA | {"sliding_window": None, "head_dim": 16}),
    "qwen2": ("Qwen2", LLAMA),
    "qwen2, windows": ("Qwen2", LLAMA | {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "qwen2, tied": ("Qwen2", LLAMA | {"num_key_value_heads": 4, "tie_word_embeddings": True}),
    "qwen3, biases": ("Qwen3", LLAMA | {"attention_bias": True}),
    "gpt_neox": ("GPTNeoX", NEOX),
    "gpt_neox, half turned, in a row": (
        "GPTNeoX",
        NEOX
        | {"use_parallel_residual": False, "attention_bias": False, "hidden_act": "gelu_fast"}
        | rope("linear", factor=2.0, partial_rotary_factor=0.5),
    ),
    "phi": ("Phi", LLAMA),
    "phi, two fifths turned": (
        "Phi", LLAMA | {"hidden_size": 40, "num_key_value_heads": 4, "partial_rotary_factor": 0.4, "hidden_act": "gelu"}
    ),
    "opt": ("OPT", OPT),
    "opt, norms behind": ("OPT", OPT | {"do_layer_norm_before": False, "enable_bias": False}),
    NARROW: ("OPT", OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 20}),
    "bloom": ("Bloom", BLOOM),
    "bloom, 6 heads": ("Bloom", BLOOM | {"n_head": 6, "hidden_size": 36}),
    "gemma": ("Gemma", GEMMA | {"hidden_act": "gelu"}),
    "gemma2": ("Gemma2", GEMMA2),
    "gemma2, no bounds": (
        "Gemma2", GEMMA2 | {"attn_logit_softcapping": None, "final_logit_softcapping": None, "sliding_window": 24}
    ),
    "gemma3": ("Gemma3Text", GEMMA3),
    "gemma3, linear": (
        "Gemma3Text",
        GEMMA3
        | {
            "final_logit_softcapping": 2.0,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 3.0, "rope_theta": 900.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 90.0},
            },
        },
    ),
}  # fmt: skip
NO_TAGGER = ("OPT", "Gemma3Text")
ROTARY = {
    "norm": "pre", "norm_kind": "rms", "positions": "rotary", "mlp": "gated", "activation": "silu", "bias": False,
}  # fmt: skip
GEGLU = ROTARY | {"activation": "gelu_tanh", "embedding_scale": 32**0.5, "kv_heads": 2, "head_width": 10}
OURS: dict[str, dict[str, Any]] = {
    "llama, biases": ROTARY | {"qkv_bias": True, "out_bias": True, "kv_heads": 1},
    "llama, llama3": ROTARY
    | {"tied": False, "rotary_scaling": {"kind": "llama3", "factor": 4, "original_context": 12, "few_turns": 0.5}},
    "mistral": ROTARY | {"windows": (6,), "head_width": 12},
    "qwen2": ROTARY | {"kv_heads": 2, "qkv_bias": True, "rotary_scaling": {"kind": "linear", "factor": 3}},
    "qwen3": ROTARY | {"qk_norm": True, "qkv_bias": True, "out_bias": True, "windows": (4, None)},
    "gpt_neox": {"norm": "pre", "positions": "rotary", "rotary_width": 2, "parallel": "own_norms", "activation": "gelu"},
    "gpt_neox, untied": {
        "norm": "pre", "positions": "rotary", "qkv_bias": False, "out_bias": False, "tied": False,
        "rotary_scaling": {"kind": "dynamic", "factor": 2, "original_context": 24},
    },
    "phi": {
        "norm": "pre", "positions": "rotary", "rotary_width": 6, "parallel": "one_norm", "tied": False,
        "output_bias": True, "kv_heads": 2,
    },
    "gpt2, which is OPT too": {"norm": "pre", "activation": "relu"},
    "opt, no biases": {"norm": "pre", "activation": "relu", "bias": False, "tied": False},
    NARROW: {"activation": "relu", "token_width": 20},
    "bloom": {"norm": "pre", "positions": "alibi", "embedding_norm": True, "hidden": 128},
    "gemma": GEGLU,
    "gemma2": GEGLU
    | {"norm": "both", "windows": (6, None), "attention_scale": 7**-0.5, "attention_cap": 1.5, "logit_cap": 3.0},
    "gemma3_text": GEGLU
    | {
        "norm": "both", "windows": (6, 6, None), "attention_scale": 12**-0.5, "qk_norm": True, "local_rotary_base": 90,
        "rotary_scaling": {"kind": "linear", "factor": 2},
    },
    "qwen2, yarn": ROTARY
    | {
        "qkv_bias": True,
        "rotary_scaling": {
            "kind": "yarn", "factor": 2, "original_context": 12, "few_turns": 0.3, "many_turns": 2, "amplitude": 1.07,
        },
    },
}  # fmt: skip


def theirs_of(name: str, head: str, **more: Any) -> torch.nn.Module:
    family, config = THEIRS[name]
    torch.manual_seed(0)
    found = getattr(transformers, f"{family}Config")(**(config | more))
    named = f"{family.removesuffix('Text') if head == 'ForCausalLM' else family}{head}"
    return shaken(getattr(transformers, named)(found))


def ours_of(name: str, heads: dict[str, HeadSettings] | None = None) -> Model:
    sizes = {"vocab_size": 60, "context": 24, "width": 32, "layers": 3, "heads": 4, "hidden": 48}
    backbone = preset("gpt1-tiny", **(sizes | OURS[name]))
    assert isinstance(backbone, TransformerSettings)
    if heads:
        backbone = backbone.with_parts(pooler=False, lm=False)
    return shaken(Model.fresh(ModelSettings(backbone=backbone, heads=heads or {}), 3))  # type: ignore[return-value]


def last_token(ids: np.ndarray) -> dict[str, Goal]:
    """The question of a classifier, at the last token."""
    return {"label": Goal(np.array([len(ids) - 1]), np.array([0]), np.zeros(1, np.int64), np.ones(1, np.float32))}


def answers(model: Model) -> torch.Tensor:
    """[B, C] what a classifier answers to all texts."""
    return model.answers(collate([[framed(model.settings.backbone, one, last_token(one))] for one in texts()]))["label"]


def greedy(model: torch.nn.Module, prompts: list[np.ndarray]) -> list[list[int]]:
    """What transformers' greedy search writes behind each prompt."""
    return [
        model.generate(
            torch.from_numpy(prompt)[None], attention_mask=torch.ones(1, len(prompt)), max_new_tokens=11,
            do_sample=False, eos_token_id=None, pad_token_id=0,
        )[0, len(prompt) :].tolist()
        for prompt in prompts
    ]  # fmt: skip


@pytest.mark.parametrize("name", THEIRS)
def test_their_language_model_in_ours(name: str, tmp_path: Path) -> None:
    """Witness: transformers' states of every layer, logits and greedy texts; nothing is left behind."""
    theirs = theirs_of(name, "ForCausalLM")
    theirs.save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    model = imported.model
    assert imported.unused == () and not imported.note
    close(our_logits(model), their_logits(theirs))
    with torch.no_grad():
        found = model.backbone.layer_states(collate([[framed(model.settings.backbone, one, {})] for one in texts()]))
        each = [theirs(torch.from_numpy(one)[None], output_hidden_states=True).hidden_states for one in texts()]
    whole = len(found) - (name == NARROW)  # whose last states are narrowed there
    for mine, layer in list(zip(found, zip(*each, strict=True), strict=True))[:whole]:
        close(mine, torch.cat([states[0] for states in layer]))
    prompts = [one for one in texts() if len(one) <= 13]
    written = generate(model, prompts, GenerateSettings(max_new=11, greedy=True), None)
    assert [list(one.ids) for one in written] == greedy(theirs, prompts)


@pytest.mark.parametrize("name", list({kind: name for name, (kind, _) in reversed(THEIRS.items())}.values()))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shards_in_half_precision(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Witness: transformers' own shards in two bytes give the numbers of its whole file in four, exactly."""
    theirs = theirs_of(name, "ForCausalLM").to(dtype)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    theirs.float().save_pretrained(tmp_path / "whole")
    found, wanted = (load_model(tmp_path / folder).state_dict() for folder in ("shards", "whole"))
    assert found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("kind", ["type", "rope_type"])
@pytest.mark.parametrize("name", [name for name in THEIRS if name.startswith("llama, ") and name != "llama, biases"])
def test_the_old_spelling_of_scaled_positions(name: str, kind: str, tmp_path: Path) -> None:
    """Witness: transformers reads the same folder, whose config says rope_theta and rope_scaling as its version 4 wrote."""
    theirs_of(name, "ForCausalLM").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    said = config.pop("rope_parameters")
    config["rope_theta"] = said.pop("rope_theta")
    config["rope_scaling"] = {kind: said.pop("rope_type")} | said
    (tmp_path / "config.json").write_text(json.dumps(config))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    close(our_logits(import_model(tmp_path).model), their_logits(theirs))


@pytest.mark.parametrize("name", [name for name in THEIRS if name != NARROW])
@pytest.mark.parametrize("head", ["Model", "ForSequenceClassification", "ForTokenClassification"])
def test_their_other_classes_in_ours(name: str, head: str, tmp_path: Path) -> None:
    """Witness: transformers' states without a head, classes of padded texts, and tags of every token."""
    if head == "ForTokenClassification" and THEIRS[name][0] in NO_TAGGER:
        pytest.skip("transformers has no such class")
    theirs = theirs_of(name, head, num_labels=3, pad_token_id=0)
    theirs.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    padded, mask, _ = batched(texts())
    with torch.no_grad():
        out = theirs(padded, attention_mask=mask)
        if head == "ForSequenceClassification":
            close(answers(model), out.logits)
            return
        found = model.backbone(collate([[framed(model.settings.backbone, one, {})] for one in texts()]))
        if head == "Model":
            close(found, out.last_hidden_state[mask.bool()])
        else:
            close(model.heads["tags"].linear(found), out.logits[mask.bool()])


@pytest.mark.parametrize("name", ["gpt_neox", "opt", "bloom"])
def test_span_models_both_ways(name: str, tmp_path: Path) -> None:
    """Witness: transformers' class for spans answers every token alike, from its folder and from ours."""
    theirs = theirs_of(name, "ForQuestionAnswering")
    theirs.save_pretrained(tmp_path / "theirs")
    model = load_model(tmp_path / "theirs")
    save_model(model, tmp_path / "ours", FolderMetadata(pad_id=0))
    again, told = transformers.AutoModelForQuestionAnswering.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not told["missing_keys"] and not told["unexpected_keys"]
    [ids, *_] = texts()
    with torch.no_grad():
        found = model.heads["span"].linear(model.backbone(collate([[framed(model.settings.backbone, ids, {})]])))
        for one in (theirs, again.eval()):
            out = one(torch.from_numpy(ids)[None])
            close(found, torch.stack([out.start_logits[0], out.end_logits[0]], -1))


@pytest.mark.parametrize("name", OURS)
def test_our_language_model_in_theirs_and_back(name: str, tmp_path: Path) -> None:
    """Witness: transformers' Auto class reads the folder, complains of nothing, and gives equal logits and texts."""
    model = ours_of(name)
    save_model(model, tmp_path / "ours")
    theirs, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "ours", output_loading_info=True, attn_implementation="eager"
    )
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"]
    assert theirs.config.model_type == name.partition(",")[0]
    close(our_logits(model), their_logits(theirs.eval()))
    prompt = texts()[3]
    written = generate(model, [prompt], GenerateSettings(max_new=11, greedy=True), None)
    assert [list(written[0].ids)] == greedy(theirs, [prompt])
    theirs.save_pretrained(tmp_path / "theirs")
    for folder in ("ours", "theirs"):
        again = load_model(tmp_path / folder)
        for key, tensor in model.state_dict().items():
            torch.testing.assert_close(again.state_dict()[key], tensor, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in OURS if name != NARROW])
def test_our_classifier_in_theirs(name: str, tmp_path: Path) -> None:
    """Witness: AutoModelForSequenceClassification on a padded batch gives equal answers."""
    model = ours_of(name, {"label": HeadSettings(kind="class", size=3, bias=False)})
    save_model(model, tmp_path, FolderMetadata(tuple("abc"), pad_id=0, end_id=0))
    theirs, told = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path, output_loading_info=True, attn_implementation="eager"
    )
    assert not told["missing_keys"] and not told["unexpected_keys"]
    padded, mask, _ = batched(texts())
    with torch.no_grad():
        close(answers(model), theirs.eval()(padded, attention_mask=mask).logits)
