"""The one search against brute force: whole texts read anew, and s2s-ft's rules written out one by one."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.decode.cached_decoder import DecodeMode, Source
from warmstart.decode.ensemble import Reader
from warmstart.decode.lattice import Lattice, Ranking, rank
from warmstart.decode.limits import Limits
from warmstart.decode.packed import log_total, packed_softmax, top
from warmstart.decode.search import Search, Text, search, search_together
from warmstart.decode.settings import GenerateSettings, check_search
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.example.noise import Noise
from warmstart.example.record import Record
from warmstart.models import kernels
from warmstart.models.beam_cache import ALIGNED, SHARE, BeamCache
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Parts
from warmstart.tasks.seq2seq import TEXT
from warmstart.tasks.seq2seq_frames import frame_pair
from warmstart.tasks.settings import FrameSettings, Seq2SeqSettings

START, SEP, MASK, VOCABULARY = 1, 2, 3, 24
KINDS = (
    "pseudo-masked", "relative", "causal", "left-to-right", "rotary", "slopes", "bounds", "lstm", "bart", "t5", "lstm pair"
)  # fmt: skip
TWO_STACKS = ("bart", "t5", "lstm pair")
NO_KERNEL = ("lstm", "lstm pair", "bounds")  # the second bounds its scores, which torch alone does
MASKED = ("pseudo-masked", "relative")  # the second with a bias of distances


def make(kind: str, seed: int = 1, **more: Any) -> Model:
    changes: dict[str, Any] = {"vocab_size": VOCABULARY, "context": 40, "init_std": 0.35}
    if kind == "lstm":
        changes |= {"layers": 2, "width": 32, "cells": 48}
        return Model.fresh(ModelSettings(backbone=preset("lstm-tiny", **changes | more)), seed).eval()
    if kind == "lstm pair":
        changes |= {"layers": 3, "width": 32, "cells": 48}
        model = Model.fresh(ModelSettings(backbone=preset("lstm-encoder-decoder-tiny", **changes | more)), seed).eval()
        mix: torch.nn.Linear = model.get_submodule("backbone.decoder.mix")  # type: ignore[assignment]
        nn.init.normal_(mix.weight, std=0.35, generator=torch.Generator().manual_seed(seed))
        return model
    if kind in TWO_STACKS:
        changes |= {"decoder_layers": 3, "decoder_heads": 4, "norm": "post", "embedding_norm": True}
    if kind == "t5":
        changes |= {
            "norm": "pre", "norm_kind": "rms", "positions": "none", "relative_bins": 8, "relative_distance": 6,
            "bias": False, "mlp": "gated", "attention_scale": 1.0, "head_width": 12, "logit_scale": 0.5,
            "embedding_norm": False, "shared_tokens": False,
        }  # fmt: skip
    if kind == "relative":
        changes |= {"relative_bins": 8, "relative_distance": 12}
    if kind in (*MASKED, "causal"):
        changes |= {"sight": "full", "segments": 2, "embedding_norm": True, "lm_transform": True}
    if kind == "slopes":
        changes |= {"positions": "alibi", "norm": "pre", "parallel": "own_norms"}
    if kind == "bounds":  # as Gemma 2
        changes |= {
            "norm": "both", "norm_kind": "rms", "windows": (4, None), "attention_cap": 1.5, "logit_cap": 4.0,
            "attention_scale": 0.4, "embedding_scale": 3.0, "positions": "rotary", "rotary_width": 8,
        }  # fmt: skip
    if kind == "rotary":
        name = "modern-mini"
        changes |= {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "hidden": 64}
    else:
        name = "encoder-decoder-tiny" if kind in TWO_STACKS else "gpt1-tiny"
    return Model.fresh(ModelSettings(backbone=preset(name, **changes | more)), seed).eval()


def frame(kind: str) -> Frame:
    full = kind in (*MASKED, "causal")
    algorithm = "pseudo-masked" if kind in MASKED else "causal"
    sight: Any = "prefix" if kind in TWO_STACKS else "full" if full else "causal"
    settings = FrameSettings(context=40, sight=sight, lm=False)
    options = Seq2SeqSettings(algorithm=algorithm, target_limit=12)  # type: ignore[arg-type]
    return Frame(settings, options, TEXT, (), START, SEP, SEP, noise=Noise(MASK, VOCABULARY))


def way(kind: str) -> DecodeMode:
    return DecodeMode(MASK if kind in MASKED else None, 0, 1)


def source(kind: str, ids: list[int]) -> Source:
    return Source([START, *ids, SEP]) if kind in MASKED else Source([START, *ids], SEP)


def sources(*lengths: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(4, VOCABULARY, n).tolist() for n in lengths]


@torch.no_grad()
def log_probs(model: Model, kind: str, ids: list[int], text: tuple[int, ...]) -> torch.Tensor:
    """[V] of the token after ``text``: the training frame read from its beginning, asked at its last place."""
    parts = Parts((np.array(ids, np.int64), np.array(text, np.int64)))
    [example] = frame_pair(Record({}), parts, frame(kind))
    states = model.backbone(collate([[example]]), None, torch.tensor([int(example.goals["lm"].reads[-1])]))
    return model.next_token_logits(states)[0].log_softmax(-1)


def found(
    model: Model, kind: str, given: list[list[int]], limits: Limits | None = None, **changes: Any
) -> list[list[Text]]:
    settings = GenerateSettings.model_validate({"max_new": 8, "greedy": True} | changes)
    limits = limits or Limits(SEP, settings.min_new, settings.no_repeat)
    return search(model, [source(kind, ids) for ids in given], Search(way(kind), settings, limits))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_what_decoding_gives(kind: str) -> None:
    """Check 2 of the specification: the training loss of target i = the log-probability that decoding gives at step i.

    Witness: the goal's losses without noise; decoding is forced along the target by a prefix.
    """
    model, ids, target = make(kind), sources(6)[0], (9, 5, 17, 8)
    [example] = frame_pair(Record({}), Parts((np.array(ids), np.array(target))), frame(kind))
    losses = model.score_tokens(collate([[example]])).losses
    for length in range(1, len(target) + 1):
        [[text]] = found(model, kind, [ids], Limits(None, prefix=target), max_new=length)
        assert text.ids == target[:length]
        assert text.log_prob == pytest.approx(-float(losses[:length].sum()), abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_equals_reading_anew(kind: str) -> None:
    """Checks 2 and 4 of the specification: the likeliest token after the whole text so far, read without a cache.

    Each score may differ by ten roundings of the largest one, as sums in another order do; those of the LSTM by a hundred,
    whose recurrence with weights this large makes an error grow from token to token, and those of T5 by twenty, whose
    attention is not scaled: beside double precision the search itself is thirteen off there.
    """
    roundings = {"lstm": 100, "lstm pair": 100, "t5": 20}.get(kind, 10)
    model, given = make(kind), sources(6, 1, 11, 20, 3)
    stops = set()
    for ids, [ours] in zip(given, found(model, kind, given), strict=True):
        text: tuple[int, ...] = ()
        total, allowed = 0.0, 0.0
        while len(text) < 8:
            scores = log_probs(model, kind, ids, text)
            token = int(scores.argmax())
            total += float(scores[token])
            allowed += roundings * float(np.spacing(scores.abs().max().numpy()))
            if token == SEP:
                break
            text = (*text, token)
        assert (ours.ids, ours.log_prob) == (text, pytest.approx(total, abs=allowed))
        stops.add(ours.stopped)
    assert stops <= {"end", "limit"}


def slow_beams(
    scores_after: Callable[[tuple[int, ...]], torch.Tensor], beam: int, most: int, alpha: float
) -> list[tuple[float, tuple[int, ...]]]:
    """All steps of a beam search, with every candidate sorted and nothing stopped early."""
    alive: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    pool = []
    worth = lambda total, length: total / ((5 + length) / 6) ** alpha  # noqa: E731
    for step in range(1, most + 1):
        every = []
        for total, text in alive:
            scores = scores_after(text)
            every += [(total + float(scores[token]), (*text, token)) for token in range(VOCABULARY)]
        every.sort(key=lambda one: -one[0])
        pool += [(worth(total, step), text[:-1]) for total, text in every[:beam] if text[-1] == SEP]
        alive = [one for one in every if one[1][-1] != SEP][:beam]
    pool += [(worth(total, most), text) for total, text in alive]
    return sorted(pool, key=lambda one: -one[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.0, 0.9])
def test_beams_equal_brute_force(kind: str, alpha: float) -> None:
    """Witness: a search that reads every text anew, sorts all candidates and never stops early."""
    model, given = make(kind), sources(5, 9)
    ours = found(model, kind, given, beam=3, best=3, max_new=6, length_penalty=alpha)
    for ids, texts in zip(given, ours, strict=True):
        theirs = slow_beams(functools.partial(log_probs, model, kind, ids), 3, 6, alpha)[:3]
        assert [text.ids for text in texts] == [text for _, text in theirs]
        assert [text.score for text in texts] == pytest.approx([score for score, _ in theirs], abs=1e-4)


ENSEMBLES = (("bart", "bart"), ("lstm pair", "t5", "bart"), ("pseudo-masked", "left-to-right", "lstm"))


@pytest.mark.parametrize("kinds", ENSEMBLES, ids="+".join)
def test_an_ensemble_equals_brute_force(kinds: tuple[str, ...]) -> None:
    """Ramachandran et al. 2016: the mean of probabilities at each step, of models of one kind and of several.

    Witness: a search that reads every text anew by each model; and a model beside itself, which is that model alone.
    """
    models, given = [make(kind, seed) for seed, kind in enumerate(kinds, start=1)], sources(5, 9, 2)
    settings = GenerateSettings(max_new=6, beam=3, best=3, length_penalty=0.9)
    asked = Search(way(kinds[0]), settings, Limits(SEP))
    readers = [
        Reader(model, way(kind), [source(kind, ids) for ids in given])
        for model, kind in zip(models, kinds, strict=True)
    ]
    for ids, texts in zip(given, search_together(readers, asked), strict=True):

        def mean(text: tuple[int, ...], ids: list[int] = ids) -> torch.Tensor:
            every = [log_probs(model, kind, ids, text) for model, kind in zip(models, kinds, strict=True)]
            return torch.stack(every).exp().mean(0).log()

        theirs = slow_beams(mean, 3, 6, 0.9)[:3]
        assert [text.ids for text in texts] == [text for _, text in theirs]
        assert [text.score for text in texts] == pytest.approx([score for score, _ in theirs], abs=1e-4)
    twice = search_together([readers[0], readers[0]], asked)
    alone = search(models[0], readers[0].sources, asked)
    assert [[text.ids for text in texts] for texts in twice] == [[text.ids for text in texts] for texts in alone]


def test_an_ensemble_reads_each_source_once() -> None:
    """Invariant: the encoder of every model is run for as many tokens as the sources have, however long the texts get."""
    models, given = [make("bart", seed) for seed in (1, 2)], sources(5, 9)
    read: list[int] = []
    for model in models:
        model.backbone.encoder.register_forward_hook(lambda _, taken, __: read.append(taken[0].num_tokens))  # type: ignore[union-attr]
    readers = [Reader(model, way("bart"), [source("bart", ids) for ids in given]) for model in models]
    search_together(readers, Search(way("bart"), GenerateSettings(max_new=8, beam=4), Limits(None)))
    assert read == [5 + 9 + 2] * 2


def blocked(text: tuple[int, ...], n: int, ignored: set[int]) -> set[int]:
    """The tokens that would repeat n tokens."""
    last = text[len(text) - n + 1 :]
    if len(text) < n or set(last) & ignored:
        return set()
    following = [text[i + n - 1] for i in range(len(text) - n + 1) if text[i : i + n - 1] == last]
    return set(following) - ignored


Node = tuple[float, int, int]  # score, token, parent


def frames_of(
    model: Model, kind: str, ids: list[int], beam: int, most: int, least: int, n: int, ignored: set[int]
) -> list[list[Node]]:
    """The steps of s2s-ft's search as its specification says them."""
    frames: list[list[Node]] = []
    rows: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    while len(frames) < most and not (frames and all(token == SEP for _, token, _ in frames[-1])):
        every = []
        for place, (total, text) in enumerate(rows):
            scores = log_probs(model, kind, ids, text).tolist()
            for token in blocked(text, n, ignored) | ({SEP} if len(frames) < least else set()):
                scores[token] = -1e4
            ended = -1e4 if text and text[-1] == SEP else 0.0
            best = sorted(range(VOCABULARY), key=lambda t: -scores[t])[:beam]
            every += [(total + ended + scores[t], t, place) for t in best]
        frames.append(sorted(every, key=lambda one: -one[0])[:beam])
        rows = [(total, (*rows[place][1], token)) for total, token, place in frames[-1]]
    return frames


