"""Tokens read as their characters: NumPy, brute force and the texts themselves are the witnesses."""

from typing import Any

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.build.spelling import write_spellings
from warmstart.decode.packed import packed_softmax
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.characters import CharacterInputs
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import InputSettings, ModelSettings
from warmstart.text.spelling import spellings
from warmstart.text.tokenizer import Tokenizer
from warmstart.transfer.start import PartTransfer, start_from

TEXTS = ("the house of the old man, über alles", "an old house is no new house", "the new man, the old fear") * 2
SIZES: dict[str, Any] = {"characters": 9, "filters": (3, 4, 5), "tied": False, "init_std": 0.3}


def vocabulary(kind: str = "words") -> Tokenizer:
    return Tokenizer.train(TEXTS, 300, vocabulary=kind)  # type: ignore[arg-type]


def model(tokenizer: Tokenizer, **changes: Any) -> Model:
    size = preset("lstm-tiny", **{"vocab_size": tokenizer.vocab_size} | SIZES | changes)
    made = Model.fresh(ModelSettings(backbone=size), 1).eval()
    write_spellings(made, tokenizer)
    return made


def inputs_of(made: Model) -> CharacterInputs:
    found = made.backbone.inputs
    assert isinstance(found, CharacterInputs)
    return found


def batch_of(*texts: list[int]) -> Any:
    goal = {"lm": Goal.each(np.array([0]), np.array([0]))}
    return collate([[Example.left_to_right(np.array(ids), goal)] for ids in texts])


def test_a_token_is_the_papers_function_of_its_characters() -> None:
    """Witness: Kim et al. 2016, section 2, and Peters et al. 2018's two highways, word by word in NumPy."""
    tokenizer = vocabulary()
    made = model(tokenizer).double()
    with torch.no_grad():
        for weight in inputs_of(made).parameters():
            weight.normal_(0, 0.4, generator=torch.Generator().manual_seed(weight.numel()))
    own = {name: weight.detach().numpy() for name, weight in inputs_of(made).named_parameters()}
    ids = tokenizer.encode("the old house, über man")
    found = made.backbone.layer_states(batch_of(ids))[0].detach()
    assert len(ids) == 6
    for row, number in enumerate(ids):
        bytes_of = tokenizer.pieces[number].encode()[:7]
        x = own["characters.weight"][[257, *(byte + 1 for byte in bytes_of), 258]]
        padded = np.concatenate([x, np.zeros((3, 16))])
        answers = []
        for w in range(3):
            kernel = own[f"filters.{w}.weight"].reshape(-1, w + 1, 16)
            scores = [(kernel * padded[at : at + w + 1]).sum((1, 2)) + own[f"filters.{w}.bias"] for at in range(len(x))]
            answers.append(np.maximum(np.max(scores, 0), 0))
        h = np.concatenate(answers)
        for layer in range(2):
            to, at = f"highways.{layer}.transform", f"highways.{layer}.gate"
            gate = 1 / (1 + np.exp(-(own[f"{at}.weight"] @ h + own[f"{at}.bias"])))
            h = gate * np.maximum(own[f"{to}.weight"] @ h + own[f"{to}.bias"], 0) + (1 - gate) * h
        np.testing.assert_allclose(found[row], own["project.weight"] @ h + own["project.bias"], rtol=1e-9)


def test_spellings_are_the_bytes_of_the_text() -> None:
    """Witness: the texts themselves, which the spellings of their tokens make again; words as they are written."""
    tokenizer = vocabulary("bpe")
    spelled = spellings(tokenizer)
    for text in TEXTS:
        assert b"".join(spelled[number] for number in tokenizer.encode(text)).decode() == text
    words = vocabulary()
    assert [spellings(words)[number].decode() for number in words.encode("old man, house")] == [
        "old",
        "man",
        ",",
        "house",
    ]


def test_words_that_share_characters_learn_together() -> None:
    """Invariant: the gradient of a word reaches what another word of the same letters is read as, and no table."""
    tokenizer = vocabulary()
    made = model(tokenizer)
    house, old = tokenizer.encode("house old")
    before = made.backbone.layer_states(batch_of([old]))[0]
    made(batch_of([house, house]))["lm"].sum.backward()
    assert len(made.backbone.tokens.weight) == 0
    with torch.no_grad():
        for weight in inputs_of(made).parameters():
            assert weight.grad is not None
            weight -= weight.grad
    assert not torch.equal(made.backbone.layer_states(batch_of([old]))[0], before)


