"""The Tokenizer: what its fingerprint depends on, roles, saving; the library and plain JSON as witnesses."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from warmstart.base.errors import BadInput
from warmstart.text.settings import VocabularyKind
from warmstart.text.special_tokens import END
from warmstart.text.template import Template
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

TEXT = ["the cat sat on the mat, and the rat sat on the cat's hat"] * 9
FRAMES = Template(("<|start|>", "$A", "<|extract|>"), ("<|start|>", "$A", "<|delimiter|>", "$B:1", "<|extract|>:1"))


@pytest.fixture(scope="module")
def own() -> Tokenizer:
    return Tokenizer.train(TEXT, 290).with_special_tokens(TASK_TOKENS)


def settings_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "tokenizer_config.json").read_text()))


def test_the_fingerprint_is_that_of_the_librarys_own_file() -> None:
    """Witness: SHA-256 of the JSON of a byte-level BPE put together with the library alone, as corpora remember it."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=289, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(TEXT, trainer)
    backend.add_special_tokens([END])
    canonical = json.dumps(json.loads(backend.to_str()), sort_keys=True)
    assert Tokenizer.train(TEXT, 290).fingerprint == hashlib.sha256(canonical.encode()).hexdigest()


def test_the_fingerprint_knows_no_template_truncation_padding_or_role(own: Tokenizer, tmp_path: Path) -> None:
    """Witness: the same vocabulary saved with each of them by the library; ids stay free of special tokens."""
    own.save(tmp_path, FRAMES, context=16)
    path = tmp_path / "tokenizer.json"
    backend = tokenizers.Tokenizer.from_file(str(path))
    assert backend.encode("a cat").ids[0] == own.token_to_id("<|start|>")
    backend.enable_truncation(4)
    backend.enable_padding(pad_id=1, pad_token="!", length=64)
    backend.save(str(path))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<|start|>"}))
    again = Tokenizer.load(tmp_path)
    assert again.fingerprint == own.fingerprint
    assert again.encode("a cat sat on the mat").tolist() == own.encode("a cat sat on the mat").tolist()
    assert again.special_token("pad") == "<|start|>" != own.special_token("pad")


def test_the_fingerprint_knows_all_that_changes_ids(own: Tokenizer, tmp_path: Path) -> None:
    """Witness: one thing changed at a time in the saved file."""
    own.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    whole = path.read_text()
    seen = {own.fingerprint}
    for key, value in (("normalizer", {"type": "Lowercase"}), ("pre_tokenizer", {"type": "Whitespace"})):
        path.write_text(json.dumps(json.loads(whole) | {key: value}))
        seen.add(Tokenizer.load(tmp_path).fingerprint)
    fewer = json.loads(whole)
    fewer["model"]["merges"].pop()
    path.write_text(json.dumps(fewer))
    seen.add(Tokenizer.load(tmp_path).fingerprint)
    assert len(seen | {own.with_special_tokens(["[MASK]"]).fingerprint}) == 5


def test_roles_of_a_vocabulary_learned_here(own: Tokenizer, tmp_path: Path) -> None:
    """Witness: one end token that ends, begins, fills up and stands for the unknown, as GPT-2's does."""
    own.save(tmp_path)
    for tokenizer in (own, Tokenizer.load(tmp_path)):
        roles = {name: tokenizer.special_token(name) for name in ("bos", "eos", "pad", "unk", "cls", "sep", "mask")}
        assert roles == dict.fromkeys(("bos", "eos", "pad", "unk"), END) | dict.fromkeys(("cls", "sep", "mask"))
        assert tokenizer.special_token_id("eos") == tokenizer.token_to_id(END)
        with pytest.raises(KeyError, match="mask"):
            tokenizer.special_token_id("mask")
    found = settings_of(tmp_path)
    assert {key: found[key] for key in found if key.endswith("_token")} == dict.fromkeys(
        ("bos_token", "eos_token", "pad_token", "unk_token"), END
    )
    assert found["model_max_length"] == 10**9


