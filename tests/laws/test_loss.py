"""Law 2, Loss: heads return sums, the step divides once; the same examples split in any way give the same gradient.

The witness shares nothing with the package but the weights: it pads, masks, and calls torch's own functions.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from warmstart.base.arrays import Floats, Ints
from warmstart.base.seeds import derive_seed, generator
from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example, Goal
from warmstart.models.activity import ACTIVITY
from warmstart.models.head import LossOptions
from warmstart.models.model import Model, ModelOutput
from warmstart.models.presets import preset
from warmstart.models.sampled import sample_candidates
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.models.terms import StepSeeds
from warmstart.objectives.corruption import Corruption, SideTokens
from warmstart.objectives.infilling import infilling
from warmstart.objectives.masked import masked
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.streams.stream import split_batches
from warmstart.text.word_boundaries import WordBoundaries
from warmstart.train.optimizer import Optimizer
from warmstart.train.settings import OptimizerSettings
from warmstart.train.step import Criterion, accumulate
from warmstart.train.weights import Weights

DRAWN = {"masked": masked, "mixture": mixture, "pseudo-masked": pseudo_masked}
Record = list[Example]
CLASSES, LABELS = 3, 4
COEFFICIENTS = {
    "lm": 0.5,
    "label": 1.0,
    "labels": 0.7,
    "score": 0.3,
    "choice": 1.3,
    "tags": 0.9,
    "chain": 0.6,
    "span": 0.4,
}
ZERO = np.zeros(1, np.int64)


# ---- the examples: ragged lengths, weights of every size including 0


def one(value: float) -> Floats:
    return np.array([value], np.float32)


def text(rng: np.random.Generator) -> Ints:
    return rng.integers(0, 512, int(rng.integers(2, 40)))


def lm(ids: Ints, rng: np.random.Generator, first: int = 0) -> Goal:
    """Every next token, some of them masked by weight 0, some counting more than others."""
    reads = np.arange(len(ids) - 1)
    weights = rng.choice([0.0, 1.0, 1.0, 0.25], len(reads)).astype(np.float32)
    return Goal(reads, reads + first, ids[1:], weights)


def at_end(ids: Ints, targets: np.ndarray, weight: float) -> Goal:  # type: ignore[type-arg]
    return Goal(ZERO + len(ids) - 1, ZERO, targets[None], one(weight))


def language(rng: np.random.Generator) -> Record:
    ids = text(rng)
    return [Example.left_to_right(ids, {"lm": lm(ids, rng)})]


def classified(rng: np.random.Generator) -> Record:
    ids = text(rng)
    goal = at_end(ids, rng.integers(0, CLASSES, ()), float(rng.choice([0.0, 1.0, 2.5])))
    return [Example.left_to_right(ids, {"label": goal, "lm": lm(ids, rng)})]


def marked(rng: np.random.Generator) -> Record:
    ids = text(rng)
    return [Example.left_to_right(ids, {"labels": at_end(ids, rng.integers(0, 2, LABELS).astype(np.float32), 1.0)})]


def scored(rng: np.random.Generator) -> Record:
    ids = text(rng)
    goal = at_end(ids, np.array(rng.normal(), np.float32), float(rng.choice([0.0, 1.0])))
    return [Example.left_to_right(ids, {"score": goal, "lm": lm(ids, rng)})]


def similar(rng: np.random.Generator) -> Record:
    """Two Examples, one question: the states of both reads are added."""
    first, second = text(rng), text(rng)
    owner = at_end(first, rng.integers(0, CLASSES, ()), 1.0)
    reader = Goal(ZERO + len(second) - 1, ZERO, owner.targets[:0], owner.weights[:0])
    return [
        Example.left_to_right(first, {"label": owner, "lm": lm(first, rng)}),
        Example.left_to_right(second, {"label": reader, "lm": lm(second, rng, len(first) - 1)}),
    ]


def chosen(rng: np.random.Generator) -> Record:
    """Two to five choices, one question across them."""
    texts = [text(rng) for _ in range(rng.integers(2, 6))]
    owner = at_end(texts[0], rng.integers(0, len(texts), ()), float(rng.choice([1.0, 0.5])))
    goals = [owner] + [Goal(ZERO + len(t) - 1, ZERO, owner.targets[:0], owner.weights[:0]) for t in texts[1:]]
    return [Example.left_to_right(t, {"choice": goal}) for t, goal in zip(texts, goals, strict=True)]


def tagged(rng: np.random.Generator) -> Record:
    """A question for some of the tokens, or for none."""
    ids = text(rng)
    reads = np.flatnonzero(rng.random(len(ids)) < 0.4)
    goal = Goal.each(reads, rng.integers(0, CLASSES, len(reads)))
    return [Example.left_to_right(ids, {"tags": goal, "lm": lm(ids, rng)})]


def chained(rng: np.random.Generator) -> Record:
    """The same, where the answers of a text depend on each other."""
    [example] = tagged(rng)
    return [Example.left_to_right(example.ids, {"chain": example.goals["tags"], "lm": example.goals["lm"]})]


def pointed(rng: np.random.Generator) -> Record:
    """One to three windows, each a question over reads of its own, the first of them the last token."""
    windows = []
    for number in range(rng.integers(1, 4)):
        ids = text(rng)
        reads = np.append(len(ids) - 1, np.arange(len(ids) - 1))
        aim = np.sort(rng.integers(0, len(reads), 2))[None]
        goal = Goal(reads, np.full(len(reads), number), aim, one(float(rng.choice([0.0, 1.0, 0.3]))))
        windows.append(Example.left_to_right(ids, {"span": goal}))
    return windows


KINDS: dict[str, Callable[[np.random.Generator], Record]] = {
    "lm": language,
    "label": classified,
    "labels": marked,
    "score": scored,
    "similarity": similar,
    "choice": chosen,
    "tags": tagged,
    "chain": chained,
    "span": pointed,
}


def records(kinds: Sequence[str], count: int, seed: int = 0) -> list[Record]:
    rng = np.random.default_rng(seed)
    return [KINDS[kinds[i % len(kinds)]](rng) for i in range(count)]


# ---- the gradient as the package makes it


def make(norm: str, dtype: torch.dtype) -> tuple[Model, Optimizer]:
    still = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0}
    heads = {
        "label": HeadSettings(kind="class", size=CLASSES, dropout=0),
        "labels": HeadSettings(kind="multilabel", size=LABELS, dropout=0),
        "score": HeadSettings(kind="score", dropout=0),
        "choice": HeadSettings(kind="choice", dropout=0),
        "tags": HeadSettings(kind="class", size=CLASSES, dropout=0),
        "chain": HeadSettings(kind="crf", size=CLASSES, dropout=0),
        "span": HeadSettings(kind="span", size=2, dropout=0),
    }
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", norm=norm, init_std=0.2, **still), heads=heads), 1)
    torch.nn.init.normal_(model.heads["chain"].transitions, generator=torch.Generator().manual_seed(1))
    optimizer = Optimizer(Weights(model.train(), dtype), OptimizerSettings())
    return model, optimizer


def ours(model: Model, optimizer: Optimizer, batches: Sequence[Batch]) -> tuple[torch.Tensor, dict[str, float]]:
    means = accumulate(model, optimizer, batches, Criterion(COEFFICIENTS), seed=1)
    return torch.cat(optimizer.weights.gradients()).clone(), {name: float(mean) for name, mean in means.items()}


# ---- the witness: everything at once, padded, with torch's functions


def padded_states(model: Model, documents: list[Example]) -> torch.Tensor:
    """[B, T, D]: the whole backbone on documents padded with token 0."""
    body, sizes = model.backbone, model.settings.backbone
    lengths = [len(d) for d in documents]
    ids = torch.zeros(len(documents), max(lengths), dtype=torch.int64)
    for row, document in enumerate(documents):
        ids[row, : lengths[row]] = torch.from_numpy(document.ids)
    width = (sizes.width,)
    x = body.tokens.weight[ids] + body.positions.weight[: ids.shape[1]]
    for block in body.blocks:
        norm1, norm2, mixer, mlp = block.norm1, block.norm2, block.attention, block.mlp
        before = F.layer_norm(x, width, norm1.weight, norm1.bias, 1e-5) if sizes.norm == "pre" else x
        qkv = F.linear(before, mixer.qkv.weight, mixer.qkv.bias)
        q, k, v = (part.unflatten(-1, (sizes.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + F.linear(mixed, mixer.out.weight, mixer.out.bias)
        if sizes.norm == "post":
            x = F.layer_norm(x, width, norm1.weight, norm1.bias, 1e-5)
        before = F.layer_norm(x, width, norm2.weight, norm2.bias, 1e-5) if sizes.norm == "pre" else x
        inner = F.gelu(F.linear(before, mlp.up.weight, mlp.up.bias), approximate="tanh")
        x = x + F.linear(inner, mlp.down.weight, mlp.down.bias)
        if sizes.norm == "post":
            x = F.layer_norm(x, width, norm2.weight, norm2.bias, 1e-5)
    last = body.final_norm
    return x if last is None else F.layer_norm(x, width, last.weight, last.bias, 1e-5)


def question_losses(model: Model, name: str, record: Record, states: list[torch.Tensor]) -> torch.Tensor:
    """[Q, 2]: weighted loss and weight of each question that a Record asks of the head ``name``, one by one."""
    read: dict[int, list[torch.Tensor]] = {}
    targets, weights = [], []
    for example, states_TD in zip(record, states, strict=True):
        goal = example.goals[name]
        for at, question in zip(goal.reads.tolist(), goal.question.tolist(), strict=True):
            read.setdefault(question, []).append(states_TD[at])
        targets += list(goal.targets)
        weights += goal.weights.tolist()
    weighs = torch.tensor(weights, dtype=torch.float64)
    if name == "chain":
        rows = torch.stack([read[question][0] for question in range(len(targets))]) if targets else states[0][:0]
        each = chain_losses(model, rows, torch.tensor(targets))
    elif name == "lm":
        rows = torch.stack([read[question][0] for question in range(len(targets))])
        each = F.cross_entropy(rows @ model.backbone.tokens.weight.T, torch.tensor(targets), reduction="none")
    else:
        asked = range(len(targets))
        found = [answer_loss(model, name, torch.stack(read[q]), torch.as_tensor(targets[q])) for q in asked]
        each = torch.stack(found) if found else weighs
    return torch.stack([each * weighs, weighs], 1)


def chain_losses(model: Model, rows: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    """[Q] what each word adds to the loss of a text: the score of a path, and the forward algorithm word by word."""
    head = model.heads["chain"]
    if len(rows) == 0:
        return rows.sum(1)
    emissions = F.linear(rows, head.linear.weight, head.linear.bias)
    alpha, found = head.first + emissions[0], []
    for place, word in enumerate(emissions):
        if place:
            alpha = (alpha[:, None] + head.transitions).logsumexp(0) + word
        step = head.first[path[0]] if place == 0 else head.transitions[path[place - 1], path[place]]
        found.append(-word[path[place]] - step)
    found[-1] = found[-1] - head.last[path[-1]] + (alpha + head.last).logsumexp(0)
    return torch.stack(found)


def answer_loss(model: Model, name: str, rows: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The loss of one question, from the states [R, D] that are read for it."""
    head = model.heads[name].linear
    if name == "choice":
        return F.cross_entropy(F.linear(rows, head.weight, head.bias)[:, 0], wanted)
    if name == "span":
        start, end = F.linear(rows, head.weight, head.bias).unbind(-1)
        return (F.cross_entropy(start, wanted[0]) + F.cross_entropy(end, wanted[1])) / 2
    out = F.linear(rows.sum(0), head.weight, head.bias)
    if name in ("label", "tags"):
        return F.cross_entropy(out, wanted)
    if name == "labels":
        return F.binary_cross_entropy_with_logits(out, wanted.to(out.dtype))
    return (out[0] - wanted) ** 2


