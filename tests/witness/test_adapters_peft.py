"""Adapter folders of peft both ways: LoRA on a base, equal outputs; what is no plain LoRA is refused by name.

All models are tiny and random; B of every product and all that is trained beside the products are shaken.
"""

import json
import shutil
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_foreign_tasks_transformers import TEXTS, build, byte_level, close, their_logits, word_piece

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.transfer.folder import import_model

transformers = pytest.importorskip("transformers", minversion="5.3")
peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

SEQUENCES, TOKENS = "ForSequenceClassification", "ForTokenClassification"
CASES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "gpt2": ("GPT2", "LMHeadModel", SEQUENCES, {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
    "gpt2_bare": ("GPT2", "Model", SEQUENCES, {"target_modules": ["c_fc"], "fan_in_fan_out": True}),
    "bert": (
        "Bert", "ForMaskedLM", SEQUENCES, {"target_modules": ["query", "value"], "modules_to_save": ["pooler"]}
    ),
    "bert_bare": ("Bert", "Model", SEQUENCES, {"target_modules": "all-linear"}),
    "llama": (
        "Llama", "ForCausalLM", SEQUENCES,
        {
            "target_modules": ["q_proj", "v_proj", "down_proj"], "use_rslora": True,
            "rank_pattern": {"layers.1.self_attn.q_proj": 3}, "alpha_pattern": {"v_proj": 5},
        },
    ),
    "qwen3": ("Qwen3", "Model", TOKENS, {"target_modules": ["q_proj", "k_proj", "o_proj", "up_proj"]}),
}  # fmt: skip


def shake(module: torch.nn.Module) -> None:
    """B of every product and whatever is trained away from where it began."""
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad or "lora_" in name:
                parameter += 0.2 * torch.randn(parameter.shape, generator=random)


def save_base(name: str, kind: str, folder: Path, **more: Any) -> Path:
    folder.mkdir()
    tokenizer = word_piece(folder) if name == "Bert" else byte_level("begin")
    special = {} if name == "Bert" else {"pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 1}
    build(name, kind, len(tokenizer), **special, **more).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapted(base: Path, model: str, folder: Path, **settings: Any) -> Any:
    """A model of peft, its adapter saved in ``folder``."""
    task = {SEQUENCES: "SEQ_CLS", TOKENS: "TOKEN_CLS"}.get(model[-len(SEQUENCES) :], "CAUSAL_LM")
    task = "TOKEN_CLS" if model.endswith(TOKENS) else task
    labels = {} if task == "CAUSAL_LM" else {"num_labels": 3}
    inner = getattr(transformers, model).from_pretrained(base, **labels)
    found = peft.get_peft_model(inner, peft.LoraConfig(task_type=task, r=2, lora_alpha=6, **settings))
    shake(found)
    found.save_pretrained(folder)
    return found.eval()


@pytest.mark.parametrize("case", CASES)
def test_an_adapter_of_theirs_answers_here(case: str, tmp_path: Path) -> None:
    """Witness: peft's own model on a padded batch: a base with and without a head for words, and every kind of scale."""
    name, kind, task, settings = CASES[case]
    base = save_base(name, kind, tmp_path / "base")
    theirs = adapted(base, f"{name}{task}", tmp_path / "adapter", **settings)
    wanted = their_logits(theirs, base, TEXTS)
    if task == TOKENS:
        model = import_model(tmp_path / "adapter").model
        tokenizer = transformers.AutoTokenizer.from_pretrained(base)
        for text, row in zip(TEXTS, wanted, strict=True):
            ids = tokenizer(text)["input_ids"]
            with torch.no_grad():
                states = model.backbone(collate([[Example.left_to_right(torch.tensor(ids).numpy(), {})]]))
                close(model.heads["tags"].linear(states), row[: len(ids)])
        return
    model = warmstart.load(tmp_path / "adapter")
    assert tuple(model.classes_) == ("LABEL_0", "LABEL_1", "LABEL_2")
    close(model.predict_proba(TEXTS), wanted.softmax(-1))


ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS * 2, ["no", "yes", "perhaps"] * 4, strict=False)]


