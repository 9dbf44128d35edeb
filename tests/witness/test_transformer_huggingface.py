"""Our backbone against transformers' GPT-1 and GPT-2, their random weights put into ours by hand."""

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings

SIZES = {"vocab_size": 60, "n_positions": 24, "n_embd": 32, "n_layer": 3, "n_head": 4}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.3}


def ours_with(norm: str, theirs: torch.nn.Module, tables: tuple[str, str]) -> Model:
    """Our model with the weights of ``theirs``: their linears are stored [in, out], ours [out, in]."""
    sizes = {"vocab_size": 60, "context": 24, "width": 32, "layers": 3, "heads": 4, "hidden": 128, "norm": norm}
    model = Model(ModelSettings(backbone=preset("gpt1-tiny", **sizes)))
    found = dict(theirs.state_dict())
    taken = {"tokens.weight": found[tables[0]], "positions.weight": found[tables[1]]}
    linears = {
        "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    }
    for i in range(3):
        for own, name in linears.items():
            taken[f"blocks.{i}.{own}.weight"] = found[f"h.{i}.{name}.weight"].T
            taken[f"blocks.{i}.{own}.bias"] = found[f"h.{i}.{name}.bias"]
        for own, name in {"norm1": "ln_1", "norm2": "ln_2"}.items():
            for kind in ("weight", "bias"):
                taken[f"blocks.{i}.{own}.{kind}"] = found[f"h.{i}.{name}.{kind}"]
    if norm == "pre":
        taken |= {"final_norm.weight": found["ln_f.weight"], "final_norm.bias": found["ln_f.bias"]}
    model.backbone.load_state_dict(taken)
    return model.eval()


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Biases and gains away from 0 and 1, so that a swap would show."""
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter += 0.2 * torch.randn(parameter.shape, generator=random)
    return module.eval()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["OpenAIGPT", "GPT2"])
def test_states_equal_theirs(name: str) -> None:
    """Witness: transformers' final hidden states, text by text, to 1e-5."""
    transformers = pytest.importorskip("transformers", minversion="5.3")
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SIZES, **STILL, bos_token_id=0, eos_token_id=0)
    theirs = shaken(getattr(transformers, f"{name}Model")(config))
    gpt1 = name == "OpenAIGPT"
    tables = ("tokens_embed.weight", "positions_embed.weight") if gpt1 else ("wte.weight", "wpe.weight")
    model = ours_with("post" if gpt1 else "pre", theirs, tables)
    ids = [np.random.default_rng(n).integers(0, 60, n) for n in (24, 7, 1, 13, 13)]
    with torch.no_grad():
        ours = model.backbone(collate([[Example.left_to_right(one, {})] for one in ids]))
        wanted = torch.cat([theirs(torch.from_numpy(one)[None]).last_hidden_state[0] for one in ids])
    assert float((ours - wanted).abs().max()) <= 1e-5
    assert float(wanted.std()) > 0.5
