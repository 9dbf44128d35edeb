"""What every training needs: a Stream of its source, and what it minimises."""

from collections.abc import Mapping

from warmstart.base.errors import BadInput
from warmstart.base.settings import resolved
from warmstart.base.world import World
from warmstart.example.example import NEXT_GOALS, SOFT
from warmstart.models.activity import ACTIVITY
from warmstart.models.head import LossOptions
from warmstart.models.heads import HEADS
from warmstart.models.settings import AnyHeadSettings, BackboneSettings, ModelSettings
from warmstart.models.smoothness import Adversarial, Disturbance, Proximal, Smoothness, TwoDropouts
from warmstart.models.softmax import Smoothing
from warmstart.models.terms import LossTerm
from warmstart.streams.sources import Source
from warmstart.streams.stream import Stream
from warmstart.train.average import EarlierWeights
from warmstart.train.settings import TrainSettings
from warmstart.train.step import Criterion


def stream_of(source: Source, settings: TrainSettings, *, shuffle: bool = True) -> Stream:
    """The Stream of a source as training wants it, or in its own order."""
    return Stream(
        source,
        resolved(settings.batch_size),
        settings.seed,
        settings.accumulation,
        settings.max_tokens,
        shuffle,
        settings.by_length and shuffle,
    )


def build_criterion(
    coefficients: Mapping[str, float],
    settings: TrainSettings,
    smoothing: Smoothing | None = None,
    temperature: float = 1.0,
) -> Criterion:
    """What a training minimises: goals with their coefficients, and what its settings add.

    Args:
        coefficients: goal → how much it counts.
        settings: of the training: further terms, and how the softmax over the vocabulary learns.
        smoothing: of the labels of that softmax.
        temperature: of a teacher's probabilities.
    """
    terms: dict[str, LossTerm] = {name: ACTIVITY[name] for name in settings.activity}
    weights = {**settings.activity}
    asked = settings.smoothness
    goals = _answered(coefficients)
    disturbance = Disturbance(asked.radius, asked.steps, asked.step_size, asked.noise, asked.norm)
    if asked.weight > 0:
        terms["smoothness"], weights["smoothness"] = Smoothness(goals, disturbance, asked.divergence), asked.weight
    if settings.freelb > 0:
        terms["freelb"], weights["freelb"] = Adversarial(goals, disturbance), settings.freelb
    if settings.r_drop > 0:
        terms["r_drop"], weights["r_drop"] = TwoDropouts(goals, settings.r_drop), 1.0
    earlier = EarlierWeights(asked.momentum) if asked.proximal > 0 else None
    if earlier is not None:
        terms["proximal"], weights["proximal"] = Proximal(goals, asked.divergence, earlier.applied), asked.proximal
    options = LossOptions(smoothing, settings.num_sampled, temperature=temperature)
    return Criterion({**coefficients, **weights}, terms, options, earlier)


def _answered(coefficients: Mapping[str, float]) -> dict[str, float]:
    """The goals whose answers are asked to be smooth: those of tasks or, where there are none, of language models."""
    learned = {name: weight for name, weight in coefficients.items() if weight > 0}
    return {name: weight for name, weight in learned.items() if name not in (*NEXT_GOALS, SOFT)} or learned


def check_terms(settings: TrainSettings, backbone: BackboneSettings, *, carry: bool = False) -> None:
    """Refuses terms that a model cannot have.

    Raises:
        BadInput: disturbed embeddings of two stacks; FreeLB without a step; a text read again where states are carried on.
    """
    asked = settings.smoothness
    rereads = asked.weight > 0 or asked.proximal > 0 or settings.freelb > 0 or settings.r_drop > 0
    if carry and rereads:
        raise BadInput(
            "a text whose state is carried on is read once", where="--carry",
            allowed="without --smoothness, --proximal, --freelb and --r-drop", next_step="leave one of them out",
        )  # fmt: skip
    if (asked.weight > 0 or settings.freelb > 0) and backbone.two_stacks:
        raise BadInput(
            f"the word embeddings of {backbone.NOUN} are not disturbed here", where="--smoothness, --freelb",
            allowed="a model of one stack", next_step="leave them out, or use --r-drop",
        )  # fmt: skip
    if settings.freelb > 0 and asked.steps == 0:
        raise BadInput(
            "FreeLB climbs at least one step", where="--smoothness-steps", value=0, allowed="1 or more with --freelb",
            next_step="leave it out",
        )  # fmt: skip


def check_parallel(settings: ModelSettings, world: World, *, train: TrainSettings, carry: bool = False) -> None:
    """Refuses what several processes cannot train together.

    Raises:
        BadInput: states that are carried from step to step, batch norm, or texts that are compared with each other: all
            hang on all of a batch; with sharded weights also what reads a text several times in a step, or an optimizer
            that needs whole matrices.
    """
    if world.size == 1:
        return
    heads = settings.heads.values()
    whole_batch = {
        "--carry": carry,
        "--head-norm batch": any(getattr(head, "norm", "") == "batch" for head in heads),
        "--task": any(HEADS[head.kind].whole_losses for head in heads),
    }
    asked = train.smoothness.weight > 0 or train.smoothness.proximal > 0 or train.freelb > 0 or train.r_drop > 0
    whole_weights = {
        "--smoothness, --proximal, --freelb, --r-drop": asked and world.shards,
        "--optimizer muon": train.optimizer.updates_matrices and world.shards,
    }
    for where in (name for name, given in whole_batch.items() if given):
        raise BadInput(
            "it hangs on a whole batch, of which each process reads a part", where=where,
            allowed="with one process", next_step="leave it out, or train without torchrun",
        )  # fmt: skip
    for where in (name for name, given in whole_weights.items() if given):
        raise BadInput(
            "it needs all weights in each process", where=where, allowed="with --parallel ddp",
            next_step="leave it out, or use --parallel ddp",
        )  # fmt: skip
    if resolved(train.batch_size) < world.size:
        raise BadInput(
            "fewer examples in a step than processes", where="--batch-size", value=train.batch_size,
            allowed=f"at least {world.size}", next_step="give a larger one, or start fewer processes",
        )  # fmt: skip


def check_heads(settings: TrainSettings, heads: Mapping[str, AnyHeadSettings]) -> None:
    """Refuses terms that compare the answers to each question, where a head has no such answers.

    Raises:
        BadInput: such a term and a head that answers all of a text together, or that gives vectors.
    """
    asked = settings.smoothness.weight > 0 or settings.smoothness.proximal > 0 or settings.r_drop > 0
    vectors = [name for name, head in heads.items() if HEADS[head.kind].whole_losses]
    if vectors and (asked or settings.freelb > 0):
        raise BadInput(
            "a sentence encoder gives vectors, which these terms do not compare",
            where="--smoothness, --proximal, --r-drop, --freelb", value=", ".join(vectors), allowed="0",
            next_step="leave them out",
        )  # fmt: skip
    chains = [name for name, head in heads.items() if HEADS[head.kind].reads_chains]
    if chains and asked:
        raise BadInput(
            "the tags of a chain have no probabilities of their own to compare", where="--smoothness, --proximal, --r-drop",
            value="--head-crf", allowed="without --head-crf", next_step="leave one of them out, or use --freelb",
        )  # fmt: skip
