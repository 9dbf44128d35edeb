"""BartForSequenceClassification: folders of transformers answer, are trained, and go back.

Tiny random models; the witness is transformers on the same folder, with the tokens of its own tokenizer.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from safetensors.torch import load_file
from tokenizers import models, pre_tokenizers, processors

from warmstart.cli.main import main
from warmstart.transfer.folder import load_settings
from warmstart.verbs.api import predict

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["red", "green", "blue", "fox", "hen", "runs", "sleeps"]
ROWS = [
    {"text": " ".join((WORDS * 2)[n % 7 : n % 7 + 1 + n % 4]), "label": ("no", "maybe", "yes")[n % 3]}
    for n in range(24)
]
PAIRS = [{"premise": row["text"], "hypothesis": ROWS[n - 5]["text"]} for n, row in enumerate(ROWS)]
SHORT = ["--length", "2 steps", "--batch-size", "8", "--precision", "fp32", "--retries", "0", "--quiet"]


def save(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    vocab = {token: number for number, token in enumerate([*SPECIALS, *WORDS])}
    backend = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    backend.add_special_tokens(SPECIALS)
    names = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>"}
    given = {f"{name}_token": token for name, token in names.items()}
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **given).save_pretrained(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BART with a head of three classes, and one without a task; labelled rows."""
    folder = tmp_path_factory.mktemp("bart")
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": 16, "d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 48, "max_position_embeddings": 32,
        "init_std": 0.3, "forced_eos_token_id": None,
    }  # fmt: skip
    names = {0: "no", 1: "maybe", 2: "yes"}
    config = transformers.BartConfig(**sizes, id2label=names, label2id={name: n for n, name in names.items()})
    save(transformers.BartForSequenceClassification(config), folder / "classes")
    save(transformers.BartForConditionalGeneration(transformers.BartConfig(**sizes)), folder / "bart")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    return folder


def check(folder: Path, rows: list[dict[str, str]], data: Path, out: Path) -> None:
    """Our probabilities of the rows against those of transformers from the same folder."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert type(model).__name__ == "BartForSequenceClassification"
    predict(str(folder), str(data), str(out))
    found = [json.loads(line)["probabilities"] for line in out.read_text().splitlines()]
    for row, ours in zip(rows, found, strict=True):
        texts = [row[name] for name in ("text", "premise", "hypothesis") if name in row]
        with torch.no_grad():
            theirs = model(**tokenizer(*texts, return_tensors="pt")).logits[0].softmax(-1)
        expected = {name: float(theirs[number]) for number, name in model.config.id2label.items()}
        assert ours == pytest.approx(expected, abs=2e-5)


def test_a_folder_answers_and_goes_back(home: Path, tmp_path: Path) -> None:
    """Witness: its own probabilities of texts and of pairs; every tensor of the folder that is written from it."""
    check(home / "classes", ROWS, home / "rows.jsonl", tmp_path / "rows")
    check(home / "classes", PAIRS, home / "pairs.jsonl", tmp_path / "pairs")
    assert main(["convert", str(home / "classes"), "--out", str(tmp_path / "back"), "--quiet"]) == 0
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (home / "classes", tmp_path / "back"))
    assert theirs.keys() <= {*ours} | {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
    for name in theirs.keys() & ours.keys():
        unused = 2 if "embed_positions" in name else 0  # rows of positions that serve nobody
        assert torch.equal(ours[name][unused:], theirs[name][unused:])
    check(tmp_path / "back", PAIRS, home / "pairs.jsonl", tmp_path / "again")


@pytest.mark.parametrize("start", ["classes", "bart"])
def test_a_run_is_a_folder_of_theirs(start: str, home: Path, tmp_path: Path) -> None:
    """Witness: transformers' probabilities from the folder of a run that goes on with a head, or makes one."""
    words = ["finetune", "--start", str(home / start), "--task", "classification", "--train", str(home / "rows.jsonl")]
    assert main([*words, *SHORT, "--dev", str(home / "rows.jsonl"), "--out", str(tmp_path / "run")]) == 0
    head = json.loads((tmp_path / "run" / "account.json").read_text()).get("head", {})
    assert head.get("kept", []) == (["maybe", "no", "yes"] if start == "classes" else [])
    assert load_settings(tmp_path / "run").backbone.pooler
    check(tmp_path / "run", ROWS, home / "rows.jsonl", tmp_path / "out")
