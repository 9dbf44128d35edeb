"""The one scorer: log p(continuation | context) of pairs, and of long texts in windows.

Context and continuation are encoded as one text, and characters say which tokens are the continuation's. Encoded apart,
the border would stand between tokens that the model has never seen beside each other. A token over the border belongs to
the continuation.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Literal, NamedTuple

import numpy as np

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.decode.generate import generate
from warmstart.decode.limits import limits_of
from warmstart.decode.settings import GenerateSettings
from warmstart.models.model import Model
from warmstart.readers.documents import TOKENIZER_CHARS, split_chunks
from warmstart.text.clean import clean
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.causal import CausalModel
from warmstart.zeroshot.likelihood import Likelihood, Pair, TokenModel, TokenRun
from warmstart.zeroshot.masked import MaskedModel
from warmstart.zeroshot.windows import windows

TOKEN_MODELS: dict[str, Callable[[Model, Tokenizer], TokenModel]] = {"causal": CausalModel, "full": MaskedModel}
"""What a model sees of a text → how its tokens get log-probabilities."""
CHUNK, RUNS = 1024, 64
LIMITLESS, WINDOW = 1 << 20, 8192
"""A model that reads as much at once has no limit of its own, as LSTMs; it reads long texts in windows of so many tokens."""
LongContext = Literal["cut", "refuse"]


class TextScore(NamedTuple):
    """Of a whole text: log-probability, and the number of its predicted tokens."""

    log_prob: float
    tokens: int


class Written(NamedTuple):
    """A continuation, and its log-probability with what ends it."""

    text: str
    log_prob: float


class _Encoded(NamedTuple):
    """A pair's ids with what stands before them, which of them are predicted, and what the account says of it."""

    run: TokenRun
    spans_border: bool
    cut: int


