"""Added tokens: entries that stand beside a vocabulary, each with an id of its own, in any of four files.

==========================  ==============================================================
file                        what it tells
==========================  ==============================================================
``tokenizer.json``          ``added_tokens``: ids, and how each is found in a text
``tokenizer_config.json``   ``added_tokens_decoder``: the same
``added_tokens.json``       ids
``special_tokens_map.json`` which of them are special; a name without an id says nothing
==========================  ==============================================================

The ``tokenizers`` library numbers new tokens by counting entries, which gives ids that are taken where ids have gaps. Here
every token gets the id that its file says, and a new one stands behind the greatest. Where ids have gaps, added tokens
become entries of the vocabulary itself, whose ids the library keeps.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.special_tokens import (
    TOKENIZER_CONFIG,
    named_special_tokens,
    read_object,
    read_tokenizer_config,
)

ADDED_TOKENS = "added_tokens.json"
DECODER = "added_tokens_decoder"
RESTORE = "restore the folder from a copy"
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def read_added_tokens(folder: Path) -> dict[int, tokenizers.AddedToken]:
    """Id → token, of ``tokenizer_config.json`` and ``added_tokens.json``; what the first says of a token holds.

    Raises:
        BadInput: a file is damaged, or the two give one id to two tokens.
    """
    found: dict[int, tokenizers.AddedToken] = {}
    path, decoder = folder / TOKENIZER_CONFIG, read_tokenizer_config(folder).get(DECODER) or {}
    if not isinstance(decoder, dict) or not all(map(_is_entry, decoder.items())):
        raise BadInput("not added tokens", where=f"{path}: {DECODER}", allowed='{"id": {"content": text}}')
    for key, entry in decoder.items():
        flags = {flag: bool(entry[flag]) for flag in _FLAGS if flag in entry}
        found[int(key)] = tokenizers.AddedToken(entry["content"], **flags)
    known, special = {token.content for token in found.values()}, named_special_tokens(folder)
    for content, number in read_object(folder / ADDED_TOKENS).items():
        where = str(folder / ADDED_TOKENS)
        if type(number) is not int or number < 0:
            raise BadInput("not the id of a token", where=f"{where}: {content}", value=number, next_step=RESTORE)
        if content not in known:
            if number in found:
                raise _taken(content, number, found[number].content, where)
            found[number] = tokenizers.AddedToken(content, special=content in special)
    return found


def load_definition(text: str, where: str) -> tokenizers.Tokenizer:
    """The tokenizer of the content of a ``tokenizer.json``, each added token with the id that stands there.

    Raises:
        BadInput: two tokens have one id.
        Exception: what the library raises for a text that it cannot read.
    """
    backend = tokenizers.Tokenizer.from_str(text)
    definition: dict[str, Any] = json.loads(text)
    added = definition.get("added_tokens") or []
    right = all(backend.token_to_id(token["content"]) == token["id"] for token in added)
    if not right or _has_gaps(backend.get_vocab(with_added_tokens=True).values()):
        backend = _with_ids(definition, where)
    _check_once(backend.get_vocab(with_added_tokens=True), where)
    return backend


def insert_tokens(
    backend: tokenizers.Tokenizer, tokens: Mapping[int, tokenizers.AddedToken], where: str
) -> tokenizers.Tokenizer:
    """The same vocabulary (a copy, where anything changes) in which ``tokens`` have these ids.

    Raises:
        BadInput: an id or a token is taken already, or the vocabulary cannot have gaps in its ids.
    """
    there = {number: token.content for number, token in backend.get_added_tokens_decoder().items()}
    missing = {number: token for number, token in sorted(tokens.items()) if there.get(number) != token.content}
    if not missing:
        return backend
    for number, token in missing.items():
        if (own := backend.token_to_id(token.content)) not in (None, number):
            raise BadInput(
                f"the files disagree on the id of {token.content!r}", where=where, value=number, allowed=str(own),
                next_step=RESTORE,
            )  # fmt: skip
        if (holder := backend.id_to_token(number)) not in (None, token.content):
            raise _taken(token.content, number, holder, where)
    if _has_gaps({*backend.get_vocab(with_added_tokens=True).values(), *missing}):
        definition = json.loads(backend.to_str())
        definition["added_tokens"] += [_entry(number, token) for number, token in missing.items()]
        return _with_ids(definition, where)
    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    for special, several in groupby(missing.values(), lambda token: token.special):  # each call reads all tokens again
        (copy.add_special_tokens if special else copy.add_tokens)(list(several))
    return copy


def append_special_tokens(backend: tokenizers.Tokenizer, tokens: Iterable[str]) -> tokenizers.Tokenizer:
    """The same vocabulary with new special ``tokens`` behind its greatest id, in their order."""
    last = max(backend.get_vocab(with_added_tokens=True).values(), default=-1)
    new = {last + n: tokenizers.AddedToken(token, special=True) for n, token in enumerate(tokens, start=1)}
    return insert_tokens(backend, new, "the vocabulary")


def _with_ids(definition: dict[str, Any], where: str) -> tokenizers.Tokenizer:
    """The tokenizer of a definition whose added tokens are entries of the vocabulary too: so the library keeps their ids."""
    vocab, added = definition["model"].get("vocab"), definition.get("added_tokens") or []
    if not isinstance(vocab, dict):
        raise BadInput(
            "the ids of the added tokens have gaps, which this kind of vocabulary cannot have", where=where,
            value=definition["model"].get("type"), allowed="ids that follow each other", next_step=RESTORE,
        )  # fmt: skip
    for token in added:
        vocab[token["content"]] = token["id"]
    _check_once(vocab, where)
    return tokenizers.Tokenizer.from_str(json.dumps(definition))


def _has_gaps(ids: Collection[int]) -> bool:
    """Whether the library, which counts, would number a new token wrongly."""
    return set(ids) != set(range(len(ids)))


def _check_once(vocab: Mapping[str, int], where: str) -> None:
    """Refuses two tokens of one id."""
    if len(set(vocab.values())) == len(vocab):
        return
    holders: dict[int, str] = {}
    for token, number in sorted(vocab.items()):
        if number in holders:
            raise _taken(token, number, holders[number], where)
        holders[number] = token


def _taken(token: str, number: int, holder: str, where: str) -> BadInput:
    return BadInput(
        f"two tokens have the id {number}", where=where, value=f"{holder} and {token}", allowed="each id once",
        next_step=RESTORE,
    )  # fmt: skip


def _is_entry(item: tuple[Any, Any]) -> bool:
    key, entry = item
    return str(key).isdecimal() and isinstance(entry, dict) and isinstance(entry.get("content"), str)


def _entry(number: int, token: tokenizers.AddedToken) -> dict[str, Any]:
    return {"id": number, "content": token.content} | {flag: getattr(token, flag) for flag in _FLAGS}
