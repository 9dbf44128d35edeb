"""Law 3, Order: example i of epoch e is a function of (seed, e, i)."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.example.example import Example
from warmstart.objectives.backward import backward as from_the_end
from warmstart.objectives.causal import causal
from warmstart.objectives.corruption import Corruption, SideTokens
from warmstart.objectives.infilling import infilling
from warmstart.objectives.masked import masked
from warmstart.objectives.masked_span import masked_span
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.objectives.span_corruption import span_corruption
from warmstart.streams.carry import CarriedRowSource
from warmstart.streams.order import permute
from warmstart.streams.sources import AugmentedSource, DocumentSource, ListSource, NoisyRowSource, RowSource
from warmstart.streams.stream import Stream
from warmstart.text.word_boundaries import WordBoundaries
from warmstart.train.schedule import plan_lengths
from warmstart.train.settings import TrainSettings

MASKED = {"masked": masked, "mixture": mixture, "pseudo-masked": pseudo_masked}
CORRUPTED = {"span-corruption": span_corruption, "infilling": infilling, "masked-span": masked_span}
DRAWN: dict[str, Any] = MASKED | CORRUPTED


def masking() -> Masking:
    """Four special tokens behind 500 others, each a word; documents have no token at their end."""
    boundaries = WordBoundaries(np.ones(504, bool), np.zeros(504, bool))
    return Masking(MaskSettings(units="spans"), 500, 501, 502, None, 504, boundaries)


def corruption() -> Corruption:
    """The same for encoder-decoders."""
    sides = SideTokens((), (501,), 500, (), 501)
    return Corruption(MaskSettings(), 0.3, sides, tuple(range(504, 520)), 502, None, 504, {7, 77})


class Numbered:
    """n units; unit i is one Example that holds the token i."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def take(self, epoch: int, indices: np.ndarray) -> list[list[Example]]:
        return [[Example.left_to_right(np.array([i]), {})] for i in indices.tolist()]

    def lengths(self, indices: np.ndarray) -> np.ndarray:
        return indices * 7919 % 1009


class Flat:
    """A corpus in memory."""

    def __init__(self, documents: list[list[int]]) -> None:
        self.ids = np.concatenate([np.array(d, np.int64) for d in documents])
        self.offsets = np.concatenate([[0], np.cumsum([len(d) for d in documents])])
        self.num_tokens = len(self.ids)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]


