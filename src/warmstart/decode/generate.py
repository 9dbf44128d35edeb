"""Generate: prompts in, continuations out. The prompt is read once, then each step costs one token per row.

Keys and values stay in a cache (:mod:`warmstart.models.cache`); rows that are done leave it. A text follows from the
prompt, the settings and the number of its row, never from what it is batched with.

B rows, T tokens, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.decode.sampling import choose
from warmstart.decode.settings import GenerateSettings
from warmstart.models.backbone import Past
from warmstart.models.model import Model

PIECE = 128  # prompt tokens read at one time: bounds the attention weights of long prompts to B x H x PIECE x T

Stop = Literal["end", "limit", "context"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One continuation.

    Attributes:
        ids: the new tokens, without the end token.
        stopped: by the end token, by ``max_new``, or because the context is full.
        log_prob: sum of the log-probabilities of the new tokens, the end token included, as the model gives them: before
            temperature and filters.
        cut: tokens at the beginning of the prompt that did not fit into the context and were not read.
    """

    ids: tuple[int, ...]
    stopped: Stop
    log_prob: float
    cut: int


@dataclass(slots=True, eq=False)
class _Row:
    """One text in the making: what it starts from, its uniform numbers, and what it has grown by."""

    number: int  # of the prompt
    prompt: list[int]
    cut: int
    uniform: NDArray[np.float64]
    ids: list[int] = field(default_factory=list)
    log_prob: float = 0.0
    stopped: Stop | None = None

    def take(self, token: int, log_prob: float, end_id: int | None, settings: GenerateSettings, context: int) -> None:
        """Grows by ``token``, or ends with it."""
        self.log_prob += log_prob
        if token == end_id:
            self.stopped = "end"
            return
        self.ids.append(token)
        if len(self.ids) == settings.max_new:
            self.stopped = "limit"
        elif len(self.prompt) + len(self.ids) > context:  # the newest token is not read, so it needs no place
            self.stopped = "context"


@torch.inference_mode()
def generate(
    model: Model,
    prompts: Sequence[Sequence[int] | NDArray[np.int64]],
    settings: GenerateSettings,
    end_id: int | None,
    max_rows: int = 32,
    first: int = 0,
) -> list[Generation]:
    """Continues each prompt ``settings.samples`` times: prompt 0's samples, prompt 1's, and so on.

    Args:
        model: is put into evaluation mode.
        prompts: token ids; an empty one starts from the end token, a longer one than the context keeps its last
            context - 1 tokens.
        settings: how to choose and when to stop.
        end_id: the token that ends a text; ``None``: nothing does.
        max_rows: texts that grow at the same time.
        first: the number of the first prompt where these are a part of more; names the draws.

    Raises:
        BadInput: an empty prompt and no end token.
    """
    model.eval()
    context = model.settings.backbone.longest
    rows = [
        row for number, prompt in enumerate(prompts) for row in _rows(first + number, prompt, settings, end_id, context)
    ]
    alike = sorted(rows, key=lambda row: len(row.prompt))  # prompts of similar length together: little padding
    for start in range(0, len(alike), max_rows):
        _grow(model, alike[start : start + max_rows], settings, end_id)
    return [Generation(tuple(row.ids), row.stopped or "limit", row.log_prob, row.cut) for row in rows]


def _rows(
    number: int,
    prompt: Sequence[int] | NDArray[np.int64],
    settings: GenerateSettings,
    end_id: int | None,
    context: int,
) -> list[_Row]:
    """The samples of one prompt, before they grow."""
    ids = [int(i) for i in prompt]
    if not ids and end_id is None:
        raise BadInput(
            "an empty prompt, and the model has no end token to start from", where=f"prompt {number + 1}",
            value="", allowed="at least one token", next_step="give the text that is to be continued",
        )  # fmt: skip
    cut = len(ids) - max(1, context - 1) if len(ids) > context else 0
    start = ids[cut:] or [int(end_id or 0)]
    most = min(settings.max_new, context)
    return [
        _Row(number, start, cut, generator(settings.seed, "generate", number, sample).random(most))
        for sample in range(settings.samples)
    ]


def _grow(model: Model, rows: list[_Row], settings: GenerateSettings, end_id: int | None) -> None:
    """Grows ``rows`` together, one token per row and step, until each has stopped."""
    context = model.settings.backbone.longest
    cache, states_BD = _read_prompts(model, rows, settings.max_new)
    while True:
        logits_BV = model.next_token_logits(states_BD)
        uniform_B = torch.tensor([row.uniform[len(row.ids)] for row in rows], device=logits_BV.device)
        ids_B = choose(logits_BV, settings, uniform_B)
        log_probs_B = logits_BV.gather(1, ids_B[:, None]).squeeze(1) - logits_BV.logsumexp(-1)
        for row, token, log_prob in zip(rows, ids_B.tolist(), log_probs_B.tolist(), strict=True):
            row.take(token, log_prob, end_id, settings, context)
        alive = [i for i, row in enumerate(rows) if row.stopped is None]
        if not alive:
            return
        if len(alive) < len(rows):
            kept = torch.tensor(alive, device=ids_B.device)
            rows, ids_B, cache = [rows[i] for i in alive], ids_B[kept], cache.keep(kept)
        states_BD = model.backbone.advance(ids_B[:, None], cache)[:, 0]
        cache.close(1)


def _read_prompts(model: Model, rows: list[_Row], max_new: int) -> tuple[Past, torch.Tensor]:
    """A cache that has read the prompts of ``rows``, and the state [B, D] of each one's last token.

    Samples of one prompt stand together and share its reading: it is read once and its row of the cache then repeated.
    """
    prompts = {row.number: row.prompt for row in rows}
    table = model.backbone.tokens.weight
    lengths = torch.tensor([len(prompt) for prompt in prompts.values()])
    longest = int(lengths.max())
    padded = torch.zeros(len(prompts), longest, dtype=torch.int64)
    for row, prompt in enumerate(prompts.values()):
        padded[row, : len(prompt)] = torch.tensor(prompt)
    lengths, padded = lengths.to(table.device), padded.to(table.device)
    cache = model.backbone.new_cache(len(prompts), min(longest + max_new, model.settings.backbone.longest))
    states_BD = table.new_empty(len(prompts), model.settings.backbone.width)
    for start in range(0, longest, PIECE):
        states_BTD = model.backbone.advance(padded[:, start : start + PIECE], cache)
        real = (lengths - start).clamp(0, PIECE)
        cache.close(real)
        ends = torch.nonzero((lengths > start) & (lengths <= start + PIECE)).squeeze(1)
        states_BD[ends] = states_BTD[ends, real[ends] - 1]
    if len(prompts) == len(rows):
        return cache, states_BD
    places = {number: place for place, number in enumerate(prompts)}
    repeated = torch.tensor([places[row.number] for row in rows], device=table.device)
    return cache.keep(repeated), states_BD[repeated]
