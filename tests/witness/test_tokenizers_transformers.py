"""Vocabularies of published models against transformers' tokenizers of them, and GPT-1's against its authors' rules.

Small vocabularies learned from Python's own manual stand in for the published ones, which the tests marked ``data`` read.
"""

import functools
import gzip
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, trainers

from warmstart.tasks.parts import fit_lengths
from warmstart.tasks.special_tokens import num_delimiters
from warmstart.text.clean import clean
from warmstart.text.special_tokens import END
from warmstart.text.template import Template
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

transformers = pytest.importorskip("transformers", minversion="5.3")

KINDS = ("gpt1", "gpt2", "bert")
SMALL = (*KINDS, "roberta")
CLASSES = {
    "gpt1": "OpenAIGPTTokenizer", "gpt2": "GPT2Tokenizer", "bert": "BertTokenizer", "roberta": "RobertaTokenizer"
}  # fmt: skip
ROBERTAS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
PUBLISHED = {
    "gpt1": {"vocab.json": "gpt1_bpe/encoder_bpe_40000.json", "merges.txt": "gpt1_bpe/vocab_40000.bpe"},
    "gpt2": {"vocab.json": "gpt2_bpe/encoder.json", "merges.txt": "gpt2_bpe/vocab.bpe"},
    "bert": {"vocab.txt": "bert_vocab/bert-base-uncased-vocab.txt"},
}
RULES_2018 = ("ftfy", "gpt1", "spacy", "lower")
HARD = (
    "",
    " ",
    "  two  blanks,\ttab\r\nand lines\n\n",
    "emoji 👩‍👩‍👧 👍🏽 🇫🇷 ok",
    "漢字かな交じり文 and 한국어 with English漢字inside",
    "controls \x00\x01\x7f\x85 and \ufffd here",
    "zero\u200bwidth\u200djoined \ufeffmark soft\u00adhyphen",
    "combining cafe\u0301 nai\u0308ve Å A\u030a ǖ u\u0308\u0304",
    "ÀÉÎÕÜ ßẞ İI ıi ΑΣ ς ŉ ﬁ Ⅷ ½",
    "x" * 99 + " " + "y" * 100 + " " + "z" * 101,
    "supercalifragilistic" * 10,
    "don't can't it's I'll we've 'tis ... --- !? $5.00 e.g. a_b #tag @you http://a.b/c?d=e",
    "العربية עברית हिन्दी ไทย",
    "\u2028line\u2029paragraph\u00a0no-break\u3000wide",
    "< unk > <s> [ MASK ] <|start|> </w> ## ##ing Ġ",
)


def learned(kind: str, folder: Path) -> Path:
    """A small vocabulary in the older form of its kind, learned and written by the tokenizers library."""
    text = [topics[name] for name in sorted(topics)[:25]]
    if kind == "gpt1":
        backend = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        trainer: Any = trainers.BpeTrainer(
            vocab_size=1500, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
        )
    elif kind in ("gpt2", "roberta"):
        backend = tokenizers.Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=1500, special_tokens=[END] if kind == "gpt2" else ROBERTAS, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
    else:
        backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        trainer = trainers.WordPieceTrainer(
            vocab_size=1500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
        )
    if kind in ("gpt2", "roberta"):
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(text, trainer)
    folder.mkdir()
    backend.model.save(str(folder))
    return folder


def theirs_of(kind: str, folder: Path) -> Any:
    """Transformers' tokenizer over the same files, told to take special tokens that are typed for what they are: text."""
    if kind == "bert":
        theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    else:
        vocab = json.loads((folder / "vocab.json").read_text("utf-8"))
        lines = (folder / "merges.txt").read_text("utf-8").split("\n")[1:]
        merges = [tuple(line.split(" ")) for line in lines if line]
        theirs = getattr(transformers, CLASSES[kind])(vocab=vocab, merges=merges)
    theirs.backend_tokenizer.encode_special_tokens = True
    return theirs


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("small")
    return functools.cache(lambda kind: learned(kind, root / kind))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("published")

    def folder(kind: str) -> Path:
        (root / kind).mkdir(exist_ok=True)
        for name, source in PUBLISHED[kind].items():
            shutil.copy(data_dir / source, root / kind / name)
        return root / kind

    return functools.cache(folder)


