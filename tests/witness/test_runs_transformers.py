"""Runs as transformers sees them: the folder that ``finetune`` leaves, read by Auto classes, answers raw text as we do."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import warmstart
from warmstart.base.errors import BadInput
from warmstart.transfer.folder import load_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

WORDS = ["great", "fine", "awful", "sad", "the", "film", "was", "a", "story", "of", "##s", "people"]
BERT = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32,
}  # fmt: skip
QUICK: dict[str, Any] = {"length": "3 steps", "lr": 1e-3, "precision": "fp32", "batch_size": 8}


def rows(count: int, pairs: bool = False) -> list[dict[str, Any]]:
    draw = random.Random(7)

    def text() -> str:
        return " ".join(draw.choice(WORDS[:10]) for _ in range(draw.randint(2, 9)))

    keys = ("premise", "hypothesis") if pairs else ("text",)
    return [{key: text() for key in keys} | {"label": draw.choice(["bad", "good", "so"])} for _ in range(count)]


def write(path: Path, found: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return str(path)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained folder as people have it: transformers' own files, WordPiece as ``vocab.txt``."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    transformers.BertForPreTraining(transformers.BertConfig(**BERT, initializer_range=0.3)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    return folder


def compared(run: Path, data: list[dict[str, Any]], keys: tuple[str, ...]) -> tuple[Any, Any]:
    """Their model and their padded batch of raw texts, after holding its probabilities against ours."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(run)
    theirs, told = transformers.AutoModelForSequenceClassification.from_pretrained(run, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    batch = tokenizer(*([row[key] for row in data] for key in keys), padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = theirs.eval()(**batch).logits.softmax(-1)
    found = warmstart.load(run).predict_proba([{key: row[key] for key in keys} for row in data])
    assert np.abs(found - wanted.numpy()).max() <= 1e-5
    return theirs, batch


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("start", ["bert", "gpt1", "gpt2"])
def test_a_fine_tuned_run_is_theirs_too(start: str, pairs: bool, bert: Path, tmp_path: Path) -> None:
    """Witness: AutoTokenizer and AutoModelForSequenceClassification, on a padded batch of raw text."""
    data = rows(24, pairs)
    kind = "entailment" if pairs else "classification"
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    sizes: dict[str, Any] = {"gpt1": {"hidden": 128}, "gpt2": {"norm": "pre"}}
    own = {"model": "gpt1-tiny", "tokenizer": str(bert), **sizes[start]} if start in sizes else {}
    run = tmp_path / "run"
    warmstart.finetune(str(run), start=str(bert) if start == "bert" else "none", task=kind, **files, **own, **QUICK)
    theirs, _ = compared(run, data, ("premise", "hypothesis") if pairs else ("text",))
    assert theirs.config.id2label == {0: "bad", 1: "good", 2: "so"}
    left = json.loads((run / "account.json").read_text()).get("weights", {"unused": []})["unused"]
    if start == "bert":
        assert "cls.seq_relationship.weight" in left and "backbone.lm_transform.linear.weight" in left


def test_a_classifier_of_theirs_answers_here(bert: Path, tmp_path: Path) -> None:
    """Witness: transformers' pipeline of tokenizer and model on raw text; its label names are ours."""
    torch.manual_seed(1)
    names = {0: "bad", 1: "good", 2: "so"}
    config = transformers.BertConfig(
        **BERT, initializer_range=0.3, id2label=names, label2id={v: k for k, v in names.items()}
    )
    theirs = transformers.BertForSequenceClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_bytes((bert / "vocab.txt").read_bytes())
    texts = [row["text"] for row in rows(12)]
    batch = transformers.BertTokenizer.from_pretrained(tmp_path)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = theirs(**batch).logits.softmax(-1)
    model = warmstart.load(tmp_path)
    assert model.classes_.tolist() == ["bad", "good", "so"]
    assert np.abs(model.predict_proba(texts) - wanted.numpy()).max() <= 1e-5


def test_new_vocabulary_keeps_the_rows_of_tokens_that_both_have(bert: Path, tmp_path: Path) -> None:
    """Witness: the source's own rows, found by the words of the two vocabulary files."""
    other = tmp_path / "other"
    other.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "new", *reversed(WORDS)]
    (other / "vocab.txt").write_text("\n".join(words) + "\n")
    train = write(tmp_path / "train.jsonl", rows(24))
    given = {"start": str(bert), "task": "classification", "train": train, "tokenizer": str(other)}
    with pytest.raises(BadInput, match=r"another tokenizer than the model's.*--new-vocabulary"):
        warmstart.finetune(str(tmp_path / "run"), **given, **QUICK)
    warmstart.finetune(str(tmp_path / "run"), **given, new_vocabulary=True, **(QUICK | {"lr": 1e-12}))
    ours, theirs = (load_model(p).backbone.tokens.weight for p in (tmp_path / "run", bert))
    old = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    for row, word in enumerate(words):
        if word in old:
            torch.testing.assert_close(ours[row], theirs[old.index(word)])
    account = json.loads((tmp_path / "run" / "account.json").read_text())["weights"]
    assert any("tokens.weight[16 rows]" in name for name in account["loaded"])
    assert (
        "backbone.tokens.weight[1 rows]" in account["initialised"]
        and "backbone.tokens.weight[1 rows]" in account["unused"]
    )


def test_convert_there_and_back(bert: Path, tmp_path: Path) -> None:
    """Invariant: their folder → our names → their folder gives their tensors back bit for bit; an old folder stays."""
    from safetensors.torch import load_file

    said = warmstart.convert(str(bert), str(tmp_path / "own"), to="warmstart")
    assert said["model_type"] == "warmstart" and said["unused"] == [
        "cls.seq_relationship.bias",
        "cls.seq_relationship.weight",
    ]
    warmstart.convert(str(tmp_path / "own"), str(tmp_path / "theirs"))
    before, after = (load_file(p / "model.safetensors") for p in (bert, tmp_path / "theirs"))
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    assert set(before) - set(after) <= {"cls.seq_relationship.bias", "cls.seq_relationship.weight"}
    with pytest.raises(BadInput, match="the folder exists"):
        warmstart.convert(str(bert), str(tmp_path / "own"))


def test_a_hub_id_is_read_from_the_hubs_cache(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a cache laid out as huggingface_hub keeps it; offline, another id is refused in one sentence."""
    import huggingface_hub.constants as constants

    from warmstart.transfer.hub import model_folder

    home = tmp_path / "hub" / "models--some--bert"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0" * 40)
    (home / "snapshots").mkdir()
    (home / "snapshots" / ("0" * 40)).symlink_to(bert, target_is_directory=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_model(model_folder("some/bert")).settings == load_model(bert).settings
    assert model_folder("hf:some/bert").samefile(bert)
    with pytest.raises(
        BadInput, match=r"other/bert: no such folder here, and no such model on the hub or in its cache"
    ):
        model_folder("other/bert")
    with pytest.raises(BadInput, match=r"no such folder; allowed"):
        model_folder("a/b/c")


def test_convert_on_the_command_line(bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: AutoModel reads what the command wrote; a folder that exists and a missing SOURCE are refused with 2."""
    from warmstart.cli.main import main

    out = tmp_path / "out"
    assert main(["convert", str(bert), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_type"] == "bert"
    transformers.AutoModel.from_pretrained(out)
    assert main(["convert", str(bert), "--out", str(tmp_path / "own"), "--to", "warmstart"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'own'}: warmstart, ")
    assert main(["convert", str(bert), "--out", str(out)]) == 2
    assert "the folder exists" in capsys.readouterr().err
    assert main(["convert", "--out", str(tmp_path / "more")]) == 2
    assert "SOURCE: missing" in capsys.readouterr().err
