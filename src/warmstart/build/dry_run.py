"""The dry run: what a training will read, learn and cost, described before the first step and without its weights."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from warmstart.base.errors import BadInput
from warmstart.build.cost import Cost, EvaluationTimes, measure_seconds, resident_bytes, times_in_words, tokens_per_step
from warmstart.build.describe import describe
from warmstart.example.batch import Batch
from warmstart.models.model import Model
from warmstart.models.settings import BackboneSettings, ModelSettings
from warmstart.streams.stream import BatchStream, Stream
from warmstart.tasks.answer import Answer
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.train.precision import ComputeSettings, default_device, measured_flops
from warmstart.train.schedule import plan_lengths
from warmstart.train.schemes import apply_scheme, checkpoint_bytes, num_trainable
from warmstart.train.settings import SchemeSettings, TrainSettings
from warmstart.train.step import Criterion

SHARE_OF_PEAK = 0.6
"""Of the rate of one large product, what a step is assumed to reach of a model whose token table is too large to measure."""
MOST_MEASURED = 50_000_000
"""Weights of the largest token table that is made to measure a step: with gradient and moments 800 MB."""
MOST_FLOPS = 5e13
"""Floating-point operations of the largest step that a part of is measured: some minutes of a processor."""


class NamedAnswer(NamedTuple):
    """What a task asks, its label names, and its own name where there are several; ``None``: a language model."""

    answer: Answer | None
    label_names: tuple[str, ...] = ()
    task: str = ""


NO_ANSWER = NamedAnswer(None)


def build_meta_model(settings: ModelSettings, scheme: SchemeSettings | None = None, seed: int = 0) -> Model:
    """The model on torch's meta device: shapes and what is trained of them, without memory for a single weight."""
    with torch.device("meta"):
        model = Model.undrawn(settings)
    if scheme is not None:
        apply_scheme(model, scheme, seed)
    return model


def estimate(
    model: Model, stream: BatchStream, settings: TrainSettings, criterion: Criterion, compute: ComputeSettings,
    scheme: SchemeSettings | None = None, evaluation: EvaluationTimes | None = None,
) -> Cost:  # fmt: skip
    """Steps, tokens, memory and time of a training.

    Args:
        model: without weights.
        stream: what it learns from.
        settings: how.
        criterion: what is minimised.
        compute: how it computes.
        scheme: which weights are trained.
        evaluation: times the evaluations.
    """
    lengths, device = plan_lengths(settings, stream), default_device()
    first = [batch for part in stream.parts for batch in part.stream.typical_batches()]
    longest, most = max(int(batch.lengths.max()) for batch in first), max(batch.num_tokens for batch in first)
    tokens = round(tokens_per_step(stream) * lengths.steps)
    size = model.settings.backbone
    flops = flops_per_token(model, longest, share_of_words(model, first), settings.num_sampled)
    is_small = flops * tokens / lengths.steps <= MOST_FLOPS
    if is_small and size.vocab_size * size.table_width <= MOST_MEASURED:
        seconds = measure_seconds(
            model.settings, stream, settings, criterion, scheme or SchemeSettings(), compute, lengths, evaluation
        )
    else:
        seconds = {"training (without evaluation)": flops * tokens / (SHARE_OF_PEAK * measured_flops(compute, device))}
    size_bytes = memory(model, most, longest, compute.dtype.itemsize)
    if device.type == "cpu":
        now, peak = resident_bytes()
        size_bytes = max(now + size_bytes + checkpoint_bytes(model, settings), peak)
    return Cost(lengths, tokens, size_bytes, seconds, compute)


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
    reached, uses = max(0, size.layers - below), size.layers / len(trained)  # layers may share their weights
    blocks = size.layers * (2 * matrices + 2 * seen) + reached * (2 * matrices + 4 * seen) + 2 * uses * sum(trained)
    rows = min(size.vocab_size, samples or size.vocab_size)  # of a sampled softmax, without the targets
    read = size.table_width if size.tied else size.width
    return blocks + 2.0 * words * rows * read * (1 + (reached > 0) + table)