@pytest.fixture(scope="module")
def lines(data_dir: Path) -> list[str]:
    """500 lines of a novel and 500 film review sentences, with some characters English rarely shows."""
    with gzip.open(data_dir / "books/valid/Hardy_Tess_1891.txt.gz", "rt", encoding="utf-8-sig") as file:
        novel = [line for line in file if line.strip()]
    with gzip.open(data_dir / "sst2/train.tsv.gz", "rt", encoding="utf-8") as file:
        reviews = [line.split("\t")[0] for line in itertools.islice(file, 1, None)]
    accented = [line for line in novel if not line.isascii()]
    return [*[*accented[:100], *novel][:500], *reviews[:500]]


def ids_of(theirs: Any, text: str) -> list[int]:
    return list(theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


@pytest.mark.data
@pytest.mark.parametrize("kind", KINDS)
def test_published_vocabularies_give_transformers_ids_on_real_lines(
    kind: str, published: Callable[[str], Path], lines: list[str]
) -> None:
    """Witness: OpenAIGPTTokenizer, GPT2Tokenizer, BertTokenizer, for ids and for text again."""
    folder = published(kind)
    ours, theirs = Tokenizer.load(folder), theirs_of(kind, folder)
    assert len(lines) == 1000
    texts = [*lines, *HARD]
    expected = theirs(texts, add_special_tokens=False)["input_ids"]
    assert [ids.tolist() for ids in ours.encode_batch(texts)] == expected
    assert [ours.decode(ids) for ids in expected[:200]] == theirs.batch_decode(expected[:200], skip_special_tokens=True)
    assert ours.vocab_size == len(theirs)


@pytest.mark.data
@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_file_names_are_read_as_well(
    kind: str, published: Callable[[str], Path], data_dir: Path, tmp_path: Path
) -> None:
    """Witness: the same files under Hugging Face's names."""
    for source in PUBLISHED[kind].values():
        shutil.copy(data_dir / source, tmp_path)
    assert Tokenizer.load(tmp_path).fingerprint == Tokenizer.load(published(kind)).fingerprint


@pytest.mark.parametrize("kind", SMALL)
def test_small_vocabularies_give_transformers_ids_on_hard_text(kind: str, small: Callable[[str], Path]) -> None:
    """Witness: OpenAIGPTTokenizer, GPT2Tokenizer, BertTokenizer, RobertaTokenizer on chosen and on random text."""
    ours, theirs = Tokenizer.load(small(kind)), theirs_of(kind, small(kind))

    @given(st.text(max_size=30))
    @settings(max_examples=150, deadline=None)
    def same(text: str) -> None:
        assert ours.encode(text).tolist() == ids_of(theirs, text)

    for text in HARD:
        same = example(text)(same)
    same()


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("more", [{}, {"strip_accents": False}, {"tokenize_chinese_chars": False}])
def test_wordpiece_follows_the_switches_of_its_configuration(
    do_lower_case: bool, more: dict[str, bool], small: Callable[[str], Path], tmp_path: Path
) -> None:
    """Witness: BertTokenizer, which reads the same tokenizer_config.json."""
    shutil.copy(small("bert") / "vocab.txt", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": do_lower_case, **more}))
    ours, theirs = Tokenizer.load(tmp_path), transformers.BertTokenizer.from_pretrained(str(tmp_path))
    texts = [*HARD, "The Class of é, É and 漢字 String"]
    assert [ids.tolist() for ids in ours.encode_batch(texts)] == [ids_of(theirs, text) for text in texts]


THEIR_ROLES = {"pad": "pad", "unk": "unk", "mask": "mask", "cls": "cls", "sep": "sep", "eos": "eos", "bos": "bos"}
MODEL_TYPES = {
    "gpt1": "openai-gpt", "gpt1 at blanks": "openai-gpt", "gpt2": "gpt2", "bert": "bert", "roberta": "roberta", "own": "gpt2"
}  # fmt: skip


def tokenizer_of(kind: str, small: Callable[[str], Path]) -> Tokenizer:
    if kind == "own":
        return Tokenizer.train(topics["strings"].split("\n"), 400)
    name, _, at_blanks = kind.partition(" ")
    return Tokenizer.load(small(name)).adapt_to_cleaning(["spacy"] if at_blanks else [])


@pytest.mark.parametrize("kind", MODEL_TYPES)
def test_a_saved_folder_is_the_same_tokenizer_in_transformers(
    kind: str, small: Callable[[str], Path], tmp_path: Path
) -> None:
    """Witness: AutoTokenizer on what save wrote, alone and beside a model's config.json; then our own load."""
    ours = tokenizer_of(kind, small)
    ours.save(tmp_path)
    expected = [ids.tolist() for ids in ours.encode_batch(HARD)]
    for config in (None, {"model_type": MODEL_TYPES[kind]}):
        if config:
            (tmp_path / "config.json").write_text(json.dumps(config))
        theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
        assert [ids_of(theirs, text) for text in HARD] == expected
        assert len(theirs) == ours.vocab_size
        for role, key in THEIR_ROLES.items():
            assert getattr(theirs, f"{key}_token") == ours.special_token(role)
            assert getattr(theirs, f"{key}_token_id") == (
                ours.special_token_id(role) if ours.special_token(role) else None
            )
    again = Tokenizer.load(tmp_path)
    assert again.fingerprint == ours.fingerprint
    assert [ids.tolist() for ids in again.encode_batch(HARD)] == expected


@pytest.mark.parametrize("kind", SMALL)
def test_a_folder_that_transformers_saved_is_the_same_tokenizer_here(
    kind: str, small: Callable[[str], Path], tmp_path: Path
) -> None:
    """Witness: transformers' tokenizers of these models and what they save; no special token is put in."""
    theirs = theirs_of(kind, small(kind))
    theirs.save_pretrained(str(tmp_path))
    ours = Tokenizer.load(tmp_path)
    assert [ids.tolist() for ids in ours.encode_batch(HARD)] == [ids_of(theirs, text) for text in HARD]
    for role, key in THEIR_ROLES.items():
        assert getattr(theirs, f"{key}_token") in (ours.special_token(role), None)


def filled(words: Sequence[str], texts: dict[str, np.ndarray], tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids and types of a template, filled by hand."""
    ids: list[int] = []
    types: list[int] = []
    for word in words:
        name, _, kind = word.partition(":")
        part = texts[name].tolist() if name in texts else [tokenizer.token_to_id(name)]
        ids += part
        types += [int(kind or 0)] * len(part)
    return ids, types


BERT_FRAMES = Template(("[CLS]", "$A", "[SEP]"), ("[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1"))
GPT1_FRAMES = Template(("<|start|>", "$A", "<|extract|>"), ("<|start|>", "$A", "<|delimiter|>", "$B", "<|extract|>"))


@pytest.mark.parametrize(
    ("kind", "template"), [("own", GPT1_FRAMES), ("gpt1", GPT1_FRAMES), ("gpt2", GPT1_FRAMES), ("bert", BERT_FRAMES)]
)
def test_templates_frame_texts_in_transformers(
    kind: str, template: Template, small: Callable[[str], Path], tmp_path: Path
) -> None:
    """Witness: AutoTokenizer's ids and types of one text and of two against frames put together by hand."""
    ours = tokenizer_of(kind, small)
    ours = ours if kind == "bert" else ours.with_special_tokens(TASK_TOKENS)
    ours.save(tmp_path, template, context=128)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs.model_max_length == 128
    first, second = "the first class", "a string's méthode"
    parts = {"$A": ours.encode(first), "$B": ours.encode(second)}
    for found, words in ((theirs(first), template.single), (theirs(first, second), template.pair or ())):
        ids, types = filled(words, parts, ours)
        assert found["input_ids"] == ids
        assert found.get("token_type_ids", [0] * len(ids)) == types
        assert ("token_type_ids" in found) == (kind == "bert")
    batch = theirs([first, second], padding=True) if ours.special_token("pad") else None
    assert batch is None or min(map(len, batch["input_ids"])) == max(map(len, batch["input_ids"]))
    again = Tokenizer.load(tmp_path)
    assert again.fingerprint == ours.fingerprint
    assert again.encode(first).tolist() == parts["$A"].tolist()


def test_berts_own_frames_are_its_template(small: Callable[[str], Path], tmp_path: Path) -> None:
    """Witness: BertTokenizer's own framing of one text and of two."""
    Tokenizer.load(small("bert")).save(tmp_path, BERT_FRAMES)
    ours, theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path)), theirs_of("bert", small("bert"))
    for texts in (["one class"], ["one class", "of two"]):
        assert dict(ours(*texts)) == dict(theirs(*texts))


def xlm_r(text: Sequence[str]) -> Any:
    """Transformers' XLM-R over a small Unigram vocabulary that the tokenizers library has learned."""
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer: Any = trainers.UnigramTrainer(vocab_size=600, special_tokens=names, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator(text, trainer)
    vocab = [tuple(piece) for piece in json.loads(backend.to_str())["model"]["vocab"]]
    return transformers.XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)])


