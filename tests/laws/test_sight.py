"""Law 1, Sight: every kernel against the law written out token by token."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.seeds import generator
from warmstart.example.batch import Batch, collate
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.example.sight import Pattern
from warmstart.models import eager
from warmstart.models.attention import Kernels, attend, plan_attention, with_window
from warmstart.models.cross_attention import cross_attend, plan_cross_attention
from warmstart.models.eager import blocked_cross_attention
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.relative import AlibiBias, RelativeBias, bins
from warmstart.models.settings import ModelSettings
from warmstart.objectives.masked import masked
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.tasks.frames import frame_records
from warmstart.tasks.settings import FrameSettings, SpanSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer
from warmstart.text.word_boundaries import WordBoundaries

HEADS, WIDTH = 2, 8


def example(turns: list[int]) -> Example:
    return Example(np.zeros(len(turns), np.int64), np.array(turns, np.int64), np.arange(len(turns)), {})


def may_read(reader: int, read: int, same: bool) -> bool:
    """docs/architecture.md, law 1, one pair of tokens of one document at a time."""
    if same:
        return True
    if reader >= 0:
        return 0 <= read <= reader
    return (0 <= read < -reader) or read == reader


def brute_force(
    qkv: torch.Tensor,
    batch: Batch,
    relative: RelativeBias | None = None,
    window: float = math.inf,
    slopes: Sequence[float] = (0.0,) * HEADS,
    cap: float = 0.0,
) -> torch.Tensor:
    """Softmax attention with explicit loops over documents, heads, readers and what they read."""
    out = torch.zeros(qkv.shape[0], WIDTH, dtype=qkv.dtype)
    head_width = WIDTH // HEADS
    start = 0
    rows = []
    for length in batch.lengths.tolist():
        for i in range(start, start + length):
            parts = []
            for h in range(HEADS):
                at = slice(h * head_width, (h + 1) * head_width)
                q, keys, values = qkv[i, :WIDTH][at], qkv[:, WIDTH : 2 * WIDTH][:, at], qkv[:, 2 * WIDTH :][:, at]
                read = [
                    j
                    for j in range(start, start + length)
                    if may_read(int(batch.turns[i]), int(batch.turns[j]), i == j)
                    and abs(int(batch.positions[i]) - int(batch.positions[j])) < window
                    and (batch.branches is None or int(batch.branches[j]) in (0, int(batch.branches[i])))
                ]
                scores = torch.stack([q @ keys[j] / math.sqrt(head_width) for j in read])
                scores = cap * torch.tanh(scores / cap) if cap else scores
                if relative is not None:
                    ahead = torch.stack([batch.positions[j] - batch.positions[i] for j in read])
                    scores = scores + relative.table.weight[bins(ahead, relative.table.num_embeddings, 8), h]
                away = torch.stack([(batch.positions[j] - batch.positions[i]).abs() for j in read])
                scores = scores - slopes[h] * away
                parts.append((scores.softmax(0)[:, None] * values[read]).sum(0))
            rows.append(torch.cat(parts))
        start += length
    return torch.stack(rows) if rows else out


FRAMINGS = {
    "causal LM": lambda n: list(range(n)),
    "classification, bidirectional backbone": lambda n: [0] * n,
    "right to left": lambda n: list(range(n))[::-1],
    "prefix (seq2seq, source 0)": lambda n: [0] * (n // 2) + list(range(1, n - n // 2 + 1)),
    "pseudo-masked": lambda n: (
        [0] * (n // 3) + list(range(1, n // 3 + 1)) + [-t for t in range(1, n - 2 * (n // 3) + 1)]
    ),
    "span-wise": lambda n: [0] * (n // 2) + [1 + i // 2 for i in range(n - n // 2)],
}


FRAMES = {"masked": masked, "mixture": mixture, "pseudo-masked": pseudo_masked}


def masking(**changes: object) -> Masking:
    """Ids from 500 on are special; every third of the others goes on with the word before it."""
    boundaries = WordBoundaries((np.arange(504) % 3 != 2) | (np.arange(504) >= 500), np.zeros(504, bool))
    return Masking(MaskSettings.model_validate(changes), 500, 501, 502, 503, 504, boundaries)


KERNELS = {"plain": Kernels(), "SDPA": Kernels(eager_max_len=0), "SDPA, large groups": Kernels(0, group=64)}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("lengths", [(5,), (6, 6, 6), (7, 3, 1, 9), (4, 4, 11, 2, 2, 5, 8, 8, 8, 1, 1)])
def test_kernels_equal_the_law(
    framing: str, lengths: tuple[int, ...], kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the law, one pair of tokens at a time; outputs and gradients."""
    monkeypatch.setattr(eager, "TILE", 4)  # queries; so that these short documents have several blocks,
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)  # weights; of few documents each
    batch = collate([[example(FRAMINGS[framing](n))] for n in lengths])
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(batch.num_tokens, WIDTH, dtype=torch.float64)
    ours = attend(qkv, plan_attention(batch, torch.float64, KERNELS[kernels]), HEADS, 0.0)
    (ours * pull).sum().backward()
    got, qkv.grad = qkv.grad, None
    want = brute_force(qkv, batch)
    (want * pull).sum().backward()
    torch.testing.assert_close(ours, want)
    torch.testing.assert_close(got, qkv.grad)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("window", [None, 4])