def memory(model: Model, tokens: int, length: int, itemsize: int) -> int:
    """Bytes of weights (masters, moments, gradient, working copy) and of one micro-batch's activations, roughly."""
    size = model.settings.backbone
    weights = num_trainable(model) * (4 * 4 + itemsize) + model.num_parameters * itemsize
    weights += (model.num_parameters - num_trainable(model)) * 4
    return weights + tokens * size.activation_size(length) * itemsize + softmax_bytes(size)


def softmax_bytes(size: BackboneSettings) -> int:
    """Bytes of a stretch of 1,024 states before the softmax over the vocabulary, and of the gradient of its rows."""
    return 1024 * size.vocab_size * 10 + size.vocab_size * size.width * 4


def describe_training(
    model: Model, stream: BatchStream, tokenizer: Vocabulary, criterion: Criterion, cost: Cost,
    answers: Sequence[NamedAnswer] = (NO_ANSWER,),
) -> list[str]:  # fmt: skip
    """Lines about what will happen: three Examples decoded, what is learned, sizes, cost.

    Args:
        model: without weights.
        stream: what it learns from.
        tokenizer: of the Examples.
        criterion: what is minimised.
        cost: of the training.
        answers: of the task of each part of the stream.

    Raises:
        BadInput: nothing is learned from: no goal in the first batches of a part has any weight.
    """
    coefficients = criterion.coefficients
    first: list[Batch] = []
    lines: list[str] = []
    for (_, part), named in zip(stream.parts, answers, strict=True):
        batches = part.batches(0)
        check_learned(batches, coefficients)
        first += batches
        lines += _describe_examples(part, 3 if len(answers) == 1 else 1, tokenizer, named)
    size = model.settings.backbone
    learned = sum(float(q.total_weight > 0) * int((q.weights > 0).sum()) for b in first for q in b.goals.values())
    share = learned / max(1, sum(batch.num_tokens for batch in first))
    goals = ", ".join(f"{weight:g} x {name}" for name, weight in coefficients.items() if weight)
    dtype = cost.compute.to_dict()["dtype"]
    trained, kind = num_trainable(model), "vectors of" if size.vectors else "vocabulary"
    parts = [part.stream for part in stream.parts]
    sizes = "/".join(dict.fromkeys(str(part.batch_size) for part in parts))
    together = " of similar length" if parts[0].by_length else "" if parts[0].shuffle else " in the order of the text"
    together += ", texts and pairs in turns" if any(len(part.turns) > 1 for part in parts) else ""
    some = "" if trained == model.num_parameters else f", of which {trained:,} are trained"
    lines += [
        f"model      {size.shape}, context {size.context}, "
        f"{kind} {size.vocab_size:,}: {model.num_parameters:,} parameters{some}, computing in {dtype}",
        f"loss       {goals}; {learned:,.0f} targets in the first step ({share:.2f} per token)",
        f"length     {cost.lengths.steps:,} steps of {sizes}{together} ({stream.steps_per_epoch:,} an epoch, "
        f"{sum(len(part.source) for part in parts):,} items), warm-up {round(cost.lengths.warmup_steps, 2):,}, "
        f"about {cost.tokens:,} tokens",
        f"cost       about {cost.memory_bytes / 1e6:,.0f} MB of memory, the program and its data among them; "
        f"{times_in_words(cost.seconds)}",
    ]
    return lines


def _describe_examples(stream: Stream, count: int, tokenizer: Vocabulary, named: NamedAnswer) -> list[str]:
    """The first Records of a stream, decoded."""
    lines: list[str] = []
    for number, record in enumerate(stream.source.take(*stream.indices(0))[:count], start=1):
        title = f"example {named.task or number}"
        described = describe(record, tokenizer, named.answer, named.label_names)
        lines += [title, *("  " + line for line in described)]
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