def witness(model: Model, optimizer: Optimizer, given: list[Record]) -> tuple[torch.Tensor, dict[str, float]]:
    """One backward pass over all Records at once, in the order of the package's flat rows."""
    twin = copy.deepcopy(model).double()
    documents = [example for record in given for example in record]
    states = iter(padded_states(twin, documents))
    terms: dict[str, list[torch.Tensor]] = {}
    for record in given:
        own = [next(states) for _ in record]
        for name in record[0].goals:
            terms.setdefault(name, []).append(question_losses(twin, name, record, own))
    sums = {name: torch.cat(found).sum(0) for name, found in terms.items()}
    means = {name: total[0] / total[1] for name, total in sums.items() if total[1] > 0}
    loss = torch.stack([COEFFICIENTS[name] * mean for name, mean in means.items()]).sum()
    grads = torch.autograd.grad(loss, list(twin.parameters()), allow_unused=True, materialize_grads=True)
    by_name = dict(zip((name for name, _ in twin.named_parameters()), grads, strict=True))
    names = {parameter: name for name, parameter in model.named_parameters()}
    order = [names[parameter] for group in optimizer.weights.groups for parameter in group.parameters]
    return torch.cat([by_name[name].reshape(-1) for name in order]), {
        n: float(mean.detach()) for n, mean in means.items()
    }


