"""Weights as a few flat rows: float32 masters that are updated, and the working copy that computes.

All parameters of one group (those that decay, those that do not) stand end to end in one buffer. The model's parameters
become views of the working copy, in the compute dtype, and their gradients are added up in one float32 row as the backward
pass makes them, one parameter at a time; where a step has one micro-batch, and the optimizer can read them so, those of
large parameters are not copied. In float32 working copy and masters are the same memory.

Frozen parameters (``requires_grad`` is off) have no gradient, no moments and no place in a checkpoint: only their float32
values, as they were loaded, and a working copy.
"""

import contextlib
import functools
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import nn

from warmstart.base.world import World
from warmstart.example.batch import Batch
from warmstart.models.model import Model
from warmstart.models.passes import passes

MATRICES, DECAYING, PLAIN = "matrices", "decay", "plain"
LARGE = 1 << 14  # numbers of a parameter whose gradient is not copied


@dataclass(slots=True, eq=False)
class TableRows:
    """A table of which a step reads some rows, as a part of its group's row: only these have a gradient.

    Attributes:
        name: of its parameter.
        where: its part of the group's row.
        had_gradient: [V] uint8, 0 where a row has never had one.
        latest: [R] the rows that may have one now; all others are 0. ``None``: any row may have one.
    """

    name: str
    where: slice
    had_gradient: torch.Tensor
    latest: torch.Tensor | None = None

    def clear(self, total_VE: torch.Tensor) -> None:
        """Makes all of the gradient 0."""
        if self.latest is None:
            total_VE.zero_()
        else:
            total_VE[self.latest] = 0
        self.latest = torch.empty(0, dtype=torch.int64)

    def add(self, total_VE: torch.Tensor, grad: torch.Tensor) -> None:
        """Adds a sparse gradient."""
        rows = grad._indices()[0]
        total_VE.index_add_(0, rows, grad._values().float())
        if self.latest is not None:
            self.latest = torch.unique(torch.cat([self.latest, rows]))
            self.had_gradient[self.latest] = 1

    def forget(self) -> None:
        """Any row may have a gradient from now on."""
        self.latest = None
        self.had_gradient.fill_(1)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parameters that are updated alike: ``master`` and its gradient ``grad`` (float32), ``work`` (compute dtype).

    ``depth`` is how many layers they stand below the heads; 0 for all where layers have no groups of their own. ``tables``
    are the parts whose gradient comes row by row.
    """

    sort: str
    depth: int
    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    shapes: tuple[torch.Size, ...]
    master: torch.Tensor
    work: torch.Tensor
    grad: torch.Tensor
    tables: tuple[TableRows, ...] = ()

    @property
    def name(self) -> str:
        """Its name in a checkpoint."""
        return f"{self.sort}.{self.depth}" if self.depth else self.sort

    @property
    def decays(self) -> bool:
        """Matrices and tables decay; biases and layer-norm gains do not (Radford et al. 2018, section 4.1)."""
        return self.sort != PLAIN

    def views(self, row: torch.Tensor) -> list[torch.Tensor]:
        """The parts of a flat row, in :attr:`shapes`: those of the parameters, or of what this process has of them."""
        parts = torch.split(row, [shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def stretches(self, held: Mapping[str, torch.Tensor]) -> list["Stretch"]:
        """The row in pieces: tables, parameters whose gradient is ``held``, and what lies between them."""
        tables, found, done, between = {table.name: table for table in self.tables}, [], 0, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            where = slice(done, done + shape.numel())
            if name in tables or name in held:
                found.append(Stretch(slice(between, done), self.grad[between:done]))
                grad = held[name].view(-1) if name in held else self.grad[where]
                found.append(Stretch(where, grad, tables.get(name)))
                between = where.stop
            done = where.stop
        return [*found, Stretch(slice(between, done), self.grad[between:done])]

    def holds(self, key: str, row: torch.Tensor) -> bool:
        """Whether ``row``, of this name in a checkpoint, has a number for each weight."""
        return key.startswith(f"{self.name}.") and row.shape == self.master.shape

    def bind(self) -> None:
        """Makes the parameters views of the working copy."""
        for parameter, data in zip(self.parameters, self.views(self.work), strict=True):
            parameter.data = data

    def publish(self) -> None:
        """Rounds the masters into the working copy."""
        if self.work.data_ptr() != self.master.data_ptr():
            self.work.copy_(self.master)


class Stretch(NamedTuple):
    """A piece of a group's row: its place, its gradient (float32, or as it was made), the table that it is."""

    where: slice
    grad: torch.Tensor
    table: TableRows | None = None

    @property
    def had_gradient(self) -> torch.Tensor | None:
        """[V] of a table, as :attr:`TableRows.had_gradient`."""
        return None if self.table is None else self.table.had_gradient

    def known(self) -> torch.Tensor:
        """The gradient without what is known to be 0."""
        if self.table is None or self.table.latest is None:
            return self.grad
        return self.grad.view(len(self.table.had_gradient), -1)[self.table.latest]


