"""Model folders both ways against transformers: their folder → ours → equal outputs; ours → a folder that they load.

All models are tiny and random, biases and gains shaken so that a swap would show; float32, ≤ 1e-5.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.models.transformer_settings import TransformerSettings
from warmstart.transfer.folder import LAYOUTS, FolderMetadata, import_model, load_model, load_settings, save_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

GPT = {"vocab_size": 60, "n_positions": 24, "n_embd": 32, "n_layer": 3, "n_head": 4}
LLAMA = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 24, "pad_token_id": 0,
}  # fmt: skip
BERT = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "max_position_embeddings": 24,
}  # fmt: skip
CONFIGS = {
    "GPT2": GPT | {"n_inner": 40, "activation_function": "gelu"},
    "OpenAIGPT": GPT,
    "Bert": BERT,
    "Roberta": BERT | {"max_position_embeddings": 26, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "XLMRoberta": BERT | {"max_position_embeddings": 26, "type_vocab_size": 1},
    "Camembert": BERT | {"max_position_embeddings": 26, "type_vocab_size": 1},
    "Electra": BERT | {"embedding_size": 16},
    "MPNet": BERT | {"max_position_embeddings": 26},
    "Albert": BERT | {"embedding_size": 16},
    "ModernBert": BERT | {"num_hidden_layers": 4, "local_attention": 6},
    "DebertaV2": BERT
    | {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
    },
    "Longformer": BERT | {"max_position_embeddings": 26, "type_vocab_size": 1, "attention_window": [4, 8, 4]},
    "Deberta": BERT | {"relative_attention": True, "pos_att_type": "c2p|p2c", "max_relative_positions": 9},
    "DistilBert": {
        "vocab_size": 60,
        "dim": 32,
        "hidden_dim": 48,
        "n_layers": 3,
        "n_heads": 4,
        "max_position_embeddings": 24,
    },
    "Llama": LLAMA | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    "Qwen3": LLAMA | {"head_dim": 16, "tie_word_embeddings": True},
}
LANGUAGE = {
    "GPT2": "GPT2LMHeadModel", "OpenAIGPT": "OpenAIGPTLMHeadModel", "Bert": "BertForMaskedLM",
    "Roberta": "RobertaForMaskedLM", "XLMRoberta": "XLMRobertaForMaskedLM", "Electra": "ElectraForMaskedLM",
    "Camembert": "CamembertForMaskedLM", "MPNet": "MPNetForMaskedLM", "Albert": "AlbertForMaskedLM",
    "DebertaV2": "DebertaV2ForMaskedLM", "Deberta": "DebertaForMaskedLM", "Longformer": "LongformerForMaskedLM",
    "ModernBert": "ModernBertForMaskedLM",
    "DistilBert": "DistilBertForMaskedLM", "Llama": "LlamaForCausalLM", "Qwen3": "Qwen3ForCausalLM",
}  # fmt: skip
FULL = {"sight": "full", "norm": "post", "embedding_norm": True, "activation": "gelu"}
MASKED = (
    "bert", "roberta", "electra", "electra_even", "distilbert", "mpnet", "albert", "albert_groups", "deberta",
    "deberta_own", "deberta_first", "longformer", "modernbert",
)  # fmt: skip
ENCODERS = (
    "bert",
    "roberta",
    "electra",
    "distilbert",
    "mpnet",
    "albert",
    "deberta",
    "deberta_first",
    "longformer",
    "modernbert",
)
TASKS = tuple(f"{name}_task" for name in ENCODERS)
DEBERTA = FULL | {
    "positions": "none", "disentangled": ("c2p", "p2c"), "distance_buckets": 8, "relative_distance": 24,
    "distance_norm": True, "shared_distance_keys": True, "pooler_activation": "gelu",
}  # fmt: skip
DEBERTA_FIRST = FULL | {
    "positions": "none", "disentangled": ("c2p", "p2c"), "relative_distance": 9, "key_bias": False,
    "pooler_activation": "gelu",
}  # fmt: skip
PADDED_BY_1 = ("roberta", "mpnet", "longformer")
"""Families whose padding always has the id 1."""
MODERN = {
    "sight": "full", "norm": "pre", "first_norm": False, "norm_bias": False, "embedding_norm": True, "activation": "gelu",
    "positions": "rotary", "rotary_base": 5000.0, "windows": (None, 4, 4), "local_rotary_base": 100.0, "mlp": "gated",
    "bias": False, "pooler_norm": True, "pooler_activation": "gelu",
}  # fmt: skip
OURS = {
    "gpt1": {"norm": "post"},
    "gpt2": {"norm": "pre", "activation": "gelu"},
    "untied": {"norm": "pre", "tied": False, "hidden": 40},
    "bert": FULL | {"segments": 2, "lm_transform": True},
    "bert_task": FULL | {"segments": 2, "pooler": True},
    "roberta": FULL | {"lm_transform": True},
    "roberta_task": FULL | {"pooler": True},
    "electra": FULL | {"segments": 2, "embedding_width": 16, "lm_transform": True, "pooler_activation": "gelu"},
    "electra_task": FULL | {"segments": 2, "embedding_width": 16, "pooler": True, "pooler_activation": "gelu"},
    "electra_even": FULL | {"segments": 2, "lm_transform": True, "pooler_activation": "gelu"},
    "distilbert": FULL | {"norm_eps": 1e-12, "lm_transform": True, "pooler_activation": "relu"},
    "distilbert_task": FULL | {"norm_eps": 1e-12, "pooler": True, "pooler_activation": "relu"},
    "mpnet": FULL | {"relative_bins": 32, "lm_transform": True},
    "mpnet_task": FULL | {"relative_bins": 32, "pooler": True},
    "albert": FULL | {"segments": 2, "embedding_width": 16, "layer_groups": 1, "lm_transform": True},
    "albert_groups": FULL | {"segments": 2, "embedding_width": 32, "layers": 4, "layer_groups": 2, "lm_transform": True},
    "deberta": DEBERTA | {"lm_transform": True},
    "deberta_own": DEBERTA
    | {
        "positions": "learned", "segments": 2, "disentangled": ("p2c",), "distance_buckets": None,
        "relative_distance": 9, "distance_norm": False, "shared_distance_keys": False, "lm_transform": True,
    },
    "modernbert": MODERN | {"lm_transform": True},
    "modernbert_task": MODERN | {"pooler": True},
    "deberta_task": DEBERTA | {"pooler": True},
    "deberta_first": DEBERTA_FIRST | {"positions": "learned", "segments": 2, "lm_transform": True},
    "longformer": FULL | {"windows": (3, 5, None), "global_attention": True, "lm_transform": True},
    "longformer_task": FULL | {"windows": (3,), "global_attention": True, "global_first": True, "pooler": True},
    "deberta_first_task": DEBERTA_FIRST | {"pooler": True},
    "albert_task": FULL | {"segments": 2, "embedding_width": 16, "layer_groups": 1, "pooler": True},
    "llama": {
        "norm": "pre", "norm_kind": "rms", "positions": "rotary", "mlp": "gated", "activation": "silu", "bias": False,
        "kv_heads": 2, "hidden": 48,
    },
    "qwen3": {
        "norm": "pre", "norm_kind": "rms", "positions": "rotary", "mlp": "gated", "activation": "silu", "bias": False,
        "kv_heads": 1, "head_width": 8, "qk_norm": True, "rotary_base": 1e6,
    },
}  # fmt: skip


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Weights wide enough to matter; biases and gains away from 0 and 1."""
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=random)
    return module.eval()


