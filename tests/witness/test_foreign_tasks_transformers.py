"""Classifiers and taggers that transformers wrote answer here as there, from raw texts and pairs of texts.

All models are tiny and random; the tokenizers are transformers' own, saved beside them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file, save_model
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

import warmstart
from warmstart.base.errors import BadInput
from warmstart.config.requests import EvaluateRequest, GenerateRequest
from warmstart.run.metadata import read_metadata
from warmstart.transfer.folder import import_model
from warmstart.verbs.evaluate import evaluate
from warmstart.verbs.generate import generate

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

TEXTS = [
    "rain fell on the old town",
    "a ship came in",
    "the harbour was full of boats and birds",
    "nobody spoke",
    "snow",
]
PAIRS = list(zip(TEXTS, ["it was wet", "a ship left the harbour", "birds", "all was still", "ice"], strict=True))
NAMES = {0: "no", 1: "yes", 2: "perhaps"}
LABELS: dict[str, Any] = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
GPT = {"n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}
LLAMA = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 48, "initializer_range": 0.3,
}  # fmt: skip
BERT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 48, "initializer_range": 0.3,
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "GPT2": GPT, "OpenAIGPT": GPT, "Llama": LLAMA, "Qwen3": LLAMA | {"head_dim": 8}, "Bert": BERT,
    "Roberta": BERT | {"max_position_embeddings": 50, "type_vocab_size": 1}, "Electra": BERT | {"embedding_size": 16},
    "DistilBert": {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4, "initializer_range": 0.3},
}  # fmt: skip
BOS, EOS, PAD = "<b>", "<e>", "<p>"
TEMPLATES = {
    "none": None,
    "begin": (f"{BOS} $A", f"{BOS} $A {BOS} $B"),
    "end": (f"$A {EOS}", f"$A {EOS} $B {EOS}"),
    "uneven": (f"{BOS} $A", f"$A {EOS} $B"),
}


def byte_level(template: str = "none", size: int = 300, prefix_space: bool = False, **special: str) -> Any:
    """A byte-level vocabulary with the special tokens of a template, as transformers has it."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer: Any = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[BOS, EOS, PAD], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(TEXTS * 3, trainer)
    found = TEMPLATES[template]
    if found is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=found[0], pair=found[1], special_tokens=[(BOS, 0), (EOS, 1)]
        )
    named = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD} | special
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, padding_side="right", **named)


