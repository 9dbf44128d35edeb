"""Generation with a key/value cache against reading the whole text anew for every token."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.decode import search as search_module
from warmstart.decode.generate import Generation, generate
from warmstart.decode.limits import Limits, limits_of
from warmstart.decode.sampling import choose
from warmstart.decode.settings import GenerateSettings
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models import backbone as backbone_module
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.text.tokenizer import Tokenizer

END = 3
VOCABULARY = 40  # small, so that the end token comes up


def make(norm: str = "post", context: int = 48, **changes: object) -> Model:
    backbone = preset("gpt1-tiny", norm=norm, vocab_size=VOCABULARY, context=context, init_std=0.3, **changes)
    return Model.fresh(ModelSettings(backbone=backbone), 1)


def prompts(*lengths: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(4, VOCABULARY, n).tolist() for n in lengths]


@torch.no_grad()
def uncached(model: Model, prompt: list[int], settings: GenerateSettings, number: int = 0) -> Generation:
    """The whole text through a Batch for every new token."""
    model.eval()
    context = model.settings.backbone.context
    uniform = torch.from_numpy(generator(settings.seed, "generate", number, 0).random(settings.max_new))
    ids, new, log_prob = list(prompt), [], 0.0
    while True:
        states = model.backbone(collate([[Example.left_to_right(np.array(ids), {})]]))
        logits = model.next_token_logits(states[-1:])
        token = int(choose(logits, settings, uniform[len(new) :][:1]))
        log_prob += float(logits.log_softmax(-1)[0, token])
        if token == END:
            return Generation(tuple(new), "end", log_prob, 0)
        ids.append(token)
        new.append(token)
        if len(new) == settings.max_new:
            return Generation(tuple(new), "limit", log_prob, 0)
        if len(ids) > context:
            return Generation(tuple(new), "context", log_prob, 0)


def same(left: Generation, right: Generation) -> None:
    assert (left.ids, left.stopped, left.cut) == (right.ids, right.stopped, right.cut)
    assert left.log_prob == pytest.approx(right.log_prob, abs=1e-5 * (len(left.ids) + 1))


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("chunk", [128, 5])  # the prompts in one chunk, and in several
@pytest.mark.parametrize("changes", [{"greedy": True}, {"top_p": 0.95, "temperature": 1.3}, {"top_k": 10}])
def test_cached_equals_uncached(
    norm: str, chunk: int, changes: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: a full forward pass over the growing text, one prompt at a time; ids equal, log-probabilities to 1e-5."""
    monkeypatch.setattr(backbone_module, "CHUNK", chunk)
    model, settings = make(norm), GenerateSettings.model_validate({"max_new": 20} | changes)
    given = prompts(7, 1, 30, 12, 48, 5, 5, 47, 20)
    found = generate(model, given, settings, END)
    for number, (prompt, ours) in enumerate(zip(given, found, strict=True)):
        same(ours, uncached(model, prompt, settings, number))
    assert len({ours.stopped for ours in found}) >= 2


WINDOWS = {"windows": (4, None, 9), "layers": 3, "positions": "rotary", "local_rotary_base": 100.0}
DISTANCES = {"disentangled": ("c2p", "p2c"), "positions": "none", "distance_buckets": 8, "layer_groups": 1}


