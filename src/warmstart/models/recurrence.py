"""One LSTM layer over packed sequences: the recurrence and its gradient, stepped by hand.

The equations and the order of the gates (input, forget, cell, output) are those of ``torch.nn.LSTM``; a projection makes
the output smaller than the cells (Sak et al. 2014), and cells may be clipped, which ``nn.LSTM`` cannot. On a GPU, where each
of our steps would start some kernels, torch's own kernels run wherever nothing is clipped.

By hand, because the sequences have different lengths and because autograd would add up the gradient of the recurrent
weights at every step: here one product over all N tokens makes it, and the backward pass keeps only gates, cells and
outputs. Products are in the dtype of the weights, cells are float32 at least.

Shapes: N tokens in packed order (step by step; within a step the longest sequence first), S steps, B sequences at the first
step, X inputs, C cells, W outputs (C without a projection), 4C gates.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from warmstart.models.cells import cells_backward, cells_forward

FEW_STEPS = 16  # fewer do not pay for packing the recurrent weight


class Steps(NamedTuple):
    """Sequences at each step, and what bounds the cells."""

    sizes: list[int]
    clip: float | None


class Weights(NamedTuple):
    """Of one layer.

    Attributes:
        input: [4C, X] reads the input.
        bias: [4C].
        recurrent: [4C, W] reads the output of the step before.
        project: [W, C] makes the output from the cells, or ``None``.
    """

    input: torch.Tensor
    bias: torch.Tensor
    recurrent: torch.Tensor
    project: torch.Tensor | None


class State(NamedTuple):
    """Output [B, W] and cells [B, C] of each sequence after a step."""

    output: torch.Tensor
    cells: torch.Tensor

    @staticmethod
    def zeros(weights: Weights, rows: int) -> "State":
        """Before the first step."""
        table = weights.recurrent
        cells = torch.zeros(rows, len(table) // 4, dtype=_exact(table.dtype), device=table.device)
        return State(table.new_zeros(rows, table.shape[1]), cells)

    def at(self, rows: torch.Tensor) -> "State":
        """Of these sequences."""
        return State(self.output[rows], self.cells[rows])

    def first(self, rows: int) -> "State":
        """Of the first sequences."""
        return State(self.output[:rows], self.cells[:rows])

    def append(self, other: "State") -> "State":
        """With more sequences below."""
        return State(torch.cat([self.output, other.output]), torch.cat([self.cells, other.cells]))


def product_with(weight_OI: torch.Tensor, sizes: Sequence[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The product of some rows [b, I] with a weight that many steps need: [b, O].

    On a CPU, products of few rows take half the time where the weight has been packed for them once (a private operator of
    torch, left alone where it is missing or the steps are few).
    """
    dtypes = (torch.float32, torch.bfloat16) if _can_pack_bf16() else (torch.float32,)
    if len(sizes) < FEW_STEPS or weight_OI.device.type != "cpu" or weight_OI.dtype not in dtypes or not _can_pack():
        transposed = weight_OI.T
        return lambda rows: rows @ transposed
    packed = torch.ops.mkldnn._reorder_linear_weight(weight_OI.contiguous(), sizes[0])
    return lambda rows: torch.ops.mkldnn._linear_pointwise(rows, packed, None, "none", [], "")


@functools.cache
def _can_pack() -> bool:
    return bool(torch.backends.mkldnn.is_available()) and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")  # type: ignore[no-untyped-call]


@functools.cache
def _can_pack_bf16() -> bool:
    is_supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return is_supported is not None and bool(is_supported())


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype.itemsize < 4 else dtype