def chosen(frames: list[list[Node]], alpha: float) -> tuple[int, ...]:
    """Among all that end, or stand in the last frame, the best by its score over ((5 + length) / 6) ** alpha."""
    best, at = -math.inf, (0, 0)
    for number, kept in enumerate(frames):
        for place, (total, token, _) in enumerate(kept):
            score = total / ((5 + number + 1) / 6) ** alpha if alpha > 0 else total
            if (token == SEP or number == len(frames) - 1) and score > best:
                best, at = score, (number, place)
    number, place = at
    path: list[int] = []
    for kept in reversed(frames[: number + 1]):
        path.append(kept[place][1])
        place = kept[place][2]
    text = tuple(path[::-1])
    return text[: text.index(SEP)] if SEP in text else text


@pytest.mark.parametrize("kind", ["pseudo-masked", "causal"])
@pytest.mark.parametrize(("alpha", "least", "n"), [(0.0, 1, 3), (0.9, 3, 2), (0.0, 0, 1)])
def test_compat_is_s2s_fts_search(kind: str, alpha: float, least: int, n: int) -> None:
    """Witness: the rules of the specification transcribed in this file."""
    model, given, ignored = make(kind, 3), sources(5, 9, 2), (7, 8, 9)
    limits = Limits(SEP, least, n, ignored)
    ours = found(model, kind, given, limits, beam=3, max_new=7, length_penalty=alpha, compat="s2s-ft")
    for ids, [text] in zip(given, ours, strict=True):
        assert text.ids == chosen(frames_of(model, kind, ids, 3, 7, least, n, set(ignored)), alpha)