def test_xlm_r_both_ways(tmp_path: Path) -> None:
    """Witness: XLMRobertaTokenizer: its folder here, ours there beside a config, ids and text; its own framing of pairs."""
    theirs = xlm_r([topics[name] for name in sorted(topics)[:25]])
    theirs.save_pretrained(str(tmp_path / "theirs"))
    ours = Tokenizer.load(tmp_path / "theirs")
    roles = {role: ours.special_token(role) for role in ("cls", "sep", "mask", "pad", "unk")}
    assert roles == {"cls": "<s>", "sep": "</s>", "mask": "<mask>", "pad": "<pad>", "unk": "<unk>"}
    assert [ids.tolist() for ids in ours.encode_batch(HARD[:-1])] == [ids_of(theirs, text) for text in HARD[:-1]]
    typed = ours.encode("a<s> </s><mask>b <pad>").tolist()  # theirs would find the tokens in the text
    assert not {theirs.bos_token_id, theirs.eos_token_id, theirs.mask_token_id, theirs.pad_token_id} & set(typed)
    assert [ours.decode(ids_of(theirs, text)) for text in HARD[4:6]] == [
        theirs.decode(ids_of(theirs, text), skip_special_tokens=True) for text in HARD[4:6]
    ]
    frames = Template(("<s>", "$A", "</s>"), ("<s>", "$A", "</s>", "</s>", "$B", "</s>"))
    ours.save(tmp_path, frames)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "xlm-roberta"}))
    again = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert Tokenizer.load(tmp_path).fingerprint == ours.fingerprint
    assert [ids_of(again, text) for text in HARD] == [ids.tolist() for ids in ours.encode_batch(HARD)]
    for texts in (["one class"], ["one class", "of two"]):
        assert dict(again(*texts)) == dict(theirs(*texts))


