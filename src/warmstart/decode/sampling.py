"""Choosing the next token: pure functions on float32 logits [B, V].

Order of the filters as everywhere: temperature, then top-k, then top-p (Holtzman et al. 2020, section 3.1). A filter sets
the logits of excluded tokens to -inf. One uniform number per row decides the draw, so a row's text follows from its own
numbers and not from what it is batched with.

B rows, V vocabulary.
"""

import torch

from warmstart.decode.settings import GenerateSettings

_FIRST_NUCLEUS = 64  # most nuclei are this small; looking at so few first avoids sorting the whole vocabulary


def choose(logits_BV: torch.Tensor, settings: GenerateSettings, uniform_B: torch.Tensor) -> torch.Tensor:
    """[B] ids of the next tokens; ``uniform_B`` holds one float64 in [0, 1) per row."""
    if settings.greedy:
        return greedy(logits_BV)
    logits_BV = with_temperature(logits_BV, settings.temperature)
    if settings.top_k:
        logits_BV = keep_top_k(logits_BV, settings.top_k)
    if settings.top_p < 1:
        logits_BV = keep_top_p(logits_BV, settings.top_p)
    return draw(logits_BV, uniform_B)


def greedy(logits_BV: torch.Tensor) -> torch.Tensor:
    """[B] ids of the likeliest tokens; of equals the first."""
    return logits_BV.argmax(-1)


def with_temperature(logits_BV: torch.Tensor, temperature: float) -> torch.Tensor:
    """Logits over ``temperature``, moved so that the greatest is 0: no temperature, however low, overflows."""
    return (logits_BV - logits_BV.amax(-1, keepdim=True)) / temperature


def keep_top_k(logits_BV: torch.Tensor, k: int) -> torch.Tensor:
    """All but the ``k`` greatest of each row become -inf; what equals the k-th stays as well."""
    if k >= logits_BV.shape[-1]:
        return logits_BV
    least = logits_BV.topk(k, sorted=False).values.amin(-1, keepdim=True)
    return logits_BV.masked_fill(logits_BV < least, float("-inf"))


def keep_top_p(logits_BV: torch.Tensor, p: float) -> torch.Tensor:
    """All but the nucleus of each row become -inf: the fewest likeliest tokens whose mass is at least ``p``."""
    total = logits_BV.double().logsumexp(-1, keepdim=True)
    size, vocabulary = _FIRST_NUCLEUS, logits_BV.shape[-1]
    while True:
        ranked, order = logits_BV.topk(min(size, vocabulary))
        mass = (ranked.double() - total).exp()
        through = mass.cumsum(-1)
        if size >= vocabulary or bool((through[:, -1] >= p).all()):
            break
        size *= 8
    inside = through - mass < p  # what stands before a token of the nucleus has not reached p yet
    outside_BV = torch.ones_like(logits_BV, dtype=torch.bool).scatter_(-1, order, ~inside)
    return logits_BV.masked_fill(outside_BV, float("-inf"))


def draw(logits_BV: torch.Tensor, uniform_B: torch.Tensor) -> torch.Tensor:
    """[B] ids drawn from softmax(logits): the first token at which the summed mass passes the row's uniform number."""
    mass_BV = logits_BV.softmax(-1, dtype=torch.float64).cumsum(-1)
    total = mass_BV[:, -1:]
    # Strictly below the total, so that rounding can never lead to a token of no mass behind the last real one.
    target = torch.minimum(uniform_B[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(mass_BV, target, right=True).squeeze(-1)
