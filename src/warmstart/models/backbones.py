"""The kinds of backbones: one line for each; their settings are listed in :data:`~warmstart.models.settings.KINDS`."""

from collections.abc import Callable

from warmstart.models.backbone import Backbone
from warmstart.models.bi_transformer import BiTransformer
from warmstart.models.encoder_decoder import EncoderDecoder
from warmstart.models.lstm import LSTM
from warmstart.models.lstm_encoder_decoder import LSTMEncoderDecoder
from warmstart.models.settings import BackboneSettings
from warmstart.models.transformer import Transformer

BACKBONES: dict[str, Callable[..., Backbone]] = {
    "transformer": Transformer, "lstm": LSTM, "encoder-decoder": EncoderDecoder, "lstm-encoder-decoder": LSTMEncoderDecoder,
    "bi-transformer": BiTransformer,
}  # fmt: skip


def build_backbone(settings: BackboneSettings) -> Backbone:
    """A backbone of the kind that ``settings`` name; its weights are not drawn yet."""
    return BACKBONES[settings.kind](settings)
