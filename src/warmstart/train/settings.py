"""Settings of training. Light to import, so that a recipe can be read and refused without waiting for torch."""

from typing import Annotated, Literal

from warmstart.base.settings import LENGTH, Group, LengthText, Setting, Settings, resolved

Precision = Annotated[
    Literal["auto", "fp32", "bf16"],
    Setting(help="precision of the computation; auto: bf16 where the processor has it, else fp32", flag="--precision"),
]
Decay = Literal["linear", "cosine", "constant", "wsd", "step", "slanted", "linear-2018", "cosine-2018"]


class OptimizerSettings(Settings):
    """Adam with decoupled weight decay; the defaults are GPT-1's (section 4.1; betas and clipping from its code).

    ``adam-2018`` is the optimizer of GPT-1's released code: ``eps`` stands beside a second moment without bias correction,
    and the weight decay follows the corrected learning rate.
    """

    kind: Literal["adamw", "muon", "adamax", "adam-2018"] | None = Setting(
        "adamw", "muon: for matrices of the blocks, AdamW for all else; adamax: MT-DNN's; adam-2018: GPT-1's released code",
        flag="--optimizer", chosen="the model and its start",
    )  # fmt: skip
    lr: float | None = Setting(
        2.5e-4, "peak learning rate", flag="--lr", metavar="RATE", chosen="the model, its start and the task", gt=0
    )
    beta1: float = Setting(0.9, "decay of the running mean of the gradient", ge=0, lt=1)
    beta2: float = Setting(0.999, "decay of the running mean of the squared gradient", ge=0, lt=1)
    eps: float = Setting(1e-8, "added to the denominator of an update", gt=0)
    weight_decay: float = Setting(
        0.01, "decoupled weight decay, of all weights but biases and the gains of norms", flag="--weight-decay",
        metavar="W", ge=0,
    )  # fmt: skip
    clip_norm: float = Setting(
        1.0, "largest norm of the whole gradient; a larger one is scaled down", flag="--clip-norm", metavar="NORM", gt=0
    )
    layer_decay: float = Setting(
        1.0, "each layer's learning rate is that of the layer above divided by this (ULMFiT: 2.6)", flag="--layer-decay",
        metavar="D", ge=1,
    )  # fmt: skip

    @property
    def peak(self) -> float:
        """The peak rate; an error where it has not been chosen yet."""
        return resolved(self.lr)

    @property
    def updates_matrices(self) -> bool:
        """Whether the matrices of the layers are updated as such, in groups of their own."""
        return self.kind == "muon"

    @property
    def keeps_zeros(self) -> bool:
        """Whether an update leaves the zeros of a gradient as they are."""
        return self.kind != "adamax"


class ScheduleSettings(Settings):
    """The learning rate over the run: a linear warm-up from 0, then a decay.

    ``step`` keeps the peak for ``step_after`` and then multiplies it by ``step_factor`` after each ``step_every`` more
    (Ramachandran et al. 2016: 0.8, 400,000 and 50,000 steps).
    ``slanted`` rises from 1/32 of the peak and falls back to it (Howard and Ruder 2018, equation 3; their warm-up is ``0.1
    run``). ``linear-2018`` and ``cosine-2018`` are those of GPT-1's released code: the first update has rate 0, and the
    decay runs from the first step to 0, whatever the warm-up. GPT-1's warm-up is ``2000 steps`` in pre-training, ``0.002
    run`` in fine-tuning.
    """

    decay: Decay = Setting(
        "cosine", "decay of the learning rate after the warm-up; wsd: constant, then linear over --cooldown; step: by "
        "--step-factor again and again; slanted: ULMFiT's triangle; -2018: as GPT-1's released code", flag="--decay",
    )  # fmt: skip
    warmup: LengthText = Setting("0.01 run", "linear warm-up, such as '2000 steps'", flag="--warmup", metavar=LENGTH)
    cooldown: LengthText = Setting("0.2 run", "last part of --decay wsd", flag="--cooldown", metavar=LENGTH)
    step_after: LengthText = Setting(
        "0.5 run", "--decay step: how long the rate stays at its peak", flag="--step-after", metavar=LENGTH
    )
    step_every: LengthText = Setting(
        "0.1 run", "--decay step: the rate falls after each such length more", flag="--step-every", metavar=LENGTH
    )
    step_factor: float = Setting(
        0.8,
        "--decay step: what the rate is multiplied by each time",
        flag="--step-factor",
        metavar="FACTOR",
        gt=0,
        lt=1,
    )
    final_frac: float = Setting(0.0, "learning rate at the end, as a fraction of the peak", ge=0, le=1)


