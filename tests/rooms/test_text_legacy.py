"""Older vocabulary files: small ones whose ids are computed by hand, and damaged ones with their errors."""

import json
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import Tokenizer

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDPIECES = [*SPECIALS, "un", "##aff", "##able", "able", "!", "é", "e"]
GPT1 = ["<unk>", "l", "o", "w", "n", "'", "t", "w</w>", "o</w>", "n</w>", "t</w>", "'</w>", "lo", "low</w>", "'t</w>"]
GPT1_MERGES = ["#version: 0.2", "l o", "lo w</w>", "' t</w>"]
GPT2 = [*BYTES, "Ġl", "ow", "Ġlow", END]
GPT2_MERGES = ["#version: 0.2", "Ġ l", "o w", "Ġl ow"]


def numbered(pieces: list[str]) -> str:
    return json.dumps({piece: number for number, piece in enumerate(pieces)})


def bpe(
    folder: Path, pieces: list[str], merges: list[str], names: tuple[str, str] = ("vocab.json", "merges.txt")
) -> Path:
    (folder / names[0]).write_text(numbered(pieces), encoding="utf-8")
    (folder / names[1]).write_text("".join(f"{line}\n" for line in merges), encoding="utf-8")
    return folder


def wordpiece(folder: Path, pieces: list[str] = WORDPIECES, name: str = "vocab.txt") -> Path:
    (folder / name).write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        Tokenizer.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("name", ["vocab.txt", "bert-base-uncased-vocab.txt"])
def test_wordpiece_by_hand(tmp_path: Path, name: str) -> None:
    """Witness: longest first, worked out by hand: folded letters, an unknown word as one, separate punctuation."""
    tokenizer = Tokenizer.load(wordpiece(tmp_path, name=name))
    assert tokenizer.encode("UNaffable! Éx able").tolist() == [5, 6, 7, 9, 1, 8]
    assert tokenizer.decode([2, 5, 6, 7, 9, 8, 3]) == "unaffable! able"
    roles = {role: tokenizer.special_token(role) for role in ("pad", "unk", "cls", "sep", "mask", "eos")}
    assert roles == dict(zip(("pad", "unk", "cls", "sep", "mask", "eos"), [*SPECIALS, None], strict=True))
    assert tokenizer.encode("[MASK]").tolist() == [1, 1, 1]  # typed, it is three pieces that nobody knows


def test_wordpiece_reads_case_folding_from_its_configuration(tmp_path: Path) -> None:
    """Witness: with do_lower_case off neither case nor accents are touched."""
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert Tokenizer.load(wordpiece(tmp_path)).encode("Un un é e").tolist() == [1, 5, 10, 11]


def test_gpt1_by_hand(tmp_path: Path) -> None:
    """Witness: merges by rank, worked out by hand: "low" is whole at a word's end only; an unknown letter is id 0."""
    tokenizer = Tokenizer.load(bpe(tmp_path, GPT1, GPT1_MERGES))
    assert tokenizer.encode("Low lown x").tolist() == [13, 12, 3, 9, 0]
    assert tokenizer.encode("n't").tolist() == [9, 11, 10]  # punctuation stands alone
    assert tokenizer.decode([13, 12, 3, 9]) == "low lown"
    assert (tokenizer.special_token("unk"), tokenizer.special_token("eos"), tokenizer.special_token("pad")) == (
        "<unk>",
        None,
        None,
    )


def test_gpt1_after_spacy_takes_words_as_they_stand(tmp_path: Path) -> None:
    """Witness: the same vocabulary by hand: "n't" is one word of two pieces; the fingerprint says so."""
    tokenizer = Tokenizer.load(bpe(tmp_path, GPT1, GPT1_MERGES))
    at_blanks = tokenizer.adapt_to_cleaning(["ftfy", "gpt1", "spacy", "lower"])
    assert at_blanks.encode("low n't").tolist() == [13, 4, 14]
    assert at_blanks.fingerprint != tokenizer.fingerprint == tokenizer.adapt_to_cleaning(["ftfy", "lower"]).fingerprint
    at_blanks.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.fingerprint == at_blanks.fingerprint == again.adapt_to_cleaning(["spacy"]).fingerprint


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_gpt2_by_hand(tmp_path: Path, names: tuple[str, str]) -> None:
    """Witness: merges by rank, worked out by hand; bytes that no merge takes stand alone; text comes back whole."""
    tokenizer = Tokenizer.load(bpe(tmp_path, GPT2, GPT2_MERGES, names))
    low, inner = GPT2.index("Ġlow"), GPT2.index("ow")
    assert tokenizer.encode(" low owl").tolist() == [low, GPT2.index("Ġ"), inner, GPT2.index("l")]
    assert tokenizer.decode(tokenizer.encode("É  low\n")) == "É  low\n"
    assert tokenizer.adapt_to_cleaning(["spacy"]).fingerprint == tokenizer.fingerprint
    assert tokenizer.special_token_id("eos") == len(GPT2) - 1


def test_gpt2_may_ask_for_a_first_blank(tmp_path: Path) -> None:
    """Witness: the switch that RoBERTa's folders carry."""
    (tmp_path / "tokenizer_config.json").write_text('{"add_prefix_space": true}')
    assert Tokenizer.load(bpe(tmp_path, GPT2, GPT2_MERGES)).encode("low").tolist() == [GPT2.index("Ġlow")]