class Scorer:
    """A language model that judges texts.

    Args:
        model: how its tokens get log-probabilities.
        tokenizer: its vocabulary.
        rules: cleaning rules of all that it reads.
        long_context: what is done with a context that does not fit: its beginning is cut, or it is refused.
        min_context: tokens that each token of a long text is predicted after, at least; ``None``: half of what the model
            reads.
    """

    def __init__(
        self, model: TokenModel, tokenizer: Tokenizer, rules: Sequence[str] = (), long_context: LongContext = "cut",
        min_context: int | None = None,
    ) -> None:  # fmt: skip
        self.model, self.tokenizer, self.rules, self.long_context = model, tokenizer, tuple(rules), long_context
        self.window = model.room if model.room < LIMITLESS else WINDOW
        self.min_context = max(model.fewest, self.window // 2 if min_context is None else min_context)
        if self.min_context >= self.window:
            raise BadInput(
                "no token would be predicted", where="--min-context", value=min_context,
                allowed=f"{model.fewest} to {self.window - 1}", next_step="leave it out",
            )  # fmt: skip

    def score(self, pairs: Iterable[Pair]) -> Iterator[Likelihood]:
        """The likelihood of each pair, in order; memory does not grow with the pairs.

        Raises:
            BadInput: a text that is not Unicode, or a pair too long where that is refused.
        """
        remaining = iter(pairs)
        while chunk := list(islice(remaining, CHUNK)):
            encoded = self._encode(chunk)
            answers = self.model.answer([one.run for one in encoded])
            for one, found in zip(encoded, answers, strict=True):
                yield Likelihood(found.log_probs, found.right, one.spans_border, one.cut)

    def first_guesses(self, pairs: Sequence[Pair]) -> list[bool]:
        """Whether each continuation's first token is the first guess among those that are no stop word."""
        return self.model.first_guesses([one.run for one in self._encode(pairs)], self._banned) if pairs else []

    @cached_property
    def stop_words(self) -> frozenset[str]:
        """scikit-learn's list of English stop words."""
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # takes a second, and few tasks ask

        return frozenset(ENGLISH_STOP_WORDS)

    @cached_property
    def _banned(self) -> Ints:
        entries = self.tokenizer.ids_by_text.items()
        return np.array([number for text, number in entries if text.strip().lower() in self.stop_words], np.int64)

    def write(
        self, prompts: Sequence[tuple[str, str]], settings: GenerateSettings, first: int, *, by_line: bool
    ) -> list[Written]:
        """What the model writes behind each prompt: a head, which loses its end where it does not fit, and a tail.

        Args:
            prompts: in order.
            settings: of the decoding.
            first: the number of the first prompt; names the draws.
            by_line: whether the end of a line is the end of a text.

        Raises:
            BadInput: the model does not read from left to right.
        """
        model, tokenizer = self.model.model, self.tokenizer
        end = next(iter(tokenizer.end_ids), None)
        ends = (*tokenizer.end_ids, *(self._line_ends if by_line else ()))
        limits = limits_of(settings, tokenizer, end, ends, model.settings.backbone.vocab_size)
        ids = [self._prompt(head, tail, settings.max_new) for head, tail in prompts]
        found = generate(model, ids, settings, end, limits, first, self.model.begin)
        return [
            Written(tokenizer.decode_continuation(own, one.ids), one.log_prob)
            for own, one in zip(ids, found, strict=True)
        ]

    def _prompt(self, head: str, tail: str, max_new: int) -> Ints:
        ids = self.tokenizer.encode(clean(head + tail, self.rules))
        room = self.model.room - 1 - len(self.model.begin) - max_new
        if len(ids) <= room or not head:
            return ids[-max(1, room) :]
        kept, whole = (self.tokenizer.encode(clean(text, self.rules)) for text in (head, tail))
        return np.concatenate([kept[: max(0, room - len(whole))], whole])[-max(1, room) :]

    @cached_property
    def _line_ends(self) -> tuple[int, ...]:
        """The tokens that begin with the end of a line."""
        return tuple(number for text, number in self.tokenizer.ids_by_text.items() if text.startswith("\n"))

    def score_text(self, text: Iterable[str]) -> TextScore:
        """The log-likelihood of a text that comes in blocks, read in windows; its memory does not grow with the text.

        A first token that nothing stands before, in a vocabulary without a token between documents, is not predicted.
        """
        blocks = split_chunks(text, TOKENIZER_CHARS)
        ids = chain([np.array(self.model.opening, np.int64)], map(self._encode_block, blocks))
        first = max(len(self.model.opening), self.model.fewest)
        runs = windows(ids, first, self.window, self.min_context)
        total, tokens = 0.0, 0
        while some := list(islice(runs, RUNS)):
            for found in self.model.answer(some):
                total += float(found.log_probs.sum(dtype=np.float64))
                tokens += len(found.log_probs)
        return TextScore(total, tokens)

    def _encode_block(self, block: str) -> Ints:
        return self.tokenizer.encode(clean(block, self.rules))

    def _encode(self, pairs: Sequence[Pair]) -> list[_Encoded]:
        texts, borders = [], []
        for pair in pairs:
            whole, context = (clean(text, self.rules) for text in (pair.context + pair.continuation, pair.context))
            texts.append(whole)
            borders.append(_common_length(whole, context))
        encoded = self.tokenizer.encode_after(texts, borders)
        return [self._fit(pair, *found) for pair, found in zip(pairs, encoded, strict=True)]

    def _fit(self, pair: Pair, ids: Ints, first: int, spans_border: bool) -> _Encoded:
        """What the model reads of a pair: all, or its end."""
        before = self.model.begin if first else self.model.opening
        whole = np.concatenate([np.array(before, np.int64), ids])
        first = max(first + len(before), self.model.fewest)
        if first >= len(whole):
            raise BadInput(
                "nothing to predict", where=pair.where, value=pair.continuation,
                allowed="a text of one token at least" + (", behind another" if not before else ""),
            )  # fmt: skip
        cut = max(0, len(whole) - self.model.room)
        if cut and (self.long_context == "refuse" or first - cut < self.model.fewest):
            raise BadInput(
                "longer than the model can read", where=pair.where, value=f"{len(whole):,} tokens",
                allowed=f"at most {self.model.room:,}" + ("" if self.long_context == "refuse" else ", or a longer context"),
                next_step="--long-text cut reads the end of a context" if self.long_context == "refuse" else "shorten it",
            )  # fmt: skip
        return _Encoded(TokenRun(whole[cut:], first - cut), spans_border, cut)


def _common_length(whole: str, context: str) -> int:
    """Characters that both begin with: all of the context, unless cleaning has changed its end."""
    if whole.startswith(context):
        return len(context)
    pairs = zip(whole, context, strict=False)
    return next((place for place, (ours, theirs) in enumerate(pairs) if ours != theirs), len(whole))


def token_model(model: Model, tokenizer: Tokenizer, where: str) -> TokenModel:
    """How a model's tokens get log-probabilities.

    Raises:
        BadInput: it cannot judge texts, and which models can.
    """
    sight = model.settings.backbone.sight
    is_masked = sight == "full"
    if (
        sight not in TOKEN_MODELS
        or not model.settings.backbone.softmax
        or model.settings.backbone.vectors
        or (is_masked and tokenizer.special_token("mask") is None)
    ):
        raise BadInput(
            "this model gives a text no likelihood", where=where, value=model.settings.backbone.shape,
            allowed="left-to-right language models, and masked ones with their head for words and a mask token",
            next_step="name a pre-trained language model",
        )  # fmt: skip
    return TOKEN_MODELS[sight](model, tokenizer)