@dataclass(frozen=True, slots=True, eq=False)
class FrozenParameter:
    """A frozen parameter: its float32 values ``full``, and ``work`` in the compute dtype."""

    name: str
    parameter: nn.Parameter
    full: torch.Tensor
    work: torch.Tensor


class Weights:
    """The groups of one model, and the gradient of a whole step."""

    _held: dict[str, torch.Tensor]

    def __init__(
        self, model: Model, dtype: torch.dtype, *, matrices: bool = False, by_layer: bool = False,
        world: World | None = None, by_rows: bool = False,
    ) -> None:  # fmt: skip
        """Rebinds the parameters of ``model``, which must be float32, to buffers of ``dtype``.

        Args:
            model: where ``requires_grad`` says which parameters are trained.
            dtype: to compute in.
            matrices: whether the matrices of the layers are a group of their own, as Muon wants them.
            by_layer: whether each layer has groups of its own.
            world: the processes that train it, each with all of the weights; ``None``: this one.
            by_rows: whether an update reads a gradient as it was made: that of the token table row by row, with its zeros
                left as they are, and those of large parameters in ``dtype`` where a step has one micro-batch.
        """
        self.world = world or World(next(model.parameters()).device)
        self.frozen = [
            FrozenParameter(name, parameter, parameter.data, parameter.data.to(dtype))
            for name, parameter in model.named_parameters()
            if not parameter.requires_grad
        ]
        self.groups = [
            _flatten(sort, depth, members, dtype) for depth, sort, members in list_groups(model, matrices, by_layer)
        ]
        self._as_made = by_rows and self.world.size == 1 and passes(dtype, self.world.device)
        self._sparse = _read_by_rows(model) if self._as_made else None
        if self._sparse is not None:
            self.groups = [_with_tables(group, self._sparse.weight) for group in self.groups]
        self._tables = {table.name: table for group in self.groups for table in group.tables}
        self._with_gradient: set[str] = set()
        self.clear()
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(functools.partial(self._add_gradient, name, view))  # type: ignore[no-untyped-call]
            for group in self.groups
            for name, parameter, view in zip(group.names, group.parameters, group.views(group.grad), strict=True)
        ]
        self.point_to_work()

    def _add_gradient(self, name: str, total: torch.Tensor, parameter: torch.Tensor) -> None:
        """Adds the gradient that a micro-batch has just made of one parameter, while it is in the cache."""
        assert parameter.grad is not None
        table, is_first = self._tables.get(name), name not in self._with_gradient
        if table is not None and parameter.grad.is_sparse:
            if is_first:
                table.clear(total)
            table.add(total, parameter.grad)
        else:
            if table is not None:
                table.forget()
            if is_first and self._holds and parameter.grad.numel() >= LARGE:
                self._held[name] = parameter.grad.contiguous()
            elif is_first:
                total.copy_(parameter.grad)
            else:
                self._settle(name, total)
                total += parameter.grad
        self._with_gradient.add(name)
        parameter.grad = None

    def _settle(self, name: str, total: torch.Tensor) -> None:
        """Puts a gradient that is held into its place in the row."""
        if (held := self._held.pop(name, None)) is not None:
            total.copy_(held)

    def clear(self, micro_batches: int = 0) -> None:
        """Forgets the gradient before a step of so many micro-batches, or of any number."""
        self._with_gradient.clear()
        self._held, self._holds = {}, self._as_made and micro_batches == 1

    def spoil_gradients(self) -> None:
        """Makes the gradient no number, of which no sum over processes is one either."""
        for group in self.groups:
            group.grad.fill_(float("nan"))
            for table in group.tables:
                table.forget()
            self._with_gradient.update(group.names)
            self._held.clear()
            for parameter in group.parameters:
                parameter.grad = None

    def reduce_gradients(self) -> None:
        """Adds up the gradient over all processes."""
        if self.world.size == 1:
            return
        for group, grad in zip(self.groups, self.gradients(), strict=True):
            self.world.sum_(grad)
            self._with_gradient.update(group.names)

    @property
    def always_backward(self) -> bool:
        """Whether each micro-batch needs a backward pass, also of zeros: here a gradient is only where there is a loss."""
        return False

    def padded(self, batches: Sequence[Batch], count: int) -> Sequence[Batch]:
        """The micro-batches as they are run: each process runs its own, however many another has."""
        return batches

    def norm_of_all(self, norm: torch.Tensor) -> torch.Tensor:
        """The L2 norm of what all processes have together, from that of what this one has: here it has all."""
        return norm

    def gradients(self) -> list[torch.Tensor]:
        """The float32 gradient of all micro-batches since :meth:`clear`, one flat row per group."""
        self._complete()
        for group in self.groups:
            for name, view in zip(group.names, group.views(group.grad), strict=True):
                self._settle(name, view)
        return [group.grad for group in self.groups]

    def stretches(self) -> list[list[Stretch]]:
        """The same of each group in pieces, as it was made."""
        self._complete()
        return [group.stretches(self._held) for group in self.groups]

    def _complete(self) -> None:
        """Makes the gradient of parameters that have had none 0."""
        for group in self.groups:
            for name, view in zip(group.names, group.views(group.grad), strict=True):
                if name not in self._with_gradient and name in self._tables:
                    self._tables[name].clear(view)
                elif name not in self._with_gradient:
                    view.zero_()

    def point_to_masters(self) -> None:
        """Makes the model's parameters float32: the masters, and the frozen ones as they were loaded."""
        for group in self.groups:
            replace(group, work=group.master).bind()
        for frozen in self.frozen:
            frozen.parameter.data = frozen.full

    def point_to_work(self) -> None:
        """Makes the model's parameters the working copy again."""
        for group in self.groups:
            group.bind()
        for frozen in self.frozen:
            frozen.parameter.data = frozen.work

    def release(self) -> None:
        """Lets go of the model: its parameters are float32 and their gradients their own again."""
        self.point_to_masters()
        for hook in self._hooks:
            hook.remove()
        if self._sparse is not None:
            self._sparse.sparse = False

    def publish(self, done: Collection[str] = ()) -> None:
        """Rounds the masters into the working copy after an update, but for the groups that were ``done``."""
        for group in self.groups:
            if group.name not in done:
                group.publish()

    @contextlib.contextmanager
    def whole(self, model: Model) -> Iterator[Model]:
        """The model with all its weights, to be evaluated: here it has them."""
        yield model

    @property
    def full_model(self) -> Model | None:
        """After :meth:`release` a model with all float32 weights, where that is another one than was trained."""
        return None

    def named(self, rows: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Flat rows of an optimizer as one tensor for each parameter, in its shape: views of the rows."""
        found: dict[str, torch.Tensor] = {}
        for key, row in rows.items():
            for group in self.groups:
                if group.holds(key, row):
                    views = zip(group.names, group.views(row), strict=True)
                    found |= {f"{key.removeprefix(f'{group.name}.')}/{name}": view for name, view in views}
        return found

    def own_rows(self, rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What this process has of rows of all weights: here all."""
        return rows

    def trainable(self) -> dict[str, torch.Tensor]:
        """Name → float32 values of every trainable parameter; views of the masters."""
        return {
            n: view for group in self.groups for n, view in zip(group.names, group.views(group.master), strict=True)
        }

    def frozen_digest(self) -> str:
        """SHA-256 of the frozen values, which a checkpoint does not hold."""
        digest = hashlib.sha256()
        for frozen in self.frozen:
            digest.update(frozen.name.encode())
            digest.update(frozen.full.cpu().numpy().tobytes())
        return digest.hexdigest()


Members = list[tuple[str, nn.Parameter]]


def list_groups(model: Model, matrices: bool, by_layer: bool) -> list[tuple[int, str, Members]]:
    """Depth, sort and trained parameters of each group, in the order of checkpoints."""
    depths = {f"backbone.{name}": depth for name, depth in model.backbone.parameter_depths().items()}
    in_layers = {name for name, depth in depths.items() if 1 <= depth <= len(model.backbone.blocks)}
    sorts: dict[tuple[int, str], Members] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (depths.get(name, 0) if by_layer else 0, _sort(parameter, matrices and name in in_layers))
            sorts.setdefault(key, []).append((name, parameter))
    order = sorted(sorts, key=lambda key: (key[0], (MATRICES, DECAYING, PLAIN).index(key[1])))
    return [(*key, sorts[key]) for key in order]


def _read_by_rows(model: Model) -> nn.Embedding | None:
    """The token table, from now on with sparse gradients where tokens are looked up, if it is trained."""
    table = getattr(model.backbone, "tokens", None)
    if not isinstance(table, nn.Embedding) or not table.weight.requires_grad or table.weight.numel() == 0:
        return None  # characters stand in the place of a table
    table.sparse = True
    return table


def _with_tables(group: Group, table: torch.Tensor) -> Group:
    """The group, which knows where the table stands in its row."""
    found, done = [], 0
    for name, parameter, shape in zip(group.names, group.parameters, group.shapes, strict=True):
        if parameter is table:
            found.append(TableRows(name, slice(done, done + shape.numel()), torch.zeros(shape[0], dtype=torch.uint8)))
        done += shape.numel()
    return replace(group, tables=tuple(found))


def _sort(parameter: nn.Parameter, matrices: bool) -> str:
    if parameter.dim() < 2:
        return PLAIN
    return MATRICES if matrices and parameter.dim() == 2 else DECAYING


def _flatten(sort: str, depth: int, members: Sequence[tuple[str, nn.Parameter]], dtype: torch.dtype) -> Group:
    names, parameters = zip(*members, strict=True)
    master = torch.cat([p.detach().float().reshape(-1) for p in parameters])
    work = master if dtype == torch.float32 else master.to(dtype)
    shapes = tuple(p.shape for p in parameters)
    return Group(sort, depth, names, parameters, shapes, master, work, torch.zeros_like(master))
