"""torch.compile for the parts of a model that are the same graph for every batch, where a run is long enough to pay for it.

These are the layer after attention and the softmax over the vocabulary: on a GPU each becomes a few kernels instead of many.
Attention stays as it is: its rectangles differ from batch to batch, and its kernels are fused already. On a CPU the
products are nearly all of the time, and compiling gained 1 to 6 %, so nothing is compiled there.
"""

import functools

import torch

from warmstart.models.model import Model
from warmstart.streams.stream import BatchStream, typical_tokens

LONG_RUN = 1e17  # floating-point operations: some minutes of a large GPU, where compiling takes half a minute to one


def compile_parts(model: Model, backend: str = "inductor") -> None:
    """Compiles at first use; what is computed stays the same but for rounding."""
    compile_function = functools.partial(torch.compile, dynamic=True, backend=backend)
    model.backbone.compile_layers(compile_function)
    for name in model.heads:
        model.head(name).compile_parts(compile_function)


def is_worth_compiling(model: Model, stream: BatchStream, steps: int, device: torch.device) -> bool:
    """Whether a training is over sooner with compiling; looks at a usual step's batches."""
    if device.type != "cuda":
        return False
    return 6.0 * model.num_parameters * steps * typical_tokens(stream) >= LONG_RUN