def pieces_of(kind: str, tokenizer: Tokenizer, text: str) -> Iterator[tuple[str, str]]:
    """Each piece as the vocabulary spells it, without its mark for word ends or insides, and the text its offsets show."""
    names = {tokenizer.token_to_id(name): name for name in json.loads(tokenizer._backend.to_str())["model"]["vocab"]}
    ids, offsets = tokenizer.encode_with_offsets(text)
    for number, (start, end) in zip(ids, offsets, strict=True):
        yield names[int(number)].removeprefix("##").removesuffix("</w>" if kind == "gpt1" else ""), text[start:end]


@pytest.mark.parametrize("kind", ["gpt1", "bert"])
def test_offsets_show_the_text_of_each_piece(kind: str, small: Callable[[str], Path]) -> None:
    """Witness: BERT's normaliser on the text between the offsets gives the piece."""
    tokenizer, normal = Tokenizer.load(small(kind)), normalizers.BertNormalizer(lowercase=True)
    shown = 0
    for text in HARD:
        for piece, between in pieces_of(kind, tokenizer, text):
            if piece != tokenizer.special_token("unk"):
                assert normal.normalize_str(between).strip() == piece
                shown += 1
    assert shown > 200


def test_offsets_of_bytes_show_whole_characters(small: Callable[[str], Path]) -> None:
    """Witness: UTF-8: a piece's bytes are in the text between its offsets, and the texts together are the whole."""
    tokenizer, alphabet = Tokenizer.load(small("gpt2")), bytes_of_characters()
    for text in HARD:
        covered = 0
        for (piece, between), (start, end) in zip(
            pieces_of("gpt2", tokenizer, text), tokenizer.encode_with_offsets(text)[1], strict=True
        ):
            assert bytes(alphabet[c] for c in piece) in between.encode("utf-8")
            assert start <= covered <= end
            covered = end
        assert covered == len(text)


