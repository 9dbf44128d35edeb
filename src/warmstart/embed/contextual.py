"""Vectors from a model: of texts, and of words by themselves or averaged over the places where a corpus has them.

A text is read as the model reads any text: cleaned by the rules of its run, with its special tokens around it, cut at its
longest context. A folder of sentence-transformers says itself how the states become a vector. The vector of a word is the
mean (or first, or last) of the states of its sub-words; special tokens do not count.

Shapes: n texts, N tokens of a Batch, D the width of the states.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import torch

from warmstart.base.arrays import Floats, Ints
from warmstart.base.errors import BadInput
from warmstart.decode.packed import Packed, standing_in
from warmstart.embed.products import plain_products, rounded_products, rounds
from warmstart.example.batch import Batch
from warmstart.example.example import Example
from warmstart.readers.vector_table import WordVectors
from warmstart.run.loading import LoadedRun, load_run
from warmstart.streams.stream import split_batches
from warmstart.tasks.special_tokens import special_ids
from warmstart.tasks.words import WordTokenizer, gaps
from warmstart.text.clean import clean
from warmstart.transfer.sentence import SentenceModules, TextPooling, read_modules

WordPooling = Literal["mean", "first", "last"]
MAX_TOKENS, CHUNK = 4096, 1024


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """How states become vectors.

    Attributes:
        layer: whose states are read; 0: the embeddings, -1: the last.
        pooling: of a text; ``None``: as a folder of sentence-transformers says, else the mean.
        word_pooling: of the sub-words of a word.
        mix: how much each layer counts, from the embeddings up, in the weighted mean that is read in the place of ``layer``.
        precision: in which the model computes.
    """

    layer: int = -1
    pooling: TextPooling | None = None
    word_pooling: WordPooling = "mean"
    precision: str = "fp32"
    mix: tuple[float, ...] = ()


class ContextualEncoder:
    """A model as a source of vectors."""

    def __init__(self, run: LoadedRun, options: EncoderOptions) -> None:
        """Takes a loaded model.

        Raises:
            BadInput: a model without such a layer, an encoder-decoder, or one of images; a sentence encoder that makes its
                vectors in another way.
        """
        backbone, where = run.model.settings.backbone, str(run.folder)
        if backbone.two_stacks:
            raise BadInput(
                "an encoder-decoder is no source of vectors", where=where, allowed="a model of one stack",
                next_step="name another run or model folder",
            )  # fmt: skip
        self.run, self.options, self.backbone = run, options, run.model.backbone
        modules = read_modules(run.folder)
        self.modules = modules or SentenceModules("mean")
        self.pooling = options.pooling or self.modules.text_pooling(where)
        self.normalise = modules is not None and modules.normalise
        self.full = backbone.sight == "full"
        self.max_length = min(backbone.max_length, self.modules.length or backbone.max_length)
        tokenizer = run.text
        self.words = WordTokenizer(tokenizer, run.metadata.rules)
        num_layers = len(self.backbone.blocks)
        if not -1 <= options.layer <= num_layers:
            raise BadInput(
                "no such layer",
                where="--layer",
                value=options.layer,
                allowed=f"0 (the embeddings) to {num_layers}, or -1",
            )
        if options.mix and (len(options.mix) != num_layers + 1 or sum(options.mix) <= 0):
            raise BadInput(
                "not a weight for each layer", where="--mix", value=", ".join(f"{weight:g}" for weight in options.mix),
                allowed=f"{num_layers + 1} numbers, of the embeddings first, with a sum above 0",
            )  # fmt: skip
        self.before, self.after = (np.array(ids, np.int64) for ids in _around(run, full=self.full))

    @staticmethod
    def load(path: str, options: EncoderOptions) -> "ContextualEncoder":
        """The encoder of a run, a model folder or a hub id."""
        return ContextualEncoder(load_run(path, "fp32" if rounds(options.precision) else options.precision), options)

    @property
    def width(self) -> int:
        """D."""
        return int(self.run.model.settings.backbone.width)

    def encode(self, texts: Iterable[str]) -> Floats:
        """[n, D] the vectors of texts, in order; equal texts are read once."""
        numbers: dict[str, int] = {}
        order = [numbers.setdefault(text, len(numbers)) for text in texts]
        with standing_in(self._text_products):
            found = [states for chunk in chunks(numbers) for states in self._states(self._texts(chunk))]
        vectors = np.concatenate(found) if found else np.zeros((0, self.width), np.float32)
        if self.normalise:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.asarray(vectors[order])

    @cached_property
    def _text_products(self) -> list[Packed]:
        """Packed once, since the weights never change here."""
        return self._rounded or plain_products(self.run.model, MAX_TOKENS, short=self.normalise)

    @cached_property
    def _rounded(self) -> list[Packed]:
        """The products of all that is read, where bfloat16 is asked for and the model is in float32."""
        in_float32 = next(self.backbone.parameters()).dtype == torch.float32
        rounded = rounds(self.options.precision) and in_float32
        return rounded_products(self.run.model, MAX_TOKENS) if rounded else []

    def token_vectors(self) -> Floats:
        """[V, D] each token of the vocabulary, read as a text by itself."""
        every = np.arange(self.run.text.vocab_size)[:, None]
        parts = (every[start : start + CHUNK] for start in range(0, len(every), CHUNK))
        return np.concatenate([state for part in parts for state in self._states([self._whole(ids) for ids in part])])

    def word_vectors(self, words: Iterable[str]) -> WordVectors:
        """The vectors of words, each read by itself; without those of which no token is left."""
        kept, found = [], []
        for chunk in chunks(dict.fromkeys(words)):
            read = [self._sentence([word]) for word in chunk]
            known = [(word, one) for word, one in zip(chunk, read, strict=True) if one.spans]
            kept += [word for word, _ in known]
            found += self._states([one for _, one in known])
        return WordVectors(kept, np.concatenate(found) if found else np.zeros((0, self.width), np.float32))

    def averaged_vectors(self, words: Iterable[str], lines: Iterable[str]) -> WordVectors:
        """The vectors of words, each the mean over all places where the ``lines`` of a corpus have it.

        Words are what stands between blanks. Words that the corpus does not have are left out.
        """
        rows = {word: row for row, word in enumerate(dict.fromkeys(words))}
        sums, counts = np.zeros((len(rows), self.width), np.float64), np.zeros(len(rows), np.int64)
        for chunk in chunks(lines):
            split = [line.split() for line in chunk]
            read = [(words, self._sentence(words)) for words in split if not rows.keys().isdisjoint(words)]
            for (words, one), states in zip(read, self._states([one for _, one in read]), strict=True):
                for place, state in zip(one.places, states, strict=True):
                    if (row := rows.get(words[place], -1)) >= 0:
                        sums[row] += state
                        counts[row] += 1
        found = np.flatnonzero(counts)
        names = list(rows)
        means = (sums[found] / counts[found, None]).astype(np.float32)
        return WordVectors([names[row] for row in found], means)

    def _texts(self, texts: Sequence[str]) -> "list[_Sequence]":
        """Texts with their special tokens, cut from their ends, and what is read of them."""
        lower, rules = self.modules.lower, self.run.metadata.rules
        encoded = self.run.text.encode_batch([clean(text.lower() if lower else text, rules) for text in texts])
        return [self._whole(ids) for ids in encoded]

    def _whole(self, ids: Ints) -> "_Sequence":
        """The ids of a text with special tokens around them, read as one vector."""
        framed = self._framed(ids)
        spans = {"mean": (0, len(framed)), "cls": (0, 1), "lasttoken": (len(framed) - 1, len(framed))}
        return _Sequence(framed, [spans[self.pooling]], [0])

    def _sentence(self, words: Sequence[str]) -> "_Sequence":
        """Words with special tokens around them; what is read of each: as far as the context reaches."""
        ids: list[int] = []
        spans, places = [], []
        limit = self.max_length - len(self.before) - len(self.after)
        for place, (gap, word) in enumerate(zip(gaps(words), words, strict=True)):
            own = self.words.tokenize(gap, word).ids
            if len(ids) + len(own) > limit:
                break
            start = len(self.before) + len(ids)
            ids += own
            if own:
                ends = {"mean": (0, len(own)), "first": (0, 1), "last": (len(own) - 1, len(own))}
                first, last = ends[self.options.word_pooling]
                spans.append((start + first, start + last))
                places.append(place)
        return _Sequence(self._framed(np.array(ids, np.int64)), spans, places)

    def _framed(self, ids: Ints) -> Ints:
        kept = ids[: self.max_length - len(self.before) - len(self.after)]
        framed = np.concatenate([self.before, kept, self.after])
        return framed if len(framed) else np.zeros(1, np.int64)  # an empty text of a model without special tokens

    def _states(self, sequences: "list[_Sequence]") -> list[Floats]:
        """[spans, D] of each sequence, in order: the mean of the states of each span."""
        order = sorted(range(len(sequences)), key=lambda n: len(sequences[n].ids))
        examples = [[self._example(sequences[n].ids)] for n in order]
        found: list[Floats] = [np.zeros((0, self.width), np.float32)] * len(sequences)
        done = iter(order)
        for batch in split_batches(examples, 1, MAX_TOKENS) if examples else []:
            own = list(islice(done, len(batch.lengths)))
            with standing_in(self._rounded):
                states = self._layer(batch)
            starts = [0, *np.cumsum(batch.lengths).tolist()]
            spans = [
                (start + a, start + b) for start, n in zip(starts, own, strict=False) for a, b in sequences[n].spans
            ]
            means = iter(_span_means(states, spans))
            for n in own:
                found[n] = np.stack(list(islice(means, len(sequences[n].spans)))) if sequences[n].spans else found[n]
        return found

    def _example(self, ids: Ints) -> Example:
        return Example.full_sight(ids, {}) if self.full else Example.left_to_right(ids, {})

    @torch.inference_mode()
    def _layer(self, batch: Batch) -> torch.Tensor:
        """[N, D] the states of the layer that is read."""
        batch = batch.to(next(self.backbone.parameters()).device)
        if self.options.mix:
            weights = np.array(self.options.mix) / sum(self.options.mix)
            states = zip(weights.tolist(), self.backbone.layer_states(batch), strict=True)
            return torch.stack([weight * layer.float() for weight, layer in states if weight]).sum(0)
        if self.options.layer == -1:
            return self.backbone.forward(batch)
        return self.backbone.layer_states(batch)[self.options.layer]


def _around(run: LoadedRun, *, full: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens before and behind a text.

    Those that the task of a left-to-right model has, else those of the vocabulary's own program, or BERT's.
    """
    tokenizer, task = run.text, run.metadata.first_task
    if not full and task is not None:
        if task.frame.template is not None:
            return task.frame.template.one
        ids = special_ids(task.frame.sight, tokenizer)
        return (ids.start,), (ids.extract,)
    if not full:
        return tokenizer.begin_ids, ()
    ends = [tokenizer.special_token(kind) for kind in ("cls", "sep")]
    framed = () if None in ends else tuple(tokenizer.special_token_id(kind) for kind in ("cls", "sep"))
    return tokenizer.around_ids or (framed[:1], framed[1:])


class _Sequence(NamedTuple):
    """[T] ids, spans of tokens of which the mean is wanted, and the number of the word that each span is of."""

    ids: Ints
    spans: list[tuple[int, int]]
    places: list[int]


def _span_means(states_ND: torch.Tensor, spans: list[tuple[int, int]]) -> Floats:
    """[S, D] the mean of the states of each span."""
    bounds = np.array(spans, np.int64).reshape(-1, 2)
    sizes = torch.from_numpy(bounds[:, 1] - bounds[:, 0])
    owners = torch.repeat_interleave(sizes)
    first = torch.from_numpy(bounds[:, 0]) - sizes.cumsum(0) + sizes  # of each span, less the tokens before it
    tokens = first[owners] + torch.arange(len(owners))
    sums = torch.zeros(len(spans), states_ND.shape[1])
    sums.index_add_(0, owners, states_ND[tokens.to(states_ND.device)].float().cpu())
    return np.asarray((sums / sizes[:, None]).numpy())


def chunks(items: Iterable[str]) -> Iterator[list[str]]:
    """The same in lists of :data:`CHUNK`."""
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
