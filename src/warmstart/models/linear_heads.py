"""Heads that end in one linear: classes, several labels, a score, a choice, a span.

The head adds the states of a question's reads before the linear, so one read per question is plain classification and two
reads are the paper's similarity (both orders, states added; Radford et al. 2018, section 3.3). A choice head scores every
read by itself and the softmax runs across the reads of a question; a span head does so twice, for the start and the end of
an answer. All reads of a question share one dropout mask, and so do all choices (the released code's noise shape).

Shapes: M reads, Q questions, D width.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import nn
from torch.nn.functional import log_softmax, logsigmoid

from warmstart.base.errors import BadInput
from warmstart.example.batch import GoalBatch
from warmstart.example.example import SEVERAL, SOFT
from warmstart.models.backbone import Tables
from warmstart.models.divergence import Distribution
from warmstart.models.dropout import drop
from warmstart.models.head import DEFAULT_OPTIONS, Head, LossOptions
from warmstart.models.losses import (
    choice_loss,
    class_loss,
    log_softmax_across_reads,
    multilabel_loss,
    score_loss,
    shared_choice_loss,
    soft_class_loss,
    soft_multilabel_loss,
    soft_read_loss,
    span_loss,
)
from warmstart.models.settings import BackboneSettings, HeadSettings

STRENGTH = 0.01
"""How little the weights of a fitted head are held back: the best of 0.01, 0.1 and 1 on few labels (docs/train.md)."""
COSINE_SCALE = 10
"""How many times larger than their length the cosine of two texts is beside their differences (docs/train.md)."""
MOMENTUM, EPS = 0.1, 1e-5  # of batch norm, as torch has them
AnswerLoss = Callable[[torch.Tensor, GoalBatch, LossOptions], torch.Tensor]
AnswerLosses = Mapping[str, AnswerLoss]


def by_labels(loss: Callable[[torch.Tensor, GoalBatch], torch.Tensor]) -> AnswerLoss:
    """A loss of answers that no option changes."""
    return lambda answers, goal, options: loss(answers, goal)


def softened(loss: Callable[[torch.Tensor, GoalBatch, float], torch.Tensor]) -> AnswerLoss:
    """A loss of a teacher's answers, by its temperature."""
    return lambda answers, goal, options: loss(answers, goal, options.temperature)


