"""Reads the older vocabulary files of published models: GPT-1's and GPT-2's BPE, BERT's WordPiece.

=======  ============================================  ========================================================
kind     files                                         recognised by
=======  ============================================  ========================================================
GPT-1    a vocabulary and its merges                   pieces that end in ``</w>``
GPT-2    a vocabulary and its merges                   the 256 byte characters, and no ``</w>``
BERT     ``vocab.txt``, or a single ``*-vocab.txt``    one piece per line
=======  ============================================  ========================================================

The tokenizers give the same ids as those of transformers. GPT-1's own code of 2018 gives others: :func:`split_at_spaces`.
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
from warmstart.text.added_tokens import insert_tokens, read_added_tokens
from warmstart.text.classes import GPT1, GPT2, WORDPIECE, check_class
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
"""The file of pieces with their ids, and that of the merges: Hugging Face's names, then those of the authors."""
LEGACY_FILES = ", ".join([*(" + ".join(pair) for pair in BPE_FILES), "vocab.txt"])
WORD_END = "</w>"

RESTORE = "restore the file from a copy"

Vocab = dict[str, int]
Default = TypeVar("Default", bound=bool | None)


def read_legacy_tokenizer(folder: Path) -> tokenizers.Tokenizer | None:
    """The tokenizer of the older files in ``folder``, or ``None`` if there are none.

    Raises:
        BadInput: a file is missing, damaged or of another kind, or the folder names a class that reads it in another way.
    """
    special_tokens, config = read_special_tokens(folder), read_tokenizer_config(folder)
    pair = next((pair for pair in BPE_FILES if any((folder / name).is_file() for name in pair)), None)
    if pair is not None:
        backend = _bpe(folder / pair[0], folder / pair[1], special_tokens, config)
    else:
        path = _wordpiece_file(folder)
        if path is None:
            return None
        backend = _wordpiece(path, special_tokens, config)
    backend = insert_tokens(backend, read_added_tokens(folder), str(folder))
    tokens = (
        find_special_token(kind, special_tokens, lambda token: backend.token_to_id(token) is not None)
        for kind in SPECIAL_TOKENS
    )
    backend.add_special_tokens([token for token in dict.fromkeys(tokens) if token is not None])
    return backend