def difference(left: torch.Tensor, right: torch.Tensor) -> float:
    """The greatest difference, relative to the greatest grad."""
    return float((left.double() - right.double()).abs().max() / right.abs().max())


# ---- the law


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_any_accumulation_gives_the_gradient_of_everything_at_once(norm: str, kind: str) -> None:
    """Witness: one backward pass on padded tensors in double precision; 1, 2, 4 and 8 micro-batches, and single Records."""
    given = records(list(KINDS) if kind == "all" else [kind], 12)
    model, optimizer = make(norm, torch.float64)
    wanted, means = witness(model, optimizer, given)
    for at_least, max_tokens in [(1, 10**9), (2, 10**9), (4, 10**9), (8, 10**9), (1, 1)]:
        batches = split_batches(given, at_least, max_tokens)
        gradient, found = ours(model, optimizer, batches)
        assert difference(gradient, wanted) <= 1e-6, len(batches)
        assert found == pytest.approx(means, rel=1e-6)
    assert len(batches) == len(given)


def test_float32_gives_the_same_gradient() -> None:
    """Witness: the same in double precision; float32 differs by its own rounding."""
    given = records(list(KINDS), 18)
    model, optimizer = make("post", torch.float32)
    wanted, _ = witness(model, optimizer, given)
    for at_least in (1, 2, 4, 8):
        assert difference(ours(model, optimizer, split_batches(given, at_least, 10**9))[0], wanted) <= 1e-5