def test_branches_equal_the_law(kernels: str, window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the law, one pair of tokens at a time, where continuations read what they begin with and themselves."""
    monkeypatch.setattr(eager, "TILE", 4)
    shapes = [(4, (3, 2, 5)), (6, (1,)), (1, (2, 0, 2)), (3, (4, 4))]
    branching = [
        Example.branching(np.zeros(begin, np.int64), [np.zeros(end, np.int64) for end in ends], {})
        for begin, ends in shapes
    ]
    batch = collate([[e] for e in [*branching, example([0, 1, 2, 3])]])
    assert batch.pattern is Pattern.GENERAL and batch.positions.tolist()[:14] == [*range(7), 4, 5, *range(4, 9)]
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64)
    plan = with_window(plan_attention(batch, torch.float64, KERNELS[kernels]), window, torch.float64)
    want = brute_force(qkv, batch, window=window or math.inf)
    torch.testing.assert_close(attend(qkv, plan, HEADS, 0.0), want)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("restart", [False, True], ids=["counted", "repeated positions"])
def test_kernels_with_distances_equal_the_law(
    framing: str, kernels: str, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the law with a bias for each pair of positions; outputs, and gradients of the table too."""
    monkeypatch.setattr(eager, "TILE", 4)
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)
    drawn = [example(FRAMINGS[framing](n)) for n in (7, 3, 1, 9, 4, 4, 11)]
    drawn = [replace(e, positions=e.positions % 5) if restart else e for e in drawn]
    batch = collate([[e] for e in drawn])
    assert batch.sequential_positions is not restart
    torch.manual_seed(0)
    relative = RelativeBias(preset("gpt1-tiny", relative_bins=8, relative_distance=8, heads=HEADS)).double()
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(batch.num_tokens, WIDTH, dtype=torch.float64)
    given = (qkv, relative.table.weight)
    ours = attend(qkv, plan_attention(batch, torch.float64, KERNELS[kernels], relative), HEADS, 0.0)
    want = brute_force(qkv, batch, relative)
    torch.testing.assert_close(ours, want)
    torch.testing.assert_close(torch.autograd.grad(ours, given, pull), torch.autograd.grad(want, given, pull))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("restart", [False, True], ids=["counted", "repeated positions"])
