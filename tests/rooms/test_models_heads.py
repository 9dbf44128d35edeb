"""Heads: each against plain torch, one question at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from warmstart.base.errors import BadInput
from warmstart.example.batch import GoalBatch
from warmstart.models.backbone import SoftmaxTable, Tables
from warmstart.models.head import Head
from warmstart.models.heads import HEADS, build_head
from warmstart.models.linear_heads import STRENGTH
from warmstart.models.presets import preset
from warmstart.models.settings import HeadKind, HeadSettings, head_settings

WIDTH = 6


def asked(question: list[int], targets: torch.Tensor, weights: list[float], answer: str = "") -> GoalBatch:
    reads = torch.arange(len(question))
    return GoalBatch(reads, torch.tensor(question), targets, torch.tensor(weights), sum(weights), "head", answer)


def build(**settings: Any) -> Head:
    return build_head(HeadSettings(**settings), preset("gpt1-tiny", width=WIDTH))


def head(kind: HeadKind, size: int = 1, dropout: float = 0.0) -> Head:
    torch.manual_seed(0)
    return build(kind=kind, size=size, dropout=dropout)


def states(count: int) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(count))


def test_classes() -> None:
    """Witness: F.cross_entropy of the linear, question by question."""
    x, made = states(3), head("class", 4)
    questions = asked([0, 1, 2], torch.tensor([3, 0, 1]), [1.0, 0.0, 2.5])
    torch.testing.assert_close(made(x, questions), F.linear(x, made.linear.weight, made.linear.bias))
    each = F.cross_entropy(made.linear(x), questions.targets, reduction="none")
    loss = made.loss(x, questions)
    torch.testing.assert_close(loss.sum, each[0] + 2.5 * each[2])
    assert loss.weight == 3.5


def test_two_reads_are_added() -> None:
    """Witness: Radford et al. 2018, section 3.3: the states of both orders summed, then one linear."""
    x, made = states(5), head("class", 2)
    questions = asked([0, 0, 1, 2, 2], torch.tensor([0, 1, 1]), [1.0, 1.0, 1.0])
    summed = torch.stack([x[0] + x[1], x[2], x[3] + x[4]])
    torch.testing.assert_close(made(x, questions), made.linear(summed))
    torch.testing.assert_close(
        made.loss(x, questions).sum, F.cross_entropy(made.linear(summed), questions.targets, reduction="sum")
    )


def test_labels() -> None:
    """Witness: BCE per label, the mean over labels, the weighted sum over questions."""
    x, made = states(2), head("multilabel", 3)
    marks = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    out = made.linear(x)
    each = -(marks * out.sigmoid().log() + (1 - marks) * (1 - out.sigmoid()).log()).mean(1)
    torch.testing.assert_close(made.loss(x, asked([0, 1], marks, [2.0, 0.5])).sum, 2 * each[0] + 0.5 * each[1])


def test_scores() -> None:
    """Witness: squared differences."""
    x, made = states(3), head("score")
    questions = asked([0, 0, 1], torch.tensor([0.3, -1.0]), [1.0, 3.0])
    out = made.linear(torch.stack([x[0] + x[1], x[2]])).squeeze(-1)
    torch.testing.assert_close(made(x, questions), out)
    torch.testing.assert_close(made.loss(x, questions).sum, (out[0] - 0.3) ** 2 + 3 * (out[1] + 1) ** 2)


def test_choices() -> None:
    """Witness: F.cross_entropy across the choices of each question, of which there are 2, 4 and 1."""
    x, made = states(7) * 5, head("choice")
    questions = asked([0, 0, 1, 1, 1, 1, 2], torch.tensor([1, 2, 0]), [1.0, 0.5, 1.0])
    x.requires_grad_()
    out = made.linear(x).squeeze(-1)
    wanted = F.cross_entropy(out[None, :2], torch.tensor([1])) + 0.5 * F.cross_entropy(
        out[None, 2:6], torch.tensor([2])
    )
    got = made.loss(x, questions).sum
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(torch.autograd.grad(got, x), torch.autograd.grad(wanted, x))
    torch.testing.assert_close(made(x, questions), out)


def test_spans() -> None:
    """Witness: F.cross_entropy across the reads of each question, once for the start and once for the end, their mean."""
    x, made = states(7) * 5, head("span", 2)
    questions = asked([0, 0, 0, 1, 1, 1, 1], torch.tensor([[1, 2], [0, 0]]), [1.0, 0.25])
    x.requires_grad_()
    out = made.linear(x)
    each = [
        F.cross_entropy(out[part].T, target)
        for part, target in zip([slice(3), slice(3, 7)], questions.targets, strict=True)
    ]
    got, wanted = made.loss(x, questions), each[0] + 0.25 * each[1]
    torch.testing.assert_close(got.sum, wanted)
    torch.testing.assert_close(torch.autograd.grad(got.sum, x), torch.autograd.grad(wanted, x))
    torch.testing.assert_close(made(x, questions), out)
    assert got.weight == 1.25


@pytest.mark.parametrize("kind", ["class", "span"])
def test_no_question_is_no_loss(kind: HeadKind) -> None:
    """Invariant: an empty sum; a sentence may have no word that is read."""
    made = head(kind, 2, dropout=0.5).train()
    targets = torch.zeros((0, 2) if kind == "span" else (0,), dtype=torch.int64)
    none = GoalBatch(
        torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), targets, torch.zeros(0), 0.0, "head"
    )
    loss = made.loss(torch.zeros(0, WIDTH, requires_grad=True), none)
    loss.sum.backward()
    assert float(loss.sum.detach()) == loss.weight == 0.0


def test_choices_of_great_logits_stay_finite() -> None:
    """Invariant: softmax does not change when all logits of a question move together."""
    made = head("choice")
    questions = asked([0, 0], torch.tensor([0]), [1.0])
    x = torch.stack([made.linear.weight[0], 2 * made.linear.weight[0]]).detach() * 1e4
    loss = made.loss(x, questions).sum
    assert bool(loss.isfinite())
    torch.testing.assert_close(loss, F.cross_entropy(made.linear(x).T, torch.tensor([0])))


@pytest.mark.parametrize("kind", ["class", "choice"])
def test_reads_of_one_question_share_the_dropout(kind: HeadKind) -> None:
    """Invariant: equal states get equal answers within a question, other answers in other questions."""
    made = head(kind, 8 if kind == "class" else 1, dropout=0.5).train()
    count = 40
    x = states(1).expand(2 * count, WIDTH)
    targets = torch.zeros(count, dtype=torch.int64)
    questions = asked([i // 2 for i in range(2 * count)], targets, [1.0] * count)
    answers = made(x, questions)
    if kind == "choice":
        answers = answers.view(count, 2)
        assert torch.equal(answers[:, 0], answers[:, 1])
        answers = answers[:, :1]
    assert len(set(map(tuple, answers.tolist()))) > 10
    assert torch.equal(made.eval()(x, questions), made(x, questions))


def test_concat_pooling_and_a_hidden_layer() -> None:
    """Witness: each text by itself with torch's own max and mean (Howard and Ruder 2018, section 3.3)."""
    made = build(kind="class", size=3, hidden=5, pool="concat", dropout=0.5).eval()
    x, questions = states(9), asked([0] * 4 + [1] + [2] * 4, torch.zeros(3, dtype=torch.int64), [1.0] * 3)
    pooled = torch.stack([torch.cat([part[-1], part.amax(0), part.mean(0)]) for part in torch.split(x, [4, 1, 4])])
    assert made.hidden is not None
    wanted = made.linear(made.hidden(pooled).clamp(min=0))
    assert torch.allclose(made(x, questions), wanted, atol=1e-6)
    assert not torch.equal(made.train()(x, questions), wanted)