@settings(deadline=None, max_examples=10)
@given(
    st.permutations(range(12)), st.lists(st.integers(1, 11), max_size=6, unique=True).map(sorted), st.integers(0, 2**31)
)
def test_any_partition_gives_the_same_gradient(order: list[int], cuts: list[int], seed: int) -> None:
    """Invariant: any order of the Records, cut anywhere, equals all of them in one Batch."""
    given = records(list(KINDS), 12, seed)
    model, optimizer = make("post", torch.float64)
    whole, means = ours(model, optimizer, [collate(given)])
    shuffled = [given[i] for i in order]
    parts = [collate(shuffled[a:b]) for a, b in zip([0, *cuts], [*cuts, 12], strict=True)]
    gradient, found = ours(model, optimizer, parts)
    assert difference(gradient, whole) <= 1e-6
    assert found == pytest.approx(means, rel=1e-6)


def test_reads_of_no_weight_teach_nothing() -> None:
    """Invariant: a Record whose weights are all 0 leaves gradient and mean as they are, alone in its batch or not."""
    rng = np.random.default_rng(3)
    given = records(["label"], 6)
    ids = text(rng)
    unlabelled = [Example.left_to_right(ids, {"label": at_end(ids, np.int64(1), 0.0)})]
    model, optimizer = make("post", torch.float64)
    wanted, means = ours(model, optimizer, [collate(given)])
    for batches in ([collate([*given, unlabelled])], [collate(given), collate([unlabelled])]):
        gradient, found = ours(model, optimizer, batches)
        assert difference(gradient, wanted) <= 1e-6
        assert found == pytest.approx(means, rel=1e-6)
    gradient, found = ours(model, optimizer, [collate([unlabelled])])
    assert not gradient.any()
    assert found == {}