class SmoothnessSettings(Settings):
    """SMART's smoothness (Jiang et al. 2020, equation 2), and how its disturbance of the word embeddings is found.

    ALUM is the same with the losses of a language model. The paper's radius and noise are 1e-5, which need ``--precision
    fp32``; its steps go along the gradient as it is, ours along the gradient divided by its length.
    """

    title = "Smoothness"

    weight: float = Setting(
        0.0, "weight of smoothness: how much answers may change where the word embeddings change a little (SMART: 1 to 5; "
        "ALUM: 10)", flag="--smoothness", metavar="LAMBDA", ge=0,
    )  # fmt: skip
    divergence: Literal["symmetric-kl", "kl", "js", "hellinger"] = Setting(
        "symmetric-kl", "how two answers of classes are compared", flag="--smoothness-divergence"
    )
    steps: int = Setting(
        1, "steps uphill to the change that matters most; 0: a random one (PDR)", flag="--smoothness-steps", metavar="K",
        ge=0,
    )  # fmt: skip
    radius: float = Setting(
        0.01, "largest change of a number of a word embedding", flag="--smoothness-radius", metavar="EPSILON", ge=0
    )
    step_size: float = Setting(0.01, "length of a step", gt=0)
    noise: float = Setting(0.001, "standard deviation of what the first step begins with", gt=0)
    norm: Literal["inf", "l2"] = Setting("inf", "inf: of each number; l2: of the row of a token")
    proximal: float = Setting(
        0.0, "weight of how far answers may move from those of earlier weights (SMART's Bregman proximal term: 1)",
        flag="--proximal", metavar="MU", ge=0,
    )  # fmt: skip
    momentum: float = Setting(
        0.99, "how much of the earlier weights is kept in each step, of a running average", ge=0, lt=1
    )