def trained(base: Path, folder: Path, **more: Any) -> Path:
    """A run with LoRA whose products are far from where they began."""
    rows = folder.parent / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    warmstart.finetune(
        str(folder), start=str(base), task="classification", train=str(rows), dev=str(rows), scheme="lora", lora_rank=3,
        lora_alpha=5, lr=2e-2, length="6 steps", batch_size=5, precision="fp32", retries=0, **{"head_pool": "sum"} | more,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(("name", "kind"), [("GPT2", "LMHeadModel"), ("Bert", "Model"), ("Qwen3", "ForCausalLM")])
def test_a_run_with_lora_is_an_adapter_there(name: str, kind: str, tmp_path: Path) -> None:
    """Witness: peft's model of the base and the folder answers as the run does; read back here, it is the run again."""
    base = save_base(name, kind, tmp_path / "base")
    run = warmstart.load(trained(base, tmp_path / "run"))
    said = warmstart.convert(str(tmp_path / "run"), str(tmp_path / "adapter"), to="peft")
    assert said["base"] == str(base)
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    linears = sum(type(module).__name__ in ("Linear", "Conv1D") for module in plain.base_model.modules())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "adapter")
    if len(tokenizer) > plain.config.vocab_size:  # the special tokens of the task
        plain.resize_token_embeddings(len(tokenizer))
    plain.config.pad_token_id = tokenizer.pad_token_id
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        theirs = peft.PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    wanted = run.predict_proba(TEXTS)
    close(wanted, their_logits(theirs, tmp_path / "adapter", TEXTS).softmax(-1))
    again = warmstart.load(tmp_path / "adapter")
    assert again.classes_.tolist() == run.classes_.tolist()
    close(again.predict_proba(TEXTS), torch.from_numpy(wanted))
    kept = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert sum("lora_A" in key for key in kept) == linears - (name == "Bert")  # its pooler is trained whole


@pytest.mark.parametrize("pair", [False, True])
def test_a_run_that_reads_means_is_an_adapter_there(pair: bool, tmp_path: Path) -> None:
    """Witness: the mean of the states of peft's AutoModel; SentenceTransformer on the folder; the folder read back here."""
    library = pytest.importorskip("sentence_transformers", minversion="5")
    base, run, out = save_base("Bert", "Model", tmp_path / "base"), tmp_path / "run", tmp_path / "adapter"
    if pair:
        rows = [
            {"sentence1": row["text"], "sentence2": row["text"][::-1], "score": float(n)} for n, row in enumerate(ROWS)
        ]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        train = str(tmp_path / "pairs.jsonl")
        warmstart.finetune(
            str(run), start=str(base), task="similarity", train=train, dev=train, scheme="lora", lora_rank=3, lr=2e-2,
            length="6 steps", precision="fp32", retries=0, head_pool="mean", pair_encoder="bi",
        )  # fmt: skip
    else:
        trained(base, run, head_pool="mean")
    warmstart.convert(str(run), str(out), to="peft")
    texts = transformers.AutoTokenizer.from_pretrained(out)(TEXTS, padding=True, return_tensors="pt")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        theirs = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(base), out).eval()
        mask = texts["attention_mask"][..., None]
        means = (theirs(**texts).last_hidden_state * mask).sum(1) / mask.sum(1)
    vectors = torch.from_numpy(library.SentenceTransformer(str(out), device="cpu").encode(TEXTS))
    ours, again = warmstart.load(run), warmstart.load(out)
    if pair:
        close(vectors.numpy(), means)
        asked = [{"sentence1": one, "sentence2": other} for one, other in pairwise(TEXTS)]
        close(again.predict(asked), torch.from_numpy(ours.predict(asked)))
        return
    linear = load_file(out / "2_Dense" / "model.safetensors")
    numbers = means @ linear["linear.weight"].T + linear["linear.bias"]
    close(vectors.numpy(), numbers)
    close(ours.predict_proba(TEXTS), numbers.softmax(-1))
    close(again.predict_proba(TEXTS), numbers.softmax(-1))


def test_a_language_model_goes_on_from_an_adapter(tmp_path: Path) -> None:
    """Witness: peft's generate; rows for new words and a softmax of its own go along, though the base's is tied."""
    base = save_base("GPT2", "LMHeadModel", tmp_path / "base")
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["<new>"])
    inner = transformers.AutoModelForCausalLM.from_pretrained(base)
    inner.resize_token_embeddings(len(tokenizer))
    settings = {"target_modules": ["c_attn"], "modules_to_save": ["lm_head", "wte"], "fan_in_fan_out": True}
    theirs = peft.get_peft_model(inner, peft.LoraConfig(task_type="CAUSAL_LM", r=2, **settings))
    shake(theirs)
    for folder in (theirs, tokenizer):
        folder.save_pretrained(tmp_path / "adapter")
    given = tokenizer("a <new> ship", return_tensors="pt")
    ids = theirs.eval().generate(**given, do_sample=False, max_new_tokens=8, pad_token_id=2)
    new = ids[0, given["input_ids"].shape[1] :]
    [found] = warmstart.generate(str(tmp_path / "adapter"), "a <new> ship", greedy=True, max_new=8)
    assert found["text"] == tokenizer.decode(new, skip_special_tokens=True) != ""
    assert len(tokenizer) == import_model(tmp_path / "adapter").model.settings.backbone.vocab_size