@pytest.mark.parametrize("changes", [WINDOWS, DISTANCES], ids=["windows", "distances"])
@pytest.mark.parametrize("chunk", [128, 5])
def test_what_layers_see_in_the_cache(chunk: int, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a full forward pass over the growing text; prompts shorter and longer than the windows and buckets."""
    monkeypatch.setattr(backbone_module, "CHUNK", chunk)
    model, settings = make("pre", **changes), GenerateSettings(max_new=12, greedy=True)
    given = prompts(7, 1, 30, 12, 5)
    for prompt, ours in zip(given, generate(model, given, settings, END), strict=True):
        same(ours, uncached(model, prompt, settings))


def test_all_ways_to_stop() -> None:
    """Witness: the uncached loop, and the lengths it implies: a full context still predicts one token more."""
    model, settings = make(), GenerateSettings(max_new=12, temperature=2.0, seed=2)
    found = generate(model, prompts(*range(1, 49)), settings, END)
    assert {ours.stopped for ours in found} == {"end", "limit", "context"}
    for length, ours in enumerate(found, start=1):
        if ours.stopped == "limit":
            assert len(ours.ids) == 12
        if ours.stopped == "context":
            assert length + len(ours.ids) == 48 + 1
        assert END not in ours.ids


def test_a_text_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: rows alone, in batches of 3 and all together give the same texts."""
    model, settings = make(), GenerateSettings(max_new=15, seed=4)
    given = prompts(3, 17, 9, 1, 40, 25, 8, 2)
    together = generate(model, given, settings, END)
    monkeypatch.setattr(search_module, "MOST_ROWS", 3)
    for ours, theirs in zip(together, generate(model, given, settings, END), strict=True):
        same(ours, theirs)
    for number, (prompt, ours) in enumerate(zip(given, together, strict=True)):
        [alone] = generate(model, [prompt], settings, END, first=number)
        same(ours, alone)


def test_samples_of_a_prompt() -> None:
    """Invariant: samples stand prompt by prompt, differ from each other, and the first is the one of ``samples=1``."""
    model, given = make(), prompts(6, 11, 6)
    one = generate(model, given, GenerateSettings(max_new=10), None)
    many = generate(model, given, GenerateSettings(max_new=10, samples=4), None)
    assert len(many) == 12
    for number, ours in enumerate(one):
        same(ours, many[4 * number])
    assert len({ours.ids for ours in many}) == 12


def test_seeds_name_the_draws() -> None:
    """Invariant: the same seed gives the same text, another seed another, and a longer limit only goes on."""
    model, given = make(), prompts(6, 11)
    first = generate(model, given, GenerateSettings(max_new=10, seed=7), None)
    assert first == generate(model, given, GenerateSettings(max_new=10, seed=7), None)
    other = generate(model, given, GenerateSettings(max_new=10, seed=8), None)
    assert all(a.ids != b.ids for a, b in zip(first, other, strict=True))
    longer = generate(model, given, GenerateSettings(max_new=20, seed=7), None)
    assert [ours.ids for ours in first] == [ours.ids[:10] for ours in longer]


def test_a_low_temperature_is_greedy() -> None:
    """Invariant: the limit of sampling is the likeliest token."""
    model, given = make(), prompts(6, 11, 20)
    cold = generate(model, given, GenerateSettings(max_new=10, temperature=1e-9), END)
    for ours, theirs in zip(cold, generate(model, given, GenerateSettings(max_new=10, greedy=True), END), strict=True):
        same(ours, theirs)


def test_a_prompt_longer_than_the_context_keeps_its_end() -> None:
    """Witness: the same model on the last context - 1 tokens; the Generation says how many were cut."""
    model, settings = make(context=16), GenerateSettings(greedy=True)
    [long] = prompts(40)
    [ours] = generate(model, [long], settings, None)
    [short] = generate(model, [long[-15:]], settings, None)
    assert (ours.cut, short.cut) == (25, 0)
    assert (ours.ids, ours.log_prob, ours.stopped) == (short.ids, short.log_prob, "context")
    [fitting] = generate(model, [long[:16]], settings, None)
    assert fitting.cut == 0


def test_an_empty_prompt_starts_from_the_end_token() -> None:
    """Witness: the prompt that holds the end token alone; without an end token it is refused in one sentence."""
    model, settings = make(), GenerateSettings(max_new=5, temperature=3.0)
    [empty], [given] = generate(model, [[]], settings, END), generate(model, [[END]], settings, END)
    same(empty, given)
    with pytest.raises(BadInput) as caught:
        generate(model, [[5], []], settings, None)
    assert str(caught.value) == (
        "prompt 2: an empty prompt, and the model has no end token to start from; got ''; "
        "allowed: at least one token; give the text that is to be continued."
    )


def test_a_bidirectional_model_is_refused() -> None:
    """Invariant: one clear sentence instead of words that follow from nothing."""
    model = Model.fresh(ModelSettings(backbone=preset("bert-tiny", vocab_size=VOCABULARY)), 1)
    with pytest.raises(BadInput, match="does not continue one"):
        generate(model, prompts(3), GenerateSettings(max_new=2), END)


def test_generation_leaves_no_trace() -> None:
    """Invariant: no dropout, no gradient, no use of torch's own random state; no prompts, no texts."""
    model = make().train()
    before = torch.get_rng_state()
    first = generate(model, prompts(5), GenerateSettings(max_new=8), END)
    assert torch.equal(before, torch.get_rng_state())
    assert not model.training
    assert first == generate(model, prompts(5), GenerateSettings(max_new=8), END)
    assert generate(model, [], GenerateSettings(), END) == []


def test_a_word_is_forbidden_wherever_it_stands() -> None:
    """Witness: the vocabulary itself, which has other tokens for a word after a blank."""
    own = Tokenizer.train(["in a tin in the inn , in it . in"] * 20, 300)
    limits = limits_of(GenerateSettings(forbidden=("in",), ignored=(".",), no_repeat=2), own, None)
    assert set(limits.forbidden) == {tuple(own.encode("in").tolist()), tuple(own.encode(" in").tolist())}
    assert len(limits.forbidden) == 2 and set(own.encode(".").tolist()) <= set(limits.ignored)


WAYS: dict[str, dict[str, object]] = {
    "greedy": {"greedy": True}, "sampling": {"temperature": 1.5, "samples": 4}, "top-k": {"top_k": 30},
    "beam": {"beam": 4, "best": 4},
    "groups": {"beam": 4, "groups": 2}, "s2s-ft": {"beam": 3, "compat": "s2s-ft"}, "least": {"greedy": True, "min_new": 4},
}  # fmt: skip


def with_loud_rows(ids: tuple[int, ...]) -> Model:
    """A model in which the tokens ``ids`` would often be chosen."""
    model = Model.fresh(ModelSettings(backbone=preset(
        "gpt1-tiny", norm="pre", vocab_size=VOCABULARY, context=48, init_std=0.3, tied=False,
    )), 1)  # fmt: skip
    with torch.no_grad():
        model.backbone.output.weight[list(ids)] *= 4
    return model


@pytest.mark.parametrize("way", WAYS)
def test_ids_without_a_token_never_come(way: str) -> None:
    """Witness: the same model whose output rows of these ids are gone (-inf by a limit of one forbidden word each)."""
    absent = (5, 17, *range(30, VOCABULARY))
    model, settings = with_loud_rows(absent), GenerateSettings.model_validate({"max_new": 12} | WAYS[way])
    free = generate(model, prompts(6, 11), settings, END)
    assert any(token in absent for text in free for token in text.ids)
    limits = Limits(END, settings.min_new, absent=absent)
    found = generate(model, prompts(6, 11), settings, END, limits)
    assert not any(token in absent for text in found for token in text.ids)
    if settings.compat == "none":
        forbidden = Limits(END, settings.min_new, forbidden=tuple((token,) for token in absent))
        for ours, theirs in zip(found, generate(model, prompts(6, 11), settings, END, forbidden), strict=True):
            same(ours, theirs)


@pytest.mark.parametrize("way", WAYS)
def test_every_end_token_ends_a_text(way: str) -> None:
    """Witness: texts hold none of the ends; greedy and samples are those of the uncached loop that stops at any of them."""
    ends = (END, 9, 21)
    model, settings = with_loud_rows(ends[1:]), GenerateSettings.model_validate({"max_new": 12} | WAYS[way])
    alone = generate(model, prompts(6, 11), settings, END)
    assert any(end in text.ids for text in alone for end in ends)
    limits = Limits(END, settings.min_new, more_ends=ends[1:])
    found = generate(model, prompts(6, 11), settings, END, limits)
    assert not any(end in text.ids for text in found for end in ends)
    assert "end" in {text.stopped for text in found}
    assert all(len(text.ids) >= settings.min_new for text in found)
    assert (
        len({(number // settings.texts, text.ids) for number, text in enumerate(found)}) == len(found)
        or not settings.searches
    )
    if way in ("greedy", "sampling"):
        for ours, whole in zip(found, alone, strict=True):
            cut = next((n for n, token in enumerate(whole.ids) if token in ends), None)
            assert ours.ids == whole.ids[:cut]


def test_a_beam_with_several_ends_finds_the_best_texts() -> None:
    """Witness: every text of up to two tokens, its end the likeliest of the three, scored by reading it anew."""
    ends, model = (END, 9, 21), with_loud_rows((9, 21))
    [prompt] = prompts(5)
    scores: dict[tuple[int, ...], float] = {}

    def log_probs(ids: list[int]) -> list[float]:
        with torch.no_grad():
            states = model.eval().backbone(collate([[Example.left_to_right(np.array(ids), {})]]))
            return model.next_token_logits(states[-1:]).log_softmax(-1)[0].tolist()  # type: ignore[no-any-return]

    first = log_probs(prompt)
    scores[()] = max(first[end] for end in ends)
    for token in set(range(VOCABULARY)) - set(ends):
        after = log_probs([*prompt, token])
        scores[(token,)] = first[token] + max(after[end] for end in ends)
        for second in set(range(VOCABULARY)) - set(ends):
            scores[token, second] = first[token] + after[second]  # as long as a text may be
    best = sorted(scores, key=lambda text: -scores[text])[:3]
    settings = GenerateSettings(beam=10, best=3, max_new=2)
    found = generate(model, [prompt], settings, END, Limits(END, more_ends=ends[1:]))
    assert [text.ids for text in found] == best
    assert [text.log_prob for text in found] == pytest.approx([scores[text] for text in best], abs=1e-4)


def test_what_begins_every_text_is_read_and_never_cut() -> None:
    """Witness: the same tokens in the prompt itself; of a long prompt its end behind them."""
    model, settings = make(context=16), GenerateSettings(greedy=True, max_new=5)
    short, long = prompts(4, 40)
    given = generate(model, [short, long, []], settings, END, begin=(7, 8))
    wanted = generate(model, [[7, 8, *short], [7, 8, *long[-13:]], [7, 8]], settings, END)
    for ours, theirs in zip(given, wanted, strict=True):
        assert (ours.ids, ours.stopped) == (theirs.ids, theirs.stopped)
    assert [text.cut for text in given] == [0, 27, 0]