# ---- sums of heads


def test_heads_return_sums() -> None:
    """Invariant: the loss of a doubled batch is twice the loss, its weight twice the weight."""
    given = records(list(KINDS), 12)
    model, _ = make("post", torch.float64)
    single, double = model(collate(given)), model(collate(given + given))
    for name, loss in single.items():
        torch.testing.assert_close(double[name].sum, 2 * loss.sum)
        assert double[name].weight == pytest.approx(2 * loss.weight)


# ---- masked objectives


@pytest.mark.parametrize("objective", DRAWN)
def test_masked_objectives_split_in_any_way(objective: str) -> None:
    """Witness: torch's cross-entropy of full logits, one text after another; the same gradient for any split."""
    boundaries = WordBoundaries(np.ones(512, bool), np.zeros(512, bool))
    tools = Masking(MaskSettings(units="spans"), 500, 501, 502, None, 504, boundaries)
    rng = np.random.default_rng(0)
    given = [DRAWN[objective](rng.integers(0, 500, n), generator(n), tools) for n in (9, 30, 2, 17, 41, 5, 23)]
    backbone = preset("bert-tiny", init_std=0.2, relative_bins=8, embedding_width=16)
    model = Model.fresh(ModelSettings(backbone=backbone), 1)
    twin = copy.deepcopy(model).double()
    total = count = 0.0
    for [example] in given:
        goal = example.goals["lm"]
        states = twin.backbone.lm_transform(twin.backbone(collate([[example]]))[torch.from_numpy(goal.reads)])
        logits = states @ twin.backbone.tokens.weight.T + twin.backbone.lm_transform.bias
        total = total + F.cross_entropy(logits, torch.from_numpy(goal.targets), reduction="sum")
        count += len(goal.reads)
    (total / count).backward()  # type: ignore[union-attr]
    named = {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in twin.named_parameters()}
    optimizer = Optimizer(Weights(model.train(), torch.float32), OptimizerSettings())
    wanted = torch.cat([named[name].flatten() for group in optimizer.weights.groups for name in group.names]).float()
    for at_least in (1, 2, 4, 7):
        means = accumulate(model, optimizer, split_batches(given, at_least, 8192), Criterion({"lm": 1.0}), seed=1)
        torch.testing.assert_close(float(means["lm"]), float(total.detach() / count), rtol=1e-5, atol=0.0)  # type: ignore[union-attr]
        found = torch.cat(optimizer.weights.gradients())
        assert float((found - wanted).norm() / wanted.norm()) < 1e-5


# ---- sources and targets in two stacks


