"""SAN: a class of two texts that were read together, found in several steps of attention (Liu et al. 2018; MT-DNN's heads).

The state s begins as a weighted mean of the second text (the hypothesis); each step reads the first text (the premise) by a
bilinear product with s, guesses a class from both, and moves s by a GRU. The answer is the mean of the guesses of all steps
(Liu et al. 2019, equations 2 to 5). In training each guess but one, drawn for each question, is left out with the rate of
the head's dropout (stochastic prediction dropout).

Shapes: M reads, of which A are of the first text and B of the second, Q questions, D width, K steps, C classes.
"""

import math
from typing import ClassVar

import torch
from torch import nn
from torch.nn.functional import log_softmax

from warmstart.example.batch import GoalBatch
from warmstart.models.backbone import Tables
from warmstart.models.dropout import drop
from warmstart.models.linear_heads import ClassHead, sum_pool
from warmstart.models.losses import log_softmax_across_reads
from warmstart.models.settings import BackboneSettings, HeadSettings


class SANHead(ClassHead):
    """One of several classes; its answers are [Q, C] logarithms of probabilities."""

    noun: ClassVar[str] = "several steps of attention (SAN)"

    def __init__(self, settings: HeadSettings, backbone: BackboneSettings) -> None:
        super().__init__(settings, backbone)
        width = backbone.width
        self.query = nn.Linear(width, 1, bias=False)
        self.bilinear = nn.Linear(width, width, bias=False)
        self.inputs, self.carried = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)  # of the GRU
        self.linear = nn.Linear(4 * width, settings.size)

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[Q, C], a step of attention after another."""
        assert goal.text is not None
        count = len(goal.weights)
        parts = [(states_MD[goal.text == text], goal.question[goal.text == text]) for text in (0, 1)]
        (first_AD, question_A), (second_BD, question_B) = parts
        shares = log_softmax_across_reads(self.query(second_BD).squeeze(-1), question_B).exp().to(second_BD.dtype)
        state = sum_pool(second_BD * shares[:, None], question_B, count)
        keys_AD, guesses = self.bilinear(first_AD), []
        for _ in range(self.settings.steps):
            shares = (
                log_softmax_across_reads((keys_AD * state[question_A]).sum(-1), question_A).exp().to(first_AD.dtype)
            )
            read = sum_pool(first_AD * shares[:, None], question_A, count)
            features = torch.cat([state, read, (state - read).abs(), state * read], -1)
            guesses.append(log_softmax(self.linear(self._drop(features)).float(), -1))
            state = self._move(read, self._drop(state))
        every_QKC = torch.stack(guesses, 1)
        if self.training and self.settings.dropout > 0:
            every_QKC = every_QKC + kept_steps(count, len(guesses), self.settings.dropout, states_MD.device).log()
        return every_QKC.logsumexp(1) - math.log(len(guesses))

    def _drop(self, rows: torch.Tensor) -> torch.Tensor:
        return drop(rows, self.settings.dropout) if self.training else rows

    def _move(self, read_QD: torch.Tensor, state_QD: torch.Tensor) -> torch.Tensor:
        """A step of a GRU (Cho et al. 2014), as torch's cell has it."""
        reset, update, new = self.inputs(read_QD).chunk(3, -1)
        old = self.carried(state_QD).chunk(3, -1)
        kept = torch.sigmoid(update + old[1])
        candidate = torch.tanh(new + torch.sigmoid(reset + old[0]) * old[2])
        return (1 - kept) * candidate + kept * state_QD


def kept_steps(count: int, steps: int, rate: float, device: torch.device) -> torch.Tensor:
    """[Q, K, 1] 1 / (1 - rate) for the steps whose guess counts, one of each question at least, and 0 for the others."""
    kept = torch.rand(count, steps, device=device) >= rate
    kept.scatter_(1, torch.randint(steps, (count, 1), device=device), True)
    return (kept / (1 - rate))[..., None]
