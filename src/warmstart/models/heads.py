"""The kinds of heads: one line and one class for each."""

from warmstart.models.crf_head import CRFHead
from warmstart.models.embedding_head import EmbeddingHead
from warmstart.models.head import Head
from warmstart.models.linear_heads import ChoiceHead, ClassHead, MultilabelHead, ScoreHead, SpanHead
from warmstart.models.san_head import SANHead
from warmstart.models.settings import AnyHeadSettings, BackboneSettings
from warmstart.models.token_heads import TokenHead, VectorHead

HEADS: dict[str, type[Head]] = {
    "class": ClassHead,
    "multilabel": MultilabelHead,
    "score": ScoreHead,
    "choice": ChoiceHead,
    "span": SpanHead,
    "crf": CRFHead,
    "san": SANHead,
    "embedding": EmbeddingHead,
    "tokens": TokenHead,
    "vectors": VectorHead,
}


def build_head(settings: AnyHeadSettings, backbone: BackboneSettings) -> Head:
    """A head of the kind that ``settings`` name, for the states of a backbone; its weights are not drawn yet."""
    return HEADS[settings.kind](settings, backbone)