def their_model(name: str, kind: str, **more: object) -> torch.nn.Module:
    torch.manual_seed(0)
    special = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0} if name == "ModernBert" else {}
    config = getattr(transformers, f"{name}Config")(**(CONFIGS[name] | special | more))
    return shaken(getattr(transformers, kind)(config))


def ours(name: str, heads: dict[str, HeadSettings] | None = None) -> Model:
    sizes = {"vocab_size": 60, "context": 24, "width": 32, "layers": 3, "heads": 4, "hidden": 128}
    backbone = preset("gpt1-tiny", **(sizes | OURS[name]))
    return shaken(Model.fresh(ModelSettings(backbone=backbone, heads=heads or {}), 3))  # type: ignore[return-value]


def texts() -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(2, 60, n) for n in (24, 7, 1, 13, 13)]  # 0 and 1 are padding


def framed(settings: TransformerSettings, ids: np.ndarray, goals: dict[str, Goal], first: int = 0) -> Example:
    """As a task would frame it: full sight has segments, 0 for the first ``first`` tokens and 1 for the rest."""
    if settings.sight == "causal":
        return Example.left_to_right(ids, goals)
    return Example.full_sight(ids, goals, (np.arange(len(ids)) >= (first or len(ids))).astype(np.int64))


def our_logits(model: Model) -> torch.Tensor:
    """[N, V] after every token of all texts, packed together."""
    with torch.no_grad():
        batch = collate([[framed(model.settings.backbone, one, {})] for one in texts()])
        return model.next_token_logits(model.backbone(batch))