def word_piece(folder: Path) -> Any:
    """BERT's own class, whose folder is a ``vocab.txt``."""
    words = sorted({word for pair in PAIRS for text in pair for word in text.split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n")
    return transformers.BertTokenizer.from_pretrained(str(folder))


def build(name: str, kind: str, vocab_size: int, **more: Any) -> Any:
    torch.manual_seed(3)
    config = getattr(transformers, f"{name}Config")(vocab_size=vocab_size, **(SIZES[name] | more))
    return getattr(transformers, f"{name}{kind}")(config).eval()


def their_logits(theirs: Any, folder: Path, *texts: list[str]) -> torch.Tensor:
    """Of a padded batch, with the tokenizer that the folder has."""
    batch = transformers.AutoTokenizer.from_pretrained(folder, padding_side="right")(
        *texts, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        found: torch.Tensor = theirs(**batch).logits
    return found


def pairs_as(first: str, second: str) -> list[dict[str, str]]:
    return [{first: one, second: other} for one, other in PAIRS]


def close(found: Any, wanted: torch.Tensor) -> None:
    assert float(wanted.std()) > 0.01
    assert np.abs(np.asarray(found) - wanted.numpy()).max() <= 1e-5


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", ["GPT2", "Llama", "Qwen3", "OpenAIGPT"])
def test_a_left_to_right_classifier_of_theirs_answers_here(name: str, template: str, tmp_path: Path) -> None:
    """Witness: a padded batch in transformers, texts and pairs: the head is read at the last token that is no padding."""
    tokenizer = byte_level(template)
    theirs = build(name, "ForSequenceClassification", len(tokenizer), pad_token_id=2, **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = warmstart.load(tmp_path)
    assert tuple(model.classes_) == ("no", "yes", "perhaps")
    close(model.predict_proba(TEXTS), their_logits(theirs, tmp_path, TEXTS).softmax(-1))
    wanted = their_logits(theirs, tmp_path, *map(list, zip(*PAIRS, strict=True))).softmax(-1)
    close(model.predict_proba(pairs_as("premise", "hypothesis")), wanted)


def test_where_the_end_is_padding_the_token_before_it_is_read(tmp_path: Path) -> None:
    """Witness: transformers, where one token ends a text and fills rows up, as is the custom with GPT-2."""
    tokenizer = byte_level("end", pad_token=EOS)
    theirs = build("GPT2", "ForSequenceClassification", len(tokenizer), pad_token_id=1, **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    close(warmstart.load(tmp_path).predict_proba(TEXTS), their_logits(theirs, tmp_path, TEXTS).softmax(-1))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("bos", "eos"), [(True, False), (True, True), (False, True), (False, False)])
def test_flags_of_the_tokenizer_count_where_no_template_is(bos: bool, eos: bool, whole: bool, tmp_path: Path) -> None:
    """Witness: transformers: beside ``tokenizer.json`` the flags ``add_bos_token`` and ``add_eos_token`` are ignored."""
    tokenizer = byte_level("begin")
    theirs = build("GPT2", "ForSequenceClassification", len(tokenizer), pad_token_id=2, **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    definition = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    if not whole:
        (tmp_path / "tokenizer.json").unlink()
        (tmp_path / "vocab.json").write_text(json.dumps(definition["vocab"]))
        merges = [" ".join(pair) for pair in definition["merges"]]
        (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    path = tmp_path / "tokenizer_config.json"
    flags = {"add_bos_token": bos, "add_eos_token": eos, "tokenizer_class": "GPT2Tokenizer", "unk_token": EOS}
    path.write_text(json.dumps(json.loads(path.read_text()) | flags))
    model = warmstart.load(tmp_path)
    close(model.predict_proba(TEXTS), their_logits(theirs, tmp_path, TEXTS).softmax(-1))
    wanted = their_logits(theirs, tmp_path, *map(list, zip(*PAIRS, strict=True))).softmax(-1)
    close(model.predict_proba(pairs_as("text_a", "text_b")), wanted)


def test_several_labels_and_scores_from_left_to_right(tmp_path: Path) -> None:
    """Witness: the sigmoid of transformers' logits, and its one logit."""
    tokenizer = byte_level("begin")
    for name, more in {
        "labels": LABELS | {"problem_type": "multi_label_classification"},
        "score": {"num_labels": 1, "problem_type": "regression"},
    }.items():
        theirs = build("GPT2", "ForSequenceClassification", len(tokenizer), pad_token_id=2, **more)
        theirs.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        wanted = their_logits(theirs, tmp_path / name, *map(list, zip(*PAIRS, strict=True)))
        model = warmstart.load(tmp_path / name)
        rows = pairs_as("sentence1", "sentence2")
        if name == "labels":
            close(model.predict_proba(rows), wanted.sigmoid())
        else:
            close(model.predict(rows), wanted[:, 0])


def test_without_label_names_they_are_transformers(tmp_path: Path) -> None:
    """Witness: the names that transformers gives where a config has none."""
    tokenizer = byte_level()
    theirs = build("GPT2", "ForSequenceClassification", len(tokenizer), pad_token_id=2)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert "id2label" not in json.loads((tmp_path / "config.json").read_text())
    assert tuple(warmstart.load(tmp_path).classes_) == tuple(theirs.config.id2label.values())


@pytest.mark.parametrize(("kind", "row"), [("ForSequenceClassification", ""), ("ForTokenClassification", [])])
def test_a_text_without_a_token_is_refused(kind: str, row: Any, tmp_path: Path) -> None:
    """Bad input: an empty text, to which the tokenizer adds nothing; transformers has no state to read either."""
    tokenizer = byte_level()
    build("GPT2", kind, len(tokenizer), pad_token_id=2, **LABELS).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="row 2: a text without a token has no place to be read at"):
        warmstart.load(tmp_path).predict([["a", "ship"] if row == [] else "a ship", row])


@pytest.mark.parametrize("template", ["none", "begin"])
@pytest.mark.parametrize("name", ["GPT2", "Llama", "Qwen3"])
def test_a_left_to_right_tagger_of_theirs_answers_here(name: str, template: str, tmp_path: Path) -> None:
    """Witness: transformers' logits at the first token of each word, with a vocabulary whose words begin with a blank."""
    tokenizer = byte_level(template, size=420, prefix_space=True)  # every word begins with a letter's token
    theirs = build(name, "ForTokenClassification", len(tokenizer), **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    words = [text.split() for text in TEXTS]
    found = warmstart.load(tmp_path).predict(words)
    for sentence, tags in zip(words, found, strict=True):
        batch = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
        numbers = batch.word_ids()
        first = [numbers.index(word) for word in range(len(sentence))]
        with torch.no_grad():
            best = theirs(**batch).logits[0, first].argmax(-1).tolist()
        assert tags == [NAMES[number] for number in best]


@pytest.mark.parametrize("columns", [("premise", "hypothesis"), ("question", "sentence"), ("text", "text_pair")])
@pytest.mark.parametrize("name", ["Bert", "Electra", "DistilBert"])
def test_a_pair_is_read_as_a_pair(name: str, columns: tuple[str, str], tmp_path: Path) -> None:
    """Witness: ``text`` and ``text_pair`` in transformers; the second of two texts alone gives another answer."""
    tokenizer = word_piece(tmp_path)
    theirs = build(name, "ForSequenceClassification", len(tokenizer), **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    wanted = their_logits(theirs, tmp_path, *map(list, zip(*PAIRS, strict=True))).softmax(-1)
    model = warmstart.load(tmp_path)
    close(model.predict_proba(pairs_as(*columns)), wanted)
    alone = their_logits(theirs, tmp_path, [second for _, second in PAIRS]).softmax(-1)
    close(model.predict_proba([{"sentence": second} for _, second in PAIRS]), alone)
    assert float((alone - wanted).abs().max()) > 1e-3


@pytest.mark.parametrize("listed", [None, [], ["token_type_ids"]])
@pytest.mark.parametrize(
    "kind", ["TokenizersBackend", "PreTrainedTokenizerFast", "BertTokenizerFast", "DistilBertTokenizer", None]
)
def test_the_tokenizer_says_whether_there_are_types(kind: str | None, listed: list[str] | None, tmp_path: Path) -> None:
    """Witness: transformers, which gives types of tokens by the list in the config, else by the tokenizer's class."""
    tokenizer = word_piece(tmp_path)
    theirs = build("Bert", "ForSequenceClassification", len(tokenizer), **LABELS)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"tokenizer_class": kind}
    if listed is not None:
        config["model_input_names"] = ["input_ids", "attention_mask", *listed]
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    wanted = their_logits(theirs, tmp_path, *map(list, zip(*PAIRS, strict=True))).softmax(-1)
    close(warmstart.load(tmp_path).predict_proba(pairs_as("premise", "hypothesis")), wanted)


def test_what_is_ambiguous_is_refused(tmp_path: Path) -> None:
    """Bad input: rows with a text and a pair, with two pairs, and with half of one."""
    tokenizer = word_piece(tmp_path)
    build("Bert", "ForSequenceClassification", len(tokenizer), **LABELS).save_pretrained(tmp_path)
    model = warmstart.load(tmp_path)
    for columns, sentence in {
        ("text", "premise", "hypothesis"): r"row 1: it is not clear which texts are meant.*text or premise\+hypothesis",
        ("sentence1", "sentence2", "text_a", "text_b"): r"sentence1\+sentence2 or text_a\+text_b",
        ("premise",): "missing key",
    }.items():
        with pytest.raises(BadInput, match=sentence):
            model.predict([dict.fromkeys(columns, "snow")])
    assert model.predict([{"text": "snow", "premise": "unused"}])  # half a pair is a column like any other


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("GPT2", "LMHeadModel", ("lm_head.weight",)),
        ("OpenAIGPT", "LMHeadModel", ("lm_head.weight",)),
        ("Qwen3", "ForCausalLM", ("lm_head.weight",)),
        ("Llama", "ForCausalLM", ("lm_head.weight",)),
        ("Bert", "ForMaskedLM", ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")),
        ("Roberta", "ForMaskedLM", ("lm_head.decoder.weight", "lm_head.decoder.bias")),
        ("Electra", "ForMaskedLM", ("generator_lm_head.weight",)),
        ("DistilBert", "ForMaskedLM", ("vocab_projector.weight",)),
    ],
)
def test_of_two_tied_tensors_either_may_be_there(name: str, kind: str, kept: tuple[str, ...], tmp_path: Path) -> None:
    """Witness: transformers' own tied parameters: the file holds each once, under the other of its two names."""
    theirs = build(name, kind, 60, tie_word_embeddings=True)
    theirs.save_pretrained(tmp_path)
    whole = import_model(tmp_path).model.state_dict()
    state = theirs.state_dict()
    alike = {
        other for other in state for own in kept if other != own and state[other].data_ptr() == state[own].data_ptr()
    }
    saved = load_file(tmp_path / "model.safetensors")
    assert alike and alike <= set(saved)
    twins = {own: state[own].clone() for own in kept}
    save_file({n: t for n, t in saved.items() if n not in alike} | twins, tmp_path / "model.safetensors")
    found = import_model(tmp_path)
    assert found.unused == ()
    assert all(torch.equal(found.model.state_dict()[n], tensor) for n, tensor in whole.items())


def test_what_save_model_leaves_of_a_tied_model(tmp_path: Path) -> None:
    """Witness: safetensors' save_model, which keeps the first name by the alphabet."""
    theirs = build("GPT2", "LMHeadModel", 60)
    theirs.config.save_pretrained(tmp_path)
    save_model(theirs, str(tmp_path / "model.safetensors"))
    assert "transformer.wte.weight" not in load_file(tmp_path / "model.safetensors")
    found = import_model(tmp_path).model.state_dict()
    assert torch.equal(found["backbone.tokens.weight"], theirs.transformer.wte.weight)


def test_an_untied_table_is_no_twin(tmp_path: Path) -> None:
    """Bad input: a Llama of two tables, of which only the output's is there."""
    build("Llama", "ForCausalLM", 60, tie_word_embeddings=False).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({n: t for n, t in load_file(path).items() if "embed_tokens" not in n}, path)
    with pytest.raises(BadInput, match=r"the weight 'model.embed_tokens.weight' is missing"):
        import_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("GPT2", "ForQuestionAnswering"), ("Bert", "ForNextSentencePrediction"), ("Bert", "ForMultipleChoice")],
)
def test_a_head_that_is_not_read_is_named(name: str, kind: str, tmp_path: Path) -> None:
    """Bad input: classes of transformers whose task has no place here are no language models."""
    tokenizer = byte_level()
    theirs = build(name, kind, len(tokenizer))
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "data.txt").write_text("\n".join(TEXTS))
    run = str(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: warmstart.load(run),
        lambda: evaluate(EvaluateRequest(run=(run,), data=str(tmp_path / "data.txt"))),
        lambda: generate(GenerateRequest(run=(run,), prompts=("a",))),
    ]
    for call in calls:
        with pytest.raises(BadInput, match=f"head is not read here; got '{name}{kind}'"):
            call()


def test_a_head_whose_weights_are_missing_is_named(tmp_path: Path) -> None:
    """Bad input: a config that speaks of a classifier, beside the weights of a language model."""
    tokenizer = byte_level()
    build("GPT2", "LMHeadModel", len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["GPT2ForSequenceClassification"]}))
    with pytest.raises(BadInput, match="head is not read here; got 'GPT2ForSequenceClassification'"):
        warmstart.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "new"),
    [
        ("Bert", "Model", True), ("Electra", "ForPreTraining", True), ("Bert", "ForMaskedLM", False),
        ("GPT2", "Model", False),
        ("Llama", "Model", True), ("Llama", "ForSequenceClassification", True), ("Llama", "ForCausalLM", False),
        ("Qwen3", "ForCausalLM", False),
    ],
)  # fmt: skip
def test_a_new_head_for_words_is_told(name: str, kind: str, new: bool, tmp_path: Path) -> None:
    """Witness: transformers' own account of the weights that a class for words does not find in the folder."""
    build(name, kind, 60, **({} if name == "Bert" else {"tie_word_embeddings": name != "Llama"})).save_pretrained(
        tmp_path
    )
    causal = name in ("GPT2", "Llama", "Qwen3")
    auto = transformers.AutoModelForCausalLM if causal else transformers.AutoModelForMaskedLM
    _, told = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert bool(told["missing_keys"]) == new
    assert import_model(tmp_path).note.startswith("this folder has no head for words" if new else "") and (
        bool(import_model(tmp_path).note) == new
    )