def test_the_base_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: the same answers with the base named by its path, from the adapter's folder, by an id, and by --base."""
    base, folder = save_base("Bert", "Model", tmp_path / "base"), tmp_path / "adapter"
    adapted(base, "BertForSequenceClassification", folder, target_modules=["query"])
    wanted = torch.from_numpy(warmstart.load(folder).predict_proba(TEXTS))

    def name(value: str | None) -> None:
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": value}))

    name("../base")
    close(warmstart.load(folder).predict_proba(TEXTS), wanted)
    snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / "0123"
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text("0123")
    shutil.copytree(base, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    name("some/model")
    close(warmstart.load(folder).predict_proba(TEXTS), wanted)
    for absent in ("other/model", "gone", None):
        name(absent)
        with pytest.raises(BadInput, match=r"the model that .* belongs to.*convert .* --base MODEL"):
            warmstart.load(folder)
    warmstart.convert(str(folder), str(tmp_path / "joined"), base=str(base))
    close(warmstart.load(tmp_path / "joined").predict_proba(TEXTS), wanted)
    name("../base")
    run = trained(folder, tmp_path / "run")
    account = json.loads((run / "account.json").read_text())
    assert account["weights"]["initialised"] == ["heads.label.linear.weight", "heads.label.linear.bias"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"use_dora": True}, "key 'use_dora': LoRA with DoRA is not read; got True"),
        ({"init_lora_weights": "pissa"}, "taking something out of its base is not read.*got 'pissa'"),
        ({"peft": "IA3Config", "feedforward_modules": []}, "this method of adaptation is not read.*got 'IA3'"),
        ({"peft": "PrefixTuningConfig", "num_virtual_tokens": 2}, "is not read.*got 'PREFIX_TUNING'"),
        ({"target_modules": ["word_embeddings"]}, "more than products of linear layers.*lora_embedding"),
        ({"lora_bias": True}, "LoRA with biases is not read"),
        ({"trainable_token_indices": [4]}, "LoRA with 'trainable_token_indices' is not read"),
    ],
)  # fmt: skip
def test_what_is_no_plain_lora_is_named(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    """Bad input: other methods and other kinds of LoRA, as peft itself writes them."""
    base = save_base("Bert", "Model", tmp_path / "base")
    kind = settings.pop("peft", "LoraConfig")
    more = {} if kind == "PrefixTuningConfig" else {"target_modules": ["query"]}
    inner = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    config = getattr(peft, kind)(task_type="SEQ_CLS", **(more | settings))
    peft.get_peft_model(inner, config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(BadInput, match=words):
        warmstart.load(tmp_path / "adapter")


def test_what_is_no_adapter_of_a_base_is_refused(tmp_path: Path) -> None:
    """Bad input: another base, a pickle, a run that was trained whole, and one whose head reads a mean."""
    base, folder = save_base("Bert", "Model", tmp_path / "base"), tmp_path / "adapter"
    adapted(base, "BertForSequenceClassification", folder, target_modules=["query"])
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file({name.replace("layer.1", "layer.7"): tensor for name, tensor in tensors.items()}, path)
    with pytest.raises(BadInput, match=r"a weight that its base does not have; got 'bert.encoder.layer.7"):
        warmstart.load(folder)
    path.rename(folder / "adapter_model.bin")
    with pytest.raises(BadInput, match=r"adapter_model.bin: these weights are not safetensors.*s.save_file"):
        warmstart.load(folder)
    run, other = trained(base, tmp_path / "run"), save_base("Bert", "Model", tmp_path / "b2", initializer_range=0.2)
    with pytest.raises(BadInput, match=r"not that of the base and a product of rank 3; got 'bert"):
        warmstart.convert(str(run), str(tmp_path / "out"), to="peft", base=str(other))
    with pytest.raises(BadInput, match="only a run that was trained with LoRA is an adapter"):
        warmstart.convert(str(base), str(tmp_path / "out"), to="peft")
    assert not (tmp_path / "out").exists()
