"""Linear chains: classes of reads that follow each other, where each depends on the one before it.

A chain has a score for every path y₁ … yₙ through its classes: the sum of what each read says for its class (its emission),
and of ``transitions[yᵢ₋₁, yᵢ]`` (Lafferty et al. 2001; Lample et al. 2016, section 2.2). The sum over all paths is found by
the forward algorithm, the best path by Viterbi's (Rabiner 1989, section III).

All chains of a Batch are stepped together, the longest first, and nothing is padded. The forward algorithm is the scaled
one, of probabilities in float64, so that a step is one product of matrices; its gradient, the probability of each class and
of each pair of neighbours, is written by hand, and takes as many steps backwards.

Shapes: M reads, B chains, S steps, C classes. What is packed goes step by step; within a step the longest chain first.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from warmstart.models.packing import steps_alive

TINY = 1e-300
"""Least share of a step: a path this unlikely counts as impossible, and no logarithm is infinite."""
MARGIN = 1e-6
"""How far any class is below the one that the best path takes, where two paths are equally good."""


class Chains(NamedTuple):
    """How the reads of a Batch stand in chains.

    Attributes:
        order: [M] the read at each packed place.
        reverse: [M] the same of chains that are gone through from their ends.
        sizes: [S] chains at each step, never rising.
        chain: [M] the chain, by falling length, of each packed place.
        first: [B] the first packed place of each chain.
        last: [B] the last one.
    """

    order: torch.Tensor
    reverse: torch.Tensor
    sizes: list[int]
    chain: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor

    @property
    def before(self) -> torch.Tensor:
        """[M - B] the packed place before each that begins no chain."""
        sizes = torch.tensor(self.sizes)
        back = torch.repeat_interleave(sizes[:-1], sizes[1:]).to(self.order.device)
        return torch.arange(len(self.first), len(self.order), device=self.order.device) - back


def pack_chains(text_M: torch.Tensor) -> Chains:
    """The chains of reads whose texts are ``text_M``, where those of one text stand together; M is not 0."""
    lengths = torch.unique_consecutive(text_M, return_counts=True)[1].cpu().numpy()
    ranked = np.argsort(-lengths, kind="stable")
    begin, count = (np.cumsum(lengths) - lengths)[ranked], lengths[ranked]
    alive = steps_alive(count)
    steps = np.arange(len(alive))[:, None]
    sizes: list[int] = alive.sum(1).tolist()
    starts = np.cumsum(sizes) - sizes
    chain = np.broadcast_to(np.arange(len(count)), alive.shape)[alive]
    found = (
        (begin + steps)[alive],
        (begin + count - 1 - steps)[alive],
        chain,
        starts[count - 1] + np.arange(len(count)),
    )
    order, reverse, chain_M, last = (torch.from_numpy(part.copy()).to(text_M.device) for part in found)
    return Chains(order, reverse, sizes, chain_M, torch.arange(len(count), device=text_M.device), last)


def log_partition(emissions_MC: torch.Tensor, transitions_CC: torch.Tensor, chains: Chains) -> torch.Tensor:
    """[B] float64 logarithm of the sum over all paths of a chain of e to their score; ``emissions_MC`` is packed."""
    return _Partition.apply(emissions_MC, transitions_CC, chains)  # type: ignore[no-untyped-call,no-any-return]


def path_scores(
    emissions_MC: torch.Tensor, transitions_CC: torch.Tensor, path_M: torch.Tensor, chains: Chains
) -> torch.Tensor:
    """[B] float64 score of one path through each chain; emissions and path are packed."""
    each = emissions_MC.double().gather(1, path_M[:, None]).squeeze(1)
    steps = transitions_CC.double()[path_M[chains.before], path_M[len(chains.first) :]]
    total = each.new_zeros(len(chains.first)).index_add(0, chains.chain, each)
    return total.index_add(0, chains.chain[len(chains.first) :], steps)


@torch.no_grad()
def best_scores(emissions_MC: torch.Tensor, transitions_CC: torch.Tensor, chains: Chains) -> torch.Tensor:
    """[M, C] packed: the score of the best path that takes a class at a read, less that of the best path of all.

    So the greatest at each read, which is 0, are Viterbi's path. Of two that are equally good one is taken whole.
    """
    emissions, table = emissions_MC.double(), transitions_CC.double()
    into = _best_until(emissions, table.T.contiguous(), chains.sizes)
    through = into + _best_from(emissions, table, chains.sizes)
    path = _walk_back(into, through, table, chains.sizes)
    best = through.gather(1, path[:, None])
    return (through - best).clamp(max=-MARGIN).scatter(1, path[:, None], 0.0).float()


def _best_until(emissions: torch.Tensor, from_table: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """[M, C] packed: the score of the best path up to a class at a read; ``from_table`` is [to, from]."""
    into, offset = emissions.clone(), 0
    before: torch.Tensor | None = None
    for size in sizes:
        part = slice(offset, offset + size)
        if before is not None:
            into[part] += (before[:size, None] + from_table).amax(2)
        before, offset = into[part], offset + size
    return into


def _best_from(emissions: torch.Tensor, table: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """[M, C] packed: the score of the best path behind a class at a read."""
    behind = torch.zeros_like(emissions)
    offset, alive = len(behind), 0
    for size in reversed(sizes):
        if alive:
            later = slice(offset, offset + alive)
            behind[offset - size :][:alive] = (table + (emissions[later] + behind[later])[:, None]).amax(2)
        offset, alive = offset - size, size
    return behind


def _walk_back(into: torch.Tensor, through: torch.Tensor, table: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """[M] packed: the classes of the best path, from the last of each chain, which is right already, to its first."""
    path = through.argmax(1)
    offset, alive = len(path), 0
    for size in reversed(sizes):
        if alive:
            here = slice(offset - size, offset - size + alive)
            path[here] = (into[here] + table.T[path[offset : offset + alive]]).argmax(1)
        offset, alive = offset - size, size
    return path


class _Partition(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, emissions: torch.Tensor, transitions: torch.Tensor, chains: Chains) -> torch.Tensor:
        numbers = emissions.double()
        high, most = numbers.amax(1, keepdim=True), transitions.double().max()
        local, table = (numbers - high).exp_(), (transitions.double() - most).exp()
        shares, totals, offset = torch.empty_like(local), local.new_empty(len(local), 1), 0
        before: torch.Tensor | None = None
        for size in chains.sizes:
            part = slice(offset, offset + size)
            now = local[part] if before is None else (before[:size] @ table).mul_(local[part])
            total = torch.sum(now, 1, keepdim=True, out=totals[part]).clamp_(min=TINY)
            before, offset = torch.div(now, total, out=shares[part]), offset + size
        each = (totals.log() + high).squeeze(1)
        each[len(chains.first) :] += most
        ctx.save_for_backward(local, table, shares, totals, emissions, transitions)
        ctx.chains = chains
        return each.new_zeros(len(chains.first)).index_add(0, chains.chain, each)

    @staticmethod
    def backward(ctx: Any, by_sum: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        local, table, shares, totals, emissions, transitions = ctx.saved_tensors
        chains: Chains = ctx.chains
        behind, from_table = torch.ones_like(local), table.T.contiguous()
        weighted = local / totals
        offset, alive = len(local), 0
        for size in reversed(chains.sizes):
            part = slice(offset - size, offset)
            if alive:
                torch.mm(weighted[offset : offset + alive], from_table, out=behind[part][:alive])
            weighted[part] *= behind[part]
            offset, alive = offset - size, size
        share = by_sum[chains.chain, None]
        pairs = shares[chains.before].T @ (weighted * share)[len(chains.first) :]
        by_emissions = shares * behind * share
        return by_emissions.to(emissions.dtype), (pairs * table).to(transitions.dtype), None
