"""From a recipe's model to a backbone, of either kind."""

import pytest

from warmstart.base.errors import BadInput
from warmstart.build.sizes import backbone_settings, with_start
from warmstart.config.schema import ModelRecipe
from warmstart.models.lstm_settings import LSTMSettings
from warmstart.models.presets import preset


def test_one_rate_sets_what_each_kind_counts_as_dropout() -> None:
    """Witness: the fields' names."""
    gpt = backbone_settings(ModelRecipe(preset="gpt1-tiny", dropout=0.3), 99)
    lstm = backbone_settings(ModelRecipe(preset="lstm-tiny", dropout=0.3, embedding_dropout=0.8), 99)
    assert (gpt.embedding_dropout, gpt.attention_dropout, gpt.residual_dropout, gpt.vocab_size) == (0.3, 0.3, 0.3, 99)
    assert (lstm.embedding_dropout, lstm.layer_dropout, lstm.output_dropout) == (0.8, 0.3, 0.3)
    assert lstm.word_dropout == lstm.weight_dropout == 0


def test_from_a_start_only_what_changes_no_weight_may_differ() -> None:
    """Bad input: another size, another kind; what drops out and how far a gradient goes is free."""
    start = preset("lstm-tiny")
    found = with_start(ModelRecipe(embedding_dropout=0.8, word_dropout=0.5, bptt=7, context=99), start, 600)
    assert isinstance(found, LSTMSettings)
    assert (found.embedding_dropout, found.word_dropout, found.bptt, found.context) == (0.8, 0.5, 7, 99)
    with pytest.raises(BadInput, match=r"the start has another cells.*leave it out"):
        with_start(ModelRecipe(cells=64), start, 600)
    with pytest.raises(BadInput, match=r"--model: the start has another kind of backbone; got 'gpt1-tiny, of kind"):
        with_start(ModelRecipe(preset="gpt1-tiny"), start, 600)
    with pytest.raises(BadInput, match=r"model.heads: an LSTM has no such size"):
        with_start(ModelRecipe(heads=2), start, 600)


def test_random_embeddings_of_an_lstm_are_large_where_a_task_is_learned_from_them() -> None:
    """Witness: torch.nn.Embedding, whose weights begin as N(0, 1); images are read as before."""
    small = preset("lstm-tiny")
    assert small.for_random_weights().model_dump() == small.model_dump() | {"embedding_std": 1.0}
    images = small.model_copy(update={"vectors": True})
    transformer = preset("gpt1-tiny")
    assert images.for_random_weights() == images and transformer.for_random_weights() == transformer