def test_generating_without_a_head_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the sentence on standard error, beside the text that the token table gives."""
    tokenizer = byte_level()
    build("Llama", "Model", len(tokenizer), tie_word_embeddings=False).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    generate(GenerateRequest(run=(str(tmp_path),), prompts=("a ship",), greedy=True, max_new=2))
    (tmp_path / "data.txt").write_text("\n".join(TEXTS * 3))
    evaluate(EvaluateRequest(run=(str(tmp_path),), data=str(tmp_path / "data.txt")))
    assert capsys.readouterr().err.count("warning: this folder has no head for words") == 2


def test_convert_keeps_the_ids_of_special_tokens(tmp_path: Path) -> None:
    """Witness: the source's config: a begin of its own, two ends, and a padding that is none of them."""
    tokenizer = byte_level("begin")
    ids = {"bos_token_id": 0, "eos_token_id": [1, 5], "pad_token_id": 2}
    theirs = build("Llama", "ForSequenceClassification", len(tokenizer), **ids, **LABELS)
    theirs.save_pretrained(tmp_path / "theirs")
    tokenizer.save_pretrained(tmp_path / "theirs")
    warmstart.convert(str(tmp_path / "theirs"), str(tmp_path / "ours"))
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert {key: config[key] for key in ids} == ids
    again = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours").eval()
    wanted = their_logits(theirs, tmp_path / "theirs", TEXTS)
    close(their_logits(again, tmp_path / "ours", TEXTS), wanted)  # the tokens around a text are kept, too
    close(warmstart.load(tmp_path / "ours").predict_proba(TEXTS), wanted.softmax(-1))
    assert read_metadata(tmp_path / "ours").task == read_metadata(tmp_path / "theirs").task