def test_limits_hold() -> None:
    """Checks 4 and 5 of the specification: no n-gram twice but through ignored words, no forbidden word, no early end."""
    model, given = make("causal", 5), sources(6, 9, 4, 12)
    plain = found(model, "causal", given, max_new=16, beam=4, best=4)
    assert any(len(set(itertools.pairwise(text.ids))) < len(text.ids) - 1 for texts in plain for text in texts)
    frequent = max(
        range(4, VOCABULARY), key=lambda token: sum(text.ids.count(token) for texts in plain for text in texts)
    )
    pairs = [pair for texts in plain for text in texts for pair in itertools.pairwise(text.ids)]
    pair = next(pair for pair in pairs if frequent not in pair)
    limits = Limits(SEP, 5, 2, (), ((frequent,), pair), (11, 12))
    for beam in (1, 4):
        for [text] in found(model, "causal", given, limits, max_new=16, beam=beam):
            pairs = list(itertools.pairwise(text.ids))
            assert len(set(pairs)) == len(pairs) and pair not in pairs
            assert frequent not in text.ids and len(text.ids) >= 5 and text.ids[:2] == (11, 12)
    # ignored words may come again: then the text without limits stands
    everything = Limits(SEP, 0, 2, tuple(range(VOCABULARY)))
    assert found(model, "causal", given, everything, max_new=16) == found(model, "causal", given, max_new=16)


