"""A start: parts of a source into parts of a target."""

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.models.backbones import build_backbone
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.transfer.start import PartTransfer, start_from


def _language_model(name: str, seed: int, vocab_size: int = 20) -> Model:
    return Model.fresh(ModelSettings(backbone=preset(name, vocab_size=vocab_size, layers=2, tied=False)), seed)


class _EncoderDecoder(nn.Module):
    """Two backbones under names of their own, and something that no start has."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.encoder, self.decoder = (
            build_backbone(preset(name, vocab_size=rows, layers=2, tied=False)) for rows in (20, 24)
        )
        self.bridge = nn.Linear(3, 3)


@pytest.mark.parametrize("name", ["gpt1-tiny", "lstm-tiny"])
def test_two_language_models_start_an_encoder_and_a_decoder(name: str) -> None:
    """Witness: tensors compared one by one (Ramachandran et al. 2016: each side from a model of its own)."""
    torch.manual_seed(0)
    target = _EncoderDecoder(name)
    drawn = {key: tensor.clone() for key, tensor in target.state_dict().items()}
    source, other = _language_model(name, 1), _language_model(name, 2)
    account = start_from(
        target, PartTransfer(source, target_part="encoder"), PartTransfer(other, target_part="decoder", layers=1)
    )
    for key, tensor in target.encoder.state_dict().items():
        assert torch.equal(tensor, source.backbone.state_dict()[key])
    for key, tensor in target.decoder.state_dict().items():
        theirs = other.backbone.state_dict()[key]
        if key in ("tokens.weight", "output.weight"):
            assert torch.equal(tensor[:20], theirs) and torch.equal(tensor[20:], drawn[f"decoder.{key}"][20:])
        elif key.startswith(("positions", "blocks.0.")):
            assert torch.equal(tensor, theirs)
        else:
            assert torch.equal(tensor, drawn[f"decoder.{key}"])
    assert torch.equal(target.bridge.weight, drawn["bridge.weight"])
    assert account.weights_loaded + account.weights_initialised == sum(t.numel() for t in target.state_dict().values())
    assert {"bridge.weight", "bridge.bias", "decoder.output.weight[20:24]"} <= set(account.initialised)
    assert any(key.startswith("backbone.blocks.1.") for key in account.unused)


def test_a_decoder_gives_its_weights_back() -> None:
    """Witness: the backbone of one part of a source, whole, in a target that has it alone."""
    source, target = _EncoderDecoder("gpt1-tiny"), _language_model("gpt1-tiny", 3, vocab_size=24)
    account = start_from(target, PartTransfer(source, source_part="decoder"))
    assert all(
        torch.equal(tensor, source.decoder.state_dict()[key]) for key, tensor in target.backbone.state_dict().items()
    )
    assert {key.split(".")[0] for key in account.unused} == {"encoder", "bridge"} and not account.initialised


def test_rows_of_shared_tokens_are_taken_by_name() -> None:
    """Witness: the rows written out by hand."""
    source, target = _language_model("gpt1-tiny", 1), _language_model("gpt1-tiny", 2, vocab_size=3)
    third = target.backbone.tokens.weight[2].clone()
    start_from(target, PartTransfer(source, token_rows=np.array([7, 0, -1])))
    rows = source.backbone.tokens.weight
    assert torch.equal(target.backbone.tokens.weight, torch.stack([rows[7], rows[0], third]))


def test_a_part_of_another_size_is_refused() -> None:
    """Witness: the two sizes."""
    with pytest.raises(BadInput, match="another kind of backbone"):
        start_from(_language_model("gpt1-tiny", 1), PartTransfer(_language_model("lstm-tiny", 1)))
    wide = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=20, width=64)), 1)
    with pytest.raises(BadInput, match="another width"):
        start_from(wide, PartTransfer(_language_model("gpt1-tiny", 1)))
