"""Added tokens keep the ids that files give them, new ones stand behind all others; classes of another kind are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.classes import CLASSES
from warmstart.text.tokenizer import Tokenizer

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
PIECES = [*BYTES, "Ġr", "ai", "Ġrai", "Ġrain"]
MERGES = ["Ġ r", "a i", "Ġr ai", "Ġrai n"]
FIRST = len(PIECES)
WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain", "##y", "day"]


def write(folder: Path, **files: Any) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def older(folder: Path, **files: Any) -> Path:
    """GPT-2's two files, and others."""
    write(folder, vocab={piece: number for number, piece in enumerate(PIECES)}, **files)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{merge}\n" for merge in MERGES), encoding="utf-8")
    return folder


def newer(folder: Path, holes: tuple[str, ...] = (), added: dict[str, int] | None = None) -> Path:
    """A tokenizer.json whose vocabulary has lost some pieces, with ids of added tokens as they are given."""
    backend = tokenizers.Tokenizer(models.BPE(vocab={p: n for n, p in enumerate(PIECES)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    definition = json.loads(backend.to_str())
    for piece in holes:
        del definition["model"]["vocab"][piece]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    definition["added_tokens"] = [{"id": n, "content": token} | flags for token, n in (added or {}).items()]
    write(folder, tokenizer=definition)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        Tokenizer.load(folder)
    return str(caught.value)


def test_added_tokens_of_every_file_keep_their_ids(tmp_path: Path) -> None:
    """Witness: the files, one token each; a new special token stands behind them, and none of them is split."""
    decoder = {str(FIRST + 1): {"content": "<sun>", "special": False, "normalized": False}}
    tokenizer = Tokenizer.load(
        older(
            tmp_path,
            added_tokens={"<cloud>": FIRST, "<sun>": FIRST + 1, "<pad>": FIRST + 2},
            tokenizer_config={"added_tokens_decoder": decoder},
            special_tokens_map={"pad_token": "<pad>", "additional_special_tokens": ["<nowhere>"]},
        )
    )
    assert [tokenizer.token_to_id(token) for token in ("<cloud>", "<sun>", "<pad>")] == [FIRST, FIRST + 1, FIRST + 2]
    rain = PIECES.index("Ġrain")
    assert tokenizer.encode("<cloud> rain<sun>").tolist() == [FIRST, rain, FIRST + 1]
    assert FIRST + 2 not in tokenizer.encode("<pad>").tolist()  # special: cannot be typed
    assert (tokenizer.special_token("pad"), tokenizer.has_token("<nowhere>")) == ("<pad>", False)
    more = tokenizer.with_special_tokens(["<|start|>"])
    assert more.token_to_id("<|start|>") == FIRST + 3 and more.vocab_size == FIRST + 4
    more.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved").fingerprint == more.fingerprint


def test_ids_with_gaps_are_as_the_files_have_them(tmp_path: Path) -> None:
    """Witness: the ids in the files, where the library, which counts, would give each added token another."""
    tokenizer = Tokenizer.load(newer(tmp_path, (BYTES[-1], BYTES[-3]), {"<cloud>": FIRST + 40, "<sun>": FIRST + 9}))
    assert (tokenizer.token_to_id("<cloud>"), tokenizer.token_to_id("<sun>")) == (FIRST + 40, FIRST + 9)
    assert tokenizer.vocab_size == FIRST + 41 == len(tokenizer.pieces)
    gaps = [n for n in range(FIRST + 50) if n >= FIRST and n not in (FIRST + 9, FIRST + 40)]
    assert tokenizer.absent_ids(FIRST + 50) == (len(BYTES) - 3, len(BYTES) - 1, *gaps)
    more = tokenizer.with_special_tokens(["<|start|>", "<|delimiter|>", "<|start|>"])
    assert [more.token_to_id(token) for token in ("<|start|>", "<|delimiter|>")] == [FIRST + 41, FIRST + 42]
    assert more.extends(tokenizer) and more.map_ids_to(tokenizer).tolist()[-2:] == [-1, -1]
    assert more.encode("rain<cloud>").tolist() == tokenizer.encode("rain<cloud>").tolist()
    more.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert again.fingerprint == more.fingerprint
    numbers = list(again._backend.get_vocab(with_added_tokens=True).values())
    assert len(numbers) == len(set(numbers))


def test_a_pruned_vocabulary_gives_no_id_twice(tmp_path: Path) -> None:
    """Witness: the set of ids, before and behind new tokens; the library alone would give one that is taken."""
    tokenizer = Tokenizer.load(newer(tmp_path, tuple(BYTES[-4:])))
    assert tokenizer._backend.get_vocab_size() < tokenizer.vocab_size == FIRST
    more = tokenizer.with_special_tokens(["<|start|>"])
    assert more.token_to_id("<|start|>") == FIRST and more.pieces[FIRST - 1] == PIECES[-1]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"added_tokens": {"<cloud>": 5}}, f"two tokens have the id 5; got '{BYTES[5]} and <cloud>'"),
        ({"added_tokens": {BYTES[5]: 300}}, f"the files disagree on the id of {BYTES[5]!r}; got 300; allowed: 5"),
        ({"added_tokens": {"<cloud>": "5"}}, "added_tokens.json: <cloud>: not the id of a token"),
        ({"added_tokens": []}, "added_tokens.json: not a JSON object"),
        (
            {"tokenizer_config": {"added_tokens_decoder": {"300": "<cloud>"}}},
            "tokenizer_config.json: added_tokens_decoder: not added tokens",
        ),
        (
            {
                "tokenizer_config": {"added_tokens_decoder": {str(FIRST): {"content": "<sun>"}}},
                "added_tokens": {"<cloud>": FIRST},
            },
            f"two tokens have the id {FIRST}; got '<sun> and <cloud>'",
        ),
    ],
)
def test_ids_that_contradict_each_other_are_refused(tmp_path: Path, files: dict[str, Any], sentence: str) -> None:
    """Witness: the sentence names the token and both ids, or both tokens."""
    assert sentence in refused(older(tmp_path, **files))