@pytest.mark.parametrize("hidden", [0, 5])
def test_mean_pooling(hidden: int) -> None:
    """Witness: each text by itself with torch's own mean, as sentence-transformers reads a text."""
    made = build(kind="class", size=3, hidden=hidden, pool="mean", dropout=0.5).eval()
    x, questions = states(9), asked([0] * 4 + [1] + [2] * 4, torch.zeros(3, dtype=torch.int64), [1.0] * 3)
    rows = torch.stack([part.mean(0) for part in torch.split(x, [4, 1, 4])])
    wanted = made.linear(rows if made.hidden is None else made.hidden(rows).clamp(min=0))
    assert torch.allclose(made(x, questions), wanted, atol=1e-6)
    assert not torch.equal(made.train()(x, questions), wanted)


def test_a_hidden_layer_reads_the_sum_and_what_drops_out_is_its_own() -> None:
    """Witness: torch's linears, two reads of one question summed first; dropout of all but certain leaves the bias."""
    made = build(kind="class", size=2, hidden=7, dropout=0.0)
    x, questions = states(3), asked([0, 0, 1], torch.zeros(2, dtype=torch.int64), [1.0] * 2)
    assert made.hidden is not None
    wanted = made.linear(F.relu(made.hidden(torch.stack([x[0] + x[1], x[2]]))))
    assert torch.allclose(made(x, questions), wanted, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["class", "score", "multilabel"])