def test_samples_and_groups() -> None:
    """Check 5 of the specification: one sample is the first of many; groups that may not share a token share none."""
    model, given = make("pseudo-masked"), sources(6, 3)
    one = found(model, "pseudo-masked", given, greedy=False)
    many = found(model, "pseudo-masked", given, greedy=False, samples=3)
    assert [texts[0].ids for texts in many] == [texts[0].ids for texts in one]
    kept: dict[int, Lattice] = {}
    apart = GenerateSettings(max_new=5, beam=4, groups=4, diversity=100.0)
    asked = Search(way("pseudo-masked"), apart, Limits(SEP), lattices=True)
    search(model, [source("pseudo-masked", ids) for ids in given], asked, 0, kept.__setitem__)
    for lattice in kept.values():
        for frame in lattice.frames:
            assert len(set(frame.tokens)) == len(frame.tokens)


def limited(scores: torch.Tensor, text: tuple[int, ...], limits: Limits) -> torch.Tensor:
    """The scores with -inf for what may not come next, rule by rule."""
    found, step = scores.clone(), len(text)
    if step < len(limits.prefix):
        only = limits.prefix[step]
        return torch.full_like(scores, -math.inf).index_fill_(0, torch.tensor(only), float(scores[only]))
    for token in range(VOCABULARY):
        repeats = limits.no_repeat is not None and token in blocked(text, limits.no_repeat, {*limits.ignored})
        early = token == SEP and step < limits.min_new
        completes = any((*text, token)[-len(word) :] == word for word in limits.forbidden)
        if repeats or early or completes:
            found[token] = -math.inf
    return found