def test_roles_that_files_name(own: Tokenizer, tmp_path: Path) -> None:
    """Witness: the files: text, dictionary, null; the newer file before the older; names of no entry play no role."""
    own.save(tmp_path)
    named = {
        "pad_token": {"content": "<|delimiter|>", "lstrip": False}, "mask_token": "[NOWHERE]", "cls_token": None,
        "eos_token": "<|extract|>",
    }  # fmt: skip
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    older = {"cls_token": {"content": "<|start|>"}, "eos_token": "<|start|>", "additional_special_tokens": ["x"]}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(older))
    loaded = Tokenizer.load(tmp_path)
    roles = {name: loaded.special_token(name) for name in ("pad", "mask", "cls", "eos", "unk")}
    assert roles == {"pad": "<|delimiter|>", "mask": None, "cls": "<|start|>", "eos": "<|extract|>", "unk": END}
    added = loaded.with_special_tokens(["[NOWHERE]"])
    assert added.special_token_id("mask") == loaded.vocab_size
    added.save(tmp_path / "again")
    assert settings_of(tmp_path / "again")["mask_token"] == "[NOWHERE]"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer_config.json", '{"pad_token": "<pa', "not a readable JSON file"),
        ("special_tokens_map.json", "[]", "not a JSON object"),
        ("special_tokens_map.json", '{"pad_token": 3}', "special_tokens_map.json: pad_token: not the name of a token"),
        (
            "tokenizer_config.json",
            '{"sep_token": {"id": 3}}',
            "tokenizer_config.json: sep_token: not the name of a token",
        ),
        ("tokenizer.json", '{"version": "1.0", "mod', "this tokenizer cannot be read"),
    ],
)
def test_damaged_files_are_named(own: Tokenizer, tmp_path: Path, name: str, content: str, message: str) -> None:
    """Witness: the sentence names the file."""
    own.save(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as caught:
        Tokenizer.load(tmp_path)
    assert message in str(caught.value) and str(tmp_path / name) in str(caught.value)


def test_no_tokenizer_says_what_could_be_there(tmp_path: Path) -> None:
    """Witness: a folder without any of the files, and no folder at all."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput) as caught:
            Tokenizer.load(path)
        sentence = str(caught.value)
        assert sentence.startswith(
            f"{path}: there is no tokenizer here; allowed: tokenizer.json, vocab.json + merges.txt"
        )
        assert "encoder.json + vocab.bpe" in sentence and "vocab.txt" in sentence


def test_a_template_names_tokens_of_the_vocabulary(tmp_path: Path) -> None:
    """Witness: a vocabulary without the task's tokens; nothing is written."""
    with pytest.raises(KeyError, match=r"<\|start\|>"):
        Tokenizer.train(TEXT, 290).save(tmp_path, FRAMES)
    assert list(tmp_path.iterdir()) == []


def test_types_are_told_where_a_template_has_them(own: Tokenizer, tmp_path: Path) -> None:
    """Witness: a model without types adds the rows of token_type_ids to its input, so they must not be offered."""
    for template, typed in ((None, False), (FRAMES, True), (Template(FRAMES.single), False)):
        own.save(tmp_path, template, context=64)
        assert ("token_type_ids" in settings_of(tmp_path)["model_input_names"]) is typed
    assert settings_of(tmp_path)["model_max_length"] == 64
    assert FRAMES.special_tokens == ["<|start|>", "<|extract|>", "<|delimiter|>"]


def test_special_tokens_cannot_be_typed(own: Tokenizer) -> None:
    """Witness: text that spells them comes back letter by letter."""
    ids = own.encode(f"a {END}<|start|>")
    assert not {own.token_to_id(END), own.token_to_id("<|start|>")} & set(ids.tolist())
    assert own.decode(ids) == f"a {END}<|start|>"


@pytest.mark.parametrize("vocabulary", ["bpe", "words", "known-words", "characters", "bytes"])
def test_the_tokens_behind_a_border(vocabulary: VocabularyKind) -> None:
    """Witness: offsets: the first token that ends behind the border, for every border of texts with blanks and accents."""
    texts = ["the  heron waits", "naïve herons wait. ", " 鷺 waits"]
    tokenizer = Tokenizer.train(texts * 5, 300, vocabulary=vocabulary)
    for text in texts:
        ids, offsets = tokenizer.encode_with_offsets(text)
        borders = list(range(len(text) + 1))
        for border, found in zip(borders, tokenizer.encode_after([text] * len(borders), borders), strict=True):
            first = next((n for n, (_, end) in enumerate(offsets) if end > border), len(ids))
            spans = first < len(ids) and bool(text[offsets[first][0] : border].strip())
            assert found[0].tolist() == ids.tolist() and (found[1], bool(found[2])) == (first, spans)
