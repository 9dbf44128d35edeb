"""Starts whose tokenizer does more than split text: a begin token, several end tokens, added tokens, a padded table.

The models are tiny and random; what is right comes from transformers, which reads the same folders.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from warmstart.text.tokenizer import Tokenizer
from warmstart.verbs.api import convert, evaluate, finetune, generate, pretrain

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

TEXT = ["Barges drift under the old bridge .", "The lock keeper hums , and the water rises .", "No wind today ."] * 3
PROMPTS = ("the water", "Barges drift under", "No")
ENDS = ("</s>", "<|over|>")
PAD = 7  # rows of the table behind the vocabulary


def library_tokenizer() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", *ENDS], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    backend.train_from_iterator(TEXT, trainer)
    return backend


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Begins with <s> by its post-processor, ends with either of two tokens, has more rows than tokens."""
    folder = tmp_path_factory.mktemp("starts") / "llama"
    backend = library_tokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    config = transformers.LlamaConfig(
        vocab_size=backend.get_vocab_size() + PAD, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=[1, 2],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.25 * torch.randn(parameter.shape)
        model.lm_head.weight[-PAD:] *= 6  # rows that no token has would often win
    model.generation_config.eos_token_id = [1, 2]
    model.save_pretrained(folder)
    named = {"bos_token": "<s>", "eos_token": ENDS[0], "pad_token": ENDS[0]}
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(folder)
    return folder


def their_model(folder: Path) -> tuple[Any, Any]:
    load = transformers.AutoModelForCausalLM.from_pretrained
    return load(folder).eval(), transformers.AutoTokenizer.from_pretrained(folder)


def their_texts(folder: Path, **how: Any) -> list[list[int]]:
    """Their new tokens for each prompt, without the end; ids that no token has are suppressed."""
    model, tokenizer = their_model(folder)
    absent = list(range(len(tokenizer), model.config.vocab_size))
    found = []
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt")
        ids = model.generate(
            given["input_ids"], attention_mask=given["attention_mask"], do_sample=False, max_new_tokens=12,
            suppress_tokens=absent, pad_token_id=1, **how,
        )  # fmt: skip
        new = ids[0, given["input_ids"].shape[1] :].tolist()
        end = next((n for n, token in enumerate(new) if token in (1, 2)), len(new))
        found.append(new[:end])
    return found


def texts(folder: Path | str, **how: Any) -> list[str]:
    return [found["text"] for found in generate(str(folder), PROMPTS, max_new=12, **how)]


def test_greedy_texts_are_those_of_transformers(llama: Path) -> None:
    """Witness: their generate with <s> before the prompt and both ends; some text ends with the second."""
    tokenizer = their_model(llama)[1]
    wanted = their_texts(llama)
    assert any(len(ids) < 12 for ids in wanted)
    assert texts(llama, greedy=True) == [tokenizer.decode(ids, skip_special_tokens=True) for ids in wanted]


def test_perplexity_is_that_of_transformers(llama: Path, tmp_path: Path) -> None:
    """Witness: their mean loss of every token after <s>, and of the end token, over documents by themselves."""
    path = tmp_path / "river.jsonl"
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in TEXT[:3]), encoding="utf-8")
    model, tokenizer = their_model(llama)
    total, count = 0.0, 0
    for line in TEXT[:3]:
        ids = torch.tensor([[*tokenizer(line)["input_ids"], 1]])
        assert ids[0, 0] == 0
        with torch.no_grad():
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    found = evaluate(str(llama), data=str(path))
    assert found["tokens"] == count
    assert found["metrics"]["loss"] == pytest.approx(total / count, rel=1e-5)
    assert found["metrics"]["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-3)


def test_a_run_of_it_reads_and_ends_as_the_start_does(llama: Path, tmp_path: Path) -> None:
    """Witness: their generate on the folder that pre-training and conversion leave."""
    path = tmp_path / "river.txt"
    path.write_text("\n".join(TEXT * 4), encoding="utf-8")
    pretrain(str(tmp_path / "run"), start=str(llama), corpus=str(path), length="1 steps", lr=1e-9)
    convert(str(llama), str(tmp_path / "converted"))
    for folder in (tmp_path / "run", tmp_path / "converted"):
        own = Tokenizer.load(folder)
        assert (own.begin, own.end_ids) == (("<s>",), (1, 2))
        model, tokenizer = their_model(folder)
        assert tokenizer("No wind")["input_ids"] == [0, *own.encode("No wind").tolist()]
        assert model.generation_config.eos_token_id == [1, 2]
        assert their_texts(folder) == their_texts(llama)
        assert texts(folder, greedy=True) == texts(llama, greedy=True)


def test_a_task_begins_its_texts_as_the_start_does(llama: Path, tmp_path: Path) -> None:
    """Witness: the ids that their tokenizer gives for the run: <s> first, then the text, then the token it is read at."""
    rows = [{"text": line, "label": "AB"[number % 2]} for number, line in enumerate(TEXT)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = str(tmp_path / "run")
    finetune(out, start=str(llama), task="classification", train=str(path), dev_frac=0.3, length="1 steps")
    own = Tokenizer.load(tmp_path / "run")
    assert own.token_to_id("<|delimiter|>") == own.vocab_size - 2 and not own.has_token("<|start|>")
    theirs = transformers.AutoTokenizer.from_pretrained(out)
    ids = [0, *own.encode("No wind").tolist(), own.token_to_id("<|extract|>")]
    assert theirs("No wind")["input_ids"] == ids
    assert Tokenizer.load(tmp_path / "run").end_ids == (1, 2)


def older_files(folder: Path, added: dict[str, int], **config: Any) -> None:
    """The files of GPT-2's tokenizer before there was a tokenizer.json."""
    definition = json.loads(library_tokenizer().to_str())["model"]
    lines = "\n".join(" ".join(merge) for merge in definition["merges"])
    named = {"bos_token": "<s>", "eos_token": ENDS[0], "unk_token": ENDS[0], "pad_token": "<pad>"}
    contents = {
        "vocab.json": json.dumps(definition["vocab"]), "merges.txt": f"#version: 0.2\n{lines}\n",
        "added_tokens.json": json.dumps(added), "special_tokens_map.json": json.dumps(named),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "GPT2Tokenizer"} | config),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("flag", [True, False])
def test_a_begin_token_is_where_transformers_puts_it(llama: Path, tmp_path: Path, flag: bool) -> None:
    """Witness: their tokenizer: a tokenizer.json says it by its post-processor, older files by a flag."""
    (tmp_path / "older").mkdir()
    older_files(tmp_path / "older", {"<pad>": 300}, add_bos_token=flag)
    for processor in ("kept", "none"):
        (tmp_path / processor).mkdir()
        definition = json.loads((llama / "tokenizer.json").read_text(encoding="utf-8"))
        definition |= {} if processor == "kept" else {"post_processor": None}
        (tmp_path / processor / "tokenizer.json").write_text(json.dumps(definition), encoding="utf-8")
        config = json.loads((llama / "tokenizer_config.json").read_text(encoding="utf-8")) | {"add_bos_token": flag}
        (tmp_path / processor / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    begun = set()
    for folder in (tmp_path / name for name in ("older", "kept", "none")):
        theirs, own = transformers.AutoTokenizer.from_pretrained(folder), Tokenizer.load(folder)
        assert theirs("No wind")["input_ids"] == [*own.begin_ids, *own.encode("No wind").tolist()]
        begun |= {folder.name} if own.begin else set()
    assert begun == ({"older", "kept"} if flag else {"kept"})


def entry(content: str, special: bool = False) -> dict[str, Any]:
    return {"content": content, "special": special, "normalized": False}


DECODER = {"300": entry("<eddy>"), "301": entry("<weir>"), "302": entry("<pad>", True)}


@pytest.mark.parametrize("config", [{}, {"added_tokens_decoder": DECODER}])
def test_added_tokens_of_older_files_are_those_of_transformers(tmp_path: Path, config: dict[str, Any]) -> None:
    """Witness: their GPT-2 tokenizer of the same folder; a special token cannot be typed here, so none is in the texts."""
    added = {"<eddy>": 300, "<weir>": 301, "<pad>": 302}
    older_files(tmp_path, added, **config)
    theirs, own = transformers.AutoTokenizer.from_pretrained(tmp_path), Tokenizer.load(tmp_path)
    assert [own.token_to_id(token) for token in added] == [theirs.convert_tokens_to_ids(token) for token in added]
    for text in ("the water<eddy> rises <weir>", "<weir><weir>"):
        assert own.encode(text).tolist() == theirs(text, add_special_tokens=False)["input_ids"]
