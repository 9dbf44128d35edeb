"""Vectors of models: sentence-transformers' of texts, transformers' hidden states by hand for words."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_runs_transformers import bert  # noqa: F401 a fixture
from transformers import AutoModel, AutoTokenizer

from warmstart.base.errors import BadInput
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.embed.sources import open_encoder
from warmstart.embed.static import StaticEncoder, distil, zipf_weights
from warmstart.run.loading import load_run

library = pytest.importorskip("sentence_transformers", minversion="5")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code
TEXTS = [f"the film {'was sad ' * n}a story of people {n}" for n in range(30)] + ["a", "", "the " * 300]


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("mode", ["mean", "cls", "lasttoken"])
def test_vectors_of_texts_are_sentence_transformers(
    mode: str,
    normalise: bool,
    bert: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Witness: the library's own folder, loaded by it: one text, an empty one, one that is too long."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the place of these has moved
        from sentence_transformers.models import Normalize, Pooling, Transformer
    modules = [Transformer(str(bert), max_seq_length=20), Pooling(32, pooling_mode=mode), *([Normalize()] * normalise)]
    library.SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "encoder"))
    theirs = library.SentenceTransformer(str(tmp_path / "encoder"), device="cpu").encode(TEXTS)
    ours = ContextualEncoder.load(str(tmp_path / "encoder"), EncoderOptions()).encode(TEXTS)
    # Vectors of length 1 may come of products of numbers split in two: random weights of this size make more of it than
    # trained ones, whose vectors stay within 2e-6.
    np.testing.assert_allclose(ours, theirs, atol=5e-5 if normalise else 1e-5)
    assert np.std(theirs, axis=0).mean() > 1e-3


def test_bfloat16_is_nearer_to_float32_where_states_are(bert: Path) -> None:  # noqa: F811
    """Witness: torch's bfloat16 of the same weights, whose states are rounded as well: farther from float32's
    vectors, of texts and of words. And packed products stand in the place of linears only while texts are read."""
    exact = ContextualEncoder.load(str(bert), EncoderOptions())
    ours = ContextualEncoder.load(str(bert), EncoderOptions(precision="bf16"))
    if next(ours.backbone.parameters()).dtype != torch.float32:
        pytest.skip("no AMX: states are bfloat16")
    run = load_run(bert)
    run.model.bfloat16()
    rounded = ContextualEncoder(run, EncoderOptions(precision="bf16"))
    for vectors in (
        lambda encoder: encoder.encode(TEXTS),
        lambda encoder: encoder.word_vectors(["film", "sad"]).matrix,
    ):
        wanted = vectors(exact)
        assert 0 < np.abs(vectors(ours) - wanted).mean() < np.abs(vectors(rounded) - wanted).mean()
    assert all("qkv" not in part.__dict__ for part in ours.backbone.modules())


def test_equal_texts_are_read_once(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Invariant: the vectors of texts that come again are those of the texts; the tokenizer sees each text once."""
    encoder = ContextualEncoder.load(str(bert), EncoderOptions())
    alone = encoder.encode(TEXTS)
    seen: list[str] = []
    own = encoder.run.text.encode_batch
    monkeypatch.setattr(
        type(encoder.run.text), "encode_batch", lambda _, texts: own([seen.append(t) or t for t in texts])
    )
    np.testing.assert_allclose(encoder.encode(TEXTS + TEXTS[::-1]), np.concatenate([alone, alone[::-1]]), atol=1e-5)
    assert len(seen) == len({*TEXTS})


@pytest.mark.parametrize("layer", [-1, 0, 1])
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_vectors_of_words_are_their_states(pooling: str, layer: int, bert: Path) -> None:  # noqa: F811
    """Witness: transformers' hidden states of a word by itself, and averaged over the places of a corpus."""
    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)

    def states(words: list[str]) -> list[np.ndarray]:
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**encoded, output_hidden_states=True).hidden_states[layer][0].numpy()
        own = [[n for n, word in enumerate(encoded.word_ids()) if word == place] for place in range(len(words))]
        return [{"mean": hidden[at].mean(0), "first": hidden[at[0]], "last": hidden[at[-1]]}[pooling] for at in own]

    encoder = ContextualEncoder.load(str(bert), EncoderOptions(layer=layer, word_pooling=pooling))
    found = encoder.word_vectors(["film", "films", "the", "film"])
    assert found.words == ["film", "films", "the"]
    np.testing.assert_allclose(found.matrix, [states([word])[0] for word in found.words], atol=1e-5)
    lines = ["the film was", "no match here", "films film of film"]
    averaged = encoder.averaged_vectors(["film", "the", "gone"], lines)
    assert averaged.words == ["film", "the"]
    first, last = states(lines[0].split()), states(lines[2].split())
    np.testing.assert_allclose(averaged.matrix[0], np.mean([first[1], last[1], last[3]], axis=0), atol=1e-5)
    np.testing.assert_allclose(averaged.matrix[1], first[0], atol=1e-5)