def their_logits(theirs: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([theirs(torch.from_numpy(one)[None]).logits[0] for one in texts()])


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert float(wanted.std()) > 0.05
    assert float((found - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("name", CONFIGS)
def test_their_language_model_in_ours(name: str, tmp_path: Path) -> None:
    """Check 3 of the specification: transformers' logits; every tensor is taken or holds nothing of its own."""
    theirs = their_model(name, LANGUAGE[name])
    theirs.save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    assert imported.unused == ()
    close(our_logits(imported.model), their_logits(theirs))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_states_of_every_layer_are_theirs(name: str, tmp_path: Path) -> None:
    """Witness: transformers' hidden states: the embeddings, and what each layer makes of them."""
    theirs = their_model(name, LANGUAGE[name])
    theirs.save_pretrained(tmp_path)
    model = import_model(tmp_path).model
    with torch.no_grad():
        batch = collate([[framed(model.settings.backbone, one, {})] for one in texts()])
        found = model.backbone.layer_states(batch)
        each = [theirs(torch.from_numpy(one)[None], output_hidden_states=True).hidden_states for one in texts()]
    wanted = [torch.cat([states[0] for states in layer]) for layer in zip(*each, strict=True)]
    narrow = model.settings.backbone.table_width < 32  # ELECTRA's embeddings, before they are widened
    for ours, other in list(zip(found, wanted, strict=True))[narrow:]:
        close(ours, other)


@pytest.mark.parametrize("name", CONFIGS)
def test_their_base_model_in_ours(name: str, tmp_path: Path) -> None:
    """Check 3 of the specification: transformers' hidden states, from a folder without a head."""
    theirs = their_model(name, f"{name}Model")
    theirs.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    batch = collate([[framed(model.settings.backbone, one, {})] for one in texts()])
    with torch.no_grad():
        found = model.backbone(batch)
        wanted = torch.cat([theirs(torch.from_numpy(one)[None]).last_hidden_state[0] for one in texts()])
    close(found, wanted)


@pytest.mark.parametrize("name", ["gpt1", "gpt2", "untied", "llama", "qwen3", *MASKED])
def test_our_language_model_in_theirs(name: str, tmp_path: Path) -> None:
    """Witness: transformers' Auto class reads the folder, complains of nothing, and gives equal logits."""
    model = ours(name)
    save_model(model, tmp_path)
    auto = transformers.AutoModelForMaskedLM if name in MASKED else transformers.AutoModelForCausalLM
    theirs, told = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"]
    close(our_logits(model), their_logits(theirs.eval()))


@pytest.mark.parametrize("name", OURS)
def test_there_and_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    """Invariant: settings and weights survive the folder, dropouts and head included."""
    pooled, bias = name in TASKS, "sight" in OURS[name]
    heads = {"label": HeadSettings(kind="class", size=3, dropout=0.25, bias=bias, pooled=pooled)}
    model = ours(name, heads)
    backbone = model.settings.backbone.model_copy(update={"embedding_dropout": 0.3, "residual_dropout": 0.2})
    model.settings = model.settings.model_copy(update={"backbone": backbone})
    save_model(model, tmp_path)
    found = load_model(tmp_path)
    named = {"kv_heads": backbone.key_heads, "head_width": backbone.per_head}
    assert found.settings.heads == heads
    assert found.settings.backbone.model_copy(update=named) == backbone.model_copy(update=named)
    assert load_settings(tmp_path) == found.settings
    assert list(found.state_dict()) == list(model.state_dict())
    assert all(torch.equal(found.state_dict()[n], t) for n, t in model.state_dict().items())


HEADS = {
    "label": HeadSettings(kind="class", size=3),
    "labels": HeadSettings(kind="multilabel", size=4),
    "score": HeadSettings(kind="score"),
    "choice": HeadSettings(kind="choice"),
}
PROBLEMS = {"label": "single_label_classification", "labels": "multi_label_classification", "score": "regression"}


@pytest.mark.parametrize("name", ["gpt1", "gpt2", "llama", "qwen3", *TASKS])
@pytest.mark.parametrize("goal", ["label", "labels", "score"])
def test_our_classifier_in_theirs(name: str, goal: str, tmp_path: Path) -> None:
    """Witness: AutoModelForSequenceClassification on a padded batch: equal answers, label names, pad id, problem."""
    full, pad = name in TASKS, int(name.startswith(PADDED_BY_1))
    head = HEADS[goal].model_copy(update={"bias": full, "pooled": full})
    model = ours(name, {goal: head})
    names = tuple("abcd"[: head.size]) if goal != "score" else ()
    save_model(model, tmp_path, FolderMetadata(names, pad_id=pad, end_id=0))
    theirs, told = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert theirs.config.num_labels == head.size and theirs.config.pad_token_id == pad
    assert theirs.config.problem_type == PROBLEMS[goal]
    if names:
        assert theirs.config.id2label == dict(enumerate(names))
    records = [[framed(model.settings.backbone, one, asked(goal, head, one, full), 3)] for one in texts()]
    padded, mask, segments = batched(texts(), first=3, pad=pad)
    more = {"token_type_ids": segments} if model.settings.backbone.segments else {}
    with torch.no_grad():
        wanted = theirs.eval()(padded, attention_mask=mask, **more).logits
    found = model.eval().answers(collate(records))[goal]
    close(found.reshape(wanted.shape), wanted)


def asked(goal: str, head: HeadSettings, ids: np.ndarray, full: bool) -> dict[str, Goal]:
    """The goal of one text, read at its first token (full sight) or its last."""
    targets = np.zeros((1, head.size), np.float32) if goal == "labels" else np.zeros(1, np.int64)
    return {goal: Goal(np.array([0 if full else len(ids) - 1]), np.array([0]), targets, np.ones(1, np.float32))}


def batched(rows: list[np.ndarray], first: int = 0, pad: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and segments, padded on the right."""
    width = max(map(len, rows))
    ids = torch.stack([torch.from_numpy(np.pad(one, (0, width - len(one)), constant_values=pad)) for one in rows])
    mask = (torch.arange(width) < torch.tensor([len(one) for one in rows])[:, None]).long()
    return ids, mask, (torch.arange(width) >= first).long().expand_as(ids) * mask


def test_our_choice_in_theirs(tmp_path: Path) -> None:
    """Witness: the multiple-choice class of each encoder, the double-heads class of GPT-2 and GPT-1: a logit per choice."""
    rows = [texts()[0], texts()[3], texts()[4]]
    able = [name for name in TASKS if name not in ("deberta_first_task", "longformer_task")]
    choosers = dict.fromkeys(able, "AutoModelForMultipleChoice")
    for name, kind in (choosers | {"gpt2": "GPT2DoubleHeadsModel", "gpt1": "OpenAIGPTDoubleHeadsModel"}).items():
        full, pad = name in TASKS, int(name.startswith(PADDED_BY_1))
        model = ours(name, {"choice": HEADS["choice"].model_copy(update={"pooled": full})})
        save_model(model, tmp_path / name, FolderMetadata(pad_id=pad))
        theirs, told = getattr(transformers, kind).from_pretrained(tmp_path / name, output_loading_info=True)
        assert not told["missing_keys"] and not told["unexpected_keys"]
        examples = []
        for place, ids in enumerate(rows):
            owned = 1 if place == 0 else 0
            read = np.array([0 if full else len(ids) - 1])
            goal = Goal(read, np.array([0]), np.zeros(owned, np.int64), np.ones(owned, np.float32))
            examples.append(framed(model.settings.backbone, ids, {"choice": goal}))
        padded, mask, _ = batched(rows, pad=pad)
        with torch.no_grad():
            if full:
                wanted = theirs.eval()(padded[None], attention_mask=mask[None]).logits[0]
            else:
                ends = torch.tensor([[len(ids) - 1 for ids in rows]])
                wanted = theirs.eval()(padded[None], mc_token_ids=ends).mc_logits[0]
        close(model.eval().answers(collate([examples]))["choice"], wanted)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("OpenAIGPT", "Llama", "Qwen3")])
def test_their_classifier_in_ours(name: str, tmp_path: Path) -> None:
    """Witness: a fine-tuned folder of theirs answers the same when we load it, head included."""
    pad = int(name in ("Roberta", "XLMRoberta", "Camembert", "MPNet", "Longformer"))
    theirs = their_model(name, f"{name}ForSequenceClassification", num_labels=3, pad_token_id=pad)
    theirs.save_pretrained(tmp_path)
    model, full = load_model(tmp_path), name != "GPT2"
    records = [[framed(model.settings.backbone, one, asked("label", HEADS["label"], one, full))] for one in texts()]
    padded, mask, _ = batched(texts(), pad=pad)
    with torch.no_grad():
        close(model.answers(collate(records))["label"], theirs(padded, attention_mask=mask).logits)


PER_TOKEN = {
    "tags": (HeadSettings(kind="class", size=3), "AutoModelForTokenClassification"),
    "span": (HeadSettings(kind="span", size=2), "AutoModelForQuestionAnswering"),
}


@pytest.mark.parametrize(("goal", "name"), [
    (goal, name) for goal in PER_TOKEN for name in ENCODERS if (goal, name) != ("span", "longformer")
])  # fmt: skip
def test_our_tagger_and_span_model_in_theirs_and_back(name: str, goal: str, tmp_path: Path) -> None:
    """Witness: transformers' class for tokens or spans answers every token alike; its own folder comes back the same."""
    head, auto = PER_TOKEN[goal]
    model = ours(name, {goal: head})
    pooled = name == "modernbert"  # the one family that has a layer before each token's linear too
    head = head.model_copy(update={"pooled": pooled})
    backbone = model.settings.backbone.model_copy(update={"lm_transform": False, "pooler": pooled})
    model = shaken(Model.fresh(ModelSettings(backbone=backbone, heads={goal: head}), 3))  # type: ignore[assignment]
    save_model(model, tmp_path / "ours", FolderMetadata(pad_id=int(name in PADDED_BY_1)))
    theirs, told = getattr(transformers, auto).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    theirs.eval().save_pretrained(tmp_path / "theirs")
    again = load_model(tmp_path / "theirs")
    assert again.settings.heads.keys() == {goal}
    for ids in texts():
        with torch.no_grad():
            out = theirs(torch.from_numpy(ids)[None])
            wanted = out.logits[0] if goal == "tags" else torch.stack([out.start_logits[0], out.end_logits[0]], -1)
            for one in (model, again):
                states = one.backbone(collate([[framed(backbone, ids, {})]]))
                close(one.heads[goal].linear(one.pool(goal, states)), wanted)


def test_padding_moves_no_position(tmp_path: Path) -> None:
    """Witness: RoBERTa's logits of padded rows, whose positions are counted from its padding's id."""
    theirs = their_model("Roberta", "RobertaForMaskedLM")
    theirs.save_pretrained(tmp_path)
    padded, mask, _ = batched(texts(), pad=1)
    with torch.no_grad():
        wanted = theirs(padded, attention_mask=mask).logits[mask.bool()]
    close(our_logits(load_model(tmp_path)), wanted)


def test_the_discriminator_of_electra(tmp_path: Path) -> None:
    """Witness: ElectraModel's states from the folder of the discriminator, whose head is left behind by name."""
    theirs = their_model("Electra", "ElectraForPreTraining")
    theirs.save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    assert {name.split(".")[0] for name in imported.unused} == {"discriminator_predictions"}
    batch = collate([[framed(imported.model.settings.backbone, one, {})] for one in texts()])
    with torch.no_grad():
        wanted = torch.cat([theirs.electra(torch.from_numpy(one)[None]).last_hidden_state[0] for one in texts()])
        close(imported.model.backbone(batch), wanted)


def test_a_class_that_reads_the_mean(tmp_path: Path) -> None:
    """Witness: transformers' ModernBERT with ``classifier_pooling: mean`` on a padded batch; its folder, and ours of it."""
    theirs = their_model("ModernBert", "ModernBertForSequenceClassification", num_labels=3, classifier_pooling="mean")
    theirs.save_pretrained(tmp_path / "theirs")
    padded, mask, _ = batched(texts())
    model = load_model(tmp_path / "theirs")
    assert model.settings.heads["label"].pool == "mean"
    save_model(model, tmp_path / "ours")
    again = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours").eval()
    one = np.ones(1, np.float32)
    goals = [Goal(np.arange(len(ids)), np.zeros(len(ids), np.int64), np.zeros(1, np.int64), one) for ids in texts()]
    records = [
        [framed(model.settings.backbone, ids, {"label": goal})] for ids, goal in zip(texts(), goals, strict=True)
    ]
    with torch.no_grad():
        wanted = theirs(padded, attention_mask=mask).logits
        close(again(padded, attention_mask=mask).logits, wanted)
        close(model.answers(collate(records))["label"], wanted)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classifier_pooling": "max"}, "unknown pooling; got 'max'; allowed: cls, mean"),
        ({"layer_types": ["full_attention"]}, "one for each layer.*allowed: 4 of full_attention, sliding_attention"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rotary positions with scaling"),
    ],
)
def test_other_modernberts_are_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """Bad input: in one sentence."""
    their_model("ModernBert", "ModernBertForSequenceClassification", num_labels=3).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(BadInput, match=said):
        load_model(tmp_path)


def test_the_first_form_of_a_modernberts_config(tmp_path: Path) -> None:
    """Witness: transformers' logits by the keys that the published configs have: one layer in three, two bases."""
    theirs = their_model("ModernBert", "ModernBertForMaskedLM", rope_parameters=None)
    theirs.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["layer_types"], config["rope_parameters"]
    config |= {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = load_model(tmp_path)
    assert model.settings.backbone.windows == (None, 4, 4)
    close(our_logits(model), their_logits(theirs))


def test_both_heads_for_words_of_deberta(tmp_path: Path) -> None:
    """Witness: transformers' logits by the head of the published files, on texts longer than the buckets are exact."""
    theirs = their_model("DebertaV2", "DebertaV2ForMaskedLM", legacy=False)
    theirs.save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    assert imported.unused == () and not imported.note
    close(our_logits(imported.model), their_logits(theirs))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"conv_kernel_size": 3}, "conv_kernel_size"),
        ({"relative_attention": False, "pos_att_type": None}, "relative_attention"),
        ({"pos_att_type": ["c2p", "p2p"]}, "unknown kind of disentangled attention.*allowed: c2p, p2c or both"),
    ],
)
def test_other_debertas_are_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """Bad input: what would change the attention or the first layer, in one sentence."""
    their_model("DebertaV2", "DebertaV2ForMaskedLM").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(BadInput, match=said):
        load_model(tmp_path)


