"""Tokenizer: text ↔ ids with character offsets, special tokens and a fingerprint, over the ``tokenizers`` library.

A vocabulary learned here is byte-level BPE unless another is asked for (:mod:`warmstart.text.vocabularies`): any text
comes back byte for byte. Published models bring their own forms (:mod:`warmstart.text.legacy`); GPT-1's and BERT's fold
case and lose blanks. Special tokens can never be typed by accident: a document that contains the characters ``<|start|>``
is encoded as those characters. Nor does any ``encode`` add one: frames are made in ``tasks``.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import processors

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.base.files import write_json, write_text
from warmstart.text import legacy, special_tokens
from warmstart.text.settings import VocabularyKind
from warmstart.text.template import Template
from warmstart.text.vocabularies import TRAINERS

TOKENIZER_FILE = "tokenizer.json"
END = special_tokens.END
START, DELIMITER, EXTRACT = "<|start|>", "<|delimiter|>", "<|extract|>"
TASK_TOKENS = (START, DELIMITER, EXTRACT)
MIN_VOCAB_SIZE = 256 + 1


def check_vocab_size(vocab_size: int) -> None:
    """Refuses a size that cannot hold the 256 bytes and the end token."""
    if vocab_size < MIN_VOCAB_SIZE:
        raise BadInput("vocabulary too small", where="--vocab-size", value=vocab_size, allowed=f">= {MIN_VOCAB_SIZE}")


class Tokenizer:
    """A vocabulary and the way to use it. Equal fingerprints mean equal ids for every text.

    Args:
        backend: the library's tokenizer; its truncation, padding and template are taken off.
        named: role → special token, where a file names it (:data:`warmstart.text.special_tokens.SPECIAL_TOKENS`).
    """

    def __init__(self, backend: tokenizers.Tokenizer, named: Mapping[str, str] | None = None) -> None:
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        byte_level = "ByteLevel(" in repr(backend.pre_tokenizer)
        backend.post_processor = processors.ByteLevel(trim_offsets=False) if byte_level else None
        self._backend, self._named = backend, dict(named or {})

    @staticmethod
    def train(
        texts: Iterable[str], vocab_size: int, min_frequency: int = 2, vocabulary: VocabularyKind = "bpe"
    ) -> "Tokenizer":
        """Learns a vocabulary of at most ``vocab_size`` entries, ``END`` included.

        Args:
            texts: to learn from; ``bytes`` needs none.
            vocab_size: entries at most; ``bytes`` always has 257.
            min_frequency: how often a merge, word or character is seen at least.
            vocabulary: what a token is (:mod:`warmstart.text.vocabularies`).

        Raises:
            BadInput: ``vocab_size`` cannot hold the 256 bytes and the end token.
        """
        check_vocab_size(vocab_size)
        return Tokenizer(TRAINERS[vocabulary](texts, vocab_size - 1, min_frequency)).with_special_tokens([END])

    @staticmethod
    def load(folder: Path) -> "Tokenizer":
        """Reads ``tokenizer.json`` from a folder (or the file itself), else an older form of GPT-1, GPT-2 or BERT.

        Raises:
            BadInput: nothing of the kind is there, or a file is damaged.
        """
        path = Path(folder)
        file = path / TOKENIZER_FILE if path.is_dir() else path
        backend: tokenizers.Tokenizer | None = None
        if file.is_file():
            try:
                backend = tokenizers.Tokenizer.from_file(str(file))
            except Exception as error:  # the library raises plain Exception
                raise BadInput(f"not a readable tokenizer ({error})", where=str(file)) from None
        elif path.is_dir():
            backend = legacy.read_legacy_tokenizer(path)
        if backend is None:
            raise BadInput(
                "no tokenizer here", where=str(path), allowed=f"{TOKENIZER_FILE}, {legacy.LEGACY_FILES}",
                next_step="give a folder that holds one of these, such as a corpus, a run or a published model",
            )  # fmt: skip
        return Tokenizer(legacy.split_special_tokens(backend), special_tokens.read_special_tokens(file.parent))

    def save(self, folder: Path, template: Template | None = None, context: int | None = None) -> None:
        """Writes ``tokenizer.json`` and the ``tokenizer_config.json`` that ``transformers`` looks for.

        Args:
            folder: where to.
            template: the special tokens that other programs shall put round texts; ours are put by frames.
            context: the longest input of the model, in tokens.
        """
        backend, inputs = self._backend, ["input_ids", "attention_mask"]
        if template is not None:
            backend = tokenizers.Tokenizer.from_str(backend.to_str())
            backend.post_processor = template.build_post_processor(self.token_to_id)
            inputs[1:1] = ["token_type_ids"] if template.has_token_types else []
        write_text(Path(folder) / TOKENIZER_FILE, backend.to_str(pretty=True))
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 10**9 if context is None else context,
            "model_input_names": inputs,
        }
        found = {token.key: self.special_token(kind) for kind, token in special_tokens.SPECIAL_TOKENS.items()}
        config |= {key: token for key, token in found.items() if token}
        write_json(Path(folder) / special_tokens.TOKENIZER_CONFIG, config)

    def with_special_tokens(self, tokens: Sequence[str]) -> "Tokenizer":
        """The same vocabulary with those of ``tokens`` that are missing added at its end, in the given order."""
        backend = tokenizers.Tokenizer.from_str(self._backend.to_str())
        backend.add_special_tokens([t for t in tokens if backend.token_to_id(t) is None])
        return Tokenizer(backend, self._named)

    def adapt_to_cleaning(self, rules: Sequence[str]) -> "Tokenizer":
        """The same vocabulary for text that was cleaned with ``rules``.

        Where ``spacy`` is among them, GPT-1's takes every stretch between blanks as one word, as its authors' code does
        (:func:`warmstart.text.legacy.split_at_spaces`); this changes ids and so the fingerprint. Nothing else changes.
        """
        return Tokenizer(legacy.split_at_spaces(self._backend), self._named) if "spacy" in rules else self

    @property
    def vocab_size(self) -> int:
        """Number of ids, specials included."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @cached_property
    def definition(self) -> dict[str, Any]:
        """What ``tokenizer.json`` says."""
        found: dict[str, Any] = json.loads(self._backend.to_str())
        return found

    @property
    def pieces(self) -> list[str]:
        """[V] each entry as the vocabulary spells it, by its id."""
        vocab = self._backend.get_vocab(with_added_tokens=True)
        return sorted(vocab, key=vocab.__getitem__)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over what decides ids and text: normalising, splitting, vocabulary, merges, special tokens, decoding.

        It does not depend on what only frames a text for others, or says which token plays which role: template,
        truncation, padding, ``tokenizer_config.json``.
        """
        canonical = json.dumps(self.definition, sort_keys=True)
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()

    def has_token(self, token: str) -> bool:
        """Whether the vocabulary holds ``token`` as one entry."""
        return self._backend.token_to_id(token) is not None

    @cached_property
    def ids_by_text(self) -> dict[str, int]:
        """Each entry as a text of its own would have it → its id."""
        return {self.decode([number], skip_special_tokens=False): number for number in range(self.vocab_size)}

    def token_to_id(self, token: str) -> int:
        """The id of a special token (``KeyError`` where there is none)."""
        found = self._backend.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return int(found)

    def special_token(self, name: str) -> str | None:
        """The token of a kind (``bos``, ``eos``, ``cls``, ``sep``, ``mask``, ``pad``, ``unk``), or ``None``."""
        return special_tokens.find_special_token(name, self._named, self.has_token)

    def special_token_id(self, name: str) -> int:
        """The id of the token of a kind (``KeyError`` where the vocabulary has none)."""
        token = self.special_token(name)
        if token is None:
            raise KeyError(name)
        return self.token_to_id(token)

    @property
    def end_id(self) -> int | None:
        """The token between two documents: the one that ends a text or, in BERT's vocabularies, a segment; if any."""
        kinds = (kind for kind in ("eos", "sep") if self.special_token(kind) is not None)
        return next(map(self.special_token_id, kinds), None)

    def extends(self, other: "Tokenizer") -> bool:
        """Whether every token of ``other`` has the same id here, so that its rows of a table can stay where they are."""
        ours = self._backend.get_vocab(with_added_tokens=True)
        return all(ours.get(token) == number for token, number in other._backend.get_vocab().items())

    def map_ids_to(self, other: "Tokenizer") -> Ints:
        """[V] the id of each of our tokens in ``other``, -1 where it has none."""
        theirs = other._backend.get_vocab(with_added_tokens=True)
        rows = np.full(self.vocab_size, -1)
        for token, number in self._backend.get_vocab(with_added_tokens=True).items():
            rows[number] = theirs.get(token, -1)
        return rows

    def encode(self, text: str) -> Ints:
        """[T] ids of one text, no special token added."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Ints]:
        """Ids of many texts, on all cores."""
        encoded = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(e.ids, np.int64) for e in encoded]

    def encode_with_offsets(self, text: str) -> tuple[Ints, list[tuple[int, int]]]:
        """[T] ids and, for each, the characters of ``text`` it stands for, as (start, end)."""
        encoded = self._backend.encode(text, add_special_tokens=False)
        return np.array(encoded.ids, np.int64), list(encoded.offsets)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ``ids``."""
        return str(self._backend.decode([int(i) for i in ids], skip_special_tokens=skip_special_tokens))

    def decode_continuation(self, before: Iterable[int], ids: Iterable[int]) -> str:
        """Text of ``ids`` as it stands behind that of ``before``: with the blank between two words, where there is one."""
        known, ids = list(before), list(ids)
        text, whole = self.decode(known), self.decode(known + ids)
        return whole[len(text) :] if whole.startswith(text) else self.decode(ids)