def test_a_layer_that_is_not_there(bert: Path) -> None:  # noqa: F811
    """Bad input."""
    with pytest.raises(BadInput, match=r"--layer: no such layer; got 9; allowed: 0 \(the embeddings\) to 2"):
        ContextualEncoder.load(str(bert), EncoderOptions(layer=9))


def test_static_vectors_are_those_of_the_library(bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Witness: sentence-transformers loads the folder; PCA by scikit-learn over the encoder's vectors of single tokens."""
    from sklearn.decomposition import PCA

    encoder = ContextualEncoder.load(str(bert), EncoderOptions(pooling="mean"))
    made = distil(encoder, 8, 1e-3)
    made.save(tmp_path / "static")
    theirs = library.SentenceTransformer(str(tmp_path / "static"), device="cpu")
    read = open_encoder(str(tmp_path / "static"), EncoderOptions())
    assert isinstance(read, StaticEncoder)
    np.testing.assert_allclose(read.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)
    pieces = encoder.run.text.pieces
    words = [number for number, piece in enumerate(pieces) if piece.isalpha()]
    tokens = encoder.encode([pieces[number] for number in words])
    vectors = encoder.token_vectors()
    np.testing.assert_allclose(vectors[words], tokens, atol=1e-5)
    plain = np.array([number for number in range(len(pieces)) if number not in encoder.run.text.special_ids])
    axes = PCA(8, svd_solver="full").fit_transform(vectors[plain].astype(np.float64))
    weights = zipf_weights(len(pieces), 1e-3)[plain, None]
    np.testing.assert_allclose(np.abs(made.table_VD[plain]), np.abs(axes * weights), atol=1e-4)
    assert not made.table_VD[[*encoder.run.text.special_ids]].any()


def test_frequent_tokens_count_less() -> None:
    """Witness: a / (a + p) with Zipf's p by hand; 0 leaves all alike."""
    shares = np.array([1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(zipf_weights(3, 0.1), 0.1 / (0.1 + shares / shares.sum()), rtol=1e-6)
    assert zipf_weights(3, 0.0).tolist() == [1, 1, 1]


def test_static_vectors_have_no_places(bert: Path, tmp_path: Path) -> None:  # noqa: F811
    """Bad input: vectors averaged over a corpus; more components than a vector has numbers; a table without its rows."""
    encoder = ContextualEncoder.load(str(bert), EncoderOptions(pooling="mean"))
    made = distil(encoder, 4, 0.0)
    with pytest.raises(BadInput, match="static vectors are the same in every text"):
        made.averaged_vectors(["a"], ["a b"])
    with pytest.raises(BadInput, match="more principal components than there are"):
        distil(encoder, 10**6, 0.0)
    made.table_VD = made.table_VD[:3]
    made.save(tmp_path / "static")
    with pytest.raises(BadInput, match="not a table of vectors for this vocabulary"):
        StaticEncoder.load(tmp_path / "static")


def test_a_mix_of_layers_is_their_weighted_mean(bert: Path) -> None:  # noqa: F811
    """Witness: transformers' hidden states; a weight for each layer, or one sentence."""
    count = AutoModel.from_pretrained(bert).config.num_hidden_layers + 1
    weights = tuple(float(n) for n in range(count))
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    with torch.no_grad():
        hidden = model(**tokenizer("the film was sad", return_tensors="pt"), output_hidden_states=True).hidden_states
    wanted = sum(w * states[0].mean(0) for w, states in zip(weights, hidden, strict=True)) / sum(weights)
    found = ContextualEncoder.load(str(bert), EncoderOptions(pooling="mean", mix=weights)).encode(["the film was sad"])
    np.testing.assert_allclose(found[0], wanted.numpy(), atol=1e-5)  # type: ignore[union-attr]
    for wrong in (weights[1:], (0.0,) * count):
        with pytest.raises(BadInput, match="not a weight for each layer"):
            ContextualEncoder.load(str(bert), EncoderOptions(mix=wrong))