def test_a_file_that_gives_an_id_twice_is_refused(tmp_path: Path) -> None:
    """Witness: an added token whose id a piece has."""
    assert f"two tokens have the id {FIRST - 1}" in refused(newer(tmp_path, (), {"<cloud>": FIRST - 1}))


def test_a_vocabulary_that_is_a_list_cannot_have_gaps(tmp_path: Path) -> None:
    """Witness: a Unigram's pieces are numbered by their places, so an added token has to follow them."""
    definition = json.loads(tokenizers.Tokenizer(models.Unigram([("<unk>", 0.0), ("rain", -1.0)], unk_id=0)).to_str())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    for number, message in ((2, ""), (4, "gaps, which this kind of vocabulary cannot have; got 'Unigram'")):
        write(tmp_path, tokenizer=definition | {"added_tokens": [{"id": number, "content": "<mask>"} | flags]})
        if message:
            assert message in refused(tmp_path)
        else:
            assert Tokenizer.load(tmp_path).special_token_id("mask") == 2


def test_padding_is_taken_from_the_model_where_the_tokenizer_names_none(tmp_path: Path) -> None:
    """Witness: config.json; what the tokenizer's own files say comes first, and an id without a token says nothing."""
    write(older(tmp_path), config={"pad_token_id": PIECES.index("ai")})
    assert Tokenizer.load(tmp_path).special_token("pad") == "ai"
    for other in (-1, None, 4096):
        write(tmp_path, config={"pad_token_id": other})
        assert Tokenizer.load(tmp_path).special_token("pad") is None
    write(tmp_path, config={"pad_token_id": 3}, tokenizer_config={"pad_token": "Ġrain"})
    assert Tokenizer.load(tmp_path).special_token("pad") == "Ġrain"


def wordpiece(folder: Path, **files: Any) -> Path:
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in WORDPIECES), encoding="utf-8")
    write(folder, **files)
    return folder


@pytest.mark.parametrize(
    "name", ["BertJapaneseTokenizer", "BertweetTokenizer", "PreTrainedTokenizer", "MyTokenizerFast"]
)
@pytest.mark.parametrize("file", ["tokenizer_config", "config"])
def test_a_class_of_another_kind_is_refused_by_name(tmp_path: Path, name: str, file: str) -> None:
    """Witness: the name in the sentence, for the older files and for a tokenizer.json beside it."""
    for folder in (wordpiece(tmp_path, **{file: {"tokenizer_class": name}}), newer(tmp_path)):
        sentence = refused(folder)
        assert f"{file}.json: a tokenizer of this class is not read; got {name!r}" in sentence


def test_a_class_is_read_from_its_own_files(tmp_path: Path) -> None:
    """Witness: the table: each with and without Fast from a tokenizer.json; the older files only for their kind."""
    for place in ("vocab", "bpe", "whole"):
        (tmp_path / place).mkdir()
    older(tmp_path / "bpe")
    wordpiece(tmp_path / "vocab")
    newer(tmp_path / "whole")
    for name in ("BertTokenizer", "ElectraTokenizerFast"):
        write(tmp_path / "vocab", tokenizer_config={"tokenizer_class": name})
        assert Tokenizer.load(tmp_path / "vocab").encode("rainy day").tolist() == [5, 6, 7]
        write(tmp_path / "bpe", tokenizer_config={"tokenizer_class": name})
        assert "is not read from GPT-2's vocabulary and merges" in refused(tmp_path / "bpe")
    for name in ("GPT2Tokenizer", "RobertaTokenizerFast"):
        write(tmp_path / "bpe", tokenizer_config={"tokenizer_class": name})
        assert Tokenizer.load(tmp_path / "bpe").encode(" rain").tolist() == [PIECES.index("Ġrain")]
    write(tmp_path / "bpe", tokenizer_config={"tokenizer_class": "Qwen2Tokenizer"})
    assert "got 'Qwen2Tokenizer'; allowed: tokenizer.json" in refused(tmp_path / "bpe")
    for name in CLASSES:
        full = name if name == "TokenizersBackend" else f"{name}TokenizerFast"
        write(tmp_path / "whole", tokenizer_config={"tokenizer_class": full})
        assert Tokenizer.load(tmp_path / "whole").has_token("Ġrain")


def test_wordpieces_of_unsplit_text_are_refused(tmp_path: Path) -> None:
    """Witness: two switches of BertTokenizer that change what is looked up."""
    for config in ({"do_basic_tokenize": False}, {"never_split": ["rain-day"]}):
        assert "leaves some text unsplit" in refused(wordpiece(tmp_path, tokenizer_config=config))
