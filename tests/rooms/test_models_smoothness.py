"""Terms that ask for answers that change little: divergences, smoothness, FreeLB, R-Drop."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from torch.nn.functional import cross_entropy, log_softmax

from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.divergence import DIVERGENCES, Distribution, divergence
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.models.smoothness import Adversarial, Disturbance, Proximal, Smoothness, TwoDropouts
from warmstart.models.terms import StepSeeds
from warmstart.streams.stream import split_batches
from warmstart.train.average import EarlierWeights
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights

SEEDS = StepSeeds(3, 4)
STILL = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0}
WET = dict.fromkeys(STILL, 0.2)


def divergences(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """SciPy's, and Hellinger's by its definition."""
    return {
        "kl": float(entropy(first, second)), "symmetric-kl": float(entropy(first, second) + entropy(second, first)),
        "js": float(jensenshannon(first, second) ** 2),
        "hellinger": float(1 - np.sqrt(first * second).sum()),
    }  # fmt: skip


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_divergences_are_those_of_scipy(kind: str) -> None:
    """Witness: SciPy; and finite differences for both gradients (torch's gradcheck)."""
    draw = np.random.default_rng(0)
    logits = [torch.from_numpy(draw.normal(size=(3, 4))).requires_grad_() for _ in range(2)]
    rows = torch.arange(3)

    def value(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return divergence(kind, *(Distribution(log_softmax(x, -1), rows) for x in (first, second)), 3)

    found = value(*logits).detach().numpy()
    shares = [torch.softmax(x.detach(), -1).numpy() for x in logits]
    wanted = [divergences(p, q)[kind] for p, q in zip(*shares, strict=True)]
    assert found == pytest.approx(np.array(wanted), rel=1e-9)
    assert torch.autograd.gradcheck(value, tuple(logits))
    assert float(value(logits[0], logits[0]).detach().abs().max()) < 1e-15


def model(body: str = "bert-tiny", std: float = 0.3, **changes: Any) -> Model:
    heads = {
        "label": HeadSettings(kind="class", size=3, dropout=changes.pop("head_dropout", 0.0)),
        "labels": HeadSettings(kind="multilabel", size=2, dropout=0), "score": HeadSettings(kind="score", dropout=0),
        "choice": HeadSettings(kind="choice", dropout=0), "span": HeadSettings(kind="span", size=2, dropout=0),
    }  # fmt: skip
    return Model.fresh(ModelSettings(backbone=preset(body, vocab_size=64, **changes), heads=heads), 1).train()


def record(goal: str, number: int, length: int) -> list[Example]:
    """A text of different tokens with one question."""
    ids = np.random.default_rng(number).permutation(60)[:length]
    reads, question = np.zeros(1, np.int64), np.zeros(1, np.int64)
    if goal in ("choice", "span"):
        reads, question = np.arange(length), np.zeros(length, np.int64)
    targets: dict[str, Any] = {
        "label": np.array([number % 3]), "labels": np.array([[1, number % 2]], np.float32),
        "score": np.array([number / 2], np.float32), "choice": np.array([number % 2]), "span": np.array([[0, 1]]),
    }  # fmt: skip
    weights = np.array([1.0 + number % 2], np.float32)
    return [Example.full_sight(ids, {goal: Goal(reads, question, targets[goal], weights)})]


def batch(goal: str = "label", count: int = 3) -> Batch:
    return collate([record(goal, number, 5 + number) for number in range(count)])


def disturbance(radius: float = 0.05, steps: int = 1, norm: str = "inf") -> Disturbance:
    return Disturbance(radius, steps, 0.04, 0.01, norm)


@pytest.mark.parametrize("goal", ["label", "labels", "score", "choice", "span"])
def test_what_does_not_change_costs_nothing(goal: str) -> None:
    """Invariant: no disturbance, with all dropouts on, and a head that answers the same to everything, cost 0."""
    one, some = model(head_dropout=0.2, **WET), batch(goal)
    values = []
    for radius in (0.0, 0.05):
        term = Smoothness({goal: 1.0}, disturbance(radius), "symmetric-kl")
        torch.manual_seed(SEEDS.masks)
        output = one.run(some)
        values.append(float(term.loss(one, output, some, SEEDS).detach()))
    assert abs(values[0]) < 1e-6 and values[1] > 1e-4
    with torch.no_grad():
        one.head(goal).linear.weight.zero_()  # type: ignore[union-attr]
    assert float(Smoothness({goal: 1.0}, disturbance(), "js").loss(one, one.run(some), some, SEEDS).detach()) == 0


def test_answers_are_held_near_those_of_earlier_weights() -> None:
    """Witness: SciPy's divergences of two models that share nothing; 0 at equal weights, with all dropouts on."""
    now, before = model(**STILL), model(std=0.3, **STILL)
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))
    own, some = EarlierWeights(0.9), batch()
    weights = Weights(now, torch.float32)
    term = Proximal({"label": 2.0}, "symmetric-kl", own.applied)
    output = now.run(some)
    assert float(term.loss(now, output, some, SEEDS).detach()) == 0
    own.begin(weights)
    others = dict(before.named_parameters())
    for group in own.groups:
        group.master.copy_(torch.cat([others[name].detach().reshape(-1) for name in group.names]))
    loss = term.loss(now, output, some, SEEDS)
    shares = [torch.softmax(one.eval().answers(some)["label"].double(), -1).numpy() for one in (now, before)]
    each = [divergences(p, q)["symmetric-kl"] for p, q in zip(*shares, strict=True)]
    wanted = 2 * sum(w * value for w, value in zip(some.goals["label"].weights.tolist(), each, strict=True))
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-4)
    grads = torch.autograd.grad(loss, [now.head("label").linear.weight])  # type: ignore[union-attr]
    assert grads[0].abs().max() > 0
    wet = model(head_dropout=0.2, **WET)
    own.begin(Weights(wet, torch.float32))
    torch.manual_seed(SEEDS.masks)
    assert abs(float(term.loss(wet, wet.run(some), some, SEEDS).detach())) < 1e-6


