"""A linear-chain CRF over the words of a text: each class depends on that of the word before.

Lafferty et al. 2001; over the states of an LSTM in both directions it is Huang et al. 2015's and Lample et al. 2016's
BiLSTM-CRF. Words are scored by the linear as :class:`~warmstart.models.linear_heads.ClassHead` scores them; beside it there
is a score for each pair of neighbours and for the first and the last word. A text's loss is the negative logarithm of the
probability of its whole path; the sum over the Batch has the weight of all words, so a rate that suits a softmax suits it.
A softmax of n words costs one product; this takes n steps more, of all texts together.

Shapes: M reads (one for each of Q = M questions), B texts, C classes, D width of the states, H cells in each direction.
"""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.example.batch import GoalBatch
from warmstart.example.example import Goal
from warmstart.models.backbone import Tables
from warmstart.models.chains import Chains, best_scores, log_partition, pack_chains, path_scores
from warmstart.models.dropout import drop
from warmstart.models.head import LossOptions
from warmstart.models.linear_heads import AnswerLosses, QuestionHead, by_labels
from warmstart.models.losses import class_loss
from warmstart.models.lstm import Cells
from warmstart.models.recurrence import State, run_layer
from warmstart.models.settings import BackboneSettings, HeadSettings


class CRFHead(QuestionHead):
    """One of several classes for each read of a text, all of them together."""

    losses: ClassVar[AnswerLosses] = {"": by_labels(class_loss)}  # by which the linear is fitted to states that stay
    answers_per_read: ClassVar[bool] = True
    reads_chains: ClassVar[bool] = True
    noun: ClassVar[str] = "a chain of tags (a CRF)"
    by_output: ClassVar[tuple[str, ...]] = (*QuestionHead.by_output, "transitions", "first", "last")
    by_two_outputs: ClassVar[tuple[str, ...]] = ("transitions",)

    def __init__(self, settings: HeadSettings, backbone: BackboneSettings) -> None:
        super().__init__(settings, backbone)
        size, cells = settings.size, settings.lstm
        self.transitions = nn.Parameter(torch.zeros(size, size))
        self.first, self.last = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))
        self.cells = nn.ModuleList(Cells(backbone.width, cells, cells) for _ in range(2 if cells else 0))

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[M, C] of each word the score of the best path through a class, less that of the best path of its text."""
        if len(states_MD) == 0:
            return states_MD.new_zeros(0, self.settings.size)
        chains = pack_chains(_texts(goal))
        packed = best_scores(self._emissions(states_MD, goal, chains), self.transitions, chains)
        return torch.empty_like(packed).index_copy(0, chains.order, packed)

    def _loss_sum(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        if len(states_MD) == 0:
            return states_MD.sum()
        chains = pack_chains(_texts(goal))
        emissions, path = self._emissions(states_MD, goal, chains), goal.targets[chains.order]
        weights = goal.weights[chains.order[chains.first]].double()  # all words of a text count alike
        total = log_partition(emissions, self.transitions, chains)
        return ((total - path_scores(emissions, self.transitions, path, chains)) * weights).sum().float()

    def _emissions(self, states_MD: torch.Tensor, goal: GoalBatch, chains: Chains) -> torch.Tensor:
        """[M, C] packed, float64: what each word says for its class, with what the ends of a text say."""
        rows = self._read_words(states_MD, chains) if self.settings.lstm else states_MD
        packed: torch.Tensor = self.linear(self._features(rows, goal)).double()[chains.order]
        packed = packed.index_add(0, chains.first, self.first.double().expand(len(chains.first), -1))
        return packed.index_add(0, chains.last, self.last.double().expand(len(chains.last), -1))

    def _read_words(self, states_MD: torch.Tensor, chains: Chains) -> torch.Tensor:
        """[M, 2·H] the states of the LSTM after each word, read from the text's beginning and from its end."""
        if self.training:
            states_MD = drop(states_MD, self.settings.dropout)
        found = []
        for cells, order in zip(self.cells, (chains.order, chains.reverse), strict=True):
            assert isinstance(cells, Cells)
            weights = cells.weights()
            outputs, _ = run_layer(states_MD[order], weights, State.zeros(weights, chains.sizes[0]), chains.sizes)
            found.append(torch.empty_like(outputs).index_copy(0, order, outputs))
        return torch.cat(found, 1)

    def reset_parameters(self) -> None:
        """Forget gates begin half open."""
        for cells in self.cells:
            assert isinstance(cells, Cells)
            cells.open_forget_gates()

    def begin_from(self, goals: Iterable[Goal]) -> None:
        """Pairs begin as log p(b | a) / p(b) of the training data, ends likewise: b is rare after a where it never was.

        Counts are smoothed by one more b, drawn as often as it occurs (a Dirichlet prior), so few labels say little.
        """
        counts = _count_pairs([goal.targets for goal in goals if goal.weights.any()], self.settings.size)
        if counts.sum() == 0:
            return
        with torch.no_grad():
            ratios = torch.from_numpy(_log_ratios(counts)).to(self.transitions)
            self.transitions.copy_(ratios[:-1, :-1])
            self.first.copy_(ratios[-1, :-1])
            self.last.copy_(ratios[:-1, -1])


def _texts(goal: GoalBatch) -> torch.Tensor:
    """[M] the text that each read stands in."""
    assert goal.document is not None
    return goal.document


def _count_pairs(paths: Iterable[NDArray[np.int64]], size: int) -> NDArray[np.float64]:
    """[C + 1, C + 1] how often one class follows another; the last stands for the end of a text, before it and behind it."""
    counts = np.zeros((size + 1, size + 1))
    for path in paths:
        around = np.concatenate([[size], path, [size]])
        np.add.at(counts, (around[:-1], around[1:]), 1)
    return counts


def _log_ratios(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """[C + 1, C + 1] logarithms of p(b | a) / p(b); 0 where a or b never occurs."""
    share = counts.sum(0) / counts.sum()
    ratios = (np.divide(counts, share, out=np.zeros_like(counts), where=share > 0) + 1) / (counts.sum(1)[:, None] + 1)
    ratios[:, share == 0] = 1.0
    return np.asarray(np.log(ratios))
