"""Our blocks against torch's own Transformer layers, weights copied: values and gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.models.transformer import Block

LENGTHS = (11, 17, 3, 17)


def layer_like(block: Block, width: int, heads: int, hidden: int, norm_first: bool) -> nn.TransformerEncoderLayer:
    """torch's layer with the weights of ``block``."""
    layer = nn.TransformerEncoderLayer(
        width,
        heads,
        hidden,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=norm_first,
        dtype=block.norm1.weight.dtype,
    )
    copied = {
        "self_attn.in_proj_weight": block.attention.qkv.weight,
        "self_attn.in_proj_bias": block.attention.qkv.bias,
        "self_attn.out_proj.weight": block.attention.out.weight,
        "self_attn.out_proj.bias": block.attention.out.bias,
        "linear1.weight": block.mlp.up.weight,
        "linear1.bias": block.mlp.up.bias,
        "linear2.weight": block.mlp.down.weight,
        "linear2.bias": block.mlp.down.bias,
        "norm1.weight": block.norm1.weight,
        "norm1.bias": block.norm1.bias,
        "norm2.weight": block.norm2.weight,
        "norm2.bias": block.norm2.bias,
    }
    layer.load_state_dict({name: tensor.detach().clone() for name, tensor in copied.items()})
    return layer


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("causal", [True, False])
def test_blocks_equal_torchs_layers(norm: str, causal: bool) -> None:
    """Witness: a stack of nn.TransformerEncoderLayer, padded and masked its own way; the slope at the embeddings too."""
    still = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "residual_dropout": 0.0, "activation": "gelu"}
    settings = preset("gpt1-tiny", norm=norm, init_std=0.2, layers=3, **still)
    body = Model.fresh(ModelSettings(backbone=settings), 1).double().train().backbone
    for block in body.blocks:  # biases and gains that are not 0 and 1, so that a swap would show
        for part in (block.norm1, block.norm2, block.attention.qkv, block.mlp.up):
            nn.init.normal_(part.bias, std=0.3)
        nn.init.uniform_(block.norm1.weight, 0.5, 1.5)
    ids = [torch.from_numpy(np.random.default_rng(n).integers(0, 512, n)) for n in LENGTHS]
    make = Example.left_to_right if causal else Example.full_sight

    ours = body(collate([[make(one.numpy(), {})] for one in ids]))
    pull = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(0))
    [slope] = torch.autograd.grad((ours * pull).sum(), [body.tokens.weight])

    x = nn.utils.rnn.pad_sequence(ids, batch_first=True)
    padding = torch.arange(max(LENGTHS)) >= torch.tensor(LENGTHS)[:, None]
    later = torch.ones(max(LENGTHS), max(LENGTHS), dtype=torch.bool).triu(1) if causal else None
    x = body.tokens.weight[x] + body.positions.weight[: max(LENGTHS)]
    for block in body.blocks:
        layer = layer_like(block, settings.width, settings.heads, settings.hidden, norm == "pre")
        x = layer(x, src_mask=later, src_key_padding_mask=padding)
    if body.final_norm is not None:
        x = body.final_norm(x)
    theirs = x[~padding]
    [expected] = torch.autograd.grad((theirs * pull).sum(), [body.tokens.weight])

    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(slope, expected)
