"""Masked objectives: what is hidden, what is asked, who sees it; by counts, words read by hand, a model's own states."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.base.arrays import Ints
from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.masked import masked
from warmstart.objectives.masking import Masking
from warmstart.objectives.mixture import mixture
from warmstart.objectives.pseudo_masked import pseudo_masked
from warmstart.objectives.settings import MaskSettings
from warmstart.text.settings import VocabularyKind
from warmstart.text.tokenizer import Tokenizer
from warmstart.text.word_boundaries import WordBoundaries

Frame = Callable[[Ints, np.random.Generator, Masking], list[Example]]
FRAMES: dict[str, Frame] = {"masked": masked, "mixture": mixture, "pseudo-masked": pseudo_masked}
CLS, SEP, MASK, END, VOCAB = 500, 501, 502, 503, 504
BEGINS = np.arange(VOCAB) % 3 != 2  # every third id goes on with the word before it


def masking(segments: int = 2, **changes: object) -> Masking:
    boundaries = WordBoundaries(BEGINS | (np.arange(VOCAB) >= CLS), np.zeros(VOCAB, bool))
    found = MaskSettings.model_validate(changes)
    return Masking(found, CLS, SEP, MASK, END, VOCAB, boundaries, segments, (4, 5) if segments == 6 else (0, 1))


def text(length: int, seed: int = 0) -> Ints:
    return np.append(np.random.default_rng(seed).integers(0, 500, length), END)


@pytest.mark.parametrize("units", ["tokens", "words", "spans", "blocks"])
@given(length=st.integers(1, 90), seed=st.integers(0, 10**6), share=st.sampled_from([0.05, 0.15, 0.5]))
@settings(max_examples=120, deadline=None)
def test_units_are_disjoint_whole_and_few_enough(units: str, length: int, seed: int, share: float) -> None:
    """Brute force: words counted by hand; never none, at most the share unless a single word is larger."""
    tools, ids = masking(units=units, share=share), text(length, seed)[:-1]
    chosen = tools.choose_units(ids, generator(seed))
    places = np.concatenate(chosen).tolist()
    budget = max(1, round(share * length))
    assert places == sorted(set(places)) and places
    if units == "tokens":
        assert len(places) == budget and all(len(unit) == 1 for unit in chosen)
        return
    if units == "blocks":
        assert len(places) == budget
        assert all(unit.tolist() == list(range(unit[0], unit[-1] + 1)) and len(unit) <= 6 for unit in chosen)
        return
    words, word = [], 0
    for place, token in enumerate(ids.tolist()):
        word += int(place > 0 and token % 3 != 2)
        words.append(word)
    of = {word: [p for p in range(length) if words[p] == word] for word in words}
    for unit in chosen:
        covered = {words[p] for p in unit.tolist()}
        assert unit.tolist() == list(range(unit[0], unit[-1] + 1)) and len(covered) <= (1 if units == "words" else 10)
        assert sorted(p for w in covered for p in of[w]) == unit.tolist()
    assert len(places) <= budget or len({words[p] for p in places}) == 1


def test_the_lengths_of_blocks() -> None:
    """Witness: UniLMv2's shares: 60 % single tokens, 8 % of each length from two to six (4 sigma), in a text with room."""
    tools, ids = masking(units="blocks", share=0.02), text(3000)[:-1]
    lengths = [len(unit) for seed in range(200) for unit in tools.choose_units(ids, generator(seed))[:-2]]
    shares = np.bincount(lengths, minlength=7)[1:] / len(lengths)
    wanted = np.array([0.6, *[0.08] * 5])
    assert (np.abs(shares - wanted) < 4 * (wanted * (1 - wanted) / len(lengths)) ** 0.5 + 0.01).all(), shares


@pytest.mark.parametrize("units", ["tokens", "words", "spans", "blocks"])
def test_the_mask_the_random_and_the_kept(units: str) -> None:
    """Witness: 80, 10, 10 % of 40,000 masked places, within 4 sigma of their units; of a span all fare alike."""
    tools, ids = masking(units=units, share=0.5), text(400)[:-1]
    masks = kept = total = mixed = 0
    for seed in range(200):
        draw = generator(seed)
        chosen = tools.choose_units(ids, draw)
        seen = tools.replace_tokens(ids, chosen, draw)
        untouched = np.setdiff1d(np.arange(400), np.concatenate(chosen))
        assert np.array_equal(seen[untouched], ids[untouched])
        for unit in chosen:
            masks += int((seen[unit] == MASK).sum())
            kept += int((seen[unit] == ids[unit]).sum())
            total += len(unit)
            mixed += int((seen[unit] == MASK).any() and (seen[unit] == ids[unit]).any())
    sigma = 4 * (10 / total) ** 0.5  # of at most ten tokens together
    assert abs(masks / total - 0.8) < sigma and abs(kept / total - 0.1) < sigma
    assert (mixed == 0) is (units in ("tokens", "spans"))


def test_a_share_of_no_sense_is_refused() -> None:
    """Bad input: more kept and made random than there is."""
    with pytest.raises(BadInput, match=r"got 1.1; allowed: random \+ keep <= 1"):
        MaskSettings(random=0.5, keep=0.6)


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_asks_for_what_stood_there(name: str) -> None:
    """Witness: the text itself, found again by position; the end of the document becomes [SEP] and is never doubled."""
    for seed in range(60):
        ids = text(1 + seed)
        [example] = FRAMES[name](ids, generator(seed), masking(6))
        goal = example.goals["lm"]
        if name != "mixture" or len(example) < len(ids) + 2:  # of two parts: one more [SEP]
            whole = np.concatenate([[CLS], ids[:-1], [SEP]])
        else:
            cut = int(np.flatnonzero(example.turns > 0)[0])
            whole = np.concatenate([[CLS], ids[: cut - 2], [SEP], ids[cut - 2 : -1], [SEP]])
        assert np.array_equal(goal.targets, whole[example.positions[goal.reads]])
        assert END not in example.ids[~np.isin(np.arange(len(example)), goal.reads)]
        assert len(goal.reads) and (goal.weights == 1).all()