def split_at_spaces(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """A copy of GPT-1's tokenizer that splits at spaces only; a line break is a word.

    The authors' code does this with spaCy's tokens (Radford et al. 2018, released code): ``n't`` and ``...`` are words, and
    accents stay. Transformers' tokenizer splits at all punctuation and drops accents. The copy of any other kind of
    tokenizer is unchanged.
    """
    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    if getattr(copy.model, "end_of_word_suffix", None) == WORD_END:
        copy.normalizer = None
        copy.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    return copy


def split_special_tokens(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same tokenizer, which reads a special token in a text as plain text.

    A Unigram vocabulary (XLM-R's) has its special tokens as pieces and would find them in a text, so their first character
    becomes a piece by itself. Other kinds of vocabularies cannot join them.
    """
    if not isinstance(backend.model, models.Unigram):
        return backend
    definition = json.loads(backend.to_str())
    names = [token["content"] for token in definition["added_tokens"] if token["special"] and len(token["content"]) > 1]
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names)
    if names and pattern not in json.dumps(definition["pre_tokenizer"]).replace("\\\\", "\\"):
        split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
        others = [] if backend.pre_tokenizer is None else [backend.pre_tokenizer]
        backend.pre_tokenizer = pre_tokenizers.Sequence([*others, split])
    return backend


def _bpe(
    vocab_path: Path, merges_path: Path, special_tokens: Mapping[str, str], config: Mapping[str, Any]
) -> tokenizers.Tokenizer:
    vocab = _vocabulary(vocab_path)
    merges = _merges(merges_path, vocab, vocab_path)
    has_word_ends = any(piece.endswith(WORD_END) for piece in vocab)
    if has_word_ends == (vocab.keys() >= set(pre_tokenizers.ByteLevel.alphabet())):
        raise BadInput(
            "unknown kind of BPE vocabulary", where=str(vocab_path),
            allowed=f"GPT-1's, whose words end in {WORD_END}, or GPT-2's, which has the 256 byte characters",
            next_step="convert it to a tokenizer.json",
        )  # fmt: skip
    check_class(vocab_path.parent, GPT1 if has_word_ends else GPT2)
    return (
        _gpt1(vocab, merges, vocab_path, special_tokens) if has_word_ends else _gpt2(vocab, merges, vocab_path, config)
    )


def _gpt1(
    vocab: Vocab, merges: list[tuple[str, str]], path: Path, special_tokens: Mapping[str, str]
) -> tokenizers.Tokenizer:
    unknown = _check_special_token("unk", vocab, special_tokens, path)
    backend = tokenizers.Tokenizer(
        models.BPE(vocab=vocab, merges=merges, end_of_word_suffix=WORD_END, unk_token=unknown)
    )
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.BPEDecoder(suffix=WORD_END)
    return backend


def _gpt2(vocab: Vocab, merges: list[tuple[str, str]], path: Path, config: Mapping[str, Any]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=_bool_option("add_prefix_space", False, config, path)
    )
    backend.decoder = decoders.ByteLevel()
    return backend


def _wordpiece(path: Path, special_tokens: Mapping[str, str], config: Mapping[str, Any]) -> tokenizers.Tokenizer:
    check_class(path.parent, WORDPIECE)
    if not _bool_option("do_basic_tokenize", True, config, path) or config.get("never_split"):
        raise BadInput(
            "a WordPiece tokenizer that leaves some text unsplit is not read", where=str(path.with_name(TOKENIZER_CONFIG)),
            allowed="do_basic_tokenize true, never_split empty", next_step="choose another model",
        )  # fmt: skip
    vocab: Vocab = {}
    for number, piece in _lines(path):
        if piece in vocab:
            raise BadInput(
                "the vocabulary has this piece twice", where=f"{path}:{number}", value=piece,
                allowed=f"one line for each piece; line {vocab[piece] + 1} has it too", next_step=RESTORE,
            )  # fmt: skip
        vocab[piece] = number - 1
    required = {kind: _check_special_token(kind, vocab, special_tokens, path) for kind in ("unk", "cls", "sep")}
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=required["unk"]))
    backend.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=_bool_option("tokenize_chinese_chars", True, config, path),
        strip_accents=_bool_option("strip_accents", None, config, path),
        lowercase=_bool_option("do_lower_case", True, config, path),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def _wordpiece_file(folder: Path) -> Path | None:
    if (folder / "vocab.txt").is_file():
        return folder / "vocab.txt"
    paths = sorted(folder.glob("*-vocab.txt"))
    if len(paths) > 1:
        raise BadInput(
            "this folder has several vocabularies", where=str(folder), value=", ".join(path.name for path in paths),
            allowed="one *-vocab.txt", next_step="put each into a folder of its own",
        )  # fmt: skip
    return paths[0] if paths else None


def _vocabulary(path: Path) -> Vocab:
    vocab = read_json(path)
    if not isinstance(vocab, dict) or any(type(number) is not int for number in vocab.values()):
        raise BadInput("not a vocabulary", where=str(path), allowed="one JSON object: piece → id", next_step=RESTORE)
    if sorted(vocab.values()) != list(range(len(vocab))):
        raise BadInput(
            "the ids have gaps or duplicates", where=str(path), value=f"{len(vocab)} pieces",
            allowed=f"ids 0 to {len(vocab) - 1}, each once", next_step=RESTORE,
        )  # fmt: skip
    return vocab


def _merges(path: Path, vocab: Vocab, vocab_path: Path) -> list[tuple[str, str]]:
    merges: list[tuple[str, str]] = []
    for number, line in _lines(path):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        first, _, second = line.partition(" ")
        if not first or not second or " " in second:
            raise BadInput(
                "not a merge", where=f"{path}:{number}", value=line, allowed="two pieces with one space between them",
                next_step=RESTORE,
            )  # fmt: skip
        unknown = next((piece for piece in (first, second, first + second) if piece not in vocab), None)
        if unknown is not None:
            raise BadInput(
                "this merge has a piece that the vocabulary does not have", where=f"{path}:{number}", value=unknown,
                allowed=f"pieces of {vocab_path.name}", next_step="restore both files from a copy",
            )  # fmt: skip
        merges.append((first, second))
    _check_merges(path, vocab, merges)
    return merges


def _check_merges(path: Path, vocab: Vocab, merges: Iterable[tuple[str, str]]) -> None:
    """A file of merges without its end has no syntax error, but no merge then makes many of the pieces."""
    merged = {first + second for first, second in merges}
    single = sum(len(piece.removesuffix(WORD_END)) <= 1 for piece in vocab if piece not in merged)
    missing = len(vocab) - len(merged) - single
    if missing > max(len(vocab) // 100, 16):  # a few are special tokens
        raise BadInput(
            "merges are missing", where=str(path), value=f"no merge makes {missing} of the {len(vocab)} pieces",
            next_step=RESTORE,
        )  # fmt: skip


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    """Numbered lines; only a newline ends a line, not the other line ends of Unicode."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            "file not found", where=str(path), next_step="put it into the folder of its vocabulary"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 text ({error})", where=str(path), next_step=RESTORE) from None
    return enumerate(text.removesuffix("\n").split("\n"), 1)


def _check_special_token(kind: str, vocab: Vocab, special_tokens: Mapping[str, str], path: Path) -> str:
    token = find_special_token(kind, special_tokens, vocab.__contains__)
    if token is None:
        names = dict.fromkeys(filter(None, (special_tokens.get(kind), *SPECIAL_TOKENS[kind].common_names)))
        raise BadInput(
            f"the vocabulary has no {kind} token", where=str(path), allowed=" or ".join(names),
            next_step=f"restore the file from a copy, or name the token in {TOKENIZER_CONFIG} as {SPECIAL_TOKENS[kind].key}",
        )  # fmt: skip
    return token


def _bool_option(key: str, default: Default, config: Mapping[str, Any], path: Path) -> bool | Default:
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadInput(
            "not true or false",
            where=f"{path.with_name(TOKENIZER_CONFIG)}: {key}",
            value=value,
            allowed="true or false",
        )
    return value