@pytest.mark.parametrize("cap", [None, 0.7])
def test_kernels_with_slopes_and_bounds_equal_the_law(
    framing: str, kernels: str, restart: bool, cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the law, where a head takes its slope off for each position, and scores are bounded before; gradients too."""
    monkeypatch.setattr(eager, "TILE", 4)
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)
    drawn = [example(FRAMINGS[framing](n)) for n in (7, 3, 1, 9, 4, 4, 11)]
    drawn = [replace(e, positions=e.positions % 5) if restart else e for e in drawn]
    batch = collate([[e] for e in drawn])
    torch.manual_seed(0)
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(batch.num_tokens, WIDTH, dtype=torch.float64)
    ours = attend(qkv, plan_attention(batch, torch.float64, KERNELS[kernels], AlibiBias(HEADS)), HEADS, 0.0, cap=cap)
    want = brute_force(qkv, batch, slopes=(2**-4, 2**-8), cap=cap or 0.0)  # Press et al. 2022, section 3, for two heads
    torch.testing.assert_close(ours, want)
    torch.testing.assert_close(torch.autograd.grad(ours, qkv, pull), torch.autograd.grad(want, qkv, pull))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("restart", [False, True], ids=["counted", "repeated positions"])
def test_kernels_with_a_window_equal_the_law(
    framing: str, kernels: str, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the law, where a token sees only those fewer than so many positions away; outputs and gradients."""
    monkeypatch.setattr(eager, "TILE", 4)
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)
    drawn = [example(FRAMINGS[framing](n)) for n in (7, 3, 1, 17, 4, 4, 11, 15)]
    drawn = [replace(e, positions=e.positions % 5) if restart else e for e in drawn]
    batch = collate([[e] for e in drawn])
    torch.manual_seed(0)
    relative = RelativeBias(preset("gpt1-tiny", relative_bins=8, relative_distance=8, heads=HEADS)).double()
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(batch.num_tokens, WIDTH, dtype=torch.float64)
    for window, added in ((1, None), (3, None), (6, None), (3, relative)):
        plan = with_window(plan_attention(batch, torch.float64, KERNELS[kernels], added), window, torch.float64)
        ours, want = attend(qkv, plan, HEADS, 0.0), brute_force(qkv, batch, added, window)
        torch.testing.assert_close(ours, want)
        torch.testing.assert_close(torch.autograd.grad(ours, qkv, pull), torch.autograd.grad(want, qkv, pull))


@pytest.mark.parametrize("sight", ["causal", "full"])
def test_windows_of_a_layer_bound_what_a_token_depends_on(sight: str) -> None:
    """Invariant: a changed token changes the states of its own window after a layer with one, and all after one without."""
    make = Example.left_to_right if sight == "causal" else Example.full_sight
    ids = np.arange(40)
    changed = ids.copy()
    changed[20] = 7
    wide = {"positions": "rotary", "local_rotary_base": 50.0}
    for windows, first, last in (((4,), 17, 24), ((4, 3), 15, 26), ((4, None), 0, 40)):
        backbone = preset("gpt1-tiny", sight=sight, windows=windows, layers=len(windows), **wide)
        model = Model.fresh(ModelSettings(backbone=backbone), 1).eval()
        with torch.no_grad():
            before, after = (model.backbone(collate([[make(i, {})]])) for i in (ids, changed))
        moved = (before - after).abs().amax(1) > 0
        place = torch.arange(40)
        assert torch.equal(moved, (place >= (20 if sight == "causal" else first)) & (place < last))


@pytest.mark.parametrize("units", ["tokens", "spans"])
@pytest.mark.parametrize("objective", FRAMES)
def test_frames_that_hide_tokens_equal_the_law(objective: str, units: str) -> None:
    """Witness: the law, for pre-training frames: masked, of four kinds of sight, and pseudo-masked."""
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 500, n) for n in (2, 30, 9, 17, 30, 4, 12, 8)]
    batch = collate([FRAMES[objective](ids, generator(n), masking(units=units)) for n, ids in enumerate(texts)])
    assert batch.pattern is (Pattern.FULL if objective == "masked" else Pattern.GENERAL)
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64)
    plan = plan_attention(batch, torch.float64, Kernels())
    torch.testing.assert_close(attend(qkv, plan, HEADS, 0.0), brute_force(qkv, batch))


TASKS = {
    "tagging": [{"tokens": ("a", "bc", "d") * n} for n in (0, 1, 2, 4)],
    "span": [{"context": "ab cd e " * n, "question": "fg"} for n in (0, 1, 3, 5)],
}


@pytest.mark.parametrize("sight", [Pattern.CAUSAL, Pattern.FULL])
@pytest.mark.parametrize("kind", TASKS)
def test_frames_that_read_many_places_equal_the_law(kind: str, sight: Pattern) -> None:
    """Witness: the law, for the sentences and the windows that the task frames make."""
    frame = FrameSettings(context=16, sight=sight.value, lm=False)  # type: ignore[arg-type]
    options = SpanSettings(stride=4) if kind == "span" else {}
    task = TaskSpec(kind=kind, label_names=("N", "V"), frame=frame, options=options)  # type: ignore[arg-type]
    tokenizer = Tokenizer.train(["ab"], 257).with_special_tokens(TASK_TOKENS)
    batch = collate(frame_records(task, [Record(texts) for texts in TASKS[kind]], tokenizer).examples)
    assert batch.pattern is sight and len(batch.lengths) >= 4
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64)
    plan = plan_attention(batch, torch.float64, Kernels())
    torch.testing.assert_close(attend(qkv, plan, HEADS, 0.0), brute_force(qkv, batch))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(-4, 4), min_size=1, max_size=7), min_size=1, max_size=12))