def test_a_fitted_head(kind: HeadKind, bias: bool) -> None:
    """Witness: scikit-learn's logistic regression (one for each label) and ridge on the same standardised rows."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    made = build(kind=kind, size=1 if kind == "score" else 3, bias=bias).eval()
    rows = torch.randn(60, made.linear.in_features, generator=torch.Generator().manual_seed(4)) * 3 + 1
    signs = rows[:, :3] + torch.randn(60, 3, generator=torch.Generator().manual_seed(5))
    targets = {"class": signs.argmax(1), "score": signs[:, 0], "multilabel": (signs > 1).float()}[kind]
    made.fit(rows, asked(list(range(60)), targets, [1.0] * 60))
    spread = rows.double().std(0, correction=0)
    given = ((rows - (rows.mean(0) if bias else 0)) / spread).numpy()
    found = made.linear(rows).detach().numpy()
    options: dict[str, Any] = {"fit_intercept": bias, "tol": 1e-8, "max_iter": 5000}
    if kind == "score":
        theirs = linear_model.Ridge(alpha=1 / (2 * STRENGTH), fit_intercept=bias).fit(given, targets.numpy())
        wanted = theirs.predict(given)[:, None]
    elif kind == "class":
        theirs = linear_model.LogisticRegression(C=STRENGTH, **options).fit(given, targets.numpy())
        wanted = theirs.decision_function(given)
        found, wanted = (each - each.mean(1, keepdims=True) for each in (found, wanted))
    else:  # their losses are summed over labels, ours averaged
        each = [linear_model.LogisticRegression(C=STRENGTH / 3, **options).fit(given, one) for one in targets.T.numpy()]
        wanted = np.stack([one.decision_function(given) for one in each], 1)
    assert np.abs(found - wanted).max() < 1e-3


@pytest.mark.parametrize("pair", ["ordered", "symmetric"])
def test_a_fitted_head_of_two_texts(pair: str) -> None:
    """Witness: scikit-learn's logistic regression (C = 1) on u, v, |u - v| and ten times the cosine, as NumPy has them."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    made = build(kind="class", size=3, pool="mean", pair=pair).eval()
    x, number = states(80), torch.arange(80)
    questions = replace(
        asked([n // 2 for n in range(80)], number[:40] % 3, [1.0] * 40), document=number
    )  # two texts of one read each
    made.fit(made.read(x, questions), questions)
    u, v = (
        side / np.linalg.norm(side, axis=1, keepdims=True)
        for side in (x[0::2].double().numpy(), x[1::2].double().numpy())
    )
    rows = np.hstack([*([u, v] if pair == "ordered" else []), np.abs(u - v), 10 * (u * v).sum(1, keepdims=True)])
    theirs = linear_model.LogisticRegression(tol=1e-8, max_iter=5000).fit(rows, questions.targets.numpy())
    found, wanted = made(x, questions).detach().numpy(), theirs.decision_function(rows)
    found, wanted = (each - each.mean(1, keepdims=True) for each in (found, wanted))
    assert wanted.std() > 1e-2 and np.abs(found - wanted).max() < 1e-3


@pytest.mark.parametrize("hidden", [0, 5])
def test_batch_norm(hidden: int) -> None:
    """Witness: torch.nn.BatchNorm1d before each linear, in training, its gradients and its running averages, then in use."""
    torch.manual_seed(2)
    made = build(kind="class", size=2, dropout=0.0, hidden=hidden, norm="batch").train()
    if made.hidden is not None:
        torch.nn.init.ones_(made.hidden.bias)  # a unit that is nearly dead has no variance: the norm magnifies rounding
    norms = [torch.nn.BatchNorm1d(norm.weight.shape[0]) for norm in made.norms]  # type: ignore[union-attr]
    layers = [made.linear] if made.hidden is None else [made.hidden, torch.nn.ReLU(), made.linear]
    twin = torch.nn.Sequential(norms[0], *layers[:2], *norms[1:], *layers[2:])
    questions = asked([0, 1, 1, 2, 3], torch.tensor([0, 1, 0, 1]), [1.0] * 4)
    for number in range(3):
        x = (states(5 + number)[:5] * 3 + 1).requires_grad_()
        summed = torch.stack([x[0], x[1] + x[2], x[3], x[4]])
        found, wanted = made(x, questions), twin(summed)
        torch.testing.assert_close(found, wanted)
        grads = [torch.autograd.grad(out.square().sum(), [x, made.linear.weight], retain_graph=True)
                  for out in (found, wanted)]  # fmt: skip
        torch.testing.assert_close(grads[0], grads[1])
    for ours, theirs in zip(made.norms, norms, strict=True):
        torch.testing.assert_close(ours.mean, theirs.running_mean)
        torch.testing.assert_close(ours.variance, theirs.running_var)
    x = states(4)
    alone = asked([0], torch.tensor([1]), [1.0])
    one_by_one = asked([0, 1, 2, 3], questions.targets, [1.0] * 4)
    evaluated = made.eval()(x, one_by_one)
    torch.testing.assert_close(evaluated, twin.eval()(x))
    torch.testing.assert_close(
        made.train()(x[:1], alone), evaluated[:1]
    )  # one row has no variance: the running averages


def test_probabilities_as_targets() -> None:
    """Witness: the cross-entropy by its definition; certain probabilities are class numbers."""
    x, made = states(3), head("class", 4)
    soft = torch.rand(3, 4, generator=torch.Generator().manual_seed(1)).softmax(1)
    weights = [1.0, 0.0, 2.5]
    each = -(soft * made.linear(x).log_softmax(1)).sum(1)
    found = made.loss(x, asked([0, 1, 2], soft, weights, "soft"))
    torch.testing.assert_close(found.sum, each[0] + 2.5 * each[2])
    assert found.weight == 3.5
    numbers = torch.tensor([3, 0, 1])
    certain = F.one_hot(numbers, 4).float()
    torch.testing.assert_close(
        made.loss(x, asked([0, 1, 2], certain, weights, "soft")).sum,
        made.loss(x, asked([0, 1, 2], numbers, weights)).sum,
    )


def test_an_answer_that_a_head_does_not_learn_is_refused() -> None:
    """Invariant: by name, with what the head learns."""
    with pytest.raises(ValueError, match=r"CRFHead learns answers of kind '', not 'soft'"):
        head("crf").loss(states(1), asked([0], torch.zeros(1, 4), [1.0], "soft"))
    with pytest.raises(BadInput, match="pool concat for span"):
        build(kind="span", pool="concat")


@pytest.mark.parametrize("kind", HEADS)
def test_how_many_answers_are_known_without_a_head(kind: str) -> None:
    """Witness: the shape of a head's answers."""
    settings = head_settings({"kind": kind} | ({"steps": 2} if kind == "san" else {}))
    backbone = preset("gpt1-tiny", width=WIDTH, vocab_size=5)
    table = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(3))
    tables = Tables(table, None, SoftmaxTable(table))
    goal = replace(
        asked([0, 0, 1], torch.zeros(2), [1.0, 1.0]),
        document=torch.zeros(3, dtype=torch.int64),
        text=torch.tensor([0, 1, 1]),
    )
    answers = build_head(settings, backbone).eval()(states(3), goal, tables)
    assert len(answers) == (3 if HEADS[kind].answers_per_read else 2)