def run_steps(
    x_NX: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs [N, W] and cells [N, C] after each token; only the outputs can be differentiated, ``start`` cannot.

    Args:
        x_NX: inputs in packed order.
        weights: of the layer.
        start: of the B sequences.
        sizes: [S] sequences at each step, never rising.
        clip: bounds the cells to ±clip.
    """
    return _Recurrence.apply(x_NX, *weights, start, Steps(list(sizes), clip))  # type: ignore[no-untyped-call,no-any-return]


def run_layer(
    x_NX: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int], clip: float | None = None
) -> tuple[torch.Tensor, State]:
    """Outputs [N, W] after each token, and the state of each sequence after its last; otherwise as :func:`run_steps`.

    On a GPU by torch's own kernels, which run all steps in one call (cuDNN's, where it knows the format) but cannot clip.
    """
    if x_NX.device.type == "cuda" and clip is None:
        return run_torch_layer(x_NX, weights, start, sizes)
    outputs, cells = run_steps(x_NX, weights, start, sizes, clip)
    return outputs, State(last_rows(outputs.detach(), sizes), last_rows(cells, sizes))


def run_torch_layer(
    x_NX: torch.Tensor, weights: Weights, start: State, sizes: Sequence[int]
) -> tuple[torch.Tensor, State]:
    """As :func:`run_layer`, by the kernels of ``torch.nn.LSTM`` on any device; cells are in the format of the weights."""
    inputs, bias, recurrent, project = weights
    table = [inputs, recurrent, bias, torch.zeros_like(bias), *([] if project is None else [project])]
    states = start.output[None].contiguous(), start.cells[None].to(x_NX.dtype).contiguous()
    with warnings.catch_warnings():  # cuDNN copies weights into one piece, at each call where they are not
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        outputs, output, cells = torch._VF.lstm(
            x_NX, torch.tensor(sizes), states, table, True, 1, 0.0, torch.is_grad_enabled(), False
        )
    return outputs, State(output[0].detach(), cells[0].detach().to(_exact(cells.dtype)))


def lstm_step(
    gates_B4C: torch.Tensor,
    cells: torch.Tensor,
    project: Callable[[torch.Tensor], torch.Tensor] | None,
    clip: float | None,
) -> State:
    """One step of :func:`run_steps` without a gradient, from what enters the gates and the cells [B, C] before."""
    i, f, g, o = gates_B4C.chunk(4, 1)
    cells = cells * f.sigmoid() + i.sigmoid() * g.tanh()
    if clip is not None:
        cells = cells.clamp(-clip, clip)
    output = o.sigmoid() * cells.tanh().to(o.dtype)
    return State(output if project is None else project(output), cells)


def last_rows(rows_ND: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """[B, D] the row of each sequence's last token."""
    lengths = torch.zeros(sizes[0], dtype=torch.int64)
    starts, offset = [], 0
    for size in sizes:
        starts.append(offset)
        offset += size
        lengths[:size] += 1
    places = torch.tensor(starts)[lengths - 1] + torch.arange(sizes[0])
    return rows_ND.index_select(0, places.to(rows_ND.device))


class ForwardSteps:
    """Goes through the steps of a layer one by one, and keeps what its backward pass needs.

    Args:
        weights: of the layer; the input weight and the bias are not read.
        gates_N4C: what enters the gates from the inputs, which becomes the gates, step by step, in place.
        start: of the B sequences.
        steps: sequences at each step, and what bounds the cells.
    """

    def __init__(self, weights: Weights, gates_N4C: torch.Tensor, start: State, steps: Steps) -> None:
        rows, width = len(gates_N4C), start.cells.shape[1]
        self.gates = gates_N4C
        self.cells = gates_N4C.new_empty(rows, width, dtype=start.cells.dtype)
        self.outputs = gates_N4C.new_empty(rows, start.output.shape[1])
        self._read, self._project = product_with(weights.recurrent, steps.sizes), weights.project
        self._before, self._clip, self._offset = start, steps.clip, 0

    def step(self, size: int) -> torch.Tensor:
        """The outputs [size, W] of the next step, which ``size`` sequences take."""
        part = slice(self._offset, self._offset + size)
        self._offset += size
        output, before = self._before.first(size)
        cells, h, project = self.cells[part], self.outputs[part], self._project
        out = h if project is None else h.new_empty(cells.shape)
        cells_forward(self.gates[part], self._read(output), before, cells, out, self._clip)
        if project is not None:
            torch.mm(out, project.T, out=h)
        self._before = State(h, cells)
        return h