@pytest.mark.parametrize("kind", TWO_STACKS)
def test_limits_of_encoder_decoders_equal_brute_force(kind: str) -> None:
    """Least length, n-grams, forbidden words and a prefix. Witness: every text read anew, each rule in its words."""
    model, given = make(kind), sources(5, 9)
    frequent = found(model, kind, given)[0][0].ids[-1]
    limits = Limits(SEP, 4, 2, (5,), ((frequent,), (7, 8)), (11, 12))
    ours = found(model, kind, given, limits, beam=3, best=3, max_new=7)
    for ids, texts in zip(given, ours, strict=True):

        def scores(text: tuple[int, ...], ids: list[int] = ids) -> torch.Tensor:
            return limited(log_probs(model, kind, ids, text), text, limits)

        theirs = slow_beams(scores, 3, 7, 0.0)[:3]
        assert [text.ids for text in texts] == [text for _, text in theirs]
        assert [text.score for text in texts] == pytest.approx([score for score, _ in theirs], abs=1e-4)


@pytest.mark.parametrize("kind", TWO_STACKS)
def test_lattices_and_samples_of_encoder_decoders(kind: str) -> None:
    """Witness: the sum of the scores along every path of a lattice, and along every sample, read anew."""
    model, [ids] = make(kind), sources(6)

    def total(text: Sequence[int]) -> float:
        return sum(float(log_probs(model, kind, ids, tuple(text[:n]))[text[n]]) for n in range(len(text)))

    kept: dict[int, Lattice] = {}
    asked = Search(way(kind), GenerateSettings(max_new=4, beam=3), Limits(SEP), lattices=True)
    [[best]] = search(model, [source(kind, ids)], asked, 0, kept.__setitem__)
    for step, frame in enumerate(kept[0].frames):
        for place, score in enumerate(frame.scores):
            assert score == pytest.approx(total(kept[0].path(step, place)), abs=1e-4)
    assert tuple(rank(kept[0], Ranking()).ids) == best.ids
    [drawn] = found(model, kind, [ids], greedy=False, samples=3, temperature=1.3, max_new=5)
    for text in drawn:
        whole = (*text.ids, SEP) if text.stopped == "end" else text.ids
        assert text.log_prob == pytest.approx(total(whole), abs=1e-4)
    cold = found(model, kind, [ids], greedy=False, temperature=1e-4, max_new=5)
    assert cold[0][0].ids == found(model, kind, [ids], max_new=5)[0][0].ids