def test_an_encoder_decoder_splits_in_any_way() -> None:
    """Witness: torch's cross-entropy of full logits, one pair after another; the same gradient for any split."""
    tools = Corruption(MaskSettings(), 0.3, SideTokens((), (501,), 500, (), 501), (), 502, None, 504, {7, 77})
    rng = np.random.default_rng(0)
    given = [infilling(rng.integers(0, 500, n), generator(n), tools) for n in (9, 30, 2, 17, 41, 5, 23)]
    model = Model.fresh(ModelSettings(backbone=preset("encoder-decoder-tiny", init_std=0.2)), 1)
    twin = copy.deepcopy(model).double()
    total = count = 0.0
    for [example] in given:
        goal = example.goals["lm"]
        states = twin.backbone(collate([[example]]))[torch.from_numpy(goal.reads)]
        logits = states @ twin.backbone.tokens.weight.T
        total = total + F.cross_entropy(logits, torch.from_numpy(goal.targets), reduction="sum")
        count += len(goal.reads)
    (total / count).backward()  # type: ignore[union-attr]
    named = {name: p.grad for name, p in twin.named_parameters()}
    optimizer = Optimizer(Weights(model.train(), torch.float32), OptimizerSettings())
    wanted = torch.cat([named[name].flatten() for group in optimizer.weights.groups for name in group.names]).float()
    for at_least in (1, 2, 4, 7):
        means = accumulate(model, optimizer, split_batches(given, at_least, 8192), Criterion({"lm": 1.0}), seed=1)
        torch.testing.assert_close(float(means["lm"]), float(total.detach() / count), rtol=1e-5, atol=0.0)  # type: ignore[union-attr]
        found = torch.cat(optimizer.weights.gradients())
        assert float((found - wanted).norm() / wanted.norm()) < 1e-5


# ---- a softmax over some tokens


def test_a_sampled_softmax_splits_in_any_way() -> None:
    """Witness: one backward pass by torch in double precision, with the candidates of the step and their correction."""
    given = records(["lm", "label"], 10)
    model, optimizer = make("post", torch.float64)
    criterion = Criterion({"lm": 1.0}, options=LossOptions(samples=40))
    draw = derive_seed(1, "softmax")
    drawn, twin = sample_candidates(512, 40, draw), copy.deepcopy(model).double()
    correction = torch.full((512,), -torch.inf).double().index_copy(0, drawn.ids, drawn.correction.double())
    documents = [example for record in given for example in record]
    total = weight = torch.zeros((), dtype=torch.float64)
    for states, example in zip(padded_states(twin, documents), documents, strict=True):
        goal, targets = example.goals["lm"], torch.from_numpy(example.goals["lm"].targets)
        scores = states[torch.from_numpy(goal.reads)] @ twin.backbone.tokens.weight.T
        own = F.one_hot(targets, 512).bool()
        each = F.cross_entropy(scores + torch.where(own, 0.0, correction), targets, reduction="none")
        total = total + (each * torch.from_numpy(goal.weights)).sum()
        weight = weight + goal.weights.sum()
    wanted = total / weight
    grads = torch.autograd.grad(wanted, list(twin.backbone.parameters()))
    by_name = dict(zip((f"backbone.{name}" for name, _ in twin.backbone.named_parameters()), grads, strict=True))
    for at_least in (1, 3, 10):
        means = accumulate(model, optimizer, split_batches(given, at_least, 10**9), criterion, seed=1)
        assert float(means["lm"]) == pytest.approx(float(wanted.detach()), rel=1e-6)
        for group, row in zip(optimizer.weights.groups, optimizer.weights.gradients(), strict=True):
            for name, grad in zip(group.names, group.views(row), strict=True):
                if name in by_name:
                    assert float((grad - by_name[name]).abs().max()) <= 1e-6 * float(by_name[name].abs().max()) + 1e-12


# ---- terms that ask nothing