def test_the_mixture_is_what_the_paper_says() -> None:
    """Witness: a third, a third, a sixth, a sixth (4 sigma); turns and segments of each kind."""
    counts = {"all": 0, "sequence": 0, "right": 0, "left": 0}
    for seed in range(3000):
        [example] = mixture(text(12), generator(seed), masking(6))
        n, turns = len(example), example.turns.tolist()
        if not any(turns):
            counts["all"] += 1
            assert example.segments is None
        elif turns == list(range(n)):
            counts["right"] += 1
            assert example.segments is not None and set(example.segments.tolist()) == {2}
        elif turns == list(range(n))[::-1]:
            counts["left"] += 1
            assert example.segments is not None and set(example.segments.tolist()) == {3}
        else:
            counts["sequence"] += 1
            source = turns.count(0)
            assert n == 15 and turns[source:] == list(range(1, n - source + 1)) and 3 <= source <= 13
            assert example.segments is not None
            assert example.segments.tolist() == [4] * source + [5] * (n - source)
            assert example.ids[source - 1] == SEP and source - 1 not in example.goals["lm"].reads
    for kind, share in (("all", 1 / 3), ("sequence", 1 / 3), ("right", 1 / 6), ("left", 1 / 6)):
        assert abs(counts[kind] / 3000 - share) < 4 * (share / 3000) ** 0.5
    [example] = mixture(text(12), generator(1), masking(2))
    assert example.segments is None or set(example.segments.tolist()) <= {0, 1}


def states(model: Model, example: Example) -> torch.Tensor:
    with torch.no_grad():
        return model.backbone(collate([[example]]))


@pytest.mark.parametrize("units", ["tokens", "spans", "blocks"])
def test_pseudo_tokens_see_the_units_before_theirs_and_no_more(units: str) -> None:
    """Witness: a model's own states: changing the true token of unit k moves exactly the pseudo tokens of later units."""
    model = Model.fresh(ModelSettings(backbone=preset("bert-tiny", init_std=0.3)), 1).eval()
    [example] = pseudo_masked(text(40), generator(3), masking(units=units, share=0.3, keep=0.0))
    m = len(example.goals["lm"].reads) // 2
    n = len(example) - 2 * m
    true, pseudo = example.turns[n : n + m], example.turns[n + m :]
    assert np.array_equal(true, -pseudo) and sorted(set(true.tolist())) == list(range(1, true.max() + 1))
    assert np.array_equal(example.positions[n : n + m], example.positions[n + m :])
    before = states(model, example)
    for k in range(m):
        changed = example.ids.copy()
        changed[n + k] = (changed[n + k] + 7) % 500
        moved = (states(model, Example(changed, example.turns, example.positions, {})) - before).abs().amax(-1) > 0
        assert not moved[:n].any()  # nobody who is guessed all at once sees a true token
        assert moved[n:].tolist() == [*(true >= true[k]), *(-pseudo > true[k])]


VOCABULARIES = {
    "WordPiece": ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "able", "!"],
    "GPT-1": ["<unk>", "l", "o", "w", "n", "'", "t", "w</w>", "o</w>", "n</w>", "t</w>", "'</w>", "lo", "low</w>"],
}


def test_borders_of_words(tmp_path: Path) -> None:
    """Witness: words read by hand, for the marks of three kinds of vocabularies."""
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARIES["WordPiece"]) + "\n")
    tokenizer = Tokenizer.load(tmp_path)
    ids = tokenizer.encode("unaffable able!")
    assert [w.tolist() for w in WordBoundaries.from_tokenizer(tokenizer).split_words(ids)] == [[0, 1, 2], [3], [4]]
    (tmp_path / "vocab.txt").unlink()
    pieces = {piece: number for number, piece in enumerate(VOCABULARIES["GPT-1"])}
    (tmp_path / "vocab.json").write_text(json.dumps(pieces))
    (tmp_path / "merges.txt").write_text("#version\nl o\nlo w</w>\n")
    tokenizer = Tokenizer.load(tmp_path)
    ids = tokenizer.encode("low lon")
    assert [w.tolist() for w in WordBoundaries.from_tokenizer(tokenizer).split_words(ids)] == [[0], [1, 2]]
    own = Tokenizer.train(["the cat sat on the mat"] * 3, 280)
    ids = own.encode("the cats sat\nmat")
    spelled = [own.decode(ids[word]) for word in WordBoundaries.from_tokenizer(own).split_words(ids)]
    assert spelled == ["the", " cats", " sat", "\n" + "mat"]


@pytest.mark.parametrize("kind", get_args(VocabularyKind))
def test_borders_of_words_in_every_vocabulary(kind: VocabularyKind) -> None:
    """Witness: Python's own split at blanks; of vocabularies of words, with each punctuation mark apart."""
    text = "the cats sat, and the cats ate\nthe mat ."
    tokenizer = Tokenizer.train([text] * 3, 300, vocabulary=kind)
    ids = tokenizer.encode(text)
    words = WordBoundaries.from_tokenizer(tokenizer).split_words(ids)
    apart = text.replace(",", " ,") if "words" in kind else text
    assert [tokenizer.decode(ids[word]).strip() for word in words] == apart.split()
