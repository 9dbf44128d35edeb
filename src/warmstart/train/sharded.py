"""Weights of which each process has a part: torch's FSDP2 (``fully_shard``), behind the same methods as the flat ones.

The model's parameters become DTensors of which each process has some rows (Zhao et al. 2023; Rajbhandari et al. 2020, ZeRO
stage 3). Before a layer is computed its weights are gathered, in the dtype that computes; after it they are dropped; its
gradient is added up in float32 over all processes as the backward pass leaves it, and each process keeps its own rows of it.
Masters, gradient and moments are flat rows of these parts, so optimizer, average and clipping are those of one process.

A layer that reads a batch is an exchange of all processes, so each of them has to run as many micro-batches as any other.
"""

import contextlib
import copy
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Shard

from warmstart.base.world import World, peer_errors
from warmstart.example.batch import Batch
from warmstart.models.backbone import Backbone
from warmstart.models.model import Model
from warmstart.train.weights import Group, Weights, list_groups


def make_weights(
    model: Model, dtype: torch.dtype, world: World, filler: Callable[[], Batch], *, by_layer: bool, matrices: bool,
    by_rows: bool,
) -> Weights:  # fmt: skip
    """All weights in this process, or a part of them in each; see both classes for what they are given."""
    if world.shards:
        return ShardedWeights(model, dtype, by_layer=by_layer, world=world, filler=filler)
    return Weights(model, dtype, matrices=matrices, by_layer=by_layer, world=world, by_rows=by_rows)


