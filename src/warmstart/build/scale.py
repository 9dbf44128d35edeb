"""What a training takes with many processes: memory of each, and time. Formulas, not measurements (docs/scale.md).

With P trained weights, F frozen ones, N processes, s bytes a number in the dtype that computes, U weights of the largest
layer and R of what is no layer, the bytes of each process are:

- ``ddp``: 16 P for masters, gradient and two moments, 4 F, and where s is not 4, s (P + F) for the working copy;
- ``fsdp``: (20 P + 4 F) / N for the same and the part that layers are gathered from; s (R + 2 U) for what is gathered, this
  layer and the next; (s + 4) max(U, R) for a gradient on its way; while dev is evaluated s (P + F) for a whole copy instead;
- both: the activations of one micro-batch and of a stretch of the softmax.

Where s is not said by the machine at hand (``--tflops``), it is 2, or 4 with ``--precision fp32``.

Time is floating-point operations over N devices that reach :data:`~warmstart.build.dry_run.SHARE_OF_PEAK` of the rate of a
large product. What the processes tell each other is not in it: by ddp 8 P bytes a step through each, by fsdp about 3 s P and
4 P a micro-batch.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from warmstart.base.formatting import format_duration
from warmstart.base.world import Parallel
from warmstart.build.cost import tokens_per_step
from warmstart.build.dry_run import SHARE_OF_PEAK, flops_per_token, share_of_words, softmax_bytes
from warmstart.models.model import Model
from warmstart.streams.stream import BatchStream
from warmstart.train.precision import ComputeSettings, default_device, measured_flops
from warmstart.train.schedule import plan_lengths
from warmstart.train.schemes import num_trainable
from warmstart.train.settings import TrainSettings
from warmstart.train.sharded import list_units


class Scale(NamedTuple):
    """So many processes, how they share the work, and how fast a device is.

    ``tflops``: 10¹² operations per second of a large product; ``None``: what was measured here.
    """

    size: int
    parallel: Parallel = "ddp"
    tflops: float | None = None


class Load(NamedTuple):
    """What a process has to compute at a time: tokens of a micro-batch, bytes of a number, whether layers are recomputed."""

    tokens: int
    itemsize: int
    recompute: bool = False


def memory_of_process(model: Model, scale: Scale, load: Load) -> dict[str, float]:
    """Part → bytes of each process."""
    trained, size = num_trainable(model), model.settings.backbone
    frozen, s = model.num_parameters - trained, load.itemsize
    layers = size.layers if load.recompute else 0
    kept = layers * size.width + size.activation_size(0) / (size.layers if load.recompute else 1)
    beside = {"activations": load.tokens * kept * s, "softmax": float(softmax_bytes(size))}
    if scale.parallel == "ddp" or scale.size == 1:
        copy = 0 if s == 4 else s * model.num_parameters
        return {"weights": 16.0 * trained + 4 * frozen + copy, **beside}
    units = [_count(unit) for unit in list_units(model)]
    rest, largest = model.num_parameters - sum(units), max(units, default=0)
    gathered = s * (rest + 2 * largest) + (s + 4) * max(largest, rest)
    return {"weights": (20.0 * trained + 4 * frozen) / scale.size, "gathered": float(gathered), **beside}


def whole_copy_bytes(model: Model, itemsize: int) -> int:
    """Of the whole model in the dtype that computes, which each process makes to evaluate sharded weights."""
    return itemsize * model.num_parameters


def describe_scale(
    model: Model, stream: BatchStream, settings: TrainSettings, compute: ComputeSettings, scale: Scale
) -> list[str]:
    """The lines of the dry run about many processes.

    Args:
        model: without weights.
        stream: what it learns from.
        settings: how.
        compute: how this machine computes.
        scale: how many processes, and on what.
    """
    batches = [batch for part in stream.parts for batch in part.stream.typical_batches()]
    step_tokens = tokens_per_step(stream)
    most = min(max(batch.num_tokens for batch in batches), -(-step_tokens // scale.size))
    itemsize = compute.dtype.itemsize if scale.tflops is None else 4 if settings.precision == "fp32" else 2
    load = Load(int(most), itemsize, settings.activation_checkpointing)
    parts = memory_of_process(model, scale, load)
    evaluating = parts["weights"] + whole_copy_bytes(model, itemsize) if "gathered" in parts else 0.0
    rate = measured_flops(compute, default_device()) if scale.tflops is None else scale.tflops * 1e12
    longest = max(int(batch.lengths.max()) for batch in batches)
    flops = flops_per_token(model, longest, share_of_words(model, batches), settings.num_sampled)
    seconds = flops * step_tokens * plan_lengths(settings, stream).steps / (SHARE_OF_PEAK * rate * scale.size)
    way = f"{scale.size:,} by {scale.parallel}"
    return [
        f"processes  {way}: each about {max(sum(parts.values()), evaluating) / 1e9:,.2f} GB: {_in_words(parts)}"
        + (f"; while dev is evaluated {evaluating / 1e9:,.2f}" if evaluating else ""),
        f"time       {way}: about {format_duration(seconds)} of training where each reaches {SHARE_OF_PEAK:.0%} of "
        f"{rate / 1e12:,.3g} TFLOP/s, exchanges apart",
    ]


def _in_words(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {size / 1e9:,.2f}" for name, size in parts.items())


def _count(unit: nn.Module) -> int:
    return sum(parameter.numel() for parameter in unit.parameters())