def test_a_tokenizer_json_comes_first(tmp_path: Path) -> None:
    """Witness: two vocabularies in one folder."""
    Tokenizer.load(bpe(tmp_path, GPT2, GPT2_MERGES)).save(tmp_path)
    assert Tokenizer.load(wordpiece(tmp_path)).has_token("Ġlow")


@pytest.mark.parametrize(
    ("merges", "line", "message"),
    [
        ([*GPT2_MERGES[:3], "Ġl"], 4, "not a merge; got 'Ġl'"),
        ([*GPT2_MERGES[:2], "Ġ l ow"], 3, "not a merge; got 'Ġ l ow'"),
        ([*GPT2_MERGES, "l o"], 5, "this merge has a piece that the vocabulary does not have; got 'lo'"),
        ([*GPT2_MERGES, "lost ow"], 5, "this merge has a piece that the vocabulary does not have; got 'lost'"),
    ],
)
def test_damaged_merges_are_named_by_line(tmp_path: Path, merges: list[str], line: int, message: str) -> None:
    """Witness: the line that was spoiled."""
    assert f"{tmp_path / 'merges.txt'}:{line}: {message}" in refused(bpe(tmp_path, GPT2, merges))


def test_merges_that_lost_their_end_are_noticed(tmp_path: Path) -> None:
    """Witness: a file cut after a whole line, so that every line reads well."""
    chain = ["l" * n for n in range(2, 40)]
    pieces, merges = [*BYTES, *chain], ["#version: 0.2", *(f"l {'l' * n}" for n in range(1, 39))]
    assert Tokenizer.load(bpe(tmp_path, pieces, merges)).encode("lllll").size > 0
    assert "merges are missing; got 'no merge makes 18 of the 294 pieces'" in refused(
        bpe(tmp_path, pieces, merges[:21])
    )


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (numbered(GPT2)[:-200], "not a readable JSON file"),
        ("[]", "not a vocabulary"),
        (json.dumps({"a": "b"}), "not a vocabulary"),
        (json.dumps({"a": 0, "b": 2}), "the ids have gaps or duplicates"),
        (json.dumps({"a": 0, "b": 0}), "the ids have gaps or duplicates"),
        (numbered(GPT2[1:]), "unknown kind of BPE vocabulary"),
        (numbered([*GPT2, "w</w>"]), "unknown kind of BPE vocabulary"),
    ],
)
def test_damaged_and_unknown_vocabularies_are_refused(tmp_path: Path, vocabulary: str, message: str) -> None:
    """Witness: JSON cut short, no vocabulary, ids that skip; BPE that is neither GPT-1's nor GPT-2's, and both at once."""
    bpe(tmp_path, GPT2, GPT2_MERGES[:1])
    (tmp_path / "vocab.json").write_text(vocabulary, encoding="utf-8")
    assert f"{tmp_path / 'vocab.json'}: {message}" in refused(tmp_path)


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt"])
def test_one_file_of_two_is_not_enough(tmp_path: Path, missing: str) -> None:
    """Witness: the file is removed."""
    (bpe(tmp_path, GPT2, GPT2_MERGES) / missing).unlink()
    assert f"{tmp_path / missing}: file not found" in refused(tmp_path)


def test_gpt1_needs_its_unknown_token(tmp_path: Path) -> None:
    """Witness: without it, unknown letters would vanish."""
    pieces = ["nothing" if piece == "<unk>" else piece for piece in GPT1]
    assert "no unk token" in refused(bpe(tmp_path, pieces, GPT1_MERGES))


@pytest.mark.parametrize(("token", "role"), [("[UNK]", "unk"), ("[CLS]", "cls"), ("[SEP]", "sep")])
def test_wordpiece_needs_its_special_tokens(tmp_path: Path, token: str, role: str) -> None:
    """Witness: without the token; with another name in the configuration it is there again."""
    pieces = ["{other}" if piece == token else piece for piece in WORDPIECES]
    sentence = refused(wordpiece(tmp_path, pieces))
    assert f"{tmp_path / 'vocab.txt'}: the vocabulary has no {role} token; allowed: {token}" in sentence
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({f"{role}_token": "{other}"}))
    assert Tokenizer.load(tmp_path).special_token(role) == "{other}"


def test_other_damage_to_wordpiece(tmp_path: Path) -> None:
    """Witness: a doubled line, bytes that are no text, two vocabularies, a switch that is none."""
    sentence = refused(wordpiece(tmp_path, [*WORDPIECES, "able"]))
    found = f"{tmp_path / 'vocab.txt'}:13: the vocabulary has this piece twice; got 'able'"
    assert f"{found}; allowed: one line for each piece; line 9" in sentence
    (tmp_path / "vocab.txt").write_bytes(b"[UNK]\n\xff\n")
    assert f"{tmp_path / 'vocab.txt'}: not UTF-8 text" in refused(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": "no"}')
    assert f"{tmp_path / 'tokenizer_config.json'}: do_lower_case: not true or false; got 'no'" in refused(
        wordpiece(tmp_path)
    )
    (tmp_path / "vocab.txt").unlink()
    for name in ("a-vocab.txt", "b-vocab.txt"):
        wordpiece(tmp_path, name=name)
    assert f"{tmp_path}: this folder has several vocabularies; got 'a-vocab.txt, b-vocab.txt'" in refused(tmp_path)
