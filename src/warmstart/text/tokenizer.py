"""Tokenizer: text ↔ ids with character offsets, special tokens and a fingerprint, over the ``tokenizers`` library.

:meth:`Tokenizer.train` trains byte-level BPE, which decodes to the same bytes, or another kind of vocabulary
(:mod:`warmstart.text.vocabularies`). Published models have their own (:mod:`warmstart.text.legacy`); those of GPT-1 and
BERT lower the case and do not keep spaces. No text can contain a special token: the characters ``<|start|>`` in a document
are encoded as characters. No ``encode`` adds one either: ``tasks`` frames texts, and who reads a text as it stands puts
:attr:`Tokenizer.begin_ids` before it.
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
from warmstart.text.added_tokens import append_special_tokens, insert_tokens, load_definition, read_added_tokens
from warmstart.text.batches import BatchEncoder
from warmstart.text.classes import SENTENCEPIECE, TOKENIZER_FILE, check_class, check_one_model
from warmstart.text.legacy import LEGACY_FILES, read_legacy_tokenizer, split_at_spaces, split_special_tokens
from warmstart.text.sentencepiece import read_sentencepiece_tokenizer
from warmstart.text.settings import MIN_VOCAB_SIZE, VocabularyKind
from warmstart.text.special_tokens import (
    END,
    GENERATION_CONFIG,
    SPECIAL_TOKENS,
    TOKENIZER_CONFIG,
    find_special_token,
    read_end_ids,
    read_pad_id,
    read_special_tokens,
    reads_bos,
)
from warmstart.text.switches import apply_switches
from warmstart.text.template import Template
from warmstart.text.vocabularies import TRAINERS

START, DELIMITER, EXTRACT = "<|start|>", "<|delimiter|>", "<|extract|>"
TASK_TOKENS = (START, DELIMITER, EXTRACT)


def check_vocab_size(vocab_size: int) -> None:
    """Raises :class:`BadInput` for a size too small for the 256 bytes and the end token."""
    if vocab_size < MIN_VOCAB_SIZE:
        raise BadInput("vocabulary too small", where="--vocab-size", value=vocab_size, allowed=f">= {MIN_VOCAB_SIZE}")


class Tokenizer:
    """A vocabulary and its use. Tokenizers with equal fingerprints give equal ids for every text.

    Args:
        backend: the library's tokenizer; its truncation, padding and template are removed.
        special_tokens: kind → special token, where a file names it.
        template: the special tokens that its own program puts around texts.
        ends: ids of tokens that end a text; that of the token between two documents is always one.
    """

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        special_tokens: Mapping[str, str] | None = None,
        template: Template | None = None,
        ends: Sequence[int] = (),
    ) -> None:
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        byte_level = "ByteLevel(" in repr(backend.pre_tokenizer)
        backend.post_processor = processors.ByteLevel(trim_offsets=False) if byte_level else None
        self._backend, self._special_tokens, self._template = backend, dict(special_tokens or {}), template
        self._ends, self._encoder = tuple(ends), BatchEncoder(backend)

    @staticmethod
    def train(
        texts: Iterable[str], vocab_size: int, min_frequency: int = 2, vocabulary: VocabularyKind = "bpe"
    ) -> "Tokenizer":
        """Trains a vocabulary.

        Args:
            texts: to train on; ``bytes`` needs none.
            vocab_size: maximum number of tokens, with ``END``; ``bytes`` always has 257.
            min_frequency: of a merge, word or character in the vocabulary.
            vocabulary: its kind (:mod:`warmstart.text.vocabularies`).

        Raises:
            BadInput: ``vocab_size`` is too small for the 256 bytes and the end token.
        """
        check_vocab_size(vocab_size)
        return Tokenizer(TRAINERS[vocabulary](texts, vocab_size - 1, min_frequency)).with_special_tokens([END])

    @staticmethod
    def load(folder: Path) -> "Tokenizer":
        """Loads ``tokenizer.json`` from a folder (or the file itself), else the older files of GPT-1, GPT-2 or BERT.

        Where there are none of these, it loads a model of SentencePiece.

        Raises:
            BadInput: there is no tokenizer, or a file is damaged.
        """
        path = Path(folder)
        file = path / TOKENIZER_FILE if path.is_dir() else path
        folder, template = file.parent, None
        backend: tokenizers.Tokenizer | None
        if file.is_file():
            check_class(folder, TOKENIZER_FILE)
            backend = apply_switches(_read(file), folder)
            backend = insert_tokens(backend, read_added_tokens(folder), str(folder))
            backend.no_truncation()
            backend.no_padding()
            template = Template.read(backend)
        else:
            check_one_model(path)
            backend = read_legacy_tokenizer(path) if path.is_dir() else None
        if backend is None and path.is_dir() and (backend := read_sentencepiece_tokenizer(path)) is not None:
            template = Template.read(backend)
        if backend is None:
            raise BadInput(
                "there is no tokenizer here", where=str(path),
                allowed=", ".join((TOKENIZER_FILE, LEGACY_FILES, *SENTENCEPIECE)),
                next_step="name a folder with one of these, such as a corpus, a run or a published model",
            )  # fmt: skip
        special_tokens, pad_id = read_special_tokens(folder), read_pad_id(folder)
        if "pad" not in special_tokens and pad_id is not None and (pad := backend.id_to_token(pad_id)) is not None:
            special_tokens["pad"] = pad
        bos = special_tokens.get("bos")
        if (
            template is None
            and not file.is_file()
            and reads_bos(folder)
            and bos
            and backend.token_to_id(bos) is not None
        ):
            template = Template.begin((bos,))
        ends = [end for end in read_end_ids(folder) if backend.id_to_token(end) is not None]
        return Tokenizer(split_special_tokens(backend), special_tokens, template, ends)

    def save(self, folder: Path, template: Template | None = None, context: int | None = None) -> None:
        """Writes ``tokenizer.json`` and ``tokenizer_config.json``, from which ``transformers`` loads the tokenizer.

        Several end tokens stand in ``generation_config.json``, where its ``generate`` looks for them.

        Args:
            folder: where to write.
            template: the special tokens that other programs add around texts; our own are added by frames. Without one:
                those that stand before every text.
            context: the longest input of the model, in tokens.
        """
        backend, inputs = self._backend, ["input_ids", "attention_mask"]
        if template is None and self.begin:
            template = Template.begin(self.begin)
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
        found = {token.key: self.special_token(kind) for kind, token in SPECIAL_TOKENS.items()}
        config |= {key: token for key, token in found.items() if token}
        write_json(Path(folder) / TOKENIZER_CONFIG, config)
        if len(self.end_ids) > 1:
            ids = {
                f"{kind}_token_id": self.special_token_id(kind) for kind in ("bos", "pad") if self.special_token(kind)
            }
            write_json(Path(folder) / GENERATION_CONFIG, ids | {"eos_token_id": list(self.end_ids)})

    def with_special_tokens(self, tokens: Sequence[str]) -> "Tokenizer":
        """The same vocabulary with ``tokens`` at its end, in their order, except those that it has."""
        new = list(dict.fromkeys(token for token in tokens if not self.has_token(token)))
        copy = tokenizers.Tokenizer.from_str(self._backend.to_str())
        return self._with_backend(append_special_tokens(copy, new))

    def _with_backend(self, backend: tokenizers.Tokenizer) -> "Tokenizer":
        return Tokenizer(backend, self._special_tokens, self._template, self._ends)

    def adapt_to_cleaning(self, rules: Sequence[str]) -> "Tokenizer":
        """The tokenizer for text that was cleaned with ``rules``.

        With ``spacy`` among the rules, GPT-1's tokenizer splits at spaces only, as its authors' code does
        (:func:`warmstart.text.legacy.split_at_spaces`): ids and fingerprint change. Every other tokenizer stays the same.
        """
        return self._with_backend(split_at_spaces(self._backend)) if "spacy" in rules else self

    @cached_property
    def _vocab(self) -> dict[str, int]:
        return dict(self._backend.get_vocab(with_added_tokens=True))

    @cached_property
    def vocab_size(self) -> int:
        """The greatest id plus 1: rows of a table, with those of special tokens and of ids that no token has."""
        return max(self._vocab.values(), default=-1) + 1

    def absent_ids(self, rows: int) -> tuple[int, ...]:
        """The ids below ``rows`` that no token has: gaps, and those behind the vocabulary where a table is padded."""
        found: list[int] = np.setdiff1d(np.arange(rows), list(self._vocab.values())).tolist()
        return tuple(found)

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The content of ``tokenizer.json``."""
        definition: dict[str, Any] = json.loads(self._backend.to_str())
        return definition

    @property
    def pieces(self) -> list[str]:
        """[V] each entry as the vocabulary spells it, in the order of ids; the empty text where no token has an id."""
        names = {number: piece for piece, number in self._vocab.items()}
        return [names.get(number, "") for number in range(self.vocab_size)]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides ids and text: normalizer, pre-tokenizer, vocabulary, merges, special tokens, decoder.

        It does not depend on the template, truncation, padding and ``tokenizer_config.json``.
        """
        canonical = json.dumps(self.definition, sort_keys=True)
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()

    def has_token(self, token: str) -> bool:
        """Whether the vocabulary has ``token`` as one entry."""
        return self._backend.token_to_id(token) is not None

    @cached_property
    def ids_by_text(self) -> dict[str, int]:
        """Each entry decoded to text → its id."""
        return {self.decode([number], skip_special_tokens=False): number for number in sorted(self._vocab.values())}

    def token_to_id(self, token: str) -> int:
        """The id of a token (``KeyError`` if the vocabulary does not have it)."""
        token_id = self._backend.token_to_id(token)
        if token_id is None:
            raise KeyError(token)
        return int(token_id)

    def special_token(self, kind: str) -> str | None:
        """The token of a kind (``bos``, ``eos``, ``cls``, ``sep``, ``mask``, ``pad``, ``unk``), or ``None``."""
        return find_special_token(kind, self._special_tokens, self.has_token)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens, which stand for no text."""
        added = self._backend.get_added_tokens_decoder()
        return tuple(number for number, token in added.items() if token.special)

    def special_token_id(self, kind: str) -> int:
        """The id of the token of a kind (``KeyError`` where the vocabulary has none)."""
        token = self.special_token(kind)
        if token is None:
            raise KeyError(kind)
        return self.token_to_id(token)

    @property
    def begin(self) -> tuple[str, ...]:
        """The tokens before every text, and nothing behind it, as Llama has ``<s>``; a frame around it is none."""
        return () if self._template is None or self._template.after else self._template.before

    @property
    def begin_ids(self) -> tuple[int, ...]:
        """Their ids."""
        return tuple(map(self.token_to_id, self.begin))

    @property
    def around_ids(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The ids that its own program puts before and behind a text; ``None`` where it puts nothing."""
        if self._template is None:
            return None
        before, after = (tuple(map(self.token_to_id, side)) for side in (self._template.before, self._template.after))
        return before, after

    @property
    def start(self) -> str | None:
        """The one token before every text that a left-to-right model reads, alone or framed by a task of ours."""
        if self._template is None or self._template.after not in ((), (EXTRACT,)) or len(self._template.before) != 1:
            return None
        return self._template.before[0]

    @cached_property
    def prepends_blank(self) -> bool:
        """Whether a blank comes before every text, even before one that begins with a blank, as in Llama 2's vocabulary."""
        return _leading_blanks(self._backend, "x") == 1 and _leading_blanks(self._backend, " x") == 2

    @property
    def end_id(self) -> int | None:
        """The id of the token between two documents: ``eos`` or, in BERT's vocabularies, ``sep``, if there is one."""
        kinds = (kind for kind in ("eos", "sep") if self.special_token(kind) is not None)
        return next(map(self.special_token_id, kinds), None)

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The ids of all tokens that end a text: :attr:`end_id` and those that a model's config names."""
        own = () if self.end_id is None else (self.end_id,)
        return tuple(dict.fromkeys((*own, *self._ends)))

    def extends(self, other: "Tokenizer") -> bool:
        """Whether every token of ``other`` has the same id here, so an embedding table of ``other`` fits as it is."""
        return all(self._vocab.get(token) == number for token, number in other._vocab.items())

    def map_ids_to(self, other: "Tokenizer") -> Ints:
        """[V] the id in ``other`` of each token here, -1 where ``other`` does not have it."""
        ids = np.full(self.vocab_size, -1)
        for token, number in self._vocab.items():
            ids[number] = other._vocab.get(token, -1)
        return ids

    def encode(self, text: str) -> Ints:
        """[T] the ids of one text, without special tokens."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Ints]:
        """The ids of many texts, on all cores."""
        try:
            return self._encoder.encode(texts)
        except (TypeError, UnicodeEncodeError):
            for text in texts:
                check_unicode(text)
            raise

    def encode_with_offsets(self, text: str) -> tuple[Ints, list[tuple[int, int]]]:
        """[T] ids and, for each, the (start, end) of its characters in ``text``."""
        check_unicode(text)
        encoded = self._backend.encode(text, add_special_tokens=False)
        return np.array(encoded.ids, np.int64), list(encoded.offsets)

    def encode_after(self, texts: Sequence[str], borders: Sequence[int]) -> list[tuple[Ints, int, bool]]:
        """The ids of many texts, and where in each the part begins that is read from character ``border`` on.

        Returns:
            [T] ids; the number of the first token that holds a character of that part, T where none does; and whether it
            also holds one before the border that is no blank.
        """
        for text in texts:
            check_unicode(text)
        found = []
        for text, border, encoded in zip(
            texts, borders, self._backend.encode_batch(list(texts), add_special_tokens=False), strict=True
        ):
            places = (encoded.char_to_token(place) for place in range(border, len(text)))
            first = next((place for place in places if place is not None), len(encoded.ids))
            start = encoded.offsets[first][0] if first < len(encoded.ids) else border
            found.append((np.array(encoded.ids, np.int64), first, not text[start:border].isspace() and start < border))
        return found

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ``ids``."""
        return str(self._backend.decode([int(i) for i in ids], skip_special_tokens=skip_special_tokens))

    def decode_continuation(self, prefix: Iterable[int], ids: Iterable[int]) -> str:
        """The text of ``ids`` after that of ``prefix``, with the space between two words where there is one."""
        prefix, ids = list(prefix), list(ids)
        text, whole = self.decode(prefix), self.decode(prefix + ids)
        return whole[len(text) :] if whole.startswith(text) else self.decode(ids)


def check_unicode(text: str, where: str = "") -> None:
    """Refuses half a pair of surrogates: it comes of bytes that are no UTF-8, or of half a character, and is no text.

    Raises:
        BadInput: with the first place.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        near = text[max(0, error.start - 20) : error.end + 20]
        raise BadInput(
            f"not Unicode text: character {error.start + 1} is half a character, or a byte that is no UTF-8", where=where,
            value=near, next_step="write the text as UTF-8",
        ) from None  # fmt: skip


def _leading_blanks(backend: tokenizers.Tokenizer, text: str) -> int:
    """Blanks at the beginning of what a vocabulary is asked for."""
    if backend.normalizer is not None:
        text = backend.normalizer.normalize_str(text)
    pieces = [(text, (0, 0))] if backend.pre_tokenizer is None else backend.pre_tokenizer.pre_tokenize_str(text)
    whole = "".join(piece for piece, _ in pieces)
    return len(whole) - len(whole.lstrip(" \u0120\u2581"))  # as characters, as bytes, as SentencePiece has them


def _read(file: Path) -> tokenizers.Tokenizer:
    """The tokenizer of a ``tokenizer.json``."""
    try:
        return load_definition(file.read_text(encoding="utf-8"), str(file))
    except BadInput:
        raise
    except Exception as error:  # the library raises plain Exception
        raise BadInput(
            f"this tokenizer cannot be read ({error})", where=str(file), next_step="restore it from a copy"
        ) from None
