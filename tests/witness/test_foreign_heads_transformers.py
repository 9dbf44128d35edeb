"""Fine-tuning goes on with the head of a classifier that transformers wrote, and gives it back to transformers.

All models are tiny and random. The rate is so small that no weight moves: what is compared is the model that training begins
with.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

import warmstart

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

TEXTS = [f"the {what} came {how}" for what in ("ship", "rain", "letter", "train") for how in ("late", "early", "again")]
NAMES = {0: "late", 1: "early", 2: "again"}
SIZES: dict[str, dict[str, Any]] = {
    "GPT2": {"n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4, "pad_token_id": 1},
    "Bert": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
}


def tokenizer_of(name: str) -> Any:
    """Byte-level for GPT, ended by a token that is padding too; words for BERT."""
    if name == "GPT2":
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(False), decoders.ByteLevel()
        special, alphabet = ["<b>", "<e>"], sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer: Any = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
        one, two, named = "<b> $A", "<b> $A $B", {"bos_token": "<b>", "eos_token": "<e>", "pad_token": "<e>"}
    else:
        backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(special_tokens=special, show_progress=False)
        one, two = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
        named = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
    backend.train_from_iterator(TEXTS * 3, trainer)
    ids = [(token, backend.token_to_id(token)) for token in special]
    backend.post_processor = processors.TemplateProcessing(single=one, pair=two, special_tokens=ids)
    kept = "PreTrainedTokenizerFast" if name == "GPT2" else "BertTokenizerFast"
    return getattr(transformers, kept)(tokenizer_object=backend, padding_side="right", **named)


def their_folder(folder: Path, name: str, **labels: Any) -> tuple[Any, Any]:
    tokenizer = tokenizer_of(name)
    torch.manual_seed(5)
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), initializer_range=0.3, **SIZES[name], **labels
    )
    model = getattr(transformers, f"{name}ForSequenceClassification")(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits
    return found


def tuned(folder: Path, start: Path, labels: list[str]) -> dict[str, Any]:
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, labels, strict=True)]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    warmstart.finetune(
        str(folder / "run"), start=str(start), task="classification", train=str(path), dev=str(path), length="1 step",
        lr=1e-30, batch_size=4, lm_weight=0.0, precision="fp32",
    )  # fmt: skip
    found: dict[str, Any] = json.loads((folder / "run" / "account.json").read_text())["head"]
    return found


@pytest.mark.parametrize("name", ["GPT2", "Bert"])
def test_the_head_goes_on_and_comes_back(name: str, tmp_path: Path) -> None:
    """Witness: transformers' logits of its own folder, and of the run, whose labels stand in another order."""
    theirs, tokenizer = their_folder(
        tmp_path / "theirs", name, id2label=NAMES, label2id={v: k for k, v in NAMES.items()}
    )
    wanted = logits(theirs, tokenizer)
    account = tuned(tmp_path, tmp_path / "theirs", [text.split()[-1] for text in TEXTS])
    assert account["kept"] == ["again", "early", "late"] and not account["new"]
    order = [2, 1, 0]  # labels by the alphabet
    found = warmstart.load(str(tmp_path / "run")).predict_proba(TEXTS)
    assert float(wanted.std()) > 0.01
    assert np.abs(np.asarray(found) - wanted.softmax(-1).numpy()[:, order]).max() <= 1e-5
    back = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "run").eval()
    own = transformers.AutoTokenizer.from_pretrained(tmp_path / "run", padding_side="right")
    assert back.config.id2label == {0: "again", 1: "early", 2: "late"}
    assert float((logits(back, own) - wanted[:, order]).abs().max()) <= 1e-5


def test_labels_without_names_are_numbers_in_the_data(tmp_path: Path) -> None:
    """Witness: transformers, which names a label without a name after its number."""
    theirs, tokenizer = their_folder(tmp_path / "theirs", "Bert", num_labels=3)
    wanted = logits(theirs, tokenizer).softmax(-1).numpy()
    account = tuned(tmp_path, tmp_path / "theirs", [str(n % 4) for n in range(len(TEXTS))])
    assert account["kept"] == ["0", "1", "2"] and account["new"] == ["3"]
    found = np.asarray(warmstart.load(str(tmp_path / "run")).predict_proba(TEXTS))[:, :3]
    assert np.abs(found / found.sum(1, keepdims=True) - wanted).max() <= 1e-5