@pytest.mark.parametrize("body", ["gpt1-tiny", "lstm-tiny"])
def test_what_states_cost_splits_in_any_way(body: str) -> None:
    """Witness: Merity et al. 2017, section 4.7, by torch in double precision, text by text; dropout is off."""
    given = records(["lm", "label", "similarity"], 9)
    rates = dict.fromkeys(("embedding_dropout", "attention_dropout", "residual_dropout"), 0.0) if "gpt" in body else {}
    heads = {"label": HeadSettings(kind="class", size=CLASSES, dropout=0)}
    model = Model.fresh(ModelSettings(backbone=preset(body, **rates), heads=heads), 1)
    criterion = Criterion({"ar": 2.0, "tar": 1.0}, ACTIVITY)
    optimizer = Optimizer(Weights(model.train(), torch.float64), OptimizerSettings())
    twin = copy.deepcopy(model).double()
    squares, changes, tokens, pairs = [], [], 0, 0
    for example in (example for record in given for example in record):
        states = twin.backbone(collate([[replace(example, goals={})]]))
        squares.append(states.pow(2).mean(1).sum())
        changes.append((states[1:] - states[:-1]).pow(2).mean(1).sum())
        tokens, pairs = tokens + len(states), pairs + len(states) - 1
    ar, tar = torch.stack(squares).sum() / tokens, torch.stack(changes).sum() / pairs
    grads = torch.autograd.grad(2 * ar + tar, list(twin.parameters()), allow_unused=True, materialize_grads=True)
    by_name = dict(zip((name for name, _ in twin.named_parameters()), grads, strict=True))
    for at_least in (1, 4, 9):
        means = accumulate(model, optimizer, split_batches(given, at_least, 10**9), criterion, seed=1)
        found = float(means["ar"]), float(means["tar"])
        assert found == pytest.approx((float(ar.detach()), float(tar.detach())), rel=1e-6)
        groups = zip(optimizer.weights.groups, optimizer.weights.gradients(), strict=True)
        ours = {n: view for group, row in groups for n, view in zip(group.names, group.views(row), strict=True)}
        for name, grad in ours.items():
            assert float((grad - by_name[name]).abs().max()) <= 1e-5 * float(by_name[name].abs().max()) + 1e-9, name


class LogitSize:
    """A term from outside the package: the squares of what a head answers, summed over the questions."""

    needs_all_states = False

    def weight(self, batch: Batch) -> float:
        """Twice the questions, so that a wrong divisor shows."""
        return 2.0 * len(batch.goals["label"].weights) if "label" in batch.goals else 0.0

    def loss(self, model: Model, output: ModelOutput, batch: Batch, seeds: StepSeeds) -> torch.Tensor:
        if "label" not in batch.goals:
            return torch.zeros(())
        return model.head("label")(output.reads["label"], batch.goals["label"]).square().sum()


def test_a_term_from_outside_splits_in_any_way() -> None:
    """Witness: torch in double precision on padded states; a goal is learned beside it."""
    given = records(["label", "lm", "similarity"], 12)
    model, optimizer = make("post", torch.float64)
    criterion = Criterion({"label": 1.0, "size": 0.3}, {"size": LogitSize()})
    twin = copy.deepcopy(model).double()
    documents = [example for record in given for example in record]
    states, head = iter(padded_states(twin, documents)), twin.heads["label"].linear
    squares, questions, labels = torch.zeros((), dtype=torch.float64), 0, []
    for record in given:
        own = [next(states) for _ in record]
        if "label" in record[0].goals:
            rows = [each[example.goals["label"].reads[0]] for each, example in zip(own, record, strict=True)]
            squares = squares + F.linear(torch.stack(rows).sum(0), head.weight, head.bias).square().sum()
            questions += 1
            labels.append(question_losses(twin, "label", record, own))
    label, weight = torch.cat(labels).sum(0)
    wanted = label / weight + 0.3 * squares / (2 * questions)
    grads = torch.autograd.grad(wanted, list(twin.parameters()), allow_unused=True, materialize_grads=True)
    by_name = dict(zip((name for name, _ in twin.named_parameters()), grads, strict=True))
    for at_least in (1, 3, 12):
        means = accumulate(model, optimizer, split_batches(given, at_least, 10**9), criterion, seed=1)
        assert float(means["size"]) == pytest.approx(float(squares.detach()) / (2 * questions), rel=1e-6)
        for group, row in zip(optimizer.weights.groups, optimizer.weights.gradients(), strict=True):
            for name, grad in zip(group.names, group.views(row), strict=True):
                assert float((grad - by_name[name]).abs().max()) <= 1e-6 * float(by_name[name].abs().max()) + 1e-12, (
                    name
                )