@pytest.mark.parametrize("norm", ["inf", "l2"])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_smoothness_equals_a_transcription(norm: str, steps: int) -> None:
    """Witness: NumPy's steps and projection; the model with other rows in its token table; gradients by differences.

    The tokens of the batch are all different, so a disturbed text is the text under another table.
    """
    one = model(std=0.3, **STILL).double()
    ids = np.arange(9)
    goals = {"label": Goal(np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([1]), np.ones(1, np.float32))}
    some = collate([[Example.full_sight(ids[:4], goals)], [Example.full_sight(ids[4:], goals)]])
    found = disturbance(steps=steps, norm=norm)
    term = Smoothness({"label": 1.0}, found, "symmetric-kl")
    ours = float(term.loss(one, one.run(some), some, SEEDS).detach())

    def shares(noise: np.ndarray) -> np.ndarray:
        table = one.backbone.tokens.weight.data
        before = table.clone()
        table[:9] += torch.from_numpy(noise)
        told = torch.softmax(one.answers(some)["label"].double(), -1).numpy()
        one.backbone.tokens.weight.data.copy_(before)
        return told

    def value(noise: np.ndarray) -> float:
        q = shares(noise)
        return float(((clean - q) * (np.log(clean) - np.log(q))).sum())

    def project(noise: np.ndarray) -> np.ndarray:
        if norm == "inf":
            return np.clip(noise, -0.05, 0.05)
        return noise * np.minimum(1, 0.05 / np.linalg.norm(noise, axis=1, keepdims=True))

    one.eval()
    clean = shares(np.zeros((9, 32)))
    noise = found.begin(one, some, SEEDS.step).numpy()
    for _ in range(steps):
        grad = np.zeros_like(noise)
        for place in np.ndindex(*noise.shape):
            up, down = noise.copy(), noise.copy()
            up[place], down[place] = up[place] + 1e-3, down[place] - 1e-3
            grad[place] = (value(up) - value(down)) / 2e-3
        for text in (slice(0, 4), slice(4, 9)):
            sizes = np.abs(grad[text]).max(1) if norm == "inf" else np.linalg.norm(grad[text], axis=1)
            noise[text] = noise[text] + 0.04 * grad[text] / sizes.max()
        noise = project(noise)
    assert ours == pytest.approx(value(noise), rel=2e-2, abs=1e-9)
    assert np.abs(noise).max() <= 0.05 + 1e-9