def test_a_token_is_read_alike_whatever_stands_beside_it() -> None:
    """Invariant: alone, repeated, and beside longer and shorter words of other texts."""
    tokenizer = vocabulary()
    made, (old,) = model(tokenizer).double(), tokenizer.encode("old")
    alone = made.backbone.layer_states(batch_of([old]))[0]
    for others in ("house house", ", man", "of the old new fear"):
        rows = made.backbone.layer_states(batch_of([*tokenizer.encode(others), old], [old, old]))[0]
        torch.testing.assert_close(rows[-3:], alone.expand(3, -1), atol=1e-12, rtol=0)


def test_a_search_reads_what_a_whole_reading_reads() -> None:
    """Witness: the text read anew; the kernels of a search take the layers' weights in another form."""
    tokenizer = vocabulary()
    made, ids = model(tokenizer, layers=2), tokenizer.encode("the old man , the new house")
    body = made.backbone
    with torch.no_grad(), packed_softmax(made, 1):
        cache = body.read_sources([ids[:4]], 0).cache
        cache.begin_step(torch.tensor([4]), 1, 0)
        step = body.forward_cached(torch.tensor([[ids[4]]]), 0, cache, answers=1)
    with torch.no_grad():
        whole = body(batch_of(ids[:5]))
    torch.testing.assert_close(step[0, 0], whole[-1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [None, 0])
def test_a_start_takes_the_convolutions_and_the_spelling(layers: int | None) -> None:
    """Witness: the source's own states of the embeddings; the account names no table that is not there."""
    tokenizer = vocabulary()
    source, target = model(tokenizer), model(tokenizer, vocab_size=tokenizer.vocab_size + 3)
    with torch.no_grad():
        inputs_of(target).project.weight.zero_()
    account = start_from(target, PartTransfer(source, layers=layers))
    batch = batch_of(tokenizer.encode("the old man"))
    torch.testing.assert_close(target.backbone.layer_states(batch)[0], source.backbone.layer_states(batch)[0])
    assert "backbone.inputs.project.weight" in account.loaded
    assert not [
        name for name in (*account.loaded, *account.initialised) if "tokens.weight" in name or "spelling" in name
    ]


def test_both_directions_of_a_frozen_elmo_hide_no_more_than_they_say() -> None:
    """Brute force: each token of a text is changed in turn; the direction that has not read it yet does not change a bit."""
    tokenizer = vocabulary()
    made = model(tokenizer, directions=2, layers=2, width=32, embedding_width=32, cells=64, residual=True)
    ids = tokenizer.encode("the old man of the new house")
    with torch.no_grad():
        before = torch.stack(made.backbone.text_states(batch_of(ids))[1:])
        for place in range(len(ids)):
            other = [*ids]
            other[place] = tokenizer.encode("fear")[0]
            after = torch.stack(made.backbone.text_states(batch_of(other))[1:])
            same = (before == after).all(0)
            assert same[:place, :32].all() and same[place + 1 :, 32:].all()
            assert not same[place:, :32].all(1).any() and not same[: place + 1, 32:].all(1).any()


def test_a_tagger_reads_a_language_model_of_characters() -> None:
    """Witness: the language model alone, mixed and projected by hand; frozen, it has no gradient."""
    tokenizer = vocabulary()
    lm = model(tokenizer, width=32, embedding_width=32, cells=32)
    size = lm.settings.backbone.with_parts(pooler=False, lm=False)
    reader = preset("lstm-tiny", vocab_size=tokenizer.vocab_size)
    made = Model.fresh(ModelSettings(backbone=reader, inputs={"text": InputSettings(backbone=size, place="beside")}), 2)
    start_from(made, PartTransfer(lm, target_part="backbone.inputs.lm"))
    batch = batch_of(tokenizer.encode("the old man"))
    layers = [torch.nn.functional.layer_norm(h, h.shape[-1:]) for h in lm.backbone.text_states(batch)]
    inputs: Any = made.backbone.inputs
    read = inputs.below.project(torch.stack(layers).mean(0)) + made.backbone.tokens.weight[batch.ids]
    torch.testing.assert_close(made.eval().backbone.layer_states(batch)[0], read)
    made(batch)["lm"].sum.backward()
    assert all(weight.grad is None for weight in inputs.lm.parameters())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tied": True}, "a softmax that uses the token table needs one"), ({"characters": 3}, "too few characters"),
        ({"filters": (2, 0)}, "a width without filters"), ({"vectors": True}, "images have no characters"),
    ],
)  # fmt: skip
def test_what_characters_do_not_go_with(changes: dict[str, Any], sentence: str) -> None:
    """Each refusal says what is allowed instead."""
    with pytest.raises(BadInput, match=sentence) as caught:
        preset("lstm-tiny", vocab_size=30, width=16, embedding_width=16, cells=16, **SIZES | changes).check()
    assert caught.value.allowed