class ShardedWeights(Weights):
    """The groups of one model of which this process has a part; see :class:`~warmstart.train.weights.Weights`."""

    def __init__(
        self, model: Model, dtype: torch.dtype, *, by_layer: bool, world: World, filler: Callable[[], Batch]
    ) -> None:
        """Shards the parameters of ``model``, which must be float32 and the same in all processes.

        Args:
            model: where ``requires_grad`` says which parameters are trained.
            dtype: to compute in.
            by_layer: whether each layer has groups of its own.
            world: the processes that train it.
            filler: a micro-batch to run where a process has none.
        """
        self.world, self.model, self.dtype, self.filler = world, model, dtype, filler
        members = list_groups(model, False, by_layer)
        self._frozen_digest = _digest(model)
        self._names = [name for name, _ in model.named_parameters()]
        memo = {id(p): nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad) for p in model.parameters()}
        self._skeleton = copy.deepcopy(model, memo)
        self._full: Model | None = None
        self._mesh = init_device_mesh(world.device.type, (world.size,))
        shard(model, self._mesh, dtype)
        self._parameters = dict(model.named_parameters())
        self.frozen, self._held = [], {}
        self.groups = [self._group(depth, sort, [name for name, _ in some]) for depth, sort, some in members]

    def _group(self, depth: int, sort: str, names: list[str]) -> Group:
        parameters = tuple(self._parameters[name] for name in names)
        parts = [_part(parameter) for parameter in parameters]
        master = torch.cat([part.reshape(-1) for part in parts])
        shapes = tuple(part.shape for part in parts)
        return Group(sort, depth, tuple(names), parameters, shapes, master, master, torch.zeros_like(master))

    @property
    def always_backward(self) -> bool:
        """The gradient is added up while the backward pass makes it: all processes have to make one."""
        return True

    def padded(self, batches: Sequence[Batch], count: int) -> Sequence[Batch]:
        """As many micro-batches as any process has; those beyond the own ones are run without any weight."""
        if len(batches) == count:
            return batches
        filler = batches[-1] if batches else self.filler()
        return [*batches, *[filler] * (count - len(batches))]

    def clear(self, micro_batches: int = 0) -> None:
        """Forgets the gradient before a step."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def reduce_gradients(self) -> None:
        """Moves what the backward passes have added up into the flat rows."""
        for group in self.groups:
            for parameter, view in zip(group.parameters, group.views(group.grad), strict=True):
                if parameter.grad is None:
                    view.zero_()
                else:
                    view.copy_(_part(parameter.grad))
                parameter.grad = None

    def _complete(self) -> None:
        """The rows have all gradients already."""

    def norm_of_all(self, norm: torch.Tensor) -> torch.Tensor:
        """The L2 norm over all processes; squares in float64, which has room for them."""
        return self.world.sum_(norm.double().square()).sqrt().to(norm.dtype)

    def publish(self, done: Collection[str] = ()) -> None:
        """Copies the masters into the parts that layers are gathered from; an update has none of them ``done``."""
        for group in self.groups:
            for parameter, view in zip(group.parameters, group.views(group.master), strict=True):
                _part(parameter).copy_(view)

    def _gathered(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and all float32 values of each parameter, one after the other; all processes gather together."""
        with torch.no_grad(), peer_errors():
            for name in self._names:
                value: Any = self._parameters[name]
                yield name, value.full_tensor()

    def _fill(self, device: torch.device, dtype: torch.dtype) -> Model:
        """A plain model with all the weights."""
        model = copy.deepcopy(self._skeleton)
        for name, value in self._gathered():
            _set_parameter(model, name, value.to(device, dtype))
        return model.to(device)

    @contextlib.contextmanager
    def whole(self, model: Model) -> Iterator[Model]:
        """A plain copy of the model in the dtype that it computes in: every process evaluates by itself."""
        yield self._fill(self.world.device, self.dtype).eval()

    def trainable(self) -> dict[str, torch.Tensor]:
        """Name → all float32 values of every trainable parameter, on the CPU of the leading process; elsewhere none."""
        names = {name for group in self.groups for name in group.names}
        if self._full is not None:
            return {name: value.data for name, value in self._full.named_parameters() if name in names}
        return {name: value.cpu() for name, value in self._gathered() if name in names and self.world.leads}

    def release(self) -> None:
        """Leaves a plain float32 model to the leading process."""
        if self.world.leads:
            self._full = self._fill(torch.device("cpu"), torch.float32)
        else:
            for _ in self._gathered():
                pass

    @property
    def full_model(self) -> Model | None:
        """What :meth:`release` has left."""
        return self._full

    def named(self, rows: Any) -> dict[str, torch.Tensor]:
        """Flat rows as one DTensor for each parameter, of which this process has its part."""
        return {key: self._distributed(key.partition("/")[2], view) for key, view in super().named(rows).items()}

    def _distributed(self, name: str, part: torch.Tensor) -> torch.Tensor:
        whole = self._parameters[name]
        found: torch.Tensor = DTensor.from_local(
            part, self._mesh, [Shard(0)], run_check=False, shape=whole.shape, stride=whole.stride()
        )
        return found

    def own_rows(self, rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What this process has of rows of all weights."""
        found = dict(rows)
        for group in self.groups:
            size = sum(parameter.numel() for parameter in group.parameters)
            mine = {key: row for key, row in rows.items() if key.startswith(f"{group.name}.") and row.numel() == size}
            found |= {key: self._own_part(group, row) for key, row in mine.items()}
        return found

    def _own_part(self, group: Group, row: torch.Tensor) -> torch.Tensor:
        parts = torch.split(row, [parameter.numel() for parameter in group.parameters])
        return torch.cat([
            _rows(part.view(parameter.shape), self.world).reshape(-1)
            for part, parameter in zip(parts, group.parameters, strict=True)
        ])  # fmt: skip

    def frozen_digest(self) -> str:
        """SHA-256 of the frozen values, which a checkpoint does not hold; empty where there are none."""
        return self._frozen_digest


def shard(model: Model, mesh: DeviceMesh, dtype: torch.dtype) -> None:
    """Shards a model in place: each layer by itself, and what is left together.

    Gradients are added up, not averaged: the step has divided by the weights of all processes already.
    """
    policy = MixedPrecisionPolicy(
        param_dtype=None if dtype == torch.float32 else dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for unit in list_units(model):
        fully_shard(unit, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
    register_fsdp_forward_method(model, "run")


def list_units(model: Model) -> list[nn.Module]:
    """The layers that a pass calls once each, so that they can be gathered and recomputed one by one."""
    return [unit for part in model.modules() if isinstance(part, Backbone) for unit in part.units()]


def _part(parameter: torch.Tensor) -> torch.Tensor:
    """What this process has of a DTensor."""
    assert isinstance(parameter, DTensor)
    return parameter.to_local().detach()


def _rows(whole: torch.Tensor, world: World) -> torch.Tensor:
    """The rows of a tensor that this process has: as ``torch.chunk`` cuts them."""
    size = -(-len(whole) // world.size)
    return whole[min(len(whole), world.rank * size) : (world.rank + 1) * size]


def _set_parameter(model: nn.Module, name: str, value: torch.Tensor) -> None:
    place, _, last = name.rpartition(".")
    part = model.get_submodule(place)
    setattr(part, last, nn.Parameter(value, getattr(part, last).requires_grad))


def _digest(model: Model) -> str:
    digest = hashlib.sha256()
    frozen = [(name, p) for name, p in model.named_parameters() if not p.requires_grad]
    for name, parameter in frozen:
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest() if frozen else ""