class BatchNorm(nn.Module):
    """Each dimension with mean 0 and variance 1 over the rows at hand, then gain and bias (Ioffe and Szegedy 2015).

    In training they are those of the micro-batch, so this is the one part of a model whose result depends on how
    examples are split. Running averages, which are saved with the weights, serve evaluation, and a row that is alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, rows_ND: torch.Tensor) -> torch.Tensor:
        """[N, D], the same out."""
        rows, count = rows_ND.float(), len(rows_ND)
        mean, variance = self.get_buffer("mean").float(), self.get_buffer("variance").float()
        if self.training and count > 1:
            variance, mean = torch.var_mean(rows, 0, correction=0)
            with torch.no_grad():
                self.get_buffer("mean").lerp_(mean, MOMENTUM)
                self.get_buffer("variance").lerp_(variance * (count / (count - 1)), MOMENTUM)
        rows = (rows - mean) * torch.rsqrt(variance + EPS)
        return (rows * self.weight + self.bias).to(rows_ND.dtype)


class LinearHead(Head):
    """Dropout and one linear over the states, after a hidden layer where there is one.

    With batch norm it is a block of norm, dropout and linear for each linear.
    """

    losses: ClassVar[AnswerLosses]
    by_output: ClassVar[tuple[str, ...]] = ("linear.weight", "linear.bias")

    def __init__(self, settings: HeadSettings, backbone: BackboneSettings) -> None:
        super().__init__()
        self.settings = settings
        if settings.pool != "sum" and self.answers_per_read:
            raise BadInput(
                "only a head that answers once for all reads of a question pools their states", where="heads",
                value=f"pool {settings.pool} for {settings.kind}", allowed="pool sum",
            )  # fmt: skip
        width = 2 * settings.lstm or backbone.width * (3 if settings.pool == "concat" else 1)
        width = pair_width(width, settings.pair)
        self.hidden = nn.Linear(width, settings.hidden) if settings.hidden else None
        self.linear = nn.Linear(settings.hidden or width, settings.size, bias=settings.bias)
        widths = ([width] if settings.hidden else []) + [settings.hidden or width]
        self.norms = nn.ModuleList(BatchNorm(each) for each in widths if settings.norm == "batch")

    def begin_at(self, output: float) -> None:
        """Sets the bias of the last linear."""
        if self.settings.bias:
            nn.init.constant_(self.linear.bias, output)

    def _loss_sum(
        self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None, options: LossOptions
    ) -> torch.Tensor:
        return self.losses[goal.answer](self(states_MD, goal, tables), goal, options)

    def answer_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """[…, size] the answers to states that are pooled already, outside of training."""
        return self.linear(self._features(rows, None))  # type: ignore[no-any-return]

    def _features(self, rows: torch.Tensor, goal: GoalBatch | None) -> torch.Tensor:
        """What the linear reads of each row; in training ``goal`` says which share a mask of dropout."""
        if self.hidden is not None:
            if self.norms:
                rows = self._dropout(self.norms[0](rows), goal)
            rows = torch.relu(self.hidden(rows))
        if self.norms:
            rows = self.norms[-1](rows)
        return self._dropout(rows, goal)

    def _dropout(self, rows: torch.Tensor, goal: GoalBatch | None) -> torch.Tensor:
        """Dropout with one mask for all reads of a question; ``rows`` are of reads or of questions."""
        if not self.training or self.settings.dropout == 0:
            return rows
        assert goal is not None
        masks = drop(rows.new_ones(len(goal.weights), rows.shape[1]), self.settings.dropout)
        return rows * (masks[goal.question] if len(rows) == len(goal.question) else masks)


class QuestionHead(LinearHead):
    """One answer for each question."""

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[Q, size]."""
        return self.linear(self.read(states_MD, goal))  # type: ignore[no-any-return]

    def read(self, states_MD: torch.Tensor, goal: GoalBatch) -> torch.Tensor:
        """[Q, …] what the last linear reads of each question."""
        pool, pair = self.settings.pool, self.settings.pair
        text, count = text_numbers(goal, pair)
        if self.settings.is_linear and pool == "sum":  # dropout, then the sum, as GPT-1's code has it
            return sum_pool(self._features(states_MD, goal), text, count)
        rows = POOLS[pool](states_MD, text, count)
        if pair == "none":
            return self._features(rows, goal)
        rows = compare_texts(rows[0::2], rows[1::2], pair)
        return rows if self.settings.is_convex else self._features(rows, goal)  # no dropout: most hangs on the cosine

    def fit(self, rows_QD: torch.Tensor, goal: GoalBatch) -> None:
        """Sets the linear to what learns ``goal`` best from these rows alone: a convex problem with one solution.

        The loss is the head's own, summed, and half the squared weights of rows with variance 1 in each dimension, divided
        by :data:`STRENGTH` (scikit-learn's ``C``). What is compared of two texts has its scale already, and C is 1.
        """
        scaled, strength = (True, STRENGTH) if self.settings.pair == "none" else (False, 1.0)
        rows = rows_QD.double()
        mean = rows.mean(0) if self.settings.bias else rows.new_zeros(rows.shape[1])
        std = rows.std(0, correction=0).clamp(min=1e-6) if scaled else rows.new_ones(rows.shape[1])
        rows = (rows - mean) / std
        weight = torch.zeros(
            self.settings.size, rows.shape[1], dtype=rows.dtype, device=rows.device, requires_grad=True
        )
        bias = self.linear.bias.detach().to(rows).requires_grad_() if self.settings.bias else weight.new_zeros(1)
        parameters = [weight, bias] if self.settings.bias else [weight]
        _spare_the_compiler()
        solver = torch.optim.LBFGS(parameters, max_iter=300, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            answers = rows @ weight.T + bias
            answers = answers.squeeze(-1) if self.fixed_size == 1 else answers
            value = self.losses[goal.answer](answers, goal, DEFAULT_OPTIONS) + weight.square().sum() / (2 * strength)
            for parameter, gradient in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
                parameter.grad = gradient
            return value

        with torch.enable_grad():
            solver.step(loss)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = weight / std
            self.linear.weight.copy_(found)
            if self.settings.bias:
                self.linear.bias.copy_(bias - found @ mean)


def _spare_the_compiler() -> None:
    """Keeps torch from importing its compiler, for seconds, when the first of its optimizers is made.

    It would only be told not to compile the method that adds groups of parameters; here nothing compiles an optimizer.
    """
    method = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    if method is not None and not hasattr(method, "__dynamo_disable"):
        setattr(method, "__dynamo_disable", method)  # where torch keeps the form that is not compiled


class ReadHead(LinearHead):
    """One answer for each read."""

    answers_per_read: ClassVar[bool] = True

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[M, size]."""
        return self.linear(self._features(states_MD, goal))  # type: ignore[no-any-return]


class ClassHead(QuestionHead):
    """One of several classes; learns from class numbers, or from probabilities (``soft``)."""

    losses: ClassVar[AnswerLosses] = {"": by_labels(class_loss), SOFT: softened(soft_class_loss)}

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """Over the classes."""
        return Distribution(log_softmax(answers.float(), -1), torch.arange(len(answers), device=answers.device))


class MultilabelHead(QuestionHead):
    """Any number of labels."""

    losses: ClassVar[AnswerLosses] = {"": by_labels(multilabel_loss), SOFT: softened(soft_multilabel_loss)}

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """Over each label and its absence, the mean over labels."""
        both = torch.cat([logsigmoid(answers.float()), logsigmoid(-answers.float())], -1)
        question = torch.arange(len(answers), device=answers.device)
        return Distribution(both, question, 1 / answers.shape[-1])


class ScoreHead(QuestionHead):
    """A number."""

    fixed_size = 1
    losses: ClassVar[AnswerLosses] = {"": by_labels(score_loss), SOFT: by_labels(score_loss)}

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[Q]."""
        return super().forward(states_MD, goal, tables).squeeze(-1)

    def difference(self, first: torch.Tensor, second: torch.Tensor, goal: GoalBatch, kind: str) -> torch.Tensor:
        """[Q] squares."""
        return (first.float() - second.float()).square()


class ChoiceHead(ReadHead):
    """One of the reads of a question."""

    fixed_size = 1
    compares_reads = True
    losses: ClassVar[AnswerLosses] = {
        "": by_labels(choice_loss), SEVERAL: by_labels(shared_choice_loss), SOFT: softened(soft_read_loss)
    }  # fmt: skip

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """Over the reads of each question."""
        return Distribution(log_softmax_across_reads(answers, goal.question)[:, None], goal.question)

    def forward(self, states_MD: torch.Tensor, goal: GoalBatch, tables: Tables | None = None) -> torch.Tensor:
        """[M]."""
        return super().forward(states_MD, goal, tables).squeeze(-1)


class SpanHead(ReadHead):
    """The first and the last read of an answer among those of a question."""

    losses: ClassVar[AnswerLosses] = {"": by_labels(span_loss), SOFT: softened(soft_read_loss)}

    def distribution(self, answers: torch.Tensor, goal: GoalBatch) -> Distribution:
        """Over the reads of each question, of the start and of the end, the mean of both."""
        both = [log_softmax_across_reads(answers[:, side], goal.question) for side in range(2)]
        return Distribution(torch.stack(both, -1), goal.question, 0.5)


def text_numbers(goal: GoalBatch, pair: str) -> tuple[torch.Tensor, int]:
    """[M] which text each read is of, and how many there are: of each question one, or several that were read apart."""
    if pair == "none":
        return goal.question, len(goal.weights)
    assert goal.document is not None
    texts, numbers = torch.unique_consecutive(goal.document, return_inverse=True)
    return numbers, len(texts)


def pair_width(width: int, pair: str) -> int:
    """How many numbers :func:`compare_texts` makes of two texts, each of them ``width``."""
    return {"none": width, "symmetric": width + 1, "ordered": 3 * width + 1}[pair]


def compare_texts(first_QD: torch.Tensor, second_QD: torch.Tensor, pair: str) -> torch.Tensor:
    """What a bi-encoder compares of two texts, their vectors u and v of length 1: |u - v| and the cosine; u and v too.

    As Reimers and Gurevych 2019 (sections 3 and 6) have them, together. ``symmetric`` leaves u and v out, so that the
    answer is the same in either order. The cosine counts :data:`COSINE_SCALE` times: few labels learn how alike two texts
    are before they learn about what.
    """
    first, second = (nn.functional.normalize(rows.float(), dim=-1) for rows in (first_QD, second_QD))
    cosine = COSINE_SCALE * (first * second).sum(-1, keepdim=True)
    own = [] if pair == "symmetric" else [first, second]
    return torch.cat([*own, (first - second).abs(), cosine], -1).to(first_QD.dtype)


def sum_pool(rows: torch.Tensor, question_M: torch.Tensor, count: int) -> torch.Tensor:
    """[Q, D] the sum over each question's reads; as they are where each question has one."""
    if len(rows) == count:
        return rows
    return rows.new_zeros(count, rows.shape[1]).index_add(0, question_M, rows)


def mean_pool(states_MD: torch.Tensor, question_M: torch.Tensor, count: int) -> torch.Tensor:
    """[Q, D] the mean over each question's reads."""
    if len(states_MD) == count:
        return states_MD
    reads = torch.bincount(question_M, minlength=count)
    return (sum_pool(states_MD.float(), question_M, count) / reads[:, None]).to(states_MD.dtype)


def concat_pool(states_MD: torch.Tensor, question_M: torch.Tensor, count: int) -> torch.Tensor:
    """[Q, 3·D] the last state, the greatest of each dimension and the mean over each question's reads."""
    reads = torch.bincount(question_M, minlength=count)
    last = states_MD.index_select(0, reads.cumsum(0) - 1)
    index = question_M[:, None].expand_as(states_MD)
    top = torch.full_like(last, -torch.inf).scatter_reduce(0, index, states_MD, "amax")
    total = torch.zeros_like(last, dtype=torch.float32).index_add(0, question_M, states_MD.float())
    return torch.cat([last, top, (total / reads[:, None]).to(last.dtype)], 1)


POOLS: dict[str, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "sum": sum_pool, "mean": mean_pool, "concat": concat_pool
}  # fmt: skip
"""How the states of a question's reads become one."""