def bytes_of_characters() -> dict[str, int]:
    """GPT-2's character for each byte: printable ones for themselves, the others from 256 on, in order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}


def brute_force(text: str, vocab: dict[str, int], ranks: dict[tuple[str, str], int]) -> list[int]:
    """The rules of GPT-1's released code: words between blanks, ``</w>`` at the last character, lowest rank first."""
    ids = []
    for word in text.split(" "):
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            best = min(itertools.pairwise(parts), key=lambda pair: ranks.get(pair, len(ranks)))
            if best not in ranks:
                break
            merged, i = [], 0
            while i < len(parts):
                joined = tuple(parts[i : i + 2]) == best
                merged.append("".join(best) if joined else parts[i])
                i += 2 if joined else 1
            parts = merged
        ids += [vocab.get(part, 0) for part in parts]
    return ids


def files_of(folder: Path) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    vocab = json.loads((folder / "vocab.json").read_text("utf-8"))
    rows = (folder / "merges.txt").read_text("utf-8").split("\n")[1:]
    return vocab, {(row.split(" ")[0], row.split(" ")[1]): n for n, row in enumerate(row for row in rows if row)}


@pytest.mark.data
def test_gpt1_ids_after_the_rules_of_2018_are_those_of_its_authors(
    published: Callable[[str], Path], lines: list[str]
) -> None:
    """Witness: a brute-force BPE of the published rules on whole lines and on paragraphs, line breaks included."""
    pytest.importorskip("spacy")
    tokenizer, (vocab, ranks) = (
        Tokenizer.load(published("gpt1")).adapt_to_cleaning(RULES_2018),
        files_of(published("gpt1")),
    )
    texts = [*lines, "".join(lines[100:160]), *HARD]
    cleaned = [text for text in (clean(text, RULES_2018) for text in texts) if text]
    expected = [brute_force(text, vocab, ranks) for text in cleaned]
    assert [ids.tolist() for ids in tokenizer.encode_batch(cleaned)] == expected
    seen = set(itertools.chain.from_iterable(expected))
    assert {vocab["n't</w>"], vocab["'s</w>"], vocab["\n</w>"], 0} <= seen


@pytest.mark.data
def test_gpt1_ids_as_transformers_cuts_are_the_brute_force_on_its_words(
    published: Callable[[str], Path], lines: list[str]
) -> None:
    """Witness: the same brute force on the words that BERT's normaliser and pre-tokeniser give."""
    pytest.importorskip("spacy")
    tokenizer, (vocab, ranks) = Tokenizer.load(published("gpt1")), files_of(published("gpt1"))
    normal, split = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    for text in (clean(line, ("spacy", "lower")) for line in lines):
        words = [word for word, _ in split.pre_tokenize_str(normal.normalize_str(text))]
        assert tokenizer.encode(text).tolist() == brute_force(" ".join(words), vocab, ranks)


@given(st.lists(st.text(alphabet="abstr'\n.éx", min_size=1, max_size=12), max_size=6))
@settings(max_examples=100, deadline=None)
def test_words_between_blanks_are_the_brute_forces(small: Callable[[str], Path], words: list[str]) -> None:
    """Witness: the brute force on random words, with a small vocabulary."""
    tokenizer, (vocab, ranks) = small_gpt1(small("gpt1"))
    text = " ".join(words)
    assert tokenizer.encode(text).tolist() == (brute_force(text, vocab, ranks) if words else [])


@functools.cache
def small_gpt1(folder: Path) -> tuple[Tokenizer, tuple[dict[str, int], dict[tuple[str, str], int]]]:
    return Tokenizer.load(folder).adapt_to_cleaning(["spacy"]), files_of(folder)


