"""Runs of the encoder families (RoBERTa, ALBERT, …) and of our own masked pre-training, as transformers sees them."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from test_runs_transformers import QUICK, compared, rows, write
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.files import read_tensors
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.folder import load_model

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

WORDS = ["great", "fine", "awful", "sad", "the", "film", "was", "a", "story", "of", "people"]
NAMES = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 34, "initializer_range": 0.3,
}  # fmt: skip


def byte_level() -> Any:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer: Any = trainers.BpeTrainer(
        vocab_size=300, special_tokens=NAMES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    model = json.loads(backend.to_str())["model"]
    return transformers.RobertaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def marked_bytes() -> Any:
    """A byte-level vocabulary with BERT's special tokens, as ModernBERT has it."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=300, special_tokens=BERTS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {f"{token.strip('[]').lower()}_token": token for token in BERTS}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_input_names=["input_ids", "attention_mask"], **named
    )


def unigram(name: str, first: list[str], last: str = "") -> Any:
    """Transformers' tokenizer of this family over words, with its special tokens where it has them."""
    pieces = [*((token, 0.0) for token in first), *((f"▁{word}", -2.0) for word in WORDS), ("▁", -5.0)]
    return getattr(transformers, f"{name}Tokenizer")(vocab=[*pieces, *([(last, 0.0)] if last else [])])


def word_piece(name: str, names: list[str], folder: Path) -> Any:
    (folder / "vocab.txt").write_text("\n".join([*names, *WORDS]) + "\n")
    return getattr(transformers, f"{name}Tokenizer").from_pretrained(str(folder))


SPECIAL_IDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
BERTS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FAMILIES: dict[str, tuple[str, dict[str, Any], Callable[[Path], Any]]] = {
    "roberta": ("Roberta", {"type_vocab_size": 1}, lambda _: byte_level()),
    "xlm-roberta": ("XLMRoberta", {"type_vocab_size": 1}, lambda _: unigram("XLMRoberta", NAMES[:4], "<mask>")),
    "camembert": (
        "Camembert",
        {"type_vocab_size": 1},
        lambda _: unigram("Camembert", ["<s>", "<pad>", "</s>", "<unk>", "<unk>NOTUSED"], "<mask>"),
    ),
    "longformer": ("Longformer", {"type_vocab_size": 1, "attention_window": 4}, lambda _: byte_level()),
    "electra": ("Electra", {"embedding_size": 16}, lambda folder: word_piece("Bert", BERTS, folder)),
    "distilbert": (
        "DistilBert",
        {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4},
        lambda folder: word_piece("Bert", BERTS, folder),
    ),
    "mpnet": ("MPNet", {}, lambda folder: word_piece("MPNet", [*NAMES[:3], "[UNK]", "<mask>"], folder)),
    "albert": (
        "Albert",
        {"embedding_size": 16},
        lambda _: unigram("Albert", ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]),
    ),
    "modernbert": ("ModernBert", {"local_attention": 6, **SPECIAL_IDS}, lambda _: marked_bytes()),
    "deberta-v2": (
        "DebertaV2",
        {
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": "p2c|c2p",
            "position_biased_input": False,
        },
        lambda _: unigram("DebertaV2", ["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[MASK]"),
    ),
    "deberta": (
        "Deberta",
        {"relative_attention": True, "pos_att_type": "c2p|p2c", "position_biased_input": False, "type_vocab_size": 0},
        lambda _: marked_bytes(),
    ),
}
"""Kind → how its classes begin, values of its config, its tokenizer."""


def pretrained(kind: str, folder: Path, added: Sequence[str] = (), spare: int = 0) -> Path:
    """A folder as people have it: transformers' model with its head for words, and transformers' tokenizer.

    Args:
        kind: of the family.
        folder: where it is written.
        added: tokens behind those of the vocabulary.
        spare: rows of the table that no token has.
    """
    torch.manual_seed(0)
    name, more, build = FAMILIES[kind]
    tokenizer = build(folder)
    tokenizer.add_tokens(list(added))
    sizes = {
        key: value for key, value in SIZES.items() if kind != "distilbert" or not key.startswith(("hidden", "num"))
    }
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer) + spare, **(sizes | more))
    getattr(transformers, f"{name}ForMaskedLM")(config).save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_fine_tuned_encoder_is_theirs_too(kind: str, pairs: bool, tmp_path: Path) -> None:
    """Witness: AutoTokenizer and AutoModelForSequenceClassification, on a padded batch of raw text or pairs of texts."""
    (tmp_path / "start").mkdir()
    start = pretrained(kind, tmp_path / "start")
    data = rows(24, pairs)
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    run, task = tmp_path / "run", "entailment" if pairs else "classification"
    warmstart.finetune(str(run), start=str(start), task=task, **files, **QUICK)
    keys = ("premise", "hypothesis") if pairs else ("text",)
    _, batch = compared(run, data, keys)
    own = transformers.AutoTokenizer.from_pretrained(start)(*(data[0][key] for key in keys))["input_ids"]
    assert batch["input_ids"][0][: len(own)].tolist() == own  # the frames are those of the family