def test_what_has_no_place_is_named(tmp_path: Path) -> None:
    """Witness: of BertForPreTraining only the next-sentence head has no place here, and the account says so."""
    their_model("Bert", "BertForPreTraining").save_pretrained(tmp_path)
    imported = import_model(tmp_path)
    assert imported.unused == ("cls.seq_relationship.bias", "cls.seq_relationship.weight")
    assert imported.model.settings.backbone.pooler and imported.model.settings.backbone.lm_transform


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sharded_and_half_precision_folders(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Witness: transformers' own shards in two bytes give the numbers of its whole file in four, exactly."""
    theirs = their_model(name, LANGUAGE[name]).to(dtype)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    theirs.float().save_pretrained(tmp_path / "whole")
    found, wanted = (load_model(tmp_path / folder).state_dict() for folder in ("shards", "whole"))
    assert found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_generation_equals_theirs(tmp_path: Path) -> None:
    """Witness: transformers' greedy search continues alike, so the cache knows rotary positions and shared keys."""
    from warmstart.decode.generate import generate
    from warmstart.decode.settings import GenerateSettings

    for name in ("llama", "qwen3", "gpt2"):
        model = ours(name)
        save_model(model, tmp_path / name)
        theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / name).eval()
        prompt = texts()[1]
        wanted = theirs.generate(
            torch.from_numpy(prompt)[None], attention_mask=torch.ones(1, 7), max_new_tokens=12, do_sample=False,
            eos_token_id=None, pad_token_id=0,
        )[0, 7:]  # fmt: skip
        [found] = generate(model, [prompt], GenerateSettings(max_new=12, greedy=True), None)
        assert list(found.ids) == wanted.tolist()


def test_another_architecture_is_not_taken_for_a_slip(tmp_path: Path) -> None:
    """Witness: the names of all architectures that transformers has: no other one brings the name of one that is read."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    for name in (*CONFIG_MAPPING_NAMES, "roformerv2"):
        if name in LAYOUTS:
            continue
        (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
        with pytest.raises(BadInput, match="unknown model_type") as told:
            load_settings(tmp_path)
        assert "did you mean" not in str(told.value)
    for slip, meant in (("deberta_v2", "deberta-v2"), ("modern-bert", "modernbert"), ("camenbert", "camembert")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": slip}))
        with pytest.raises(BadInput, match=f"did you mean '{meant}'"):
            load_settings(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attention_window": 5}, "no even numbers, one for each layer; got 5; allowed: an even number, or 3 of them"),
        ({"attention_window": [4, 4]}, "no even numbers, one for each layer"),
        ({"type_vocab_size": 2}, "type_vocab_size"),
    ],
)
def test_other_longformers_are_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """Bad input: in one sentence."""
    their_model("Longformer", "LongformerForMaskedLM").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(BadInput, match=said):
        load_model(tmp_path)
