"""Tokenizer: text ↔ ids with character offsets, special tokens and a fingerprint, over the ``tokenizers`` library.

Byte-level BPE for now: any text comes back byte for byte. Specials are rows at the end of the vocabulary and can never be
typed by accident: a document that contains the characters ``<|start|>`` is encoded as those characters.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from warmstart.base.errors import BadInput
from warmstart.base.files import write_json, write_text

FILE = "tokenizer.json"
END = "<|endoftext|>"
START, DELIMITER, EXTRACT = "<|start|>", "<|delimiter|>", "<|extract|>"
TASK_SPECIALS = (START, DELIMITER, EXTRACT)
SMALLEST = 256 + 1

Ints = NDArray[np.int64]


class Tokenizer:
    """A vocabulary and the way to use it. Equal fingerprints mean equal ids for every text."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend

    @staticmethod
    def train(texts: Iterable[str], vocab_size: int, min_frequency: int = 2) -> "Tokenizer":
        """Learns a byte-level BPE vocabulary (GPT-2's pre-tokenisation) of ``vocab_size`` entries, ``END`` included.

        Raises:
            BadInput: ``vocab_size`` cannot hold the 256 bytes and the end token.
        """
        if vocab_size < SMALLEST:
            raise BadInput("vocabulary too small", where="--vocab-size", value=vocab_size, allowed=f">= {SMALLEST}")
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - 1,
            min_frequency=min_frequency,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return Tokenizer(backend).with_specials([END])

    @staticmethod
    def load(folder: Path) -> "Tokenizer":
        """Reads ``tokenizer.json`` from a folder (or the file itself)."""
        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise BadInput(
                "no tokenizer here",
                where=str(path),
                next_step="give a folder that holds tokenizer.json, such as a corpus or a run",
            )
        try:
            return Tokenizer(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises plain Exception
            raise BadInput(f"not a readable tokenizer ({error})", where=str(path)) from None

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json`` and the ``tokenizer_config.json`` that ``transformers`` looks for."""
        write_text(Path(folder) / FILE, self._backend.to_str(pretty=True))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 10**9}
        if self.has(END):
            config |= {"eos_token": END, "bos_token": END, "unk_token": END, "pad_token": END}
        write_json(Path(folder) / "tokenizer_config.json", config)

    def with_specials(self, tokens: Sequence[str]) -> "Tokenizer":
        """The same vocabulary with those of ``tokens`` that are missing added at its end, in the given order."""
        backend = tokenizers.Tokenizer.from_str(self._backend.to_str())
        backend.add_special_tokens([t for t in tokens if backend.token_to_id(t) is None])
        return Tokenizer(backend)

    @property
    def vocab_size(self) -> int:
        """Number of ids, specials included."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides ids."""
        canonical = json.dumps(json.loads(self._backend.to_str()), sort_keys=True)
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()

    def has(self, token: str) -> bool:
        """Whether the vocabulary holds ``token`` as one entry."""
        return self._backend.token_to_id(token) is not None

    def id(self, token: str) -> int:
        """The id of a special token (``KeyError`` where there is none)."""
        found = self._backend.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return int(found)

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

    def decode(self, ids: Iterable[int], *, specials: bool = False) -> str:
        """Text of ``ids``; special tokens are left out unless ``specials``."""
        return str(self._backend.decode([int(i) for i in ids], skip_special_tokens=not specials))
