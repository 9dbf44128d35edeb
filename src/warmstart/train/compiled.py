"""torch.compile for the parts of a model that are the same graph for every batch, where a run is long enough to pay for it.

Compiled are the layer after attention and the softmax over the vocabulary: on a GPU each becomes a few kernels instead of
many. Attention is left alone: its rectangles differ from batch to batch, and its kernels are fused already. On a CPU the
products are nearly all of the time, and compiling gained 1 to 6 %, so nothing is compiled there.
"""

import torch

from warmstart.models.blocks import Block, finish
from warmstart.models.losses import logits_grad
from warmstart.models.model import Model
from warmstart.streams.stream import Stream

LONG_RUN = 1e17  # floating-point operations: some minutes of a large GPU, where compiling takes half a minute to one


def compile_parts(model: Model, backend: str = "inductor") -> None:
    """Compiles at first use; what is computed stays the same but for rounding."""
    whole = torch.compile(finish, dynamic=True, backend=backend)
    for block in model.backbone.blocks:
        if isinstance(block, Block):
            block.finish = whole
    model.logits_grad = torch.compile(logits_grad, dynamic=True, backend=backend)


def pays(model: Model, stream: Stream, steps: int, device: torch.device) -> bool:
    """Whether a training is over sooner with compiling; looks at a usual step's batches."""
    if device.type != "cuda":
        return False
    return 6.0 * model.num_parameters * steps * sum(batch.num_tokens for batch in stream.typical_batches()) >= LONG_RUN