def test_any_turns_equal_the_law(documents: list[list[int]]) -> None:
    """Witness: the law, for turns that no framing would make."""
    batch = collate([[example(turns)] for turns in documents])
    qkv = torch.randn(batch.num_tokens, 3 * WIDTH, dtype=torch.float64)
    plan = plan_attention(batch, torch.float64, Kernels())
    torch.testing.assert_close(attend(qkv, plan, HEADS, 0.0), brute_force(qkv, batch))


def test_patterns_are_recognised() -> None:
    """Witness: the definitions: causal turns count up in every document, full turns are all 0."""
    assert collate([[example([0, 1, 2])], [example([0, 1])]]).pattern is Pattern.CAUSAL
    assert collate([[example([0, 0, 0])], [example([0])]]).pattern is Pattern.FULL
    assert collate([[example([0, 1, 2])], [example([0, 0])]]).pattern is Pattern.GENERAL


@pytest.mark.parametrize(
    "changes",
    [{"norm": "post"}, {"norm": "pre", "positions": "alibi", "parallel": "one_norm"},
     {"norm": "both", "positions": "rotary", "windows": (5, None), "attention_cap": 1.0, "attention_scale": 0.5}],
)  # fmt: skip
@pytest.mark.parametrize("make", [Example.left_to_right, Example.full_sight])
def test_a_document_does_not_depend_on_its_neighbours(changes: dict[str, Any], make: object) -> None:
    """Invariant: states of a document alone and in any company are equal."""
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", **changes)), 1).eval()
    rng = np.random.default_rng(0)
    documents = [make(rng.integers(0, 512, n), {}) for n in (9, 30, 4, 17, 17, 1, 8, 25, 3, 12)]  # type: ignore[operator]
    with torch.no_grad():
        together = model.backbone(collate([[d] for d in documents]))
        alone = torch.cat([model.backbone(collate([[d]])) for d in documents])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_a_later_token_never_changes_an_earlier_state() -> None:
    """Invariant: causal sight, through the whole backbone."""
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny")), 1).eval()
    ids = np.arange(20)
    changed = ids.copy()
    changed[13:] = 7
    with torch.no_grad():
        before, after = (model.backbone(collate([[Example.left_to_right(i, {})]])) for i in (ids, changed))
    assert torch.equal(before[:13], after[:13])
    assert not torch.allclose(before[13:], after[13:])


# ---- attention from one sequence to another


def cross_brute_force(q: torch.Tensor, kv: torch.Tensor, target: Batch, source: Batch) -> torch.Tensor:
    """Softmax attention with explicit loops: document i of the target over document i of the source."""
    head_width = WIDTH // HEADS
    rows = []
    at = before = 0
    for length, read_length in zip(target.lengths.tolist(), source.lengths.tolist(), strict=True):
        for i in range(at, at + length):
            seen = [
                j
                for j in range(before, before + read_length)
                if may_read(int(target.turns[i]), int(source.turns[j]), same=False)
            ]
            parts = []
            for h in range(HEADS):
                own = slice(h * head_width, (h + 1) * head_width)
                keys, values = kv[seen][:, :WIDTH][:, own], kv[seen][:, WIDTH:][:, own]
                parts.append((keys @ q[i][own] / math.sqrt(head_width)).softmax(0) @ values)
            rows.append(torch.cat(parts))
        at, before = at + length, before + read_length
    return torch.stack(rows)


