"""Choosing a beam: from the logits of all rows to the tokens that go on, who they descend from, and what has ended.

``standard`` keeps texts that have ended apart and fills the beam with those that go on; ``compatible`` does as s2s-ft does:
an ended text stays in the beam for its step, and what would continue it costs 10,000.

B sources, R rows (the beam), V vocabulary; scores are float32 sums of log-probabilities.
"""

from typing import NamedTuple

import torch

from warmstart.decode.packed import top

BLOCKED = -1e4


class BeamStep(NamedTuple):
    """One step: [B, R] tokens, parents and scores of the beam, and [B, E] of what has ended (score -inf: nothing)."""

    tokens: torch.Tensor
    parents: torch.Tensor
    scores: torch.Tensor
    ended_parents: torch.Tensor
    ended_scores: torch.Tensor


def standard(
    logits_BRV: torch.Tensor, totals_BR1: torch.Tensor, scores_BR: torch.Tensor, ends_E: torch.Tensor, beam: int
) -> BeamStep:
    """The best ``beam`` that go on, among as many more as may end, and those of the first ``beam`` that end.

    Args:
        logits_BRV: with what is blocked at -inf; R is 1 in the first step.
        totals_BR1: log-sum-exp of the logits before blocking.
        scores_BR: of the rows.
        ends_E: ids of the tokens that end a text.
        beam: how many go on.
    """
    count, rows, _ = logits_BRV.shape
    values, tokens = top(logits_BRV.flatten(0, 1), candidates(beam, len(ends_E)))
    wide = values.shape[1]
    found = values.view(count, rows, wide) - totals_BR1 + scores_BR[:, :, None]
    return _pick(found.flatten(1), tokens.view(count, -1), wide, ends_E, beam)


def candidates(beam: int, num_ends: int) -> int:
    """How many are looked at, so that ``beam`` of them go on."""
    return beam * max(2, 1 + num_ends)


def _pick(
    found_BW: torch.Tensor, tokens_BW: torch.Tensor, wide: int, ends_E: torch.Tensor, beam: int,
    penalty_BW: torch.Tensor | None = None,
) -> BeamStep:  # fmt: skip
    """From candidates, ``wide`` for each row, to what goes on and what ends; ``penalty`` only orders them."""
    ordered = found_BW if penalty_BW is None else found_BW - penalty_BW
    _, at = ordered.topk(min(candidates(beam, len(ends_E)), found_BW.shape[1]))
    scores, tokens, parents = found_BW.gather(1, at), tokens_BW.gather(1, at), at // wide
    ends = torch.isin(tokens, ends_E)
    # those that go on first, each group in its order
    on = ends.to(torch.int8).sort(dim=1, stable=True).indices[:, :beam]
    alive = scores.masked_fill(ends, float("-inf"))
    ended = scores[:, :beam].masked_fill(~ends[:, :beam], float("-inf"))
    return BeamStep(tokens.gather(1, on), parents.gather(1, on), alive.gather(1, on), parents[:, :beam], ended)


def diverse(
    logits_BRV: torch.Tensor,
    totals_BR1: torch.Tensor,
    scores_BR: torch.Tensor,
    ends_E: torch.Tensor,
    beam: int,
    groups: int,
    cost: float,
) -> BeamStep:
    """As :func:`standard` in groups, one after the other: a token costs ``cost`` for each time a group before took it."""
    count, rows, _ = logits_BRV.shape
    each = beam // groups
    values, tokens = top(logits_BRV.flatten(0, 1), candidates(each, len(ends_E)) + beam)
    wide = values.shape[1]
    found = (values.view(count, rows, wide) - totals_BR1 + scores_BR[:, :, None]).view(count, -1)
    tokens = tokens.view(count, -1)
    parts: list[BeamStep] = []
    for group in range(groups):
        own = slice(None) if rows == 1 else slice(group * each * wide, (group + 1) * each * wide)
        taken = torch.cat([_chosen_tokens(part, ends_E) for part in parts], 1) if parts else tokens[:, :0]
        penalty = cost * (tokens[:, own, None] == taken[:, None, :]).sum(2)
        part = _pick(found[:, own], tokens[:, own], wide, ends_E, each, penalty)
        shift = 0 if rows == 1 else group * each
        parts.append(part._replace(parents=part.parents + shift, ended_parents=part.ended_parents + shift))
    return BeamStep(*(torch.cat(columns, 1) for columns in zip(*parts, strict=True)))


def _chosen_tokens(part: BeamStep, ends_E: torch.Tensor) -> torch.Tensor:
    """[B, 2 · rows] the tokens that a group has chosen, its ends (as the first end) among them; -1 stands for none."""
    ends = torch.full_like(part.ended_parents, int(ends_E[0]) if len(ends_E) else -1)
    return torch.cat([part.tokens, ends.masked_fill(part.ended_scores.isinf(), -1)], 1)


def compatible(
    logits_BRV: torch.Tensor, totals_BR1: torch.Tensor, scores_BR: torch.Tensor, ended_BR: torch.Tensor, beam: int
) -> BeamStep:
    """s2s-ft's step: the best of each row, then the best of all; rows that have ended cost 10,000 to continue."""
    count, rows, _ = logits_BRV.shape
    values, tokens = top(logits_BRV.flatten(0, 1), beam)
    wide = values.shape[1]
    found = values.view(count, rows, wide) - totals_BR1 + (scores_BR + BLOCKED * ended_BR)[:, :, None]
    scores, at = found.flatten(1).topk(beam)
    nothing = scores.new_full((count, 1), float("-inf"))
    parents = at // wide
    return BeamStep(tokens.view(count, -1).gather(1, at), parents, scores, parents[:, :1], nothing)
