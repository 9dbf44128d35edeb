"""Model: one backbone and named heads. Batch in, per goal (loss sum, weight) out."""

from typing import Any

import torch
from torch import nn

from warmstart.example.batch import Batch, GoalBatch
from warmstart.example.example import LM, NEXT_VECTOR
from warmstart.models.activity import activity_losses
from warmstart.models.backbone import Backbone, Tables, initialise
from warmstart.models.heads import Head
from warmstart.models.losses import (
    LogitsGradFn,
    Loss,
    Smoothing,
    Softmax,
    TokenScores,
    logits_grad,
    next_token_loss,
    score_tokens,
    vector_losses,
)
from warmstart.models.lstm import LSTM
from warmstart.models.sampled import candidates, sampled_token_loss
from warmstart.models.settings import BackboneSettings, LSTMSettings, ModelSettings
from warmstart.models.transformer import Transformer


def _backbone(settings: BackboneSettings) -> Backbone:
    return LSTM(settings) if isinstance(settings, LSTMSettings) else Transformer(settings)


class Model(nn.Module):
    """A backbone whose states named heads read. A goal's name is its head's name.

    ``lm`` and ``next_vector`` need no head of their own: the table of the softmax is theirs.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = _backbone(settings.backbone)
        width = settings.backbone.width
        self.logits_grad: LogitsGradFn = logits_grad  # or the same compiled
        # Whoever trains may set these: smoothed labels of ``lm``, how many tokens its softmax learns from at a time (0:
        # all), and whether the states' size and change are losses too.
        self.smoothing: Smoothing | None = None
        self.samples = 0
        self.activity = False
        self.heads = nn.ModuleDict({name: Head(head, width) for name, head in settings.heads.items()})

    @staticmethod
    def fresh(settings: ModelSettings, seed: int) -> "Model":
        """A Model with newly drawn float32 weights that follow from ``seed``."""
        model = Model(settings)
        initialise(model, settings.backbone.init_std, torch.Generator().manual_seed(seed))
        return model

    def forward(self, batch: Batch, draw: int = 0) -> dict[str, Loss]:
        """The losses of all goals in ``batch``; ``draw`` names the tokens that a sampled softmax learns from."""
        tables = self.backbone.tables()
        losses: dict[str, Loss] = {}
        for name, states_MD in self._states(batch, tables, losses if self.activity else None).items():
            asked = batch.goals[name]
            if name == LM:
                found = self._next_tokens(self._softmax(states_MD, tables), asked, draw)
                losses[name] = Loss(found, asked.total_weight)
            elif name == NEXT_VECTOR:
                found = (self._vector_losses(states_MD, asked.targets, tables) * asked.weights).sum()
                losses[name] = Loss(found, asked.total_weight)
            else:
                losses[name] = self._head(name).loss(self.read(name, states_MD), asked)
        return losses

    def _next_tokens(self, softmax: Softmax, asked: GoalBatch, draw: int) -> torch.Tensor:
        """The sum of the losses of ``lm``: by a sampled softmax only where something is learned."""
        if self.samples and torch.is_grad_enabled():
            drawn = candidates(len(softmax.table), self.samples, draw)
            return sampled_token_loss(softmax, asked.targets, asked.weights, drawn, self.logits_grad)
        return next_token_loss(softmax, asked.targets, asked.weights, self.logits_grad, self.smoothing)

    @torch.inference_mode()
    def answers(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Float32 answers of every head that ``batch`` asks: see :meth:`Head.forward` for shapes."""
        return {
            name: self._head(name)(self.read(name, states_MD), batch.goals[name]).float()
            for name, states_MD in self._states(batch, self.backbone.tables()).items()
            if name in self.heads
        }

    @torch.inference_mode()
    def score_tokens(self, batch: Batch) -> TokenScores:
        """[Q] how each token or vector that :attr:`next_goal` asks for fares; a vector is never right."""
        asked, tables = batch.goals[self.next_goal], self.backbone.tables()
        states_MD = self.backbone(batch, tables, asked.reads)
        if self.next_goal == NEXT_VECTOR:
            found = self._vector_losses(states_MD, asked.targets, tables)
            return TokenScores(found, torch.zeros_like(found, dtype=torch.bool))
        return score_tokens(self._softmax(states_MD, tables), asked.targets)

    def next_token_logits(self, states: torch.Tensor) -> torch.Tensor:
        """[…, V] float32 logits of the next token after each state."""
        logits = self._softmax(states, self.backbone.tables()).logits(slice(None))
        return logits[..., : self.settings.backbone.vocab_size]

    def _states(self, batch: Batch, tables: Tables, losses: dict[str, Loss] | None = None) -> dict[str, torch.Tensor]:
        """The states [M, D] that each goal of ``batch`` reads; ``losses`` takes in those of the states themselves."""
        reads = [asked.reads for asked in batch.goals.values()]
        every, counts = torch.cat(reads), [len(some) for some in reads]
        if losses is None and len(every) < batch.num_tokens:
            states = self.backbone.dropped(self.backbone(batch, tables, every))
        else:
            whole = self.backbone(batch, tables)
            read = self.backbone.dropped(whole)
            if losses is not None:
                losses |= activity_losses(whole, read, batch)
            states = read.index_select(0, every)
        return dict(zip(batch.goals, torch.split(states, counts), strict=True))

    @property
    def next_goal(self) -> str:
        """The goal that asks for what comes next."""
        return NEXT_VECTOR if self.settings.backbone.vectors else LM

    def _vector_losses(self, states_MD: torch.Tensor, targets_QE: torch.Tensor, tables: Tables) -> torch.Tensor:
        return vector_losses(states_MD, tables.softmax[: targets_QE.shape[1]], targets_QE)

    def _softmax(self, states: torch.Tensor, tables: Tables) -> Softmax:
        """What the softmax over the vocabulary reads after some states."""
        head = self.backbone.lm_transform
        return Softmax(states, tables.softmax) if head is None else Softmax(head(states), tables.softmax, head.bias)

    def read(self, name: str, states_MD: torch.Tensor) -> torch.Tensor:
        """The states as the head ``name`` reads them."""
        return self.backbone.pool(states_MD) if self.settings.heads[name].pooled else states_MD

    def _head(self, name: str) -> Head:
        head: Any = self.heads[name]
        return head  # type: ignore[no-any-return]

    @property
    def num_parameters(self) -> int:
        """Distinct weights; tied ones count once."""
        return sum(p.numel() for p in self.parameters())