@settings(deadline=None, max_examples=500)
@given(st.integers(1, 3000), st.integers(0, 2**40), st.integers(0, 5))
def test_permuted_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    """Invariant: every number once; one at a time gives what all at once give."""
    everything = permute(np.arange(n), n, seed, "order", epoch)
    assert sorted(everything.tolist()) == list(range(n))
    assert permute(np.array([n // 2]), n, seed, "order", epoch)[0] == everything[n // 2]


def test_permuted_is_well_mixed() -> None:
    """Witness: a uniform shuffle: each place in a row of 20 gets each of 20 numbers about equally often."""
    counts = np.zeros((20, 20))
    for epoch in range(4000):
        counts[np.arange(20), permute(np.arange(20), 20, 1, "order", epoch)] += 1
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert chi_square < 361 + 4 * np.sqrt(2 * 361)


@settings(deadline=None, max_examples=2000)
@given(
    n=st.integers(1, 120),
    batch=st.integers(1, 40),
    world=st.sampled_from([1, 2, 3, 4]),
    accumulation=st.integers(1, 8),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 3),
    by_length=st.booleans(),
)
def test_every_example_once_per_epoch(
    n: int, batch: int, world: int, accumulation: int, seed: int, epoch: int, by_length: bool
) -> None:
    """Invariant, for any number of ranks and micro-batches, whatever step is asked first."""
    stream = Stream(Numbered(n), batch, seed, accumulation=accumulation, by_length=by_length)
    steps = [epoch * stream.steps_per_epoch + i for i in range(stream.steps_per_epoch)]
    seen = [
        int(i)
        for step in reversed(steps)
        for rank in range(world)
        for part in stream.batches(step, rank, world)
        for i in part.ids
    ]
    assert sorted(seen) == list(range(n))


@pytest.mark.parametrize("n", [1003, 252, 10])
def test_batches_of_similar_length(n: int) -> None:
    """Brute force: within each pool (64 batches, or a quarter of the epoch) the batches partition the sorted lengths."""
    stream, source, shuffled = Stream(Numbered(n), 4, 5, by_length=True), Numbered(n), Stream(Numbered(n), 4, 5)
    epochs = []
    for epoch in range(4):
        start = epoch * stream.steps_per_epoch
        batches = [stream.indices(start + step)[1] for step in range(stream.steps_per_epoch)]
        size = max(1, min(64, stream.steps_per_epoch // 4))
        for first in range(0, stream.steps_per_epoch, size):
            pool = batches[first : first + size]
            plain = [shuffled.indices(start + first + step)[1] for step in range(len(pool))]
            assert sorted(np.concatenate(pool)) == sorted(np.concatenate(plain))
            lows, highs = ([int(f(source.lengths(batch))) for batch in pool] for f in (np.min, np.max))
            order = np.argsort(lows, kind="stable")
            assert all(highs[a] <= lows[b] for a, b in pairwise(order))
        epochs.append({frozenset(batch.tolist()) for batch in batches})
    assert not epochs[0] & epochs[1] or n == 10
    if n == 1003:  # the short batch stands anywhere
        shorts = {
            next(int(source.lengths(np.array(list(b))).max()) for b in batches if len(b) == 3) for batches in epochs
        }
        assert len(shorts) == 4


def test_lengths_that_are_sorted_by() -> None:
    """Witness: the longest Example of each unit, as the source hands it out."""
    documents = [list(range(n)) for n in (5, 2, 30, 9, 14)]
    records = [[Example.left_to_right(np.arange(n), {})] * 2 for n in (3, 8, 1)]

    def drawn(i: int, draw: np.random.Generator) -> list[Example]:
        return [Example.left_to_right(np.arange(3 * i + 2), {})]

    whole = DocumentSource(Flat(documents), 100, causal, 1)
    for source, added in (
        (ListSource(records), 0),
        (AugmentedSource(4, drawn, 1), 0),
        (whole, 1),
    ):  # causal drops the last token
        indices = np.arange(len(source))[::-1]
        longest = [max(map(len, unit)) for unit in source.take(0, indices)]
        assert source.lengths(indices).tolist() == [length + added for length in longest]
    assert DocumentSource(Flat(documents), 12, causal).lengths(np.arange(5)).max() == 12
    assert AugmentedSource(3, drawn, 1, same_length=7).lengths(np.arange(3)).tolist() == [7, 7, 7]


def test_a_usual_batch_has_texts_of_any_length() -> None:
    """Invariant: sizes are estimated alike, whether texts of similar length come together or not."""
    records = [[Example.left_to_right(np.arange(n + 1), {})] for n in range(400)]
    alike, plain = Stream(ListSource(records), 8, 3, by_length=True), Stream(ListSource(records), 8, 3)
    assert [batch.num_tokens for batch in alike.typical_batches()] == [batch.num_tokens for batch in plain.batches(0)]
    settings = TrainSettings(length="20k tokens", batch_size=8)
    assert plan_lengths(settings, alike) == plan_lengths(settings, plain)


def test_epochs_and_seeds_differ() -> None:
    """Invariant: another epoch or seed is another order; the same one is the same order."""
    orders = {
        (seed, epoch): tuple(Stream(Numbered(50), 50, seed).indices(epoch)[1]) for seed in (1, 2) for epoch in (0, 1)
    }
    assert len(set(orders.values())) == 4
    assert tuple(Stream(Numbered(50), 50, 1).indices(0)[1]) == orders[1, 0]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(2, 16), st.integers(0, 3))
def test_every_token_is_predicted_once(lengths: list[int], width: int, held_out: int) -> None:
    """Brute force: over all rows, each token of a document after its first is a target once, after its true past."""
    documents, next_id = [], 0
    for length in lengths:
        documents.append(list(range(next_id, next_id + length)))
        next_id += length
    corpus = Flat(documents)
    rows = RowSource(corpus, width, causal)
    held_out = min(held_out, len(rows))
    parts = [RowSource(corpus, width, causal, held_out), RowSource(corpus, width, causal, held_out, dev=True)]
    assert [len(p) for p in parts] == [rows.num_rows - held_out, held_out]
    targets = []
    for part in parts:
        for [example] in part.take(0, np.arange(len(part))):
            assert len(example) <= width
            assert (example.goals["lm"].targets == example.ids + 1).all()
            targets += example.goals["lm"].targets.tolist()
    assert sorted(targets) == [i for d in documents for i in d[1:]]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(2, 9), st.integers(0, 3), st.integers(1, 7),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_lanes_continue_documents(
    lengths: list[int], width: int, held_out: int, batch: int, backward: bool, seed: int
) -> None:
    """Brute force: each target as often as in shuffled rows; what goes on is the next token of its lane's last, and
    whatever begins by itself does so where the lane read another document before, or nothing.
    """
    documents, next_id = [], 0
    for length in lengths:
        documents.append(list(range(next_id, next_id + length)))
        next_id += length
    corpus, frame = Flat(documents), from_the_end if backward else causal
    home = np.repeat(np.arange(len(lengths)), lengths)
    held_out = min(held_out, max(0, len(RowSource(corpus, width, frame)) - 1))
    plain = RowSource(corpus, width, frame, held_out)
    carry_rows = CarriedRowSource(corpus, width, frame, held_out, batch, seed=seed, backward=backward)
    assert len(carry_rows) == len(plain)
    wanted = sorted(t for [e] in plain.take(0, np.arange(len(plain))) for t in e.goals["lm"].targets.tolist())
    stream, targets, side = Stream(carry_rows, batch, 0, shuffle=False), [], -1 if backward else 1
    stands: dict[int, int] = {}  # the last token that each lane has read
    for step in range(stream.steps_per_epoch):
        units = carry_rows.take(0, stream.indices(step)[1])
        went_on = {e.carry_in: e.ids[::side].tolist() for [e] in units if e.carry_in >= 0}
        read = [i for [e] in units for i in e.ids.tolist()]
        for lane, ids in went_on.items():
            assert ids[0] == stands[lane] + side and home[ids[0]] == home[stands[lane]]
        for lane, last in stands.items():
            if lane not in went_on and last + side in read:
                assert home[last + side] != home[last] or owner(units, last + side) != lane
        stands = {e.carry_out: int(e.ids[::side][-1]) for [e] in units if e.carry_out >= 0}
        targets += [t for [e] in units for t in e.goals["lm"].targets.tolist()]
    assert sorted(targets) == wanted


def owner(units: list[list[Example]], token: int) -> int:
    """The lane that reads a token: the next one that is handed on, since the pieces of a row stand together."""
    place = next(i for i, [e] in enumerate(units) if token in e.ids)
    return next(e.carry_out for [e] in units[place:] if e.carry_out >= 0)


def test_lanes_begin_elsewhere_in_another_epoch() -> None:
    """Invariant: another epoch or seed begins elsewhere; the same one in the same place."""
    corpus = Flat([list(range(1000))])

    def first(seed: int, epoch: int) -> tuple[int, ...]:
        return tuple(
            int(e.ids[0]) for [e] in CarriedRowSource(corpus, 8, causal, 0, 5, seed=seed).take(epoch, np.arange(5))
        )

    assert len({first(seed, epoch) for seed in (1, 2) for epoch in (0, 1)}) == 4 and first(1, 0) == first(1, 0)


@pytest.mark.parametrize("objective", DRAWN)
def test_what_is_hidden_follows_from_seed_epoch_and_row(objective: str) -> None:
    """Invariant: the same whenever it is asked, beside whatever; anew in another epoch, by another seed; all text once."""
    documents = [list(range(start, start + length)) for start, length in ((0, 70), (70, 33), (103, 2), (105, 90))]
    corpus, tools = Flat(documents), corruption() if objective in CORRUPTED else masking()

    def rows(seed: int) -> NoisyRowSource:
        frame = DRAWN[objective]
        return NoisyRowSource(corpus, 16, lambda ids, draw: frame(ids, draw, tools), seed=seed)

    def told(seed: int, epoch: int, asked: list[int]) -> dict[int, list[bytes]]:
        return {
            i: [e.ids.tobytes() + e.turns.tobytes() for [e] in rows(seed).take(epoch, np.array([i]))] for i in asked
        }

    everything = list(range(len(rows(1))))
    first = told(1, 0, everything)
    assert told(1, 0, everything[::-1]) == first
    together = rows(1).take(0, np.array(everything))
    assert [e.ids.tobytes() + e.turns.tobytes() for [e] in together] == [part for i in everything for part in first[i]]
    for other in (told(1, 1, everything), told(2, 0, everything)):
        # a short piece has few spans of three
        share = 0.7 if objective in CORRUPTED else 0.9
        assert sum(other[i] != first[i] for i in everything) > share * len(everything)
    if objective in CORRUPTED:
        return
    real = [int(e.positions[e.turns >= 0].max()) + 1 for [e] in together]
    cuts = sum(real) - sum(map(len, documents))
    pieces = len(together)
    assert 2 * pieces <= cuts <= 3 * pieces  # [CLS], [SEP] and, of two parts, one more; all else is the text


def test_the_middle_of_a_huge_stream_is_at_hand() -> None:
    """Invariant: a cursor at 90 % of 10⁹ units costs what the first step costs, and no table of the order exists."""
    import tracemalloc

    stream = Stream(Numbered(10**9), 64, 3)
    tracemalloc.start()
    stream.batches(int(stream.steps_per_epoch * 0.9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6