def test_a_classifier_of_pairs_is_evaluated_on_a_known_data_set_of_pairs(tmp_path: Path) -> None:
    """Witness: the accuracy of transformers' own answers on the same pairs, whose labels it knows by GLUE's names."""
    names = {0: "entailment", 1: "not_entailment"}
    tokenizer = word_piece(tmp_path)
    labels = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
    theirs = build("Bert", "ForSequenceClassification", len(tokenizer), **labels)
    theirs.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    data = tmp_path / "RTE"
    data.mkdir()
    truth = [number % 2 for number in range(len(PAIRS))]
    rows = [f"{n}\t{a}\t{b}\t{names[truth[n]]}" for n, (a, b) in enumerate(PAIRS)]
    for part in ("train", "dev"):
        (data / f"{part}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *rows]) + "\n")
    best = their_logits(theirs, tmp_path, *map(list, zip(*PAIRS, strict=True))).argmax(-1).tolist()
    found = warmstart.evaluate(str(tmp_path), str(data), task="rte", split="dev", precision="fp32")
    assert found["examples"] == len(PAIRS)
    assert found["metrics"]["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(truth, best, strict=True)]))
    with pytest.raises(BadInput, match="of another kind than the run's task"):
        warmstart.evaluate(str(tmp_path), str(data), task="copa")
