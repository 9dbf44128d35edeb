"""Vocabularies in the older forms that published models come in: GPT-1's and GPT-2's BPE, BERT's WordPiece.

=======  ============================================  ========================================================
kind     files                                         told by
=======  ============================================  ========================================================
GPT-1    a vocabulary and its merges                   pieces that end in ``</w>``
GPT-2    a vocabulary and its merges                   the 256 byte characters, and no ``</w>``
BERT     ``vocab.txt``, or a single ``*-vocab.txt``    one piece per line
=======  ============================================  ========================================================

What is built splits and looks up text exactly as transformers' tokenizers of these models do. The 2018 code of GPT-1 did
something else than transformers does today: :func:`split_at_spaces`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json
from warmstart.text.special_tokens import (
    SPECIAL_TOKENS,
    TOKENIZER_CONFIG,
    find_special_token,
    read_special_tokens,
    read_tokenizer_config,
)

BPE_FILES = (
    ("vocab.json", "merges.txt"),
    ("encoder.json", "vocab.bpe"),
    ("encoder_bpe_40000.json", "vocab_40000.bpe"),
)
"""Pieces with their ids, and the merges in their order: Hugging Face's names, then those the authors gave."""
LEGACY_FILES = ", ".join([*(" + ".join(pair) for pair in BPE_FILES), "vocab.txt"])
WORD_END = "</w>"

RESTORE = "restore the file from a copy"

Vocabulary = dict[str, int]
Default = TypeVar("Default", bound=bool | None)


def read_legacy_tokenizer(folder: Path) -> tokenizers.Tokenizer | None:
    """The tokenizer that the older files in ``folder`` describe, or ``None`` where there are no such files.

    Raises:
        BadInput: a file that is missing, damaged or of another kind, with the line where it has one.
    """
    named, config = read_special_tokens(folder), read_tokenizer_config(folder)
    pair = next((pair for pair in BPE_FILES if any((folder / name).is_file() for name in pair)), None)
    if pair is not None:
        backend = _bpe(folder / pair[0], folder / pair[1], named, config)
    else:
        path = _wordpiece_file(folder)
        if path is None:
            return None
        backend = _wordpiece(path, named, config)
    found = (
        find_special_token(role, named, lambda token: backend.token_to_id(token) is not None) for role in SPECIAL_TOKENS
    )
    backend.add_special_tokens([token for token in dict.fromkeys(found) if token is not None])
    return backend