@pytest.mark.parametrize("kind", FAMILIES)
def test_added_tokens_and_rows_without_a_token(kind: str, tmp_path: Path) -> None:
    """Witness: transformers' ids, logits and, of a fine-tuned run, answers: two tokens are added, five rows are nobody's."""
    (tmp_path / "start").mkdir()
    start, run = pretrained(kind, tmp_path / "start", ("starlet", "[name]"), 5), tmp_path / "run"
    theirs, text = transformers.AutoTokenizer.from_pretrained(start), "the starlet was [name] of people"
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    ours, vocabulary = load_model(start), Tokenizer.load(start)
    assert vocabulary.encode(text).tolist() == ids and {*theirs.convert_tokens_to_ids(["starlet", "[name]"])} <= {*ids}
    assert ours.settings.backbone.vocab_size == len(theirs) + 5 == vocabulary.vocab_size + 5
    with torch.no_grad():
        found = ours.next_token_logits(ours.backbone(collate([[Example.full_sight(np.array(ids), {})]])))
        wanted = transformers.AutoModelForMaskedLM.from_pretrained(start).eval()(torch.tensor([ids])).logits[0]
    assert float((found - wanted).abs().max()) <= 1e-4
    data = [row | {"text": f"{row['text']} starlet"} for row in rows(24, False)]
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    warmstart.finetune(str(run), start=str(start), task="classification", **files, **QUICK)
    compared(run, data, ("text",))


def test_a_class_of_ours_that_reads_the_mean(tmp_path: Path) -> None:
    """Witness: ModernBertForSequenceClassification from the run's folder, on raw text; the folder without our task, here."""
    (tmp_path / "start").mkdir()
    start, run = pretrained("modernbert", tmp_path / "start"), tmp_path / "run"
    data = rows(24, False)
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    warmstart.finetune(str(run), start=str(start), task="classification", head_pool="mean", **files, **QUICK)
    theirs, batch = compared(run, data, ("text",))
    assert theirs.config.classifier_pooling == "mean"
    theirs.save_pretrained(tmp_path / "again")
    transformers.AutoTokenizer.from_pretrained(run).save_pretrained(tmp_path / "again")
    found = warmstart.load(tmp_path / "again").predict_proba([row["text"] for row in data])
    with torch.no_grad():
        assert abs(found - theirs(**batch).logits.softmax(-1).numpy()).max() <= 1e-5