PAIRS = {
    "source whole, target left to right": lambda n, m: ([0] * m, list(range(1, n + 1))),
    "source whole, target pseudo-masked": lambda n, m: (
        [0] * m, list(range(1, (n + 1) // 2 + 1)) + [-t for t in range(1, n // 2 + 1)],
    ),
    "one order for both": lambda n, m: (list(range(m)), list(range(m, m + n))),
    "source in spans that targets follow": lambda n, m: ([j % 3 for j in range(m)], [1 + i % 3 for i in range(n)]),
}  # fmt: skip
SIZES = [((5,), (3,)), ((4, 4, 4), (4, 4, 4)), ((6, 6, 6), (2, 9, 5)), ((7, 3, 1, 9), (5, 1, 8, 8)),
         ((4, 4, 11, 2, 2, 5, 8, 8, 8, 1, 1), (3, 9, 1, 7, 7, 7, 2, 12, 5, 4, 6))]  # fmt: skip


def pair_of(framing: str, sizes: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[Batch, Batch]:
    turns = [PAIRS[framing](n, m) for n, m in zip(*sizes, strict=True)]
    source, target = (collate([[example(pair[side])] for pair in turns]) for side in (0, 1))
    return target, source


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("framing", PAIRS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_kernels_between_sequences_equal_the_law(
    framing: str, sizes: tuple[tuple[int, ...], tuple[int, ...]], kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: the law, one pair of tokens at a time; outputs, and gradients of queries, keys and values."""
    monkeypatch.setattr(eager, "TILE", 4)
    monkeypatch.setattr(eager, "MAX_WEIGHTS", 60)
    target, source = pair_of(framing, sizes)
    torch.manual_seed(0)
    q = torch.randn(target.num_tokens, WIDTH, dtype=torch.float64, requires_grad=True)
    kv = torch.randn(source.num_tokens, 2 * WIDTH, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(target.num_tokens, WIDTH, dtype=torch.float64)
    ours = cross_attend(q, kv, plan_cross_attention(target, source, torch.float64, KERNELS[kernels]), HEADS, 0.0)
    want = cross_brute_force(q, kv, target, source)
    torch.testing.assert_close(ours, want)
    torch.testing.assert_close(torch.autograd.grad(ours, (q, kv), pull), torch.autograd.grad(want, (q, kv), pull))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.lists(st.integers(-4, 4), min_size=1, max_size=7), st.lists(st.integers(-4, 4), max_size=6)),
                min_size=1, max_size=9))  # fmt: skip
def test_any_turns_between_sequences_equal_the_law(documents: list[tuple[list[int], list[int]]]) -> None:
    """Witness: the law, for turns that no framing would make; each source has a token of turn 0, which everybody sees."""
    target = collate([[example(turns)] for turns, _ in documents])
    source = collate([[example([*more, 0])] for _, more in documents])
    q = torch.randn(target.num_tokens, WIDTH, dtype=torch.float64)
    kv = torch.randn(source.num_tokens, 2 * WIDTH, dtype=torch.float64)
    plan = plan_cross_attention(target, source, torch.float64, Kernels())
    torch.testing.assert_close(cross_attend(q, kv, plan, HEADS, 0.0), cross_brute_force(q, kv, target, source))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dropout_between_sequences_is_that_of_its_mask(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: softmax, mask and product by torch's autograd; the mask is read off with values that are the unit matrix."""
    monkeypatch.setattr(eager, "TILE", 5)
    groups, queries, keys = 2, 13, 8
    torch.manual_seed(0)
    q = torch.randn(groups, HEADS, queries, keys, dtype=dtype, requires_grad=True)
    kv = torch.randn(2, groups, HEADS, keys, keys, dtype=dtype, requires_grad=True)
    bias = torch.zeros(groups, 1, keys, dtype=dtype)
    bias[1, 0, 5:] = -torch.inf
    unit = torch.eye(keys, dtype=dtype).expand(groups, HEADS, keys, keys)
    torch.manual_seed(1)
    kept = blocked_cross_attention(q.detach(), torch.stack([kv[0].detach(), unit]), bias, 0.3) > 0
    torch.manual_seed(1)
    ours = blocked_cross_attention(q, kv, bias, 0.3)
    shares = (q @ kv[0].transpose(-1, -2) / keys**0.5 + bias[:, None]).softmax(-1)
    want = (shares * kept / 0.7) @ kv[1]
    pull = torch.randn(ours.shape, dtype=dtype)
    close = {"rtol": 1e-7, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(ours, want, **close)
    for mine, theirs in zip(*(torch.autograd.grad(out, (q, kv), pull) for out in (ours, want)), strict=True):
        torch.testing.assert_close(mine, theirs, **close)
    assert 0.5 < float(kept[0].double().mean()) < 0.9


def test_what_cannot_be_read_is_refused() -> None:
    """Bad input: other numbers of documents; a target before its source."""
    one, two = collate([[example([0])]]), collate([[example([1])], [example([1])]])
    with pytest.raises(ValueError, match="2 documents cannot read 1"):
        plan_cross_attention(two, one, torch.float64, Kernels())
    with pytest.raises(ValueError, match="sees no token of its source"):
        plan_cross_attention(one, collate([[example([1])]]), torch.float64, Kernels())