def split_at_spaces(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """A copy of GPT-1's tokenizer that takes every stretch between blanks as one word, and a line break as a word too.

    So the authors' code looked words up, once spaCy had set them apart (Radford et al. 2018, released code): ``n't`` and
    ``...`` are words, and accents stay. Transformers' tokenizer parts all punctuation and drops accents. Other kinds are
    copied as they are.
    """
    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    if getattr(copy.model, "end_of_word_suffix", None) == WORD_END:
        copy.normalizer = None
        copy.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    return copy


def split_special_tokens(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same tokenizer, which takes special tokens that are typed for what they are: text.

    A Unigram vocabulary (XLM-R's) holds them as pieces like any other and would find them in a text; here their first
    character is always a piece by itself. Other kinds of vocabularies cannot put them together.
    """
    if not isinstance(backend.model, models.Unigram):
        return backend
    known = json.loads(backend.to_str())
    names = [token["content"] for token in known["added_tokens"] if token["special"] and len(token["content"]) > 1]
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names)
    if names and pattern not in json.dumps(known["pre_tokenizer"]).replace("\\\\", "\\"):
        apart = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
        before = [] if backend.pre_tokenizer is None else [backend.pre_tokenizer]
        backend.pre_tokenizer = pre_tokenizers.Sequence([*before, apart])
    return backend


def _bpe(
    vocab_path: Path, merges_path: Path, named: Mapping[str, str], config: Mapping[str, Any]
) -> tokenizers.Tokenizer:
    vocab = _vocabulary(vocab_path)
    merges = _merges(merges_path, vocab, vocab_path)
    word_ends = any(piece.endswith(WORD_END) for piece in vocab)
    if word_ends == (vocab.keys() >= set(pre_tokenizers.ByteLevel.alphabet())):
        raise BadInput(
            "a BPE vocabulary of a kind that is not known here", where=str(vocab_path),
            allowed=f"GPT-1's, whose words end in {WORD_END}, or GPT-2's, which holds the 256 byte characters",
            next_step="convert it to a tokenizer.json",
        )  # fmt: skip
    return _gpt1(vocab, merges, vocab_path, named) if word_ends else _gpt2(vocab, merges, vocab_path, config)


def _gpt1(
    vocab: Vocabulary, merges: list[tuple[str, str]], path: Path, named: Mapping[str, str]
) -> tokenizers.Tokenizer:
    unknown = _required("unk", vocab, named, path)
    backend = tokenizers.Tokenizer(
        models.BPE(vocab=vocab, merges=merges, end_of_word_suffix=WORD_END, unk_token=unknown)
    )
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.BPEDecoder(suffix=WORD_END)
    return backend


def _gpt2(
    vocab: Vocabulary, merges: list[tuple[str, str]], path: Path, config: Mapping[str, Any]
) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=_switch("add_prefix_space", False, config, path))
    backend.decoder = decoders.ByteLevel()
    return backend


def _wordpiece(path: Path, named: Mapping[str, str], config: Mapping[str, Any]) -> tokenizers.Tokenizer:
    vocab: Vocabulary = {}
    for number, piece in _lines(path):
        if piece in vocab:
            raise BadInput(
                "the same piece twice", where=f"{path}:{number}", value=piece,
                allowed=f"one line for each piece; line {vocab[piece] + 1} has it too", next_step=RESTORE,
            )  # fmt: skip
        vocab[piece] = number - 1
    needed = {role: _required(role, vocab, named, path) for role in ("unk", "cls", "sep")}
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=needed["unk"]))
    backend.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=_switch("tokenize_chinese_chars", True, config, path),
        strip_accents=_switch("strip_accents", None, config, path),
        lowercase=_switch("do_lower_case", True, config, path),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def _wordpiece_file(folder: Path) -> Path | None:
    if (folder / "vocab.txt").is_file():
        return folder / "vocab.txt"
    found = sorted(folder.glob("*-vocab.txt"))
    if len(found) > 1:
        raise BadInput(
            "several vocabularies in one folder", where=str(folder), value=", ".join(path.name for path in found),
            allowed="one *-vocab.txt", next_step="give each a folder of its own",
        )  # fmt: skip
    return found[0] if found else None


def _vocabulary(path: Path) -> Vocabulary:
    vocab = read_json(path)
    if not isinstance(vocab, dict) or any(type(number) is not int for number in vocab.values()):
        raise BadInput("not a vocabulary", where=str(path), allowed="one JSON object: piece → id", next_step=RESTORE)
    if sorted(vocab.values()) != list(range(len(vocab))):
        raise BadInput(
            "the ids have gaps or stand twice", where=str(path), value=f"{len(vocab)} pieces",
            allowed=f"ids 0 to {len(vocab) - 1}, each once", next_step=RESTORE,
        )  # fmt: skip
    return vocab


def _merges(path: Path, vocab: Vocabulary, vocab_path: Path) -> list[tuple[str, str]]:
    merges: list[tuple[str, str]] = []
    for number, line in _lines(path):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        first, _, second = line.partition(" ")
        if not first or not second or " " in second:
            raise BadInput(
                "not a merge", where=f"{path}:{number}", value=line, allowed="two pieces with one blank between them",
                next_step=RESTORE,
            )  # fmt: skip
        unknown = next((piece for piece in (first, second, first + second) if piece not in vocab), None)
        if unknown is not None:
            raise BadInput(
                "a merge with a piece that the vocabulary does not hold", where=f"{path}:{number}", value=unknown,
                allowed=f"pieces of {vocab_path.name}", next_step="restore both files from a copy",
            )  # fmt: skip
        merges.append((first, second))
    _require_whole(path, vocab, merges)
    return merges


def _require_whole(path: Path, vocab: Vocabulary, merges: Iterable[tuple[str, str]]) -> None:
    """A file of merges that lost its end still reads well; but then many pieces can never come about."""
    made = {first + second for first, second in merges}
    single = sum(len(piece.removesuffix(WORD_END)) <= 1 for piece in vocab if piece not in made)
    lost = len(vocab) - len(made) - single
    if lost > max(len(vocab) // 100, 16):  # a few are special tokens
        raise BadInput(
            "merges are missing", where=str(path), value=f"no merge makes {lost} of the {len(vocab)} pieces",
            next_step=RESTORE,
        )  # fmt: skip


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    """Numbered lines; only line ends part them, not the other characters that Unicode counts as such."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            "file not found", where=str(path), next_step="put it beside the vocabulary it belongs to"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 text ({error})", where=str(path), next_step=RESTORE) from None
    return enumerate(text.removesuffix("\n").split("\n"), 1)


def _required(role: str, vocab: Vocabulary, named: Mapping[str, str], path: Path) -> str:
    token = find_special_token(role, named, vocab.__contains__)
    if token is None:
        names = dict.fromkeys(filter(None, (named.get(role), *SPECIAL_TOKENS[role].common_names)))
        raise BadInput(
            f"the vocabulary has no {role} token", where=str(path), allowed=" or ".join(names),
            next_step=f"restore the file from a copy, or name the token in {TOKENIZER_CONFIG} as {SPECIAL_TOKENS[role].key}",
        )  # fmt: skip
    return token


def _switch(key: str, default: Default, config: Mapping[str, Any], path: Path) -> bool | Default:
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadInput(
            "not a switch", where=f"{path.with_name(TOKENIZER_CONFIG)}: {key}", value=value, allowed="true or false"
        )
    return value
