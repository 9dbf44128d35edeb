"""log p(continuation | context): a plain loop over single texts as witness, in whatever company and windows."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.causal import CausalModel
from warmstart.zeroshot.likelihood import Pair, TokenRun
from warmstart.zeroshot.masked import MaskedModel
from warmstart.zeroshot.scorer import Scorer, token_model
from warmstart.zeroshot.shared import groups_of
from warmstart.zeroshot.windows import windows

SMALL = {"layers": 2, "width": 32, "heads": 2, "hidden": 64, "context": 16}
LINES = ["a heron stands in the reeds", "the reeds bend and the heron waits", "“quoted” reeds, naïve herons"] * 5
PAIRS = [
    Pair("the heron", " stands in the reeds"), Pair("the heron ", "waits"), Pair("", "the reeds bend"),
    Pair("a heron stands in the", " ree"), Pair("the hero", "n waits"), Pair("naï", "ve herons"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(LINES, 300)


def fresh(tokenizer: Tokenizer, name: str, **changes: object) -> Model:
    backbone = preset(name, vocab_size=tokenizer.vocab_size, **{"init_std": 0.3, **changes})
    return Model.fresh(ModelSettings(backbone=backbone), 1).eval()


@pytest.fixture(scope="module")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("zeroshot") / "run"
    found.mkdir()
    write_model(found, fresh(tokenizer, "gpt2", **SMALL), tokenizer, RunMetadata(), "A test.")
    return found


def loop(model: Any, tokenizer: Tokenizer, pair: Pair) -> tuple[list[float], list[bool]]:
    """Each token of the whole text that ends behind the context, by transformers, one text at a time."""
    ids, offsets = tokenizer.encode_with_offsets(pair.context + pair.continuation)
    first = next(n for n, (_, end) in enumerate(offsets) if end > len(pair.context))
    begin = [] if pair.context else [tokenizer.end_id]
    with torch.inference_mode():
        whole = torch.tensor([[*begin, *ids.tolist()]])
        logits = model(whole, attention_mask=torch.ones_like(whole)).logits[0]
    predicted = logits[first + len(begin) - 1 : -1]
    chosen = torch.tensor(ids[first:])
    log_probs = predicted.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
    return log_probs.tolist(), (predicted.argmax(-1) == chosen).tolist()


@pytest.mark.parametrize("piece", [512, 3])  # tokens of a feed-forward part at a time
def test_pairs_are_those_of_a_plain_loop(
    piece: int, folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: transformers, one text at a time, with the continuation's tokens found by their characters."""
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr("warmstart.decode.packed.PIECE", piece)
    model, theirs = fresh(tokenizer, "gpt2", **SMALL), AutoModelForCausalLM.from_pretrained(folder).eval()
    found = list(Scorer(CausalModel(model, tokenizer), tokenizer).score(PAIRS))
    for pair, one in zip(PAIRS, found, strict=True):
        log_probs, right = loop(theirs, tokenizer, pair)
        assert one.log_probs == pytest.approx(log_probs, abs=1e-5)
        assert one.right.tolist() == right and one.greedy == all(right)
        assert one.total == pytest.approx(sum(log_probs), abs=1e-4)
    assert [one.spans_border for one in found] == [False, False, False, False, True, True]


@pytest.mark.parametrize("name", ["modern-micro", "gpt1-tiny", "lstm-tiny"])
def test_company_changes_nothing(tokenizer: Tokenizer, name: str) -> None:
    """Invariant: a pair's likelihood among others is its likelihood alone, choices of one context or not."""
    scorer = Scorer(CausalModel(fresh(tokenizer, name), tokenizer), tokenizer)
    choices = [
        Pair("what waits in the reeds bends and stands and", f" the {end}")
        for end in ("heron waits", "heron stands", "reeds", "x")
    ]
    together = list(scorer.score([*PAIRS, *choices]))
    for pair, one in zip([*PAIRS, *choices], together, strict=True):
        [alone] = scorer.score([pair])
        assert one.log_probs == pytest.approx(alone.log_probs, abs=5e-5)
        assert one.right.tolist() == alone.right.tolist()


def test_what_runs_share_is_found() -> None:
    """Witness: by hand: choices of one context, the context of another question, one that predicts within it, and many."""
    context = list(range(20))
    runs = [TokenRun(np.array(ids), first) for ids, first in (
        ([*context, 30, 31], 20), ([*context, 32], 20), ([*context[:15], 40, 41, 42, 43, 44, 45], 20), ([50, 51, 52], 1),
        ([*context, 30], 20), ([*context, 33], 4),
    )]  # fmt: skip
    found = [(len(group.runs), group.shared) for group in groups_of(runs)]
    assert found == [(3, 15), (1, 1), (1, 20), (1, 4)]
    instructed = [TokenRun(np.arange(600) + 10_000 * (np.arange(600) >= 400) * number, 590) for number in range(40)]
    groups = groups_of(instructed)
    assert [group.shared for group in groups] == [400] * 5 and sum(len(group.runs) for group in groups) == 40
    assert all(len(group.example().ids) == group.size <= 2048 for group in groups)


@pytest.mark.parametrize(("room", "context"), [(5, 1), (5, 3), (4, 2), (50, 7)])
def test_windows_predict_each_token_once(room: int, context: int) -> None:
    """Invariants: each token is predicted once, in order, after the tokens before it, however the text comes in parts."""
    ids = np.arange(23)
    for cuts in ([], [1], [4, 9, 10], list(range(1, 23))):
        parts = [ids[start:stop] for start, stop in pairwise([0, *cuts, 23])]
        runs = list(windows(parts, 1, room, context))
        assert [i for run in runs for i in run.ids[run.first :].tolist()] == list(range(1, 23))
        assert all((np.diff(run.ids) == 1).all() and len(run.ids) <= room for run in runs)
        assert all(run.first >= min(context, run.ids[run.first]) for run in runs)