class BackwardSteps:
    """Goes back through the steps of a layer one by one, the last first.

    Args:
        weights: of the layer; the input weight and the bias are not read.
        forward: gates [N, 4C], cells [N, C] and outputs [N, W] that the steps forward have left.
        start: of the B sequences, before them.
        by_outputs_NW: the gradient by the outputs, as it comes from without.
        steps: as forward.
    """

    def __init__(
        self, weights: Weights, forward: tuple[torch.Tensor, ...], start: State, by_outputs_NW: torch.Tensor,
        steps: Steps,
    ) -> None:  # fmt: skip
        self._gates, self._cells, self.outputs = forward
        self._start, self._steps = start, steps
        before = previous_rows(self._cells, start.cells, steps.sizes)
        self._back = cells_backward(self._gates, before, self._cells, steps.sizes[0], steps.clip)
        self.by_gates = self._back.by_gates
        self.by_outputs = by_outputs_NW.clone()  # each step adds the gradient that comes from the steps after it
        self._project, self._read_back = weights.project, product_with(weights.recurrent.T, steps.sizes)
        self._offset, self._from_output = len(self._gates), self.by_outputs[:0]

    def step(self, size: int, more: torch.Tensor | None = None) -> torch.Tensor:
        """The gradient [size, 4C] by what enters the gates at the step before.

        Args:
            size: sequences at this step.
            more: [size, W] gradient by the outputs that only the steps after this one could tell.
        """
        part = slice(self._offset - size, self._offset)
        self._offset -= size
        total = self.by_outputs[part]
        if more is not None:
            total += more
        total[: len(self._from_output)] += self._from_output
        self._back.step(part, total if self._project is None else total @ self._project)
        grad = self.by_gates[part]
        self._from_output = self._read_back(grad)
        return grad

    def by_weights(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The gradients by the recurrent weight and by that of the projection, after the first step."""
        by_recurrent = self.by_gates.T @ previous_rows(self.outputs, self._start.output, self._steps.sizes)
        if self._project is None:
            return by_recurrent, None
        width = self._cells.shape[1]
        return by_recurrent, self.by_outputs.T @ (self._gates[:, -width:] * self._cells.tanh().to(self._gates.dtype))


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, inputs, bias, recurrent, project, start, steps):  # type: ignore[no-untyped-def]
        run = ForwardSteps(Weights(inputs, bias, recurrent, project), torch.addmm(bias, x, inputs.T), start, steps)
        for size in steps.sizes:
            run.step(size)
        ctx.save_for_backward(x, inputs, recurrent, project, *start, run.gates, run.cells, run.outputs)
        ctx.steps = steps
        ctx.mark_non_differentiable(run.cells)
        return run.outputs, run.cells

    @staticmethod
    def backward(ctx, by_outputs, _):  # type: ignore[no-untyped-def]
        x, inputs, recurrent, project, output, cells, *forward = ctx.saved_tensors
        weights = Weights(inputs, inputs, recurrent, project)
        run = BackwardSteps(weights, tuple(forward), State(output, cells), by_outputs, ctx.steps)
        for size in reversed(ctx.steps.sizes):
            run.step(size)
        grad = run.by_gates
        by_x = grad @ inputs if ctx.needs_input_grad[0] else None
        return by_x, grad.T @ x, grad.sum(0), *run.by_weights(), None, None


def previous_rows(rows_ND: torch.Tensor, start_BD: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """For each token the row of the step before it; for tokens of the first step the start."""
    if len(sizes) == 1:
        return start_BD
    if sizes[0] == sizes[-1]:
        return torch.cat([start_BD, rows_ND[: -sizes[-1]]])
    back = torch.repeat_interleave(torch.tensor(sizes[:-1]), torch.tensor(sizes[1:])).to(rows_ND.device)
    places = torch.arange(sizes[0], len(rows_ND), device=rows_ND.device) - back
    return torch.cat([start_BD, rows_ND.index_select(0, places)])
