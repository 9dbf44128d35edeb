"""The layers of a recurrent decoder that look back at a source at every step, and their gradient, stepped by hand.

As :mod:`warmstart.models.recurrence`, and for the same reason: what autograd would add up at every step, the gradients of
weights, keys and values, is one product each over all tokens here. The steps forward and back do only what the next one
needs. Step t, of layers 1 … n over the inputs x::

    h₁ = LSTM₁([x; c of step t - 1]),  hₖ = LSTMₖ(mask · hₖ₋₁)
    c  = Σ αᵢ vᵢ,  α = softmax(hₙ · kᵢ + bias)

Shapes: N tokens in packed order, B texts at the first step, S states of a source, X inputs, W outputs, C cells of a layer,
V width of a context.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from warmstart.models.recurrence import BackwardSteps, ForwardSteps, State, Steps, Weights, previous_rows, product_with
from warmstart.models.source_memory import SourceMemory

Masks = Sequence[torch.Tensor | None]


class _Setting(NamedTuple):
    """What a pass needs that has no gradient: ``masks`` of what each layer above the first reads, ``bias`` [B, 1, S]."""

    steps: Steps
    masks: Masks
    bias: torch.Tensor


def run_attentive_steps(
    gates_N4C: torch.Tensor, feed: torch.Tensor, layers: Sequence[Weights], masks: Masks, source: SourceMemory,
    steps: Steps,
) -> tuple[list[torch.Tensor], torch.Tensor]:  # fmt: skip
    """The outputs [N, W] of each layer after each token, and the contexts [N, V] that are read there.

    Args:
        gates_N4C: what enters the gates of the first layer from its inputs.
        feed: [4C, V] through which the last context enters them.
        layers: the weights of each; the input weight and the bias of the first are not read.
        masks: factors [B, W] of what each layer above the first reads, or ``None``.
        source: of the B texts.
        steps: texts at each step, and what bounds the cells.
    """
    setting = _Setting(steps, masks, source.bias)
    flat = [part for own in layers for part in own]
    *outputs, contexts = _Attentive.apply(gates_N4C, feed, source.keys, source.values, setting, *flat)  # type: ignore[no-untyped-call]
    return outputs, contexts


def _unflatten(flat: Sequence[Any]) -> list[Weights]:
    return [Weights(*flat[place : place + 4]) for place in range(0, len(flat), 4)]


class _Forward:
    """The layers, and the attention over them, step by step."""

    def __init__(self, gates: torch.Tensor, layers: list[Weights], setting: _Setting) -> None:
        sizes = setting.steps.sizes
        self.masks = setting.masks
        self.biases = [own.bias for own in layers[1:]]
        self.reads = [product_with(own.input, sizes) for own in layers[1:]]
        all_gates = [gates, *(gates.new_empty(len(gates), len(own.recurrent)) for own in layers[1:])]
        self.runs = [
            ForwardSteps(own, of_layer, State.zeros(own, sizes[0]), setting.steps)
            for own, of_layer in zip(layers, all_gates, strict=True)
        ]

    def step(self, part: slice, size: int) -> torch.Tensor:
        """The outputs [size, W] of the last layer."""
        x = self.runs[0].step(size)
        for run, read, bias, mask in zip(self.runs[1:], self.reads, self.biases, self.masks, strict=True):
            torch.add(bias, read(x if mask is None else x * mask[:size]), out=run.gates[part])
            x = run.step(size)
        return x


class _Attentive(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gates, feed, keys, values, setting, *flat):  # type: ignore[no-untyped-def]
        sizes, rows, layers = setting.steps.sizes, len(gates), _unflatten(flat)
        run, feed_in = _Forward(gates.clone(), layers, setting), product_with(feed, sizes)
        weights, contexts = gates.new_empty(rows, keys.shape[1]), gates.new_empty(rows, values.shape[2])
        context, across, offset = gates.new_zeros(sizes[0], values.shape[2]), keys.transpose(1, 2), 0
        for size in sizes:
            part = slice(offset, offset + size)
            offset += size
            run.runs[0].gates[part] += feed_in(context[:size])
            query = run.step(part, size)
            scores = torch.baddbmm(setting.bias[:size], query[:, None], across[:size])
            torch.softmax(scores[:, 0], -1, out=weights[part])
            context = contexts[part]
            torch.bmm(weights[part][:, None], values[:size], out=context[:, None])
        kept = [part for own in run.runs for part in (own.gates, own.cells, own.outputs)]
        ctx.save_for_backward(feed, keys, values, weights, contexts, *flat, *kept)
        ctx.setting, ctx.count = setting, len(flat)
        return *(own.outputs for own in run.runs), contexts

    @staticmethod
    def backward(ctx, *by_results):  # type: ignore[no-untyped-def]
        feed, keys, values, weights, contexts, *rest = ctx.saved_tensors
        (steps, masks, _), layers, kept = ctx.setting, _unflatten(rest[: ctx.count]), rest[ctx.count :]
        *by_outputs, by_contexts = by_results
        starts = [State.zeros(own, steps.sizes[0]) for own in layers]
        runs = [
            BackwardSteps(own, tuple(kept[3 * n : 3 * n + 3]), start, by, steps)
            for n, (own, start, by) in enumerate(zip(layers, starts, by_outputs, strict=True))
        ]
        downs = [None, *(product_with(own.input.T, steps.sizes) for own in layers[1:])]
        feed_back, across = product_with(feed.T, steps.sizes), values.transpose(1, 2)
        by_contexts, by_scores = by_contexts.clone(), torch.empty_like(weights)
        offset, from_feed = len(weights), by_contexts[:0]
        for size in reversed(steps.sizes):
            part = slice(offset - size, offset)
            offset -= size
            by_context = by_contexts[part]
            by_context[: len(from_feed)] += from_feed
            by_weights = torch.bmm(by_context[:, None], across[:size])[:, 0]
            by_score = by_scores[part]
            torch._softmax_backward_data(by_weights, weights[part], -1, weights.dtype, grad_input=by_score)
            more = torch.bmm(by_score[:, None], keys[:size])[:, 0]
            for run, down, mask in zip(reversed(runs), reversed(downs), [*reversed(masks), None], strict=True):
                grad = run.step(size, more)
                if down is not None:
                    more = down(grad) if mask is None else down(grad) * mask[:size]
            from_feed = feed_back(grad)
        by_flat = [None, None, *runs[0].by_weights()]
        for below, run, mask in zip(runs, runs[1:], masks, strict=False):
            read = below.outputs if mask is None else below.outputs * rows_of_texts(mask, steps.sizes)
            by_flat += [run.by_gates.T @ read, run.by_gates.sum(0), *run.by_weights()]
        by_gates = runs[0].by_gates
        by_feed = by_gates.T @ previous_rows(
            contexts, contexts.new_zeros(steps.sizes[0], contexts.shape[1]), steps.sizes
        )
        by_keys = _by_text(by_scores, steps.sizes).transpose(1, 2) @ _by_text(runs[-1].outputs, steps.sizes)
        by_values = _by_text(weights, steps.sizes).transpose(1, 2) @ _by_text(by_contexts, steps.sizes)
        return by_gates, by_feed, by_keys, by_values, None, *by_flat


def _by_text(rows_ND: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """[B, T, D] the rows of each text, zeros behind its last."""
    count, steps = sizes[0], torch.tensor(sizes)
    texts = torch.arange(count)[:, None]
    places = torch.where(texts < steps, steps.cumsum(0) - steps + texts, len(rows_ND))
    padded = torch.cat([rows_ND, rows_ND.new_zeros(1, rows_ND.shape[1])])
    return padded.index_select(0, places.flatten().to(rows_ND.device)).view(count, len(sizes), -1)


def rows_of_texts(factors_BW: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """[N, W] the factors of the text that each row is of."""
    return torch.cat([factors_BW[:size] for size in sizes])
