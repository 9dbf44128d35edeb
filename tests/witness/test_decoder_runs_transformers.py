"""Runs that start from decoders of every kind, as transformers sees them: pre-trained further, fine-tuned, LoRA, bf16."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_decoders_transformers import NARROW, THEIRS, theirs_of
from test_runs_transformers import QUICK, compared, rows, write

import warmstart
from warmstart.text.tokenizer import END, Tokenizer
from warmstart.verbs.api import convert, generate, pretrain

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

FAMILIES = (
    "mistral",
    "qwen2, windows",
    "llama, llama3",
    "gpt_neox",
    "phi",
    "opt",
    "opt, narrow table",
    "bloom",
    "gemma2",
    "gemma3",
)
PROMPT = "the film was"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([row["text"] for row in rows(40)], 300)


def start_of(name: str, tokenizer: Tokenizer, folder: Path) -> Path:
    """A folder of theirs with a tokenizer, whose table has three rows more than that has tokens."""
    size = {"vocab_size": tokenizer.vocab_size + 3, "bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256}
    theirs_of(name, "ForCausalLM", **size).save_pretrained(folder)
    tokenizer.save(folder)
    return folder


def texts_of(folder: Path) -> tuple[list[int], str]:
    """Their greedy ids behind a prompt, and our text."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    own = Tokenizer.load(folder)
    ids = torch.tensor([own.encode(PROMPT).tolist()])
    absent = list(own.absent_ids(model.config.vocab_size)) or None
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8, suppress_tokens=absent,
        eos_token_id=own.token_to_id(END), pad_token_id=256,
    )[0, ids.shape[1] :].tolist()  # fmt: skip
    [ours] = generate(str(folder), [PROMPT], max_new=8, greedy=True)
    return out, ours["text"]


@pytest.mark.parametrize("name", FAMILIES)
def test_pre_training_goes_on(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Witness: transformers' generate on the start, and on the runs that a step without effect and a conversion leave."""
    start = start_of(name, tokenizer, tmp_path / "start")
    corpus = tmp_path / "text.txt"
    corpus.write_text("\n".join(row["text"] for row in rows(200)), encoding="utf-8")
    how: dict[str, Any] = {"length": "1 steps", "lr": 1e-12, "precision": "fp32", "batch_size": 4, "context": 24}
    pretrain(str(tmp_path / "run"), start=str(start), corpus=str(corpus), **how)
    convert(str(start), str(tmp_path / "converted"))
    wanted = texts_of(start)
    for folder in (tmp_path / "run", tmp_path / "converted"):
        assert texts_of(folder) == wanted
    assert tokenizer.decode(wanted[0]) == wanted[1]


RUNS = [(name, "all") for name in FAMILIES if name != NARROW] + [
    (name, how) for name in ("phi", "bloom", "gemma2") for how in ("lora", "bf16")
]


@pytest.mark.parametrize(("name", "how"), RUNS)
def test_a_fine_tuned_run_is_theirs_too(name: str, how: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Witness: AutoTokenizer and AutoModelForSequenceClassification, on a padded batch of raw text."""
    more: dict[str, dict[str, Any]] = {"all": {}, "lora": {"scheme": "lora"}, "bf16": {"precision": "bf16"}}
    start, data = start_of(name, tokenizer, tmp_path / "start"), rows(16)
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    run = tmp_path / "run"
    warmstart.finetune(str(run), start=str(start), task="classification", **files, lm_weight=0.0, **(QUICK | more[how]))
    theirs, _ = compared(run, data, ("text",))
    assert theirs.config.model_type == transformers.AutoConfig.from_pretrained(start).model_type or name == "opt"


@pytest.mark.parametrize("family", ["Gemma", "CodeGen"])
def test_tokenizers_of_these_families(family: str, tmp_path: Path) -> None:
    """Witness: the class of Gemma, and that of Phi, with a vocabulary of three words and its own files."""
    space = "▁" if family == "Gemma" else "Ġ"
    letters = [space, *"abdgo"]
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *letters, "do", "dog", f"{space}b"]
    merges = [("d", "o"), ("do", "g"), (space, "b")]
    own = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
    theirs = getattr(transformers, f"{family}Tokenizer")(
        vocab={p: n for n, p in enumerate(pieces)}, merges=merges, **own
    )
    theirs.save_pretrained(tmp_path)
    ours = Tokenizer.load(tmp_path)
    for text in ("dog bag", "a  dog", " bad", "good"):
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert len(ids) > 1 and ours.encode(text).tolist() == ids
    assert [*ours.begin_ids, *ours.encode("dog").tolist()] == theirs("dog")["input_ids"]


def test_every_family_is_there() -> None:
    """Invariant: each configuration class of the other file has a run here, but those that differ in sizes alone."""
    assert {THEIRS[name][0] for name in THEIRS} - {THEIRS[name][0] for name in FAMILIES} == {"Qwen3", "Gemma"}
