"""Folders for CTranslate2 against that engine: the same greedy texts and the same states; what it does not take is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_foreign_tasks_transformers import LABELS, TEXTS, build, byte_level, word_piece

import warmstart
from warmstart.base.errors import BadInput
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.transfer.folder import import_model

transformers = pytest.importorskip("transformers", minversion="5.3")
ctranslate2 = pytest.importorskip("ctranslate2")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

SPECIAL = {"pad_token_id": 2, "bos_token_id": 0, "eos_token_id": 1}


def save(name: str, kind: str, folder: Path, **more: Any) -> str:
    folder.mkdir()
    tokenizer = word_piece(folder) if name == "Bert" else byte_level("begin")
    build(name, kind, len(tokenizer), **({} if name == "Bert" else SPECIAL), **more).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "kind"), [("GPT2", "LMHeadModel"), ("Llama", "ForCausalLM"), ("Qwen3", "ForCausalLM")]
)
def test_greedy_texts_are_ours(name: str, kind: str, tmp_path: Path) -> None:
    """Witness: CTranslate2's own search on prompts of several lengths at once, with the vocabulary beside the model."""
    source = save(name, kind, tmp_path / "source")
    said = warmstart.convert(source, str(tmp_path / "engine"), to="ctranslate2")
    assert said["difference"] <= 1e-4
    generator = ctranslate2.Generator(str(tmp_path / "engine"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "engine")
    prompts = [tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) for text in TEXTS]
    found = generator.generate_batch(
        prompts, max_length=10, sampling_topk=1, include_prompt_in_result=False, end_token=["<e>"]
    )
    wanted = warmstart.generate(source, TEXTS, greedy=True, max_new=10)
    texts = [tokenizer.decode(one.sequences_ids[0], skip_special_tokens=True) for one in found]
    assert texts == [one["text"] for one in wanted] and all(texts)


def test_states_of_a_bidirectional_model_are_ours(tmp_path: Path) -> None:
    """Witness: CTranslate2's encoder on rows of several lengths at once: last states, and the pooler's."""
    source = save("Bert", "ForSequenceClassification", tmp_path / "source", **LABELS)
    warmstart.convert(source, str(tmp_path / "engine"), to="ctranslate2")
    encoder, model = ctranslate2.Encoder(str(tmp_path / "engine")), import_model(Path(source)).model
    rows = [np.random.default_rng(n).integers(0, model.settings.backbone.vocab_size, n) for n in (9, 1, 4)]
    found = encoder.forward_batch([row.tolist() for row in rows])
    for row, states, pooled in zip(rows, np.array(found.last_hidden_state), np.array(found.pooler_output), strict=True):
        with torch.no_grad():
            wanted = model.backbone(collate([[Example.full_sight(row, {}, np.zeros_like(row))]]))
            assert np.abs(states[: len(row)] - wanted.numpy()).max() <= 1e-4
            assert np.abs(pooled - model.backbone.pool(wanted[:1])[0].numpy()).max() <= 1e-4


def test_what_the_engine_does_not_take_is_refused(tmp_path: Path) -> None:
    """Bad input: a family without a converter, a head, and a config of which the engine overlooks a part."""
    for name, kind, more, words in (
        ("OpenAIGPT", "LMHeadModel", {}, "does not take this model .*its converter says"),
        ("GPT2", "ForSequenceClassification", LABELS, "no heads of tasks; got 'label'"),
        ("GPT2", "LMHeadModel", {"layer_norm_epsilon": 0.5}, "differs from this model by"),
    ):
        source = save(name, kind, tmp_path / f"{name}{kind}", **more)
        with pytest.raises(BadInput, match=words):
            warmstart.convert(source, str(tmp_path / "engine"), to="ctranslate2")
        assert not (tmp_path / "engine").exists()
