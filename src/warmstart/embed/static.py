"""Static vectors of sentences: every token of a vocabulary has one vector, and a text has the mean of its tokens'.

A model is distilled over its own vocabulary: each token is read as a text by itself, the vectors are reduced to their
principal components, and frequent tokens count less, by Zipf's law on the order of the vocabulary and the weights of Arora
et al. 2017. (So does model2vec.) No attention is left, so a text costs a sum of rows.

The folder is one of sentence-transformers with the modules ``StaticEmbedding`` and ``Normalize``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from warmstart.base.arrays import Floats
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.embed.contextual import ContextualEncoder, chunks
from warmstart.embed.extract import principal_components
from warmstart.embed.space import to_unit
from warmstart.models.files import WEIGHTS, read_tensors, write_tensors
from warmstart.readers.vector_table import WordVectors
from warmstart.run.metadata import RunMetadata, read_metadata, write_metadata
from warmstart.text.clean import clean
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.sentence import MODULES

FOLDER, KIND, TABLE = "0_StaticEmbedding", "StaticEmbedding", "embedding.weight"


class StaticEncoder:
    """A table of vectors of tokens as a source of vectors."""

    def __init__(self, tokenizer: Tokenizer, table_VD: Floats, rules: tuple[str, ...] = (), *, normalise: bool = True):
        """``rules`` clean a text before it is read; ``normalise``: whether its vector is brought to length 1."""
        self.tokenizer, self.table_VD, self.rules, self.normalise = tokenizer, table_VD, rules, normalise

    @staticmethod
    def load(folder: Path) -> "StaticEncoder":
        """The table in a folder.

        Raises:
            BadInput: a table that does not fit the vocabulary beside it, or another form of one.
        """
        modules = read_json(folder / MODULES)
        home = folder / modules[0]["path"]
        tensors = read_tensors(home / WEIGHTS)
        tokenizer = Tokenizer.load(home)
        if TABLE not in tensors or len(tensors[TABLE]) < tokenizer.vocab_size:
            raise BadInput(
                "not a table of vectors for this vocabulary", where=str(home / WEIGHTS), value=", ".join(tensors),
                allowed=f"{TABLE} with {tokenizer.vocab_size} rows", next_step="restore the folder from a copy",
            )  # fmt: skip
        normalise = any(str(module["type"]).endswith(".Normalize") for module in modules)
        rules = read_metadata(folder).rules
        return StaticEncoder(tokenizer, tensors[TABLE].float().numpy(), rules, normalise=normalise)

    def save(self, folder: Path) -> None:
        """Writes the folder."""
        home = folder / FOLDER
        home.mkdir(parents=True)
        write_tensors(home / WEIGHTS, {TABLE: torch.from_numpy(self.table_VD)})
        self.tokenizer.save(home)
        paths = {KIND: FOLDER, "Normalize": "1_Normalize"} if self.normalise else {KIND: FOLDER}
        listed = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(paths.items())
        ]
        write_json(folder / MODULES, listed)
        write_metadata(folder, RunMetadata(clean=self.rules))

    @property
    def width(self) -> int:
        """D."""
        return int(self.table_VD.shape[1])

    def encode(self, texts: Iterable[str]) -> Floats:
        """[n, D] the vectors of texts, in order; of a text without tokens zeros."""
        found = [self._means(chunk) for chunk in chunks(texts)]
        vectors = np.concatenate(found) if found else np.zeros((0, self.width), np.float32)
        return to_unit(vectors) if self.normalise else vectors

    def _means(self, texts: list[str]) -> Floats:
        ids = self.tokenizer.encode_batch([clean(text, self.rules) for text in texts])
        lengths = np.array([len(own) for own in ids], np.int64)
        sums = np.zeros((len(texts), self.width), np.float32)
        filled = np.flatnonzero(lengths)
        if len(filled):
            starts = (lengths.cumsum() - lengths)[filled]
            sums[filled] = np.add.reduceat(self.table_VD[np.concatenate(ids)], starts, axis=0)
        return np.asarray(sums / np.maximum(lengths, 1)[:, None].astype(np.float32))

    def word_vectors(self, words: Iterable[str]) -> WordVectors:
        """The vectors of words; without those of which no token is left."""
        names = list(dict.fromkeys(words))
        vectors = self.encode(names)
        known = np.flatnonzero(vectors.any(axis=1))
        return WordVectors([names[number] for number in known], vectors[known])

    def averaged_vectors(self, words: Iterable[str], lines: Iterable[str]) -> NoReturn:
        """Refused: a static vector is the same in every place.

        Raises:
            BadInput: always.
        """
        raise BadInput("static vectors are the same in every text", where="--corpus", next_step="leave it out")


def is_static(folder: Path) -> bool:
    """Whether a folder holds static vectors."""
    modules = read_json(folder / MODULES) if (folder / MODULES).is_file() else []
    return bool(modules) and str(modules[0].get("type", "")).endswith(f".{KIND}")


def distil(encoder: ContextualEncoder, size: int, sif: float) -> StaticEncoder:
    """The static vectors of a model.

    Args:
        encoder: the model, which reads each token of its vocabulary.
        size: principal components that are kept.
        sif: a of the weights a / (a + p) of a token with probability p; 0: all count alike.

    Raises:
        BadInput: more principal components than there are.
    """
    tokenizer = encoder.run.text
    vectors = encoder.token_vectors()
    kept = np.array([number for number in range(len(vectors)) if number not in tokenizer.special_ids], np.int64)
    table = np.zeros((len(vectors), size), np.float32)
    table[kept] = principal_components(vectors[kept], size) * zipf_weights(len(vectors), sif)[kept, None]
    return StaticEncoder(tokenizer, table, encoder.run.metadata.rules)


def zipf_weights(count: int, sif: float) -> Floats:
    """[V] the weight of each token of a vocabulary that has the frequent ones first."""
    shares = 1.0 / np.arange(2, count + 2)
    weights = sif / (sif + shares / shares.sum()) if sif > 0 else np.ones(count)
    return np.asarray(weights, np.float32)
