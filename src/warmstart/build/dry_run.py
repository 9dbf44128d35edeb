"""The dry run: what a training will read, learn and cost, described before the first step and without any weights."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_duration
from warmstart.build.describe import describe
from warmstart.example.batch import Batch
from warmstart.models.model import Model
from warmstart.models.settings import ModelSettings
from warmstart.streams.stream import Stream
from warmstart.tasks.answer import Answer
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.train.precision import ComputeSettings, default_device, measured_flops
from warmstart.train.schedule import Lengths, plan_lengths
from warmstart.train.schemes import apply_scheme, num_trainable
from warmstart.train.settings import SchemeSettings, TrainSettings

SHARE_OF_PEAK = 0.6
"""Of the rate of one large product, what a whole training step is assumed to reach: a guess, for the estimate only."""


def build_meta_model(settings: ModelSettings, scheme: SchemeSettings | None = None, seed: int = 0) -> Model:
    """The model on torch's meta device: shapes and what is trained of them, without memory for a single weight."""
    with torch.device("meta"):
        model = Model(settings)
    if scheme is not None:
        apply_scheme(model, scheme, seed)
    return model


class Cost(NamedTuple):
    """Cost of a training: steps, tokens, memory at most, and time on this machine."""

    lengths: Lengths
    tokens: int
    memory_bytes: int
    seconds: float


def estimate(model: Model, stream: Stream, settings: TrainSettings, compute: ComputeSettings) -> Cost:
    """Steps, tokens, memory and time of a training, from a usual step's batch and one measured product."""
    first = stream.typical_batches()
    per_step = sum(batch.num_tokens for batch in first)
    lengths = plan_lengths(settings, stream)
    tokens = per_step * lengths.steps
    longest = max(int(batch.lengths.max()) for batch in first)
    flops = flops_per_token(model, longest, share_of_words(model, first), settings.num_sampled) * tokens
    return Cost(
        lengths,
        tokens,
        memory(model, max(batch.num_tokens for batch in first), longest, compute.dtype.itemsize),
        flops / (SHARE_OF_PEAK * measured_flops(compute, default_device())),
    )


def share_of_words(model: Model, batches: Sequence[Batch]) -> float:
    """States that the softmax over the vocabulary reads, for each token: of a masked language model the masked places."""
    every = [goal for batch in batches for goal in batch.goals.values()]
    goals = [goal for goal in every if model.head(goal.head).reads_table]
    return sum(len(goal.reads) for goal in goals) / max(1, sum(batch.num_tokens for batch in batches))


def flops_per_token(model: Model, length: int, words: float, samples: int = 0) -> float:
    """Floating-point operations of forward and backward for each token, in texts of ``length``.

    Forward takes 2 per weight. Backward takes 2 more for each weight that it flows through, down to the lowest trained one,
    and 2 for each trained one. ``words`` (:func:`share_of_words`) of the tokens reach the softmax over the vocabulary, or
    over ``samples`` of it.
    """
    size = model.settings.backbone
    matrices = sum(p.numel() for p in model.backbone.blocks[0].parameters() if p.dim() > 1)
    seen = size.attention_flops(length)
    trained = [num_trainable(block) for block in model.backbone.blocks]
    table = model.backbone.tokens.weight.requires_grad
    below = 0 if table else next((number for number, count in enumerate(trained) if count), size.layers)
    reached = size.layers - below
    blocks = size.layers * (2 * matrices + 2 * seen) + reached * (2 * matrices + 4 * seen) + 2 * sum(trained)
    rows = min(size.vocab_size, samples or size.vocab_size)  # of a sampled softmax, without the targets
    read = size.table_width if size.tied else size.width
    return blocks + 2.0 * words * rows * read * (1 + (reached > 0) + table)


def memory(model: Model, tokens: int, length: int, itemsize: int) -> int:
    """Bytes of weights (masters, moments, gradient, working copy) and of one micro-batch's activations, roughly."""
    size = model.settings.backbone
    weights = num_trainable(model) * (4 * 4 + itemsize) + model.num_parameters * itemsize
    weights += (model.num_parameters - num_trainable(model)) * 4
    softmax = 1024 * size.vocab_size * 10 + size.vocab_size * size.width * 4
    return weights + tokens * size.activation_size(length) * itemsize + softmax


def describe_training(
    model: Model, stream: Stream, settings: TrainSettings, compute: ComputeSettings, tokenizer: Vocabulary,
    coefficients: Mapping[str, float], answer: Answer | None = None, label_names: Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """Lines about what will happen: three Examples decoded, what is learned, sizes, cost.

    Raises:
        BadInput: nothing is learned from: no goal in the first batches has any weight.
    """
    first = stream.batches(0)
    check_learned(first, coefficients)
    items = stream.source.take(*stream.indices(0))
    lines: list[str] = []
    for number, record in enumerate(items[:3], start=1):
        lines += [f"example {number}", *("  " + line for line in describe(record, tokenizer, answer, label_names))]
    size, cost = model.settings.backbone, estimate(model, stream, settings, compute)
    learned = sum(float(q.total_weight > 0) * int((q.weights > 0).sum()) for b in first for q in b.goals.values())
    share = learned / max(1, sum(batch.num_tokens for batch in first))
    goals = ", ".join(f"{weight:g} x {name}" for name, weight in coefficients.items() if weight)
    dtype = compute.to_dict()["dtype"]
    trained, kind = num_trainable(model), "vectors of" if size.vectors else "vocabulary"
    together = " of similar length" if stream.by_length else "" if stream.shuffle else " in the order of the text"
    some = "" if trained == model.num_parameters else f", of which {trained:,} are trained"
    lines += [
        f"model      {size.shape}, context {size.context}, "
        f"{kind} {size.vocab_size:,}: {model.num_parameters:,} parameters{some}, computing in {dtype}",
        f"loss       {goals}; {learned:,.0f} targets in the first step ({share:.2f} per token)",
        f"length     {cost.lengths.steps:,} steps of {settings.batch_size}{together} ({stream.steps_per_epoch:,} an epoch, "
        f"{len(stream.source):,} items), warm-up {round(cost.lengths.warmup_steps, 2):,}, about {cost.tokens:,} tokens",
        f"cost       about {cost.memory_bytes / 1e6:,.0f} MB of memory and {format_duration(cost.seconds)} on this machine",
    ]
    return lines


def check_learned(batches: Sequence[Batch], coefficients: Mapping[str, float]) -> None:
    """Refuses a training that would learn nothing."""
    weights = {
        name: sum(batch.goals[name].total_weight for batch in batches if name in batch.goals)
        for name, coefficient in coefficients.items()
        if coefficient > 0
    }
    if not any(weight > 0 for weight in weights.values()):
        raise BadInput(
            "every target in the first step has weight 0, so nothing would be learned",
            where="loss",
            value=weights,
            next_step="check the labels, class weights and the weight of the auxiliary language model",
        )