def test_neighbours_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: sources alone and together, in any order, have the same texts."""
    model, given = make("pseudo-masked"), sources(6, 1, 11, 20, 3, 8, 2)
    together = found(model, "pseudo-masked", given, beam=3)
    alone = [found(model, "pseudo-masked", [ids], beam=3)[0] for ids in given]
    for left, right in zip(together, alone, strict=True):
        assert [text.ids for text in left] == [text.ids for text in right]
        assert [text.score for text in left] == pytest.approx([text.score for text in right], abs=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("lstm", *TWO_STACKS)])
def test_columns_that_nobody_sees_are_taken_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same search with every new token behind all others."""
    model, given = make(kind), sources(6, 1, 11, 20, 3)
    most: list[int] = []
    real = BeamCache.reorder
    monkeypatch.setattr(BeamCache, "reorder", lambda self, parents: most.append(self.columns) or real(self, parents))

    def search() -> list[list[Text]]:
        most.append(0)
        return found(model, kind, given, Limits(None), beam=4, best=4, max_new=14)

    reused, few = search(), max(most)

    def behind_all(self: BeamCache, wanted: int) -> torch.Tensor:
        if self.taken + wanted > self.columns:
            self._widen(wanted)
        return torch.arange(self.taken, self.taken + wanted).expand(len(self.sight), -1)

    monkeypatch.setattr(BeamCache, "_free", behind_all)
    whole = search()
    assert max(most) >= 20 + 13 * 4 > few
    for left, right in zip(reused, whole, strict=True):
        assert [text.ids for text in left] == [text.ids for text in right]
        assert [text.score for text in left] == pytest.approx([text.score for text in right], abs=1e-4)


def test_memory_does_not_grow_with_beams_times_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check 4 of the specification: the keys that the last step read: source, what the branches see, room for a few more."""
    kept: list[BeamCache] = []
    real = BeamCache.reorder
    monkeypatch.setattr(BeamCache, "reorder", lambda self, parents: kept.append(self) or real(self, parents))
    model = make("causal")
    for beam in (1, 2, 8):
        for length in (4, 24):
            found(model, "causal", sources(length), Limits(None), beam=beam, max_new=12)
            [table] = {tuple(layer.table.shape) for layer in kept[-1].layers}
            assert table[:2] == (2, 1) and table[3] <= (length + 2 + beam * 11) * (1 + 1 / SHARE) + 2 * ALIGNED
    kept.clear()
    found(model, "causal", sources(4), Limits(None), beam=8, max_new=36)
    assert kept[-1].columns < 4 + 8 * 35  # less than a column for each beam and step


def test_lattices_rank_again() -> None:
    """Check 5 of the specification: searches by the other length penalty, where the beam's way does not depend on it."""
    model, given = make("pseudo-masked", 3), sources(5, 9)
    asked = Search(
        way("pseudo-masked"), GenerateSettings(max_new=7, beam=3, compat="s2s-ft"), Limits(SEP), lattices=True
    )
    kept: dict[int, Lattice] = {}
    plain = search(model, [source("pseudo-masked", ids) for ids in given], asked, 0, kept.__setitem__)
    other = found(model, "pseudo-masked", given, Limits(SEP), max_new=7, beam=3, compat="s2s-ft", length_penalty=2.0)
    for number, ([text], [long]) in enumerate(zip(plain, other, strict=True)):
        copy = Lattice.from_dict(kept[number].to_dict())
        assert tuple(rank(copy, Ranking()).ids) == text.ids
        assert tuple(rank(copy, Ranking(alpha=2.0)).ids) == long.ids
        assert len(rank(copy, Ranking(per_token=100.0)).ids) >= len(text.ids)
        assert len(rank(copy, Ranking(min_length=6)).ids) >= 6
        assert rank(copy, Ranking(min_length=600)) == rank(copy, Ranking())
        expected = rank(copy, Ranking(per_token=100.0, expected=4))
        assert len(expected.ids) + expected.ended == 4 or not any(
            token == SEP for token in kept[number].frames[3].tokens
        )