@pytest.mark.parametrize("body", ["bert-tiny", "lstm-tiny"])
@pytest.mark.parametrize("name", ["smoothness", "freelb", "r_drop"])
def test_any_split_gives_the_same_gradient(name: str, body: str) -> None:
    """Law 2, without dropout. Witness: the gradient of all texts at once."""
    terms = {
        "smoothness": Smoothness({"label": 0.7}, disturbance(), "symmetric-kl"),
        "freelb": Adversarial({"label": 0.7}, disturbance(steps=2)), "r_drop": TwoDropouts({"label": 0.7}, 3.0),
    }  # fmt: skip
    one = model(body, **(STILL if body == "bert-tiny" else {}))
    optimizer = Optimizer(Weights(one, torch.float32), OptimizerSettings())
    criterion = Criterion({"label": 0.7, name: 2.0}, {name: terms[name]})
    records = [record("label", number, 4 + number) for number in range(5)]
    if body == "lstm-tiny":
        records = [[Example.left_to_right(item[0].ids, item[0].goals)] for item in records]
    found = []
    for most in (1000, 12, 1):
        means = accumulate(one, optimizer, split_batches(records, 1, most), criterion, seed=2)
        found.append((torch.cat(optimizer.weights.gradients()).clone(), float(means[name])))
    for grad, mean in found[1:]:
        assert mean == pytest.approx(found[0][1], rel=1e-4)
        assert torch.allclose(grad, found[0][0], atol=1e-5 * float(found[0][0].abs().max()))


def test_two_draws_of_dropout() -> None:
    """Witness: the paper's equation 4 in plain torch; without dropout the second reading is the first."""
    one, some = model(**WET), batch()
    torch.manual_seed(SEEDS.masks)
    output = one.run(some)
    term = TwoDropouts({"label": 1.0}, 3.0)
    told = term.answers(one, output, some, SEEDS.masks)["label"]
    ours = float(term.loss(one, output, some, SEEDS).detach())
    other = term.answers(one, term.read_again(one, some, 77), some, 77)["label"]
    assert not torch.allclose(told, other)
    still = model(**STILL)
    output, goal = still.run(some), some.goals["label"]
    found = float(term.loss(still, output, some, SEEDS).detach())
    logits = term.answers(still, output, some, 0)["label"]
    base = float((cross_entropy(logits, goal.targets, reduction="none") * goal.weights).sum().detach())
    assert found == pytest.approx(base, rel=1e-5) and ours > 0


def test_freelb_is_the_loss_where_it_is_larger() -> None:
    """Invariant: with more steps uphill the loss at the last of them grows; at radius 0 it is the loss itself."""
    one, some = model(**STILL), batch()
    plain = float(one(some)["label"].sum.detach())
    values = [
        float(Adversarial({"label": 1.0}, disturbance(radius, steps)).loss(one, one.run(some), some, SEEDS).detach())
        for radius, steps in ((0.0, 2), (0.05, 1), (0.05, 4))
    ]
    assert values[0] == pytest.approx(plain, rel=1e-5) and values[2] > values[1]


def test_smoothness_of_a_language_model() -> None:
    """ALUM. Witness: probabilities over the vocabulary by torch's softmax, of the model and of one with another table."""
    one = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, **STILL)), 1).train()
    reads = np.arange(5)
    some = collate([[Example.left_to_right(np.arange(6), {"lm": Goal.each(reads, np.arange(1, 6))})]])
    found = Disturbance(0.05, 0, 0.04, 0.03, "inf")
    ours = float(Smoothness({"lm": 1.0}, found, "symmetric-kl").loss(one, one.run(some), some, SEEDS).detach())
    noise = found.begin(one, some, SEEDS.step)
    with torch.no_grad():
        clean, moved = (
            log_softmax(one.head("lm")(output.reads["lm"], some.goals["lm"], one.backbone.tables()), -1)
            for output in (one.run(some), one.run(some, noise=noise))
        )
    assert ours == pytest.approx(float(((clean.exp() - moved.exp()) * (clean - moved)).sum()), rel=1e-5)
    assert ours > 0