@pytest.mark.parametrize("context", [1, 4, None])
def test_a_long_text_is_the_sum_of_its_windows(tokenizer: Tokenizer, context: int | None) -> None:
    """Witness: brute force, each token predicted in a text of its own, after as many tokens as its window has."""
    model = fresh(tokenizer, "gpt1-tiny", context=8)
    scorer = Scorer(CausalModel(model, tokenizer), tokenizer, min_context=context)
    text = " ".join(LINES[:4])
    ids = np.array([tokenizer.end_id, *tokenizer.encode(text)])
    total = 0.0
    for run in windows([ids], 1, 9, scorer.min_context):
        for place in range(run.first, len(run.ids)):
            batch = CausalModel(model, tokenizer).answer([run._replace(ids=run.ids[: place + 1], first=place)])
            total += float(next(batch).log_probs[0])
    found = scorer.score_text([text[:7], text[7:]])
    assert found.log_prob == pytest.approx(total, rel=1e-5) and found.tokens == len(ids) - 1


def test_a_model_without_a_limit_reads_windows_too(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the sum over windows, each a text of its own: memory does not grow with the text."""
    monkeypatch.setattr("warmstart.zeroshot.scorer.WINDOW", 20)
    model = CausalModel(fresh(tokenizer, "lstm-tiny"), tokenizer)
    text = " ".join(LINES)
    ids = np.array([tokenizer.end_id, *tokenizer.encode(text)])
    runs = list(windows([ids], 1, 20, 10))
    assert len(runs) > 1
    total = sum(float(one.log_probs.sum()) for run in runs for one in model.answer([run]))
    found = Scorer(model, tokenizer).score_text([text])
    assert found.log_prob == pytest.approx(total, rel=1e-5) and found.tokens == len(ids) - 1


def test_a_masked_model_is_asked_token_by_token(tokenizer: Tokenizer) -> None:
    """Witness: Salazar et al. 2020: each token of the continuation masked alone, in the whole text, by a plain loop."""
    words = tokenizer.with_special_tokens(["[CLS]", "[SEP]", "[MASK]"])
    model = fresh(words, "bert-tiny")
    mask = words.token_to_id("[MASK]")
    found = list(Scorer(MaskedModel(model, words), words).score(PAIRS))
    for pair, one in zip(PAIRS, found, strict=True):
        ids, offsets = words.encode_with_offsets(pair.context + pair.continuation)
        places = [n for n, (_, end) in enumerate(offsets) if end > len(pair.context)]
        expected = []
        for place in places:
            masked = torch.from_numpy(ids.copy())
            masked[place] = mask
            logits = logits_of(model, masked)
            expected.append(float(logits[place].log_softmax(-1)[ids[place]]))
        assert one.log_probs == pytest.approx(expected, abs=1e-5)


def logits_of(model: Model, ids: torch.Tensor) -> torch.Tensor:
    """[T, V] of one text in which all tokens see each other."""
    from warmstart.example.batch import collate
    from warmstart.example.example import Example, Goal

    reads = np.arange(len(ids))
    goal = Goal.each(reads, np.zeros(len(ids), np.int64))
    batch = collate([[Example(ids.numpy(), np.zeros(len(ids), np.int64), reads, {"lm": goal})]])
    return model.answers(batch)["lm"]


def test_a_context_that_does_not_fit(tokenizer: Tokenizer) -> None:
    """Witness: the same pair with the context's end alone, and the sentences."""
    model = CausalModel(fresh(tokenizer, "gpt1-tiny", context=8), tokenizer)
    long = Pair(" ".join(LINES[:2]), " waits", "rows.jsonl:3")
    whole = tokenizer.encode(long.context + long.continuation)
    [cut] = Scorer(model, tokenizer).score([long])
    [end] = model.answer([TokenRun(whole[-9:], 9 - len(cut.log_probs))])
    assert cut.cut == len(whole) - 9 and cut.log_probs == pytest.approx(end.log_probs, abs=1e-5)
    with pytest.raises(BadInput, match=rf"rows.jsonl:3: longer than the model can read; got '{len(whole)} tokens'; "):
        list(Scorer(model, tokenizer, long_context="refuse").score([long]))
    with pytest.raises(BadInput, match="longer than the model can read"):
        list(Scorer(model, tokenizer).score([Pair("a", " ".join(LINES[:3]))]))
    with pytest.raises(BadInput, match="nothing to predict"):
        list(Scorer(model, tokenizer).score([Pair("a heron", "")]))
    with pytest.raises(BadInput, match="--min-context: no token would be predicted; got 9; allowed: 1 to 8"):
        Scorer(model, tokenizer, min_context=9)


def test_a_model_without_likelihoods_is_refused(tokenizer: Tokenizer) -> None:
    """Witness: the sentence; a masked model whose vocabulary has no mask."""
    with pytest.raises(BadInput, match=r"run: this model gives a text no likelihood; .*left-to-right language models"):
        token_model(fresh(tokenizer, "bert-tiny"), tokenizer, "run")
    with pytest.raises(BadInput, match="gives a text no likelihood"):
        token_model(fresh(tokenizer, "encoder-decoder-tiny"), tokenizer, "run")
