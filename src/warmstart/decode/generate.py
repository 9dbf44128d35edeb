"""Generate: prompts in, continuations out, by the one search (:mod:`~warmstart.decode.search`).

A text follows from the prompt, the settings and the number of its row, never from what it is batched with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.ensemble import Reader
from warmstart.decode.limits import Limits
from warmstart.decode.search import Search, Stop, search_together
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.models.model import Model


@dataclass(frozen=True, slots=True)
class Generation:
    """One continuation.

    Attributes:
        ids: the new tokens, without the end token.
        stopped: by the end token, by what it says, by ``max_new``, or because the context is full.
        log_prob: sum of the log-probabilities of the new tokens, the end token included, as the model gives them: before
            temperature and filters.
        cut: tokens at the beginning of the prompt that did not fit into the context and were not read.
    """

    ids: tuple[int, ...]
    stopped: Stop
    log_prob: float
    cut: int


def generate(
    model: Model,
    prompts: Sequence[Sequence[int] | NDArray[np.int64]],
    settings: GenerateSettings,
    end_id: int | None,
    limits: Limits | None = None,
    first: int = 0,
    begin: Sequence[int] = (),
    others: Sequence[Model] = (),
) -> list[Generation]:
    """Continues each prompt ``settings.texts`` times: prompt 0's texts, prompt 1's, and so on.

    Args:
        model: is put into evaluation mode.
        prompts: token ids; an empty one starts from the end token unless it has a beginning, a longer one than the context
            keeps its last tokens, so that context - 1 are read.
        settings: how to choose and when to stop.
        end_id: the token that ends a text; ``None``: nothing does.
        limits: what may not come, as ids; ``None``: what ``settings`` say without words.
        first: the number of the first prompt where these are a part of more; names the draws.
        begin: the tokens that the model has learned to read before every text; they are never cut.
        others: models of the same vocabulary that choose each token together with it.

    Raises:
        BadInput: an empty prompt and no end token, settings that do not go together, or a model that does not read from
            left to right.
    """
    check_search(settings)
    models = (model, *others)
    for one in models:
        if one.settings.backbone.sight != "causal":
            raise BadInput(
                "a model that sees the whole text does not continue one", where="--run", value=one.settings.backbone.shape,
                allowed="left-to-right models, and runs of --task seq2seq",
                next_step="fine-tune it with --task seq2seq, or choose another run",
            )  # fmt: skip
    context = min(one.settings.backbone.max_length for one in models) - len(begin)
    cut = [_cut(prompt, context) for prompt in prompts]
    sources = [
        _source(n, [*begin, *prompt[lost:]], end_id) for n, (prompt, lost) in enumerate(zip(prompts, cut, strict=True))
    ]
    limits = limits or Limits(end_id, settings.min_new, settings.no_repeat)
    readers = [Reader(one, DecodeMode(), sources) for one in models]
    found = search_together(readers, Search(DecodeMode(), settings, limits), first)
    return [
        Generation(text.ids, text.stopped, text.log_prob, lost)
        for texts, lost in zip(found, cut, strict=True)
        for text in texts
    ]


def _cut(prompt: Sequence[int] | NDArray[np.int64], context: int) -> int:
    """Tokens at the beginning that are not read."""
    return len(prompt) - max(1, context - 1) if len(prompt) > context else 0


def _source(number: int, prompt: Sequence[int] | NDArray[np.int64], end_id: int | None) -> Source:
    ids = [int(i) for i in prompt]
    if not ids and end_id is None:
        raise BadInput(
            "an empty prompt, and the model has no end token to start from", where=f"prompt {number + 1}",
            value="", allowed="at least one token", next_step="give the text that is to be continued",
        )  # fmt: skip
    return Source(ids[:-1], ids[-1]) if ids else Source([], end_id)