@pytest.mark.parametrize("kind", ["albert", "mpnet", "deberta-v2", "deberta", "longformer", "modernbert"])
def test_an_encoder_learns_more_text_and_a_task_in_few_weights(kind: str, tmp_path: Path) -> None:
    """Witness: transformers' Auto classes read what more text and LoRA in bf16 have made."""
    (tmp_path / "start").mkdir()
    start = pretrained(kind, tmp_path / "start")
    corpus = tmp_path / "text.txt"
    corpus.write_text("\n".join(" ".join(random.Random(n).choices(WORDS, k=20)) for n in range(40)))
    more, run = tmp_path / "more", tmp_path / "run"
    given: dict[str, Any] = {"start": str(start), "corpus": [str(corpus)], "objective": "masked"}
    warmstart.pretrain(str(more), **given, **(QUICK | {"length": "3 steps"}))
    theirs, told = transformers.AutoModelForMaskedLM.from_pretrained(more, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    ids = torch.tensor([[0, 7, 9, 8, 2]])
    with torch.no_grad():
        model = load_model(more)
        found = model.next_token_logits(model.backbone(collate([[Example.full_sight(ids[0].numpy(), {})]])))
        assert float((found - theirs.eval()(ids).logits[0]).abs().max()) <= 1e-4
    data = rows(24, False)
    files = {"train": write(tmp_path / "train.jsonl", data), "dev": write(tmp_path / "dev.jsonl", data[:8])}
    bf16 = QUICK | {"precision": "bf16"}
    warmstart.finetune(str(run), start=str(more), task="classification", scheme="lora", **files, **bf16)
    compared(run, data, ("text",))


@pytest.mark.parametrize("kind", ["albert", "deberta-v2", "camembert", "mpnet"])
def test_a_pair_classifier_of_theirs_answers_here(kind: str, tmp_path: Path) -> None:
    """Witness: transformers on a padded batch of pairs, with the token types that its tokenizer gives or does not give."""
    torch.manual_seed(0)
    name, more, build = FAMILIES[kind]
    tokenizer, types = build(tmp_path), {"type_vocab_size": 2} if kind == "deberta-v2" else {}
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), num_labels=3, **(SIZES | more | types))
    theirs = getattr(transformers, f"{name}ForSequenceClassification")(config).eval()
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(str(tmp_path))
    first, second = ["the film was great", "a story"], ["sad people", "of the film"]
    batch = transformers.AutoTokenizer.from_pretrained(tmp_path)(first, second, padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = theirs(**batch).logits.softmax(-1).numpy()
    rows = [{"premise": one, "hypothesis": other} for one, other in zip(first, second, strict=True)]
    assert abs(warmstart.load(tmp_path).predict_proba(rows) - wanted).max() <= 1e-5


def test_positions_beyond_the_starts_begin_anew(tmp_path: Path) -> None:
    """Witness: the rows themselves: 80 positions are those of the start, one and a half times over (s2s-ft's way)."""
    (tmp_path / "start").mkdir()
    start = pretrained("roberta", tmp_path / "start")
    corpus = tmp_path / "text.txt"
    corpus.write_text(" ".join(random.Random(1).choices(WORDS, k=3000)))
    given: dict[str, Any] = {"start": str(start), "corpus": [str(corpus)], "objective": "masked", "context": 80}
    warmstart.pretrain(str(tmp_path / "run"), **given, **(QUICK | {"length": "1 steps", "lr": 1e-12}))
    ours = load_model(tmp_path / "run").backbone.positions
    theirs = load_model(start).backbone.positions
    assert ours is not None and theirs is not None
    torch.testing.assert_close(ours.weight, theirs.weight[torch.arange(80) % 32], rtol=0, atol=1e-8)
    account = json.loads((tmp_path / "run" / "account.json").read_text())["weights"]
    assert account["initialised"] == [] and "backbone.positions.weight[80 rows]" in account["loaded"]


@pytest.mark.parametrize("objective", ["masked", "mixture", "pseudo-masked"])
def test_a_masked_model_of_ours_is_theirs_too(objective: str, tmp_path: Path) -> None:
    """Witness: AutoModelForMaskedLM and AutoTokenizer: equal logits at a mask; its cross-entropy where we evaluate."""
    corpus = tmp_path / "text.txt"
    corpus.write_text("\n".join(" ".join(random.Random(n).choices(WORDS, k=40)) for n in range(60)))
    given: dict[str, Any] = {"corpus": [str(corpus)], "objective": objective, "vocab_size": 300, "mask": "spans"}
    found = warmstart.pretrain(str(tmp_path / "run"), model="bert-tiny", **given, **(QUICK | {"length": "40 steps"}))
    assert set(found["metrics"]) == {"loss", "perplexity", "accuracy", "train_loss"}
    theirs, told = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "run", output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "run")
    ids = tokenizer(f"the film was {tokenizer.mask_token} of people", return_tensors="pt")["input_ids"]
    assert int((ids == tokenizer.mask_token_id).sum()) == 1
    model = load_model(tmp_path / "run")
    with torch.no_grad():
        logits = model.next_token_logits(model.backbone(collate([[Example.full_sight(ids[0].numpy(), {})]])))
        assert float((logits - theirs.eval()(ids).logits[0]).abs().max()) <= 1e-5
    evaluated = warmstart.evaluate(str(tmp_path / "run"), str(corpus))
    assert 0 < evaluated["metrics"]["accuracy"] < 1
    assert evaluated["metrics"]["perplexity"] < 300 and evaluated == warmstart.evaluate(
        str(tmp_path / "run"), str(corpus)
    )
    weights = read_tensors(tmp_path / "run" / "model.safetensors")
    assert "cls.predictions.transform.dense.weight" in weights


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "gpt1-tiny", "objective": "masked"}, "sees only what came before.*got 'masked'; allowed: causal"),
        ({"model": "bert-tiny", "objective": "causal"}, "sees the whole text.*allowed: masked, mixture, pseudo-masked"),
        ({"model": "bert-tiny", "objective": "maskd"}, "unknown objective; got 'maskd'.*did you mean 'masked'"),
        ({"objective": "masked", "mask_share": 1.0}, "--mask_share|--mask-share: out of range"),
        ({"objective": "masked", "mask": "letters"}, "unknown choice; got 'letters'; allowed: tokens, words, spans"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Bad input: one sentence, and nothing written."""
    corpus = tmp_path / "text.txt"
    corpus.write_text("the film was fine " * 200)
    with pytest.raises(BadInput, match=said):
        warmstart.pretrain(str(tmp_path / "run"), corpus=[str(corpus)], **given)
    assert not (tmp_path / "run").exists()