def test_the_greatest_logits_and_their_total() -> None:
    """Witness: torch's topk and logsumexp over whole rows."""
    logits = torch.randn(6, 5000, generator=torch.Generator().manual_seed(1)) * 5
    values, places = top(logits, 7)
    torch.testing.assert_close(values, logits.topk(7).values)
    torch.testing.assert_close(logits.gather(1, places), values)
    torch.testing.assert_close(log_total(logits), logits.logsumexp(-1, keepdim=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"beam": 2, "best": 3}, "at most as many texts as its beam is wide"),
        ({"beam": 4, "groups": 3}, "not a multiple of the number of groups"),
        ({"beam": 4, "samples": 2}, "samples nothing"),
        ({"beam": 4, "compat": "s2s-ft", "best": 2}, "returns one text"),
        (
            {"length_penalty": 0.6},
            "--length-penalty: only a beam search weighs lengths; got 0.6; allowed: with --beam N",
        ),
        ({"beam": 4, "diversity": 0.9}, "--diversity: only groups of a beam search are kept apart; got 0.9"),
        (
            {"ignored": (".",)},
            "--ignored: no n-gram is kept from coming twice; got .*add --no-repeat N, or leave it out",
        ),
    ],
)
def test_settings_that_do_not_go_together(changes: dict[str, Any], words: str) -> None:
    """Witness: the sentence."""
    with pytest.raises(BadInput, match=words):
        check_search(GenerateSettings.model_validate(changes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [True, False], ids=["kernels", "torch"])
def test_bfloat16_scores_texts_as_float32_does(kind: str, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beams, with our kernels and without. Witness: the same weights in float32, forced along the texts that were found."""
    if own and kind not in NO_KERNEL and not kernels.usable(torch.bfloat16, torch.device("cpu"), 32):
        pytest.skip("the kernels were not built, or this processor cannot run them")
    if not own:
        monkeypatch.setattr(kernels, "library", lambda *_: None)
    read = Mock(wraps=kernels.read)
    monkeypatch.setattr(kernels, "read", read)
    heads = {} if kind in ("lstm", "lstm pair") else {"width": 64, "heads": 2}
    model = make(kind, init_std=0.15, **heads, **({"kv_heads": 1} if kind == "rotary" else {})).to(torch.bfloat16)
    given = sources(6, 1, 18)
    texts = found(model, kind, given, Limits(None), greedy=False, beam=3, best=3)
    assert read.called == (own and kind not in NO_KERNEL)
    model = model.float()
    for ids, every in zip(given, texts, strict=True):
        for text in every:
            [[exact]] = found(model, kind, [ids], Limits(None, prefix=text.ids))
            assert text.log_prob == pytest.approx(exact.log_prob, abs=0.1)


def test_bfloat16_scores_are_float32() -> None:
    """Check 4 of the specification: float32 sums of a bfloat16 model; half precision would be off by 0.01."""
    model = make("causal").to(torch.bfloat16)
    [[text]] = found(model, "causal", sources(6), beam=2, max_new=6)
    assert text.log_prob != float(torch.tensor(text.log_prob).to(torch.bfloat16))


@torch.no_grad()
def test_an_example_of_the_left_to_right_frame() -> None:
    """Witness: the plain causal Example of the same tokens: a left-to-right model reads what it was pre-trained on."""
    model, ids = make("left-to-right"), sources(6)[0]
    [[text]] = found(model, "left-to-right", [ids], max_new=1)
    states = model.backbone(collate([[Example.left_to_right(np.array([START, *ids, SEP]), {})]]))
    scores = model.next_token_logits(states[-1:]).log_softmax(-1)
    assert text.log_prob == pytest.approx(float(scores.max()), abs=1e-5)


def test_one_packing_for_many_searches() -> None:
    """Witness: the same searches, each with a packing of its own; afterwards the model is as it was."""
    model, given = make("causal"), sources(6, 1, 11)
    plain = [found(model, "causal", [ids], beam=3) for ids in given]
    before = [dict(part.__dict__) for part in model.modules()]
    with packed_softmax(model, 3) as softmax:
        with packed_softmax(model, 9) as inner:
            assert inner is softmax
        assert [found(model, "causal", [ids], beam=3) for ids in given] == plain
        assert not isinstance(model.backbone.blocks[0].attention.qkv, nn.Module)  # the inner blocks have left it
    assert [part.__dict__ for part in model.modules()] == before