class TrainSettings(Settings):
    """How long to train, in what portions, and with which losses on the language model."""

    title = "Training"

    seed: int = Setting(1, "seed of everything random", flag="--seed", metavar="N")
    length: LengthText | None = Setting(
        "1 epoch", "how long to train: '3 epochs', '2000 steps', '8M tokens'", flag="--length", metavar=LENGTH,
        chosen="the amount of data",
    )  # fmt: skip
    batch_size: int | None = Setting(
        32, "examples per step; in pre-training rows of text", flag="--batch-size", metavar="N",
        chosen="the amount of data", ge=1,
    )  # fmt: skip
    accumulation: int = Setting(
        1, "micro-batches that a batch is split into, at least", flag="--accumulation", metavar="N", ge=1
    )
    max_tokens: int = Setting(
        8192, "maximum number of tokens of a micro-batch: bounds the memory, not the result", flag="--max-tokens",
        metavar="N", ge=1,
    )  # fmt: skip
    activation_checkpointing: bool = Setting(
        False, "compute each layer again in the backward pass: much less memory, about a third more time; same result",
        flag="--activation-checkpointing",
    )  # fmt: skip
    by_length: bool = Setting(
        False, "put texts of similar length into a batch: faster for an LSTM on long texts", flag="--by-length"
    )
    precision: Precision = "auto"
    track: tuple[str, ...] = Setting(
        (), "also feed the numbers of metrics.jsonl to tensorboard, mlflow, wandb or trackio (several with commas); what "
        "these write stays on this machine", flag="--track", metavar="NAMES",
    )  # fmt: skip
    evaluate_every: LengthText | None = Setting(
        "1 epoch", "how often to evaluate on dev", flag="--evaluate-every", metavar=LENGTH, chosen="the length"
    )
    patience: int = Setting(
        0, "evaluations without a new best after which training stops early; 0: never", flag="--patience", metavar="N",
        ge=0,
    )  # fmt: skip
    save_every_s: float = Setting(300.0, "seconds between checkpoints", flag="--save-every", metavar="SECONDS", ge=0)
    keep_checkpoints: int = Setting(
        2, "checkpoints that an unfinished run keeps; where the newest is damaged it goes on from the one before",
        flag="--keep-checkpoints", metavar="N", ge=1,
    )  # fmt: skip
    unfreeze: LengthText | None = Setting(
        None, "gradual unfreezing: train the heads first, then one more layer from the top after each length, such as "
        "'1 epoch' (ULMFiT)", flag="--unfreeze", metavar=LENGTH,
    )  # fmt: skip
    softmax: Literal["full", "sampled"] = Setting(
        "full", "softmax of the language model in training: over the vocabulary, or over the targets and a random sample; "
        "evaluation always uses all", flag="--softmax",
    )  # fmt: skip
    samples: int = Setting(1024, "random tokens in each step of --softmax sampled", flag="--samples", metavar="N", ge=1)
    ar: float = Setting(
        0.0, "weight of activation regularisation: the squared last states (AWD-LSTM: 2)", flag="--ar", metavar="ALPHA",
        ge=0,
    )  # fmt: skip
    tar: float = Setting(
        0.0, "weight of temporal activation regularisation: their squared changes from token to token (AWD-LSTM: 1)",
        flag="--tar", metavar="BETA", ge=0,
    )  # fmt: skip
    ema: float = Setting(
        0.0, "decay of a running average of the weights, which dev is evaluated by and the run ends with (MT-DNN: 0.995)",
        flag="--ema", metavar="DECAY", ge=0, lt=1,
    )  # fmt: skip
    r_drop: float = Setting(
        0.0, "weight of R-Drop: a second reading with other dropout, and how far its answers are from the first's",
        flag="--r-drop", metavar="ALPHA", ge=0,
    )  # fmt: skip
    freelb: float = Setting(
        0.0, "weight of the loss where the word embeddings are changed so that it grows (FreeLB), as for smoothness",
        flag="--freelb", metavar="WEIGHT", ge=0,
    )  # fmt: skip
    smoothness: SmoothnessSettings = Group(SmoothnessSettings)
    optimizer: OptimizerSettings = Group(OptimizerSettings)
    schedule: ScheduleSettings = Group(ScheduleSettings)

    @property
    def num_sampled(self) -> int:
        """Tokens that the softmax learns from at a time; 0: all."""
        return self.samples if self.softmax == "sampled" else 0

    @property
    def num_averages(self) -> int:
        """Running averages of the weights that a checkpoint holds."""
        return (self.ema > 0) + (self.smoothness.proximal > 0)

    @property
    def activity(self) -> dict[str, float]:
        """The coefficients of AR and TAR, where they are not 0."""
        return {name: weight for name, weight in (("ar", self.ar), ("tar", self.tar)) if weight > 0}


class SchemeSettings(Settings):
    """Which weights are trained; ``lora`` is Hu et al. 2021."""

    title = "Scheme"

    kind: Literal["full", "head", "top", "lora", "setfit"] | None = Setting(
        None, "weights to train: all; the heads; the heads and the top layers; the heads and LoRA's low-rank updates; "
        "all, by pairs of few labels, and a head that is fitted (SetFit)",
        flag="--scheme", chosen="the start, the task and the number of examples",
    )  # fmt: skip
    layers: int | None = Setting(None, "layers that --scheme top trains", flag="--scheme-layers", metavar="K", ge=1)
    freeze_tables: bool = Setting(
        False,
        "keep the rows of tokens as they are loaded, of the embeddings and of the softmax",
        flag="--freeze-tables",
    )
    rank: int = Setting(8, "rank of LoRA's updates", flag="--lora-rank", metavar="R", ge=1)
    alpha: float = Setting(
        16.0, "LoRA's updates are multiplied by this, divided by the rank", flag="--lora-alpha", metavar="ALPHA", gt=0
    )
    dropout: float = Setting(0.0, "dropout on the input of LoRA's updates", ge=0, lt=1)

    @property
    def by_pairs(self) -> bool:
        """Whether a sentence encoder is learned from pairs of labels, and the head fitted to its vectors."""
        return self.kind == "setfit"

    @property
    def has_auxiliary_lm(self) -> bool:
        """Whether there is anything that a language model beside the task could move."""
        return self.kind not in ("head", "setfit")
