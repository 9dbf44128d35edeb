"""Settings of training. Light to import, so that a recipe can be read and refused without waiting for torch."""

from typing import Literal

from pydantic import Field

from warmstart.base.settings import Settings
from warmstart.base.units import Length

Precision = Literal["auto", "fp32", "bf16"]
Decay = Literal["linear", "cosine", "constant", "wsd", "slanted", "linear-2018", "cosine-2018"]


class OptimizerSettings(Settings):
    """Adam with decoupled decay; the defaults are GPT-1's (paper section 4.1, betas and clipping from its code).

    ``kind``: ``adamw``; ``muon`` for the matrices of the blocks and AdamW for all else, at the same rate; ``adam-2018``
    as GPT-1's released code has it, with ``eps`` beside a second moment that is not corrected for its start, and a decay
    that follows the corrected rate. ``layer_decay``: each layer's rate is that of the one above it divided by this, from
    the heads down to the embeddings (Howard and Ruder 2018, section 3.2: 2.6).
    """

    kind: Literal["adamw", "muon", "adam-2018"] = "adamw"
    lr: float = Field(2.5e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    layer_decay: float = Field(1.0, ge=1)


class ScheduleSettings(Settings):
    """Linear warm-up from 0, then a decay to ``final_frac`` of the peak at the end of the run.

    ``warmup`` is a length: ``2000 steps`` (GPT-1's pre-training), ``0.002 run`` (its fine-tuning). ``wsd`` stays at the
    peak and falls linearly over ``cooldown``, the last part of the run. ``slanted`` rises from 1/32 of the peak over the
    warm-up and falls back to it (Howard and Ruder 2018, equation 3; their warm-up is ``0.1 run``). ``linear-2018`` and
    ``cosine-2018`` are those of GPT-1's released code: the first update has rate 0, and the decay runs from the first step
    to 0, whatever the warm-up.
    """

    decay: Decay = "cosine"
    warmup: str = "0.01 run"
    cooldown: str = "0.2 run"
    final_frac: float = Field(0.0, ge=0, le=1)


def check_lengths(settings: "TrainSettings") -> None:
    """Refuses a length that is none, before anything is read for it."""
    Length.parse(settings.length, "length")
    Length.parse(settings.evaluate_every, "evaluate_every")
    if settings.unfreeze is not None:
        Length.parse(settings.unfreeze, "unfreeze")
    Length.parse(settings.schedule.warmup, "schedule.warmup")
    Length.parse(settings.schedule.cooldown, "schedule.cooldown")


class TrainSettings(Settings):
    """How long and in what portions to train.

    ``length``, ``evaluate_every`` are lengths with units. ``patience`` is the number of evaluations without a new best
    after which training stops early (0: never). ``accumulation`` splits a batch into at least so many micro-batches;
    ``max_tokens`` bounds what a micro-batch holds in memory; ``by_length`` puts texts of similar length into a batch, as an
    LSTM on long texts wants them. ``unfreeze`` is the length after which the next lower layer
    begins to move, the heads first and the embeddings last (Howard and Ruder 2018, section 3.3: ``1 epoch``). ``softmax``:
    the language model learns from all tokens of the vocabulary, or from the true ones and ``samples`` that each step draws
    (the released code of Dai and Le 2015: 1,024); whatever is judged is judged by all. ``ar`` and ``tar`` weigh the squares
    of the last states and of their changes from token to token (Merity et al. 2017, section 4.7: 2 and 1).
    """

    seed: int = 1
    length: str = "1 epoch"
    batch_size: int = Field(32, ge=1)
    accumulation: int = Field(1, ge=1)
    max_tokens: int = Field(8192, ge=1)
    by_length: bool = False
    precision: Precision = "auto"
    evaluate_every: str = "1 epoch"
    patience: int = Field(0, ge=0)
    save_every_s: float = Field(300.0, ge=0)
    unfreeze: str | None = None
    softmax: Literal["full", "sampled"] = "full"
    samples: int = Field(1024, ge=1)
    ar: float = Field(0.0, ge=0)
    tar: float = Field(0.0, ge=0)
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @property
    def drawn(self) -> int:
        """Tokens that the softmax learns from at a time; 0: all."""
        return self.samples if self.softmax == "sampled" else 0

    @property
    def activity(self) -> dict[str, float]:
        """The coefficients of what states cost by themselves, where they do."""
        return {name: weight for name, weight in (("ar", self.ar), ("tar", self.tar)) if weight > 0}


class SchemeSettings(Settings):
    """Which weights move, and how.

    Attributes:
        kind: ``full`` all; ``head`` only the heads, on frozen features; ``top`` the last ``layers`` and the heads; ``lora``
            the heads and a product of two thin matrices beside each linear of the blocks (Hu et al. 2021).
        layers: how many, for ``top``.
        rank: of that product.
        alpha: the product counts ``alpha / rank``.
        dropout: on what the product reads.
    """

    kind: Literal["full", "head", "top", "lora"] = "full"
    layers: int | None = Field(None, ge=1)
    rank: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
