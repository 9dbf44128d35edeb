"""Folders whose tokenizer_config.json and tokenizer.json say different things, against transformers' ids."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

TEXTS = ("Élan vital, élan", "ELAN elan", " 日本 e", "vital")
END = "<|endoftext|>"


def wordpiece(folder: Path, **switches: Any) -> None:
    """A tokenizer.json of BERT's, whose words have both cases and accents."""
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "Élan",
        "élan",
        "elan",
        "ELAN",
        "vital",
        "日",
        "##本",
        "本",
        ",",
    ]
    backend = tokenizers.Tokenizer(models.WordPiece({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(**switches)
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    backend.add_special_tokens(words[:5])
    backend.save(str(folder / "tokenizer.json"))


def byte_level(folder: Path, *, prefix: bool, dropout: float | None = None) -> None:
    """A tokenizer.json of GPT-2's with a few merges."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "el", "an", "elan", "Ġelan", "vi", "ta", "vita", "vital"]
    merges = [("e", "l"), ("a", "n"), ("el", "an"), ("Ġ", "elan"), ("v", "i"), ("t", "a"), ("vi", "ta"), ("vita", "l")]
    vocab = {piece: n for n, piece in enumerate([*pieces, END])}
    backend = tokenizers.Tokenizer(models.BPE(vocab, merges, dropout=dropout))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([END])
    backend.save(str(folder / "tokenizer.json"))


def configure(folder: Path, name: str, **keys: Any) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name, **keys}))


def check_equal(folder: Path) -> list[list[int]]:
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
    wanted = [list(theirs(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    assert [list(map(int, Tokenizer.load(folder).encode(text))) for text in TEXTS] == wanted
    return wanted


@pytest.mark.parametrize(
    "keys",
    [
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": True, "strip_accents": None},
        {"do_lower_case": True, "tokenize_chinese_chars": False},
    ],
)
def test_berts_switches_are_those_of_its_config(keys: dict[str, Any], tmp_path: Path) -> None:
    """Witness: transformers' ids, from files that lower the case and keep it."""
    configure(tmp_path, "BertTokenizer", **keys)
    wordpiece(tmp_path, lowercase=not keys["do_lower_case"], strip_accents=not keys.get("strip_accents"))
    found = check_equal(tmp_path)
    configure(tmp_path, "PreTrainedTokenizerFast")
    assert check_equal(tmp_path) != found  # the file alone says something else


@pytest.mark.parametrize("name", ["GPT2Tokenizer", "RobertaTokenizer", "PreTrainedTokenizerFast"])
@pytest.mark.parametrize("said", [True, False])
def test_the_blank_before_a_text_is_that_of_the_config(name: str, said: bool, tmp_path: Path) -> None:
    """Witness: transformers' ids; a class that knows nothing of a file goes by the file."""
    byte_level(tmp_path, prefix=not said)
    configure(tmp_path, name, add_prefix_space=said, unk_token=END, pad_token=END, bos_token=END, eos_token=END,
              cls_token=END, sep_token=END, mask_token=END)  # fmt: skip
    check_equal(tmp_path)


def test_the_same_text_has_the_same_ids(tmp_path: Path) -> None:
    """Witness: the same file without dropout of merges."""
    byte_level(tmp_path, prefix=False)
    wanted = [list(Tokenizer.load(tmp_path).encode(text)) for text in TEXTS]
    byte_level(tmp_path, prefix=False, dropout=0.9)
    noisy = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert len({tuple(noisy.encode("vital elan").ids) for _ in range(50)}) > 1
    tokenizer = Tokenizer.load(tmp_path)
    assert all([list(tokenizer.encode(text)) for text in TEXTS] == wanted for _ in range(5))


def test_a_switch_that_is_none_is_refused(tmp_path: Path) -> None:
    """Witness: the sentence."""
    wordpiece(tmp_path)
    configure(tmp_path, "BertTokenizer", do_lower_case="no")
    with pytest.raises(BadInput, match=r"do_lower_case: not true or false; got 'no'"):
        Tokenizer.load(tmp_path)