def test_long_pairs_lose_the_tokens_that_longest_first_takes() -> None:
    """Witness: tokenizers' own truncation of pairs, over all pairs of lengths to 12 and rooms to 24."""
    words = {f"w{n}": n for n in range(12)}
    witness = tokenizers.Tokenizer(models.WordLevel({**words, "[UNK]": 12}, unk_token="[UNK]"))
    witness.pre_tokenizer = pre_tokenizers.Whitespace()
    for room in range(2, 25, 3):
        witness.enable_truncation(room, strategy="longest_first")
        for first, second in itertools.product(range(1, 13), repeat=2):
            found = witness.encode(*(" ".join(list(words)[:count]) for count in (first, second)))
            kept = [found.sequence_ids.count(number) for number in (0, 1)]
            assert fit_lengths([first, second], room) == kept, (first, second, room)


def pieces(special: Sequence[str], last: str = "") -> list[tuple[str, float]]:
    """A Unigram vocabulary of the manual's words, learned by the tokenizers library, behind the special tokens."""
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer: Any = trainers.UnigramTrainer(
        vocab_size=500, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]
    )
    backend.train_from_iterator([topics[name] for name in sorted(topics)[:8]], trainer)
    learned = [tuple(piece) for piece in json.loads(backend.to_str())["model"]["vocab"]][1:]
    return [*((token, 0.0) for token in special), *learned, *([(last, 0.0)] if last else [])]


FAMILIES: dict[str, Callable[[], Any]] = {
    "camembert": lambda: transformers.CamembertTokenizer(
        vocab=pieces(["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"], "<mask>")
    ),
    "albert": lambda: transformers.AlbertTokenizer(vocab=pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])),
    "albert, cased": lambda: transformers.AlbertTokenizer(
        vocab=pieces(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]), do_lower_case=False, keep_accents=True
    ),
    "deberta-v2": lambda: transformers.DebertaV2Tokenizer(vocab=pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[MASK]")),
    "deberta-v2, punctuation": lambda: transformers.DebertaV2Tokenizer(
        vocab=pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[MASK]"), split_by_punct=True, do_lower_case=True
    ),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_unigram_families_give_transformers_ids_on_hard_text(kind: str, tmp_path: Path) -> None:
    """Witness: each family's tokenizer, its folder here: ids, no special token found in a text, and their roles."""
    theirs = FAMILIES[kind]()
    theirs.save_pretrained(str(tmp_path))
    ours = Tokenizer.load(tmp_path)
    texts = [text for text in HARD if "<s>" not in text]  # theirs find a special token in a text
    assert [ids.tolist() for ids in ours.encode_batch(texts)] == [ids_of(theirs, text) for text in texts]
    typed = ours.encode(f"a{theirs.cls_token} {theirs.sep_token}{theirs.mask_token}b {theirs.pad_token}").tolist()
    assert not {theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id, theirs.pad_token_id} & set(typed)
    for role in ("cls", "sep", "mask", "pad", "unk"):
        assert ours.special_token_id(role) == getattr(theirs, f"{role}_token_id")


@pytest.mark.parametrize("lower", [True, False])
def test_mpnets_words_from_its_vocabulary(lower: bool, tmp_path: Path) -> None:
    """Witness: MPNetTokenizer over the same ``vocab.txt``, lower-casing or not, and its own framing of pairs."""
    small = learned("bert", tmp_path / "bert")
    words = small.joinpath("vocab.txt").read_text("utf-8").splitlines()[5:]
    (tmp_path / "vocab.txt").write_text("\n".join(["<s>", "<pad>", "</s>", "[UNK]", *words, "<mask>"]) + "\n", "utf-8")
    config = {"tokenizer_class": "MPNetTokenizer", "do_lower_case": lower, "unk_token": "[UNK]"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = transformers.MPNetTokenizer.from_pretrained(str(tmp_path))
    ours = Tokenizer.load(tmp_path)
    assert [ids.tolist() for ids in ours.encode_batch(HARD[:-1])] == [ids_of(theirs, text) for text in HARD[:-1]]
    assert num_delimiters("full", ours) == 2
